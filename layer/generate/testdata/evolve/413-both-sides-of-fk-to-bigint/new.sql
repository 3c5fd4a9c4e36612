CREATE TABLE IF NOT EXISTS bk_a (
    id bigint NOT NULL,
    CONSTRAINT bk_a_pkey PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS bk_b (
    id integer NOT NULL,
    a_id bigint,
    CONSTRAINT bk_b_pkey PRIMARY KEY (id),
    CONSTRAINT bk_b_a_id_fkey FOREIGN KEY (a_id) REFERENCES bk_a (id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS bk_b_a_id_idx ON bk_b (a_id);
