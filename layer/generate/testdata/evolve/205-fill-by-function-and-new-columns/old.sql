CREATE TABLE IF NOT EXISTS bk_parts (
    id integer NOT NULL,
    code text NOT NULL,
    CONSTRAINT bk_parts_pkey PRIMARY KEY (id)
);
