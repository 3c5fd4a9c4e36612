CREATE TABLE IF NOT EXISTS bk_d (
    id integer NOT NULL,
    name text NOT NULL,
    short varchar(10) NOT NULL, -- +fill name
    CONSTRAINT bk_d_pkey PRIMARY KEY (id)
);
