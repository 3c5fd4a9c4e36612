CREATE TABLE IF NOT EXISTS bk_l (
    id bigint NOT NULL,
    area text NOT NULL, -- +was region
    amount integer NOT NULL, -- +was v
    CONSTRAINT bk_l_pkey PRIMARY KEY (area, id)
) PARTITION BY LIST (area);
CREATE TABLE IF NOT EXISTS bk_l_a PARTITION OF bk_l FOR VALUES IN ('a', 'it''s');
CREATE TABLE IF NOT EXISTS bk_l_b PARTITION OF bk_l FOR VALUES IN ('b') PARTITION BY HASH (id);
CREATE TABLE IF NOT EXISTS bk_l_b0 PARTITION OF bk_l_b FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX IF NOT EXISTS bk_l_v_idx ON bk_l (amount DESC);
