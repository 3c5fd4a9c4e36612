INSERT INTO bk_g (id, a, b) SELECT i, i, 2 FROM generate_series(1, 300) i;
