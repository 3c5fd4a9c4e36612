CREATE TABLE IF NOT EXISTS bk_c (
    id integer NOT NULL,
    name text,
    name_key text NOT NULL, -- +fill lower(name)
    CONSTRAINT bk_c_pkey PRIMARY KEY (id),
    CONSTRAINT bk_c_name_key_key UNIQUE (name_key)
);
