CREATE DOMAIN code AS text;
CREATE DOMAIN long_code AS code;
CREATE TYPE coded AS (n integer, c long_code);
CREATE TABLE t (id integer NOT NULL, codes coded, CONSTRAINT t_pkey PRIMARY KEY (id));
