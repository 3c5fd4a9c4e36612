CREATE TABLE IF NOT EXISTS bk_p (
    id integer NOT NULL,
    code text NOT NULL,
    note text,
    CONSTRAINT bk_p_pkey PRIMARY KEY (id)
);
