CREATE TABLE IF NOT EXISTS bk_d (
    id integer NOT NULL,
    born text,
    CONSTRAINT bk_d_pkey PRIMARY KEY (id)
);
