CREATE TABLE p (id integer NOT NULL, n integer, CONSTRAINT p_pkey PRIMARY KEY (id), CONSTRAINT p_o_check CHECK (id > 0), CONSTRAINT p_gone CHECK (id > 0), CONSTRAINT p_c CHECK (id > 1) NO INHERIT);
CREATE TABLE c (x integer, CONSTRAINT p_c CHECK (id > 1) NO INHERIT) INHERITS (p);
CREATE TABLE d (y integer, k integer) INHERITS (c);
