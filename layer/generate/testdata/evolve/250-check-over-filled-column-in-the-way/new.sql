CREATE TABLE IF NOT EXISTS bk_c (
    id integer NOT NULL,
    w integer,
    half integer NOT NULL, -- +fill w / 2
    CONSTRAINT bk_c_pkey PRIMARY KEY (id),
    CONSTRAINT bk_c_half_check CHECK (half > 0)
);
