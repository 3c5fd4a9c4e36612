CREATE TABLE t (id integer NOT NULL, n integer, CONSTRAINT t_pkey PRIMARY KEY (id));
CREATE FUNCTION step(s integer, n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT s + n $$;
CREATE AGGREGATE total(integer) (sfunc = step, stype = integer, initcond = '0');
CREATE VIEW v AS SELECT total(n) AS n FROM t;
CREATE PROCEDURE pr(a integer) LANGUAGE sql AS $$ INSERT INTO t VALUES (a) $$;
CREATE TABLE u (id integer NOT NULL, a integer, at timestamptz, CONSTRAINT u_pkey PRIMARY KEY (id));
CREATE FUNCTION old_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.at := now(); RETURN new; END $$;
CREATE TRIGGER u_a BEFORE UPDATE OF a ON u FOR EACH ROW WHEN (old.a IS DISTINCT FROM new.a) EXECUTE FUNCTION old_f();
CREATE CONSTRAINT TRIGGER u_c AFTER INSERT ON u DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION old_f('x');
