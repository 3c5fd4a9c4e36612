CREATE TABLE p (id integer NOT NULL, n integer, CONSTRAINT p_pkey PRIMARY KEY (id));
CREATE TABLE q (id integer NOT NULL, o integer);
CREATE TABLE c (x integer) INHERITS (p);
