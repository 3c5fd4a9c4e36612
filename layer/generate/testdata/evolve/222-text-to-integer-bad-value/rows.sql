INSERT INTO bk_meters SELECT i, CASE WHEN i = 299 THEN 'n/a' ELSE i::text END FROM generate_series(1, 300) i;
