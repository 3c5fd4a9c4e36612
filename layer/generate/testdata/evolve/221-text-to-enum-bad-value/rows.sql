INSERT INTO bk_jobs SELECT i, CASE WHEN i = 30 THEN 'Done' ELSE 'open' END FROM generate_series(1, 300) i;
