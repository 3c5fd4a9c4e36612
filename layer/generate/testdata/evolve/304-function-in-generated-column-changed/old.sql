CREATE FUNCTION bk_norm(v text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(v) $$;
CREATE TABLE IF NOT EXISTS bk_s (
    id integer NOT NULL,
    name text NOT NULL,
    key text GENERATED ALWAYS AS (bk_norm(name)) STORED,
    CONSTRAINT bk_s_pkey PRIMARY KEY (id),
    CONSTRAINT bk_s_key_key UNIQUE (key)
);
