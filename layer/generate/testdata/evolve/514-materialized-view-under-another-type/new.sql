CREATE TABLE src (
    id integer NOT NULL,
    amount bigint NOT NULL, -- +was n
    CONSTRAINT s_pkey PRIMARY KEY (id)
);
CREATE VIEW v AS SELECT id, amount AS n FROM src;
CREATE MATERIALIZED VIEW mv AS SELECT n, count(*) AS c FROM v GROUP BY n;
CREATE UNIQUE INDEX mv_n_idx ON mv (n);
CREATE INDEX mv_c_idx ON mv (c DESC) WHERE c > 1;
CREATE VIEW vmv AS SELECT n + 1 AS m FROM mv;
CREATE MATERIALIZED VIEW mv2 AS SELECT m FROM vmv;
CREATE INDEX mv2_m_idx ON mv2 (m);
COMMENT ON MATERIALIZED VIEW mv IS 'm';
COMMENT ON COLUMN mv.n IS 'n of m2';
COMMENT ON INDEX mv_n_idx IS 'i of m';
