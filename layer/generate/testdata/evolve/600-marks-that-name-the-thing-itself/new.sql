-- +was t
CREATE TABLE t (id integer NOT NULL);
CREATE TABLE "Days" (
    "Id" integer NOT NULL, -- +was Id
    n integer
);
