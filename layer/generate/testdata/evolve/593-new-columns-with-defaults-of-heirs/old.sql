CREATE TABLE p (id integer NOT NULL);
CREATE TABLE a (x integer) INHERITS (p);
