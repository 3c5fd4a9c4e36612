INSERT INTO t SELECT i, 'a b' FROM generate_series(1, 30) i;
INSERT INTO base SELECT i, 'b' FROM generate_series(1, 30) i;
INSERT INTO kid SELECT i, 'k', 'e' FROM generate_series(1, 30) i;
