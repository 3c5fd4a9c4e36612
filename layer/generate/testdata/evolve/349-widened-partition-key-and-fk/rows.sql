INSERT INTO bk_h SELECT i, i, 'n' FROM generate_series(1, 100) i;
INSERT INTO bk_r SELECT i, i FROM generate_series(1, 100) i;
