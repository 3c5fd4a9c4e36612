CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT n / 2 $$;
CREATE TABLE t (id integer NOT NULL, n integer DEFAULT half(8), CONSTRAINT t_check CHECK (half(n) > 0));
CREATE INDEX t_idx ON t (half(n));
