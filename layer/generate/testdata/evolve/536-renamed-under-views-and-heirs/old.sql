CREATE TABLE t (id integer NOT NULL, name text NOT NULL, CONSTRAINT t_pkey PRIMARY KEY (id));
CREATE INDEX t_name_idx ON t (name);
CREATE VIEW v AS SELECT id, name FROM t;
CREATE TABLE base (id integer NOT NULL, note text);
CREATE TABLE kid (extra text, CONSTRAINT kid_pkey PRIMARY KEY (id)) INHERITS (base);
CREATE VIEW notes AS SELECT id, note FROM base;
