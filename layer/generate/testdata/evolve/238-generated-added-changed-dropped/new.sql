CREATE TABLE IF NOT EXISTS bk_g (
    id integer NOT NULL,
    a integer NOT NULL,
    b integer NOT NULL,
    total integer GENERATED ALWAYS AS (a + b + 1) STORED,
    kept integer,
    added text GENERATED ALWAYS AS ('n' || a::text) STORED NOT NULL,
    CONSTRAINT bk_g_pkey PRIMARY KEY (id),
    CONSTRAINT bk_g_total_check CHECK (total > 0)
);
CREATE INDEX IF NOT EXISTS bk_g_total_idx ON bk_g (total);
CREATE INDEX IF NOT EXISTS bk_g_added_idx ON bk_g (added);
CREATE OR REPLACE VIEW bk_g_view AS SELECT id, total FROM bk_g;
