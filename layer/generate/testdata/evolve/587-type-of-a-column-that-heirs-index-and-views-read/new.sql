CREATE TABLE p (id integer NOT NULL, n text, CONSTRAINT p_pkey PRIMARY KEY (id));
CREATE TABLE c (x integer, CONSTRAINT c_n_check CHECK (n > '0')) INHERITS (p);
CREATE VIEW v AS SELECT id, n FROM c;
CREATE INDEX c_n_idx ON c (n) WHERE n > '0';
