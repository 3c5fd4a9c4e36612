INSERT INTO bk_c SELECT i, CASE WHEN i = 7 THEN 'N300' ELSE 'n' || i END FROM generate_series(1, 300) i;
