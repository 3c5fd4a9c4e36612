INSERT INTO bk_d SELECT i, CASE WHEN i = 5 THEN 'secret-31' ELSE '2020-01-01' END FROM generate_series(1, 20) i;
