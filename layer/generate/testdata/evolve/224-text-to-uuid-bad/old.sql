CREATE TABLE IF NOT EXISTS bk_keys (
    id integer NOT NULL,
    token text NOT NULL,
    CONSTRAINT bk_keys_pkey PRIMARY KEY (id)
);
