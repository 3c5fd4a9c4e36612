CREATE TABLE IF NOT EXISTS somebody_stay (
    id integer NOT NULL,
    bk_id integer,
    CONSTRAINT somebody_stay_pkey PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS bk_s (
    id integer NOT NULL,
    n integer,
    CONSTRAINT bk_s_pkey PRIMARY KEY (id)
);
ALTER TABLE somebody_stay ADD CONSTRAINT somebody_fkey FOREIGN KEY (bk_id) REFERENCES bk_s (id);
CREATE OR REPLACE VIEW somebody_v AS SELECT s.id, n FROM somebody_stay s JOIN bk_s ON bk_s.id = bk_id;
CREATE FUNCTION somebody_f() RETURNS SETOF bk_s LANGUAGE sql STABLE AS $$ SELECT * FROM bk_s $$;
