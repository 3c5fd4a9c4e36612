INSERT INTO a VALUES (1, 'one'), (2, 'two');
INSERT INTO b VALUES (1, 10);
