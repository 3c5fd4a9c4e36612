INSERT INTO bk_tags SELECT i, repeat('x', 1 + i % 12) FROM generate_series(1, 300) i;
