CREATE TABLE IF NOT EXISTS bk_a (
    id integer NOT NULL,
    token uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL,
    note text NOT NULL, -- +fill 'n' || id
    CONSTRAINT bk_a_pkey PRIMARY KEY (id),
    CONSTRAINT bk_a_note_key UNIQUE (note)
);
