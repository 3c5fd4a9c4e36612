INSERT INTO users (name) SELECT 'n' || i FROM generate_series(1, 30) i;
INSERT INTO posts SELECT i, i FROM generate_series(1, 30) i;
