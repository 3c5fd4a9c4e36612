INSERT INTO bk_g SELECT i, 'a', 'b' FROM generate_series(1, 300) i;
