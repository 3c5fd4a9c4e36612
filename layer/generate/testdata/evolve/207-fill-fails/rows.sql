INSERT INTO bk_legs SELECT i, i % 100 FROM generate_series(1, 300) i;
