CREATE TABLE IF NOT EXISTS bk_c (
    id integer NOT NULL,
    name text,
    CONSTRAINT bk_c_pkey PRIMARY KEY (id)
);
