CREATE FUNCTION half(n bigint) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 2)::integer $$;
CREATE FUNCTION more(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN half(n) + 1;
CREATE DOMAIN mored AS integer CONSTRAINT mored_check CHECK (more(VALUE) >= 0);
CREATE TABLE t (id integer NOT NULL, n mored NOT NULL, CONSTRAINT t_ex EXCLUDE USING btree (more(id) WITH =), CONSTRAINT t_check CHECK (more(id) > 0));
CREATE INDEX t_more_idx ON t (more(id));
CREATE MATERIALIZED VIEW sums AS SELECT id, half(n) AS h FROM t;
CREATE INDEX sums_idx ON sums (half(h));
