CREATE FUNCTION bk_ok(v text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT length(v) > 3 $$;
CREATE TABLE IF NOT EXISTS bk_c (
    id integer NOT NULL,
    v text NOT NULL,
    CONSTRAINT bk_c_pkey PRIMARY KEY (id),
    CONSTRAINT bk_c_v_check CHECK (bk_ok(v))
);
