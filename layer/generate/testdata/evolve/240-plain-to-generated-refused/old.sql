CREATE TABLE IF NOT EXISTS bk_g (
    id integer NOT NULL,
    first text NOT NULL,
    full_name text,
    CONSTRAINT bk_g_pkey PRIMARY KEY (id)
);
