CREATE TABLE IF NOT EXISTS bk_c (
    id integer NOT NULL,
    w integer,
    CONSTRAINT bk_c_pkey PRIMARY KEY (id)
);
