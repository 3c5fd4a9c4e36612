INSERT INTO t SELECT i FROM generate_series(1, 30) i;
