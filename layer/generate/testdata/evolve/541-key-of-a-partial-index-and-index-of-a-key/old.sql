CREATE TABLE t (id integer NOT NULL, a integer NOT NULL, b integer NOT NULL, c integer, CONSTRAINT t_pkey PRIMARY KEY (id), CONSTRAINT t_b_key UNIQUE (b));
CREATE UNIQUE INDEX t_a_key ON t (a);
CREATE UNIQUE INDEX t_c_key ON t (c) WHERE c > 0;
CREATE TABLE r (a integer, b integer, CONSTRAINT r_a_fkey FOREIGN KEY (a) REFERENCES t (a), CONSTRAINT r_b_fkey FOREIGN KEY (b) REFERENCES t (b));
CREATE TABLE k (a integer NOT NULL, b integer NOT NULL, CONSTRAINT k_pkey PRIMARY KEY (a, b));
