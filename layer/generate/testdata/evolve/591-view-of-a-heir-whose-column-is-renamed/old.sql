CREATE TABLE p (id integer NOT NULL, n integer);
CREATE TABLE "C" (x integer) INHERITS (p);
CREATE TABLE d (y integer, CONSTRAINT d_check CHECK (n > 0)) INHERITS ("C");
CREATE VIEW v AS SELECT n FROM d;
