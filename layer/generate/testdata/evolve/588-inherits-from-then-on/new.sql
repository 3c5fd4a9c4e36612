CREATE TABLE p (id integer NOT NULL, n integer, m integer, CONSTRAINT p_pkey PRIMARY KEY (id));
CREATE TABLE c (id integer NOT NULL, n integer, m integer, x integer) INHERITS (p);
