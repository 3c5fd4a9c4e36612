CREATE TABLE IF NOT EXISTS bk_d (
    id integer NOT NULL,
    name text NOT NULL,
    short text NOT NULL, -- +fill upper(nam)
    CONSTRAINT bk_d_pkey PRIMARY KEY (id)
);
