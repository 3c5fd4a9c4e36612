INSERT INTO bk_p SELECT i, 'c' || i FROM generate_series(1, 20) i;
CREATE VIEW somebodys AS SELECT code FROM bk_p;
