CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 2)::integer $$;
CREATE TABLE t (id integer NOT NULL, n integer NOT NULL, CONSTRAINT t_pkey PRIMARY KEY (id), CONSTRAINT t_n_check CHECK (half(n) >= 0));
CREATE INDEX t_half_idx ON t (half(n));
CREATE VIEW v AS SELECT id, half(n) AS h FROM t;
