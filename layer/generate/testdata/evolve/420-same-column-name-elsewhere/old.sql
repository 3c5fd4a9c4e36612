CREATE TYPE bk_state AS ENUM ('a', 'b');
CREATE TABLE IF NOT EXISTS bk_a (
    id integer NOT NULL,
    weight bigint,
    CONSTRAINT bk_a_pkey PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS bk_b (
    id integer NOT NULL,
    kind bk_state,
    weight bigint NOT NULL,
    a_id integer,
    CONSTRAINT bk_b_pkey PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS bk_b_a_id_idx ON bk_b (a_id);
