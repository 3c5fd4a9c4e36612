CREATE FUNCTION half(n bigint) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 2)::integer $$;
CREATE TABLE t (id integer NOT NULL, n integer DEFAULT half(4));
