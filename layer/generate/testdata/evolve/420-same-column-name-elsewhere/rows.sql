INSERT INTO bk_a (id) SELECT i FROM generate_series(1, 20) i; -- weight is NULL
INSERT INTO bk_b SELECT i + 100, 'b', 7, i FROM generate_series(1, 20) i;
