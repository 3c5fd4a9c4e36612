CREATE TABLE t (id integer NOT NULL,
    full_name text NOT NULL, -- +was name
    name text GENERATED ALWAYS AS (split_part(full_name, ' ', 1)) STORED, CONSTRAINT t_pkey PRIMARY KEY (id));
CREATE INDEX t_name_idx ON t (name);
CREATE INDEX t_full_name_idx ON t (full_name);
CREATE VIEW v AS SELECT id, name FROM t;
CREATE TABLE base (id integer NOT NULL,
    words text -- +was note
);
CREATE TABLE kid (extra text, CONSTRAINT kid_pkey PRIMARY KEY (id)) INHERITS (base);
CREATE VIEW notes AS SELECT id, words FROM base;
