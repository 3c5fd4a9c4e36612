INSERT INTO bk_p SELECT i, 'c' || i FROM generate_series(1, 20) i;
CREATE TABLE somebody (id integer, code text REFERENCES bk_p (code));
INSERT INTO somebody SELECT id, code FROM bk_p;
