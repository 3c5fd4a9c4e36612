CREATE TABLE t (id integer NOT NULL, n integer DEFAULT 4, CONSTRAINT t_check CHECK (n > -1));
CREATE INDEX t_idx ON t (id);
