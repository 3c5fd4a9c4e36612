INSERT INTO p SELECT i FROM generate_series(1, 30) i;
INSERT INTO c SELECT i FROM generate_series(1, 30) i;
INSERT INTO q SELECT i FROM generate_series(1, 30) i;
INSERT INTO d SELECT i FROM generate_series(1, 30) i;
