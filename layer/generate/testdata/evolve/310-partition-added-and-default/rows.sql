INSERT INTO bk_m SELECT '2020-01-01'::date + i % 300, i, i FROM generate_series(1, 300) i;
