CREATE TABLE a (id integer NOT NULL, note text, CONSTRAINT a_pkey PRIMARY KEY (id));
CREATE TABLE b (id integer NOT NULL, amount integer, CONSTRAINT b_pkey PRIMARY KEY (id), CONSTRAINT b_fkey FOREIGN KEY (id) REFERENCES a (id));
