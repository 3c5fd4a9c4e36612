CREATE TABLE IF NOT EXISTS bk_p (
    id integer NOT NULL,
    n bigint NOT NULL,
    m bigint NOT NULL,
    CONSTRAINT bk_p_pkey PRIMARY KEY (id)
);
CREATE OR REPLACE VIEW "Bk View" AS SELECT n, m, id FROM bk_p WHERE id > 0;
CREATE OR REPLACE VIEW bk_w AS SELECT 1 AS one, max(n) AS "Top" FROM "Bk View";
CREATE MATERIALIZED VIEW IF NOT EXISTS bk_m AS SELECT n, id FROM "Bk View";
