CREATE TABLE p (id integer NOT NULL,
  n integer NOT NULL DEFAULT 5, -- +fill 0
  k integer, -- +fill id * 10
  l integer NOT NULL, -- +fill id * 100
  m integer NOT NULL DEFAULT 4,
  CONSTRAINT p_pkey PRIMARY KEY (id), CONSTRAINT p_q_check CHECK (id > 0), CONSTRAINT p_n_check CHECK (n >= 0), CONSTRAINT p_c CHECK (id > 0) NO INHERIT);
CREATE TABLE c (x integer, CONSTRAINT p_c CHECK (id > 0) NO INHERIT) INHERITS (p);
CREATE TABLE d (y integer, k integer) INHERITS (c);
COMMENT ON CONSTRAINT p_n_check ON c IS 'of c';
