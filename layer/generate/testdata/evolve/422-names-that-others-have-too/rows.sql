INSERT INTO note VALUES (1, 'a');
INSERT INTO bk_a SELECT i FROM generate_series(1, 20) i;
INSERT INTO bk_b SELECT i, i, 'n' || i FROM generate_series(1, 20) i;
INSERT INTO bk_c SELECT i FROM generate_series(1, 20) i;
