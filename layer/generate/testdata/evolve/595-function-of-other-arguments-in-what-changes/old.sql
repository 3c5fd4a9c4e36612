CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 2)::integer $$;
CREATE DOMAIN halved AS integer CONSTRAINT halved_check CHECK (half(VALUE) > 0);
CREATE TABLE t (id integer NOT NULL, n integer NOT NULL, d halved, CONSTRAINT t_n_check CHECK (half(n) > 0), CONSTRAINT t_o_check CHECK (half(n) > 0));
CREATE INDEX t_idx ON t (half(n));
CREATE VIEW v AS SELECT id, half(n) AS h FROM t;
CREATE VIEW o AS SELECT id, half(n) AS h FROM t;
