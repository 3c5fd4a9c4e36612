CREATE TYPE bk_letter AS ENUM ('a', 'b');
CREATE TABLE IF NOT EXISTS bk_arr (
    id integer NOT NULL,
    ns bigint[] DEFAULT '{}' NOT NULL,
    ts bk_letter[] NOT NULL,
    n text NOT NULL,
    CONSTRAINT bk_arr_pkey PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS bk_arr_ns_idx ON bk_arr USING gin (ns);
