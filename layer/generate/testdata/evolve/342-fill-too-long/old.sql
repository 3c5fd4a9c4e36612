CREATE TABLE IF NOT EXISTS bk_d (
    id integer NOT NULL,
    name text NOT NULL,
    CONSTRAINT bk_d_pkey PRIMARY KEY (id)
);
