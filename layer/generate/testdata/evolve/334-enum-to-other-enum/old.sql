CREATE TYPE bk_a AS ENUM ('x', 'y', 'z');
CREATE TABLE IF NOT EXISTS bk_e (
    id integer NOT NULL,
    v bk_a DEFAULT 'x' NOT NULL,
    vs bk_a[],
    CONSTRAINT bk_e_pkey PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS bk_e_v_idx ON bk_e (v) WHERE v <> 'y';
