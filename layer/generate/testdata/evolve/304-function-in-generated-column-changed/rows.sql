INSERT INTO bk_s (id, name) SELECT i, 'N' || i FROM generate_series(1, 30) i;
