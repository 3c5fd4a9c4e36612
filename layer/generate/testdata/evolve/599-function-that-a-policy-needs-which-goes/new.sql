CREATE TABLE o (id integer NOT NULL);
