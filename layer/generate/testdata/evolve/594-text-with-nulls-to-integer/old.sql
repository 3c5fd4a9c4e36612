CREATE TABLE p (id integer NOT NULL, t text);
