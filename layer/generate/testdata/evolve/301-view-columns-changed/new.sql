CREATE TABLE IF NOT EXISTS bk_s (
    id integer NOT NULL,
    n integer NOT NULL,
    extra text,
    CONSTRAINT bk_s_pkey PRIMARY KEY (id)
);
CREATE OR REPLACE VIEW bk_v1 AS SELECT n, extra, id FROM bk_s WHERE n < 1000;
CREATE OR REPLACE VIEW bk_v2 AS SELECT id FROM bk_v1 WHERE n > 3;
CREATE OR REPLACE VIEW bk_v3 AS SELECT 1 AS one, id, extra FROM bk_s;
CREATE MATERIALIZED VIEW IF NOT EXISTS bk_m AS SELECT n, extra, count(*) AS c FROM bk_v1 GROUP BY n, extra;
CREATE UNIQUE INDEX IF NOT EXISTS bk_m_n_key ON bk_m (n);
