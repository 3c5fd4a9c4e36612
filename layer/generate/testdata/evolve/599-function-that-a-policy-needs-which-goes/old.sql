CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 2)::integer $$;
CREATE TABLE t (id integer NOT NULL);
CREATE TABLE u (id integer NOT NULL) PARTITION BY RANGE (half(id));
CREATE TABLE o (id integer NOT NULL);
