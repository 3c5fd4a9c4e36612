INSERT INTO bk_m SELECT '2020-12-01'::date + i, i FROM generate_series(1, 100) i;
