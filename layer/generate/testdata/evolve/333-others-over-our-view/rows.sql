INSERT INTO bk_p SELECT i, i FROM generate_series(1, 20) i;
CREATE VIEW somebodys AS SELECT id, n FROM bk_v;
CREATE MATERIALIZED VIEW somebodys_m AS SELECT id, n FROM somebodys;
CREATE UNIQUE INDEX somebodys_m_key ON somebodys_m (id);
COMMENT ON VIEW somebodys IS 'mine''s';
GRANT SELECT ON somebodys, somebodys_m, bk_v TO PUBLIC;
