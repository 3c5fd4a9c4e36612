CREATE TABLE inv (id serial NOT NULL, no smallserial NOT NULL, CONSTRAINT inv_pkey PRIMARY KEY (id));
CREATE TABLE pos (id integer NOT NULL, inv_id integer, CONSTRAINT pos_pkey PRIMARY KEY (id), CONSTRAINT pos_inv_id_fkey FOREIGN KEY (inv_id) REFERENCES inv (id));
CREATE TABLE t (id integer NOT NULL, a integer NOT NULL, b integer NOT NULL, CONSTRAINT t_pkey PRIMARY KEY (id));
CREATE UNIQUE INDEX t_a_idx ON t (a);
CREATE INDEX t_b_idx ON t (b);
ALTER TABLE t REPLICA IDENTITY USING INDEX t_a_idx;
ALTER TABLE t CLUSTER ON t_b_idx;
