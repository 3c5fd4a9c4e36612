INSERT INTO t (id, n) SELECT i*2, i FROM generate_series(1, 30) i;
