CREATE TABLE IF NOT EXISTS bk_p (
    id integer NOT NULL,
    n integer NOT NULL,
    m integer NOT NULL,
    CONSTRAINT bk_p_pkey PRIMARY KEY (id)
);
CREATE OR REPLACE VIEW "Bk View" AS SELECT id, n, m FROM bk_p;
CREATE OR REPLACE VIEW bk_w AS SELECT max(n) AS "Top" FROM "Bk View";
CREATE MATERIALIZED VIEW IF NOT EXISTS bk_m AS SELECT id, n FROM "Bk View";
