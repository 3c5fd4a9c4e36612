CREATE FUNCTION third(n integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 3)::bigint $$;
CREATE TABLE t (id integer NOT NULL, n integer);
