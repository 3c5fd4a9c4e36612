CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 2)::integer $$;
CREATE TABLE t (id integer NOT NULL, n integer NOT NULL, CONSTRAINT t_pkey PRIMARY KEY (id), CONSTRAINT t_ex EXCLUDE USING btree (half(n) WITH =));
