CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT n / 2 $$;
CREATE TABLE t (id integer NOT NULL, CONSTRAINT t_ex EXCLUDE USING btree (half(id) WITH =));
