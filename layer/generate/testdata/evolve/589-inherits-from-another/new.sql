CREATE TABLE p (id integer NOT NULL, n bigint, m integer, CONSTRAINT p_pkey PRIMARY KEY (id));
CREATE TABLE q (id integer NOT NULL, o integer, CONSTRAINT q_check CHECK (o > 0));
CREATE TABLE c (id integer NOT NULL, n bigint, m integer, o integer, x integer, CONSTRAINT q_check CHECK (o > 0)) INHERITS (q);
