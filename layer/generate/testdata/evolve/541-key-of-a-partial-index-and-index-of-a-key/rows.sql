INSERT INTO t SELECT i, i, i, i FROM generate_series(1, 30) i;
INSERT INTO r SELECT i, i FROM generate_series(1, 30) i;
INSERT INTO k SELECT i, i FROM generate_series(1, 30) i;
