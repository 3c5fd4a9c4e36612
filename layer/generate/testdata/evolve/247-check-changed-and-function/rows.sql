INSERT INTO bk_c SELECT i, 'vvv' || i, i FROM generate_series(1, 300) i;
