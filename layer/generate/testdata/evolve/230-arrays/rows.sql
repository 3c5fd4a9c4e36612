INSERT INTO bk_arr SELECT i, ARRAY[i, 2], ARRAY['a', 'b'], i FROM generate_series(1, 300) i;
