CREATE DOMAIN levels AS integer CONSTRAINT levels_check CHECK (VALUE > 0);
CREATE DOMAIN "High" AS levels;
CREATE DOMAIN sizes AS integer NOT NULL;
CREATE DOMAIN days AS integer CONSTRAINT days_check CHECK (VALUE > 0);
CREATE TYPE dayrange AS RANGE (SUBTYPE = days);
CREATE DOMAIN ages AS integer CONSTRAINT ages_check CHECK (VALUE > 0);
CREATE TABLE people (age ages);
CREATE TABLE t (id integer NOT NULL, a "High", b sizes, c daymultirange, d people, CONSTRAINT t_pkey PRIMARY KEY (id));
