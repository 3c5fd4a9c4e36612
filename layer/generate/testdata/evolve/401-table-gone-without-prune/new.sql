CREATE TABLE IF NOT EXISTS bk_s (
    id bigint NOT NULL,
    n numeric,
    CONSTRAINT bk_s_pkey PRIMARY KEY (id)
);
