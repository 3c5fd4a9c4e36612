CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT n / 3 $$;
CREATE TABLE t (id integer NOT NULL, CONSTRAINT t_ex EXCLUDE USING btree (half(id) WITH =));
