CREATE DOMAIN levels AS integer;
CREATE DOMAIN "High" AS levels;
CREATE DOMAIN sizes AS integer;
CREATE DOMAIN days AS integer;
CREATE TYPE dayrange AS RANGE (SUBTYPE = days);
CREATE DOMAIN ages AS integer;
CREATE TABLE people (age ages);
CREATE TABLE t (id integer NOT NULL, a "High", b sizes, c daymultirange, d people, CONSTRAINT t_pkey PRIMARY KEY (id));
