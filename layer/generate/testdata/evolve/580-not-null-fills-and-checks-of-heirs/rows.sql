INSERT INTO p VALUES (2, NULL); INSERT INTO c VALUES (3, 42, 6), (4, NULL, 7), (5, 43, 7); INSERT INTO d (id, n, x, y, k) VALUES (6, 4, 5, 6, 7), (7, NULL, 5, 6, NULL);
