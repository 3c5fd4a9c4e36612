INSERT INTO bk_d SELECT i, repeat('n', i) FROM generate_series(1, 20) i;
