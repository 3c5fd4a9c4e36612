INSERT INTO bk_c SELECT i, 'vv' || i FROM generate_series(1, 300) i;
