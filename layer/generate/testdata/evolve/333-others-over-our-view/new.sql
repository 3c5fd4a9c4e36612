CREATE TABLE IF NOT EXISTS bk_p (
    id integer NOT NULL,
    n bigint NOT NULL,
    CONSTRAINT bk_p_pkey PRIMARY KEY (id)
);
CREATE OR REPLACE VIEW bk_v AS SELECT id, n FROM bk_p;
