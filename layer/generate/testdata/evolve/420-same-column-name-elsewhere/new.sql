CREATE TYPE bk_state AS ENUM ('a', 'b');
CREATE TYPE bk_phase AS ENUM ('b', 'c');
CREATE TABLE IF NOT EXISTS bk_a (
    id integer NOT NULL,
    kind bigint, -- +was weight
    CONSTRAINT bk_a_pkey PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS bk_b (
    number integer NOT NULL, -- +was id
    kind bk_phase NOT NULL,
    weight bigint NOT NULL,
    a_id integer,
    CONSTRAINT bk_b_pkey PRIMARY KEY (number),
    CONSTRAINT bk_b_a_id_fkey FOREIGN KEY (a_id) REFERENCES bk_a (id)
);
CREATE INDEX IF NOT EXISTS bk_b_a_id_idx ON bk_b (a_id);
