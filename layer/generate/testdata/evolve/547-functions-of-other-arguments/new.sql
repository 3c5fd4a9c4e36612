CREATE TABLE t (id integer NOT NULL, n integer, CONSTRAINT t_pkey PRIMARY KEY (id));
CREATE FUNCTION step(s bigint, n integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT s + n $$;
CREATE AGGREGATE total(integer) (sfunc = step, stype = bigint, initcond = '5');
CREATE VIEW v AS SELECT total(n) AS n FROM t;
CREATE PROCEDURE pr(b integer, INOUT c integer DEFAULT 1) LANGUAGE sql AS $$ INSERT INTO t VALUES (b) RETURNING id $$;
CREATE TABLE u (id integer NOT NULL,
    b numeric, -- +was a
    at timestamptz, CONSTRAINT u_pkey PRIMARY KEY (id));
CREATE FUNCTION new_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.at := now(); RETURN new; END $$;
CREATE TRIGGER u_a BEFORE UPDATE OF b ON u FOR EACH ROW WHEN (old.b IS DISTINCT FROM new.b) EXECUTE FUNCTION new_f();
CREATE CONSTRAINT TRIGGER u_c AFTER INSERT OR UPDATE ON u DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW EXECUTE FUNCTION new_f('y');
ALTER TABLE u DISABLE TRIGGER u_c;
