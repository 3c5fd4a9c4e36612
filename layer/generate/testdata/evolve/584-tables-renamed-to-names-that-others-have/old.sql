CREATE TABLE people (id integer NOT NULL, CONSTRAINT people_pkey PRIMARY KEY (id));
CREATE VIEW "Users" AS SELECT id FROM people;
CREATE TABLE days (id integer NOT NULL, CONSTRAINT days_pkey PRIMARY KEY (id));
CREATE TYPE weeks AS ENUM ('first');
CREATE TABLE hours (id integer NOT NULL, CONSTRAINT seconds PRIMARY KEY (id));
