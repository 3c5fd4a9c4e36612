CREATE TABLE IF NOT EXISTS bk_g (
    id integer NOT NULL,
    a integer NOT NULL,
    b integer NOT NULL,
    total integer GENERATED ALWAYS AS (a + b) STORED,
    kept integer GENERATED ALWAYS AS (a * b) STORED,
    gone integer GENERATED ALWAYS AS (a - b) STORED,
    CONSTRAINT bk_g_pkey PRIMARY KEY (id),
    CONSTRAINT bk_g_total_check CHECK (total > 0)
);
CREATE INDEX IF NOT EXISTS bk_g_total_idx ON bk_g (total);
CREATE OR REPLACE VIEW bk_g_view AS SELECT id, total FROM bk_g;
