CREATE TABLE t (id integer NOT NULL, a integer NOT NULL, b integer NOT NULL, c integer, CONSTRAINT t_pkey PRIMARY KEY (id), CONSTRAINT t_a_key UNIQUE (a), CONSTRAINT t_c_key UNIQUE (c));
CREATE UNIQUE INDEX t_b_key ON t (b);
CREATE TABLE r (a integer, b integer, CONSTRAINT r_a_fkey FOREIGN KEY (a) REFERENCES t (a), CONSTRAINT r_b_fkey FOREIGN KEY (b) REFERENCES t (b));
CREATE TABLE k (a integer NOT NULL, b integer, CONSTRAINT k_pkey PRIMARY KEY (a));
