CREATE TABLE IF NOT EXISTS note (
    id integer NOT NULL,
    words text,
    CONSTRAINT note_pkey PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS bk_a (
    bk_a_id integer NOT NULL,
    CONSTRAINT bk_a_pkey PRIMARY KEY (bk_a_id)
);
CREATE TABLE IF NOT EXISTS bk_b (
    id integer NOT NULL,
    bk_a_id integer NOT NULL,
    note text NOT NULL,
    shout text GENERATED ALWAYS AS (upper(note)) STORED,
    CONSTRAINT bk_b_pkey PRIMARY KEY (id),
    CONSTRAINT bk_b_note_check CHECK (note <> ''),
    CONSTRAINT bk_b_bk_a_id_fkey FOREIGN KEY (bk_a_id) REFERENCES bk_a (bk_a_id)
);
CREATE INDEX IF NOT EXISTS bk_b_bk_a_id_idx ON bk_b (bk_a_id);
CREATE INDEX IF NOT EXISTS bk_b_note_idx ON bk_b (lower(note)) WHERE note <> 'x';
CREATE TABLE IF NOT EXISTS bk_c (
    id integer NOT NULL,
    mine integer,
    CONSTRAINT bk_c_pkey PRIMARY KEY (id),
    CONSTRAINT bk_c_id_fkey FOREIGN KEY (id) REFERENCES bk_b (id)
);
