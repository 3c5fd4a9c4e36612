CREATE TABLE IF NOT EXISTS bk_d (
    id integer NOT NULL,
    born date NOT NULL, -- +fill '2000-01-01'
    CONSTRAINT bk_d_pkey PRIMARY KEY (id)
);
