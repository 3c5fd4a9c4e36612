CREATE TABLE IF NOT EXISTS bk_arr (
    id integer NOT NULL,
    ns integer[] DEFAULT '{}' NOT NULL,
    ts text[] NOT NULL,
    n integer NOT NULL,
    CONSTRAINT bk_arr_pkey PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS bk_arr_ns_idx ON bk_arr USING gin (ns);
