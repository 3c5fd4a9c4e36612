INSERT INTO inv SELECT FROM generate_series(1, 30) i;
INSERT INTO pos SELECT i, i FROM generate_series(1, 30) i;
INSERT INTO t SELECT i, i, i FROM generate_series(1, 30) i;
