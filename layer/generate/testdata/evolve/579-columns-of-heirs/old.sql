CREATE TABLE p (id integer NOT NULL, n integer, gone text, CONSTRAINT p_pkey PRIMARY KEY (id));
CREATE TABLE c (m integer, CONSTRAINT c_pkey PRIMARY KEY (id)) INHERITS (p);
CREATE TABLE d (o integer, CONSTRAINT d_pkey PRIMARY KEY (id)) INHERITS (c);
