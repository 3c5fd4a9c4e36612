CREATE TABLE IF NOT EXISTS hv_plays (
    id    integer NOT NULL,
    lane integer NOT NULL,
    n     bigint NOT NULL,
    CONSTRAINT hv_plays_pkey PRIMARY KEY (id)
);
CREATE OR REPLACE VIEW hv_plays_top AS SELECT lane, max(n) AS best FROM hv_plays GROUP BY lane;
CREATE MATERIALIZED VIEW IF NOT EXISTS hv_plays_day AS SELECT lane, best FROM hv_plays_top WHERE best > 10;
CREATE UNIQUE INDEX IF NOT EXISTS hv_plays_day_lane_key ON hv_plays_day (lane);
