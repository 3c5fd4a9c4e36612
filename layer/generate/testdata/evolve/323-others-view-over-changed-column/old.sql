CREATE TABLE IF NOT EXISTS bk_stay (
    id integer NOT NULL,
    n integer NOT NULL,
    CONSTRAINT bk_stay_pkey PRIMARY KEY (id)
);
