CREATE TABLE p (id integer NOT NULL, n bigint, fresh text DEFAULT 'x', CONSTRAINT p_pkey PRIMARY KEY (id));
CREATE TABLE c (m integer, CONSTRAINT c_pkey PRIMARY KEY (id)) INHERITS (p);
CREATE TABLE d (o bigint, CONSTRAINT d_pkey PRIMARY KEY (id)) INHERITS (c);
COMMENT ON COLUMN c.fresh IS 'is fresh';
COMMENT ON COLUMN d.n IS 'a number';
