CREATE FUNCTION bk_ok(v text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT length(v) > 3 $$;
CREATE TABLE IF NOT EXISTS bk_c (
    id integer NOT NULL,
    v text NOT NULL,
    w integer,
    CONSTRAINT bk_c_pkey PRIMARY KEY (id),
    CONSTRAINT bk_c_v_check CHECK (bk_ok(v) AND v LIKE 'v%'),
    CONSTRAINT bk_c_w_check CHECK (w > 0 AND w BETWEEN 1 AND 1000)
);
CREATE INDEX IF NOT EXISTS bk_c_ok_idx ON bk_c (id) WHERE bk_ok(v);
