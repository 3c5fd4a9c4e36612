CREATE DOMAIN levels AS integer CONSTRAINT levels_check CHECK (VALUE > 0);
CREATE TABLE t (id integer NOT NULL, level levels,
    filled levels NOT NULL, -- +fill 1
    CONSTRAINT t_pkey PRIMARY KEY (id));
