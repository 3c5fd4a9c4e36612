INSERT INTO bk_legs SELECT i, nullif(i, 77) FROM generate_series(1, 300) i;
