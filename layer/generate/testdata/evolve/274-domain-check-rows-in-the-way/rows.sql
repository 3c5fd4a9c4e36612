INSERT INTO bk_d SELECT i, CASE WHEN i = 9 THEN '@' ELSE 'a@b' END || i FROM generate_series(1, 300) i;
