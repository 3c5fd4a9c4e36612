-- +was p
CREATE TABLE "P" (
  id integer NOT NULL,
  "N" text, -- +was n
  m integer NOT NULL -- +fill id * 4
);
CREATE TABLE "C" (x integer) INHERITS ("P");
CREATE TABLE d (y integer, CONSTRAINT d_check CHECK ("N" > '0')) INHERITS ("C");
CREATE VIEW v AS SELECT "N" AS n FROM d;
