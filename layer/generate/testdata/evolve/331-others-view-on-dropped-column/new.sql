CREATE TABLE IF NOT EXISTS bk_p (
    id integer NOT NULL,
    CONSTRAINT bk_p_pkey PRIMARY KEY (id)
);
