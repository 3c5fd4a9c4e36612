CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 2)::integer $$;
CREATE TABLE t (id integer NOT NULL);
