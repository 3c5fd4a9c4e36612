CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 2)::integer $$;
CREATE FUNCTION loud(n integer) RETURNS text LANGUAGE sql STABLE AS $$ SELECT n::text $$;
CREATE DOMAIN halved AS integer CONSTRAINT halved_check CHECK (half(VALUE) >= 0);
CREATE TABLE t (id integer NOT NULL, n integer NOT NULL, h halved, CONSTRAINT t_pkey PRIMARY KEY (id));
CREATE FUNCTION more(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN half(n) + 1;
CREATE VIEW v AS SELECT id, loud(n) AS l FROM t;
