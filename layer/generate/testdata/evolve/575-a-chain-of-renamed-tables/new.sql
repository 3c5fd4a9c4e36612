-- +was a
CREATE TABLE b (id integer NOT NULL, note text, CONSTRAINT b_pkey PRIMARY KEY (id));
-- +was b
CREATE TABLE c (id integer NOT NULL, amount integer, CONSTRAINT c_pkey PRIMARY KEY (id), CONSTRAINT c_fkey FOREIGN KEY (id) REFERENCES b (id));
CREATE TABLE a (id integer NOT NULL, fresh boolean, CONSTRAINT a_pkey PRIMARY KEY (id));
