INSERT INTO bk_a SELECT i::text FROM generate_series(1, 50) i;
INSERT INTO bk_b SELECT i, i::text FROM generate_series(1, 50) i;
