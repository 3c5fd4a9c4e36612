CREATE TABLE invoice ( -- +was inv
    number bigint GENERATED ALWAYS AS IDENTITY NOT NULL, -- +was id
    no bigserial NOT NULL, CONSTRAINT invoice_pkey PRIMARY KEY (number));
CREATE TABLE pos (id integer NOT NULL,
    invoice_number bigint, -- +was inv_id
    CONSTRAINT pos_pkey PRIMARY KEY (id), CONSTRAINT pos_invoice_fkey FOREIGN KEY (invoice_number) REFERENCES invoice (number));
CREATE TABLE t (id integer NOT NULL, a bigint NOT NULL,
    bb integer NOT NULL, -- +was b
    CONSTRAINT t_pkey PRIMARY KEY (id));
CREATE UNIQUE INDEX t_a_idx ON t (a, bb);
CREATE INDEX t_bb_idx ON t (bb DESC);
ALTER TABLE t REPLICA IDENTITY USING INDEX t_a_idx;
ALTER TABLE t CLUSTER ON t_bb_idx;
