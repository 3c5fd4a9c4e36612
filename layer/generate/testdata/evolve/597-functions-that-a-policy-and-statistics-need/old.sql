CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 2)::integer $$;
CREATE FUNCTION third(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 3)::integer $$;
CREATE TABLE t (id integer NOT NULL);
