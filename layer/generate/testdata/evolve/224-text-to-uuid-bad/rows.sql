INSERT INTO bk_keys SELECT i, CASE WHEN i = 3 THEN 'zz' ELSE md5(i::text) END FROM generate_series(1, 300) i;
