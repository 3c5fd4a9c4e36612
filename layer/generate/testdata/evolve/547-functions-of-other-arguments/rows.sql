INSERT INTO t SELECT i, i FROM generate_series(1, 30) i;
GRANT SELECT ON v TO PUBLIC;
INSERT INTO u SELECT i, i FROM generate_series(1, 30) i;
