CREATE TABLE IF NOT EXISTS bk_s (
    id integer NOT NULL,
    n integer NOT NULL,
    CONSTRAINT bk_s_pkey PRIMARY KEY (id)
);
CREATE OR REPLACE VIEW bk_v AS SELECT id, n AS amount FROM bk_s;
CREATE OR REPLACE VIEW bk_w AS SELECT amount + 1 AS more FROM bk_v;
CREATE FUNCTION bk_rows() RETURNS SETOF bk_v LANGUAGE sql STABLE AS $$ SELECT * FROM bk_v $$;
CREATE OR REPLACE VIEW bk_x AS SELECT count(*) AS n FROM bk_rows();
