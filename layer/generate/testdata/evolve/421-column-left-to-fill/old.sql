CREATE TABLE IF NOT EXISTS bk_a (
    id integer NOT NULL,
    token uuid,
    created_at timestamptz,
    note text,
    CONSTRAINT bk_a_pkey PRIMARY KEY (id),
    CONSTRAINT "musicstore_token_fill" CHECK (true) NOT VALID
);
