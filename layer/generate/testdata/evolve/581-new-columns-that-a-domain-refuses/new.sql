CREATE DOMAIN levels AS integer NOT NULL;
CREATE DOMAIN sizes AS integer DEFAULT 0 CONSTRAINT sizes_check CHECK (VALUE > 0);
CREATE TABLE t (
    id integer NOT NULL,
    fine levels DEFAULT 1,
    a levels,
    b levels NOT NULL, -- +fill id
    c sizes,
    CONSTRAINT t_pkey PRIMARY KEY (id)
);
