-- What happened, a partition a month. What no month has goes to the last one.
CREATE TABLE IF NOT EXISTS events (
    id           text COLLATE "C" NOT NULL,
    happened_at  timestamptz NOT NULL,
    kind         text NOT NULL,
    member_id    text COLLATE "C",
    details      jsonb NOT NULL,

    -- +error ErrEventTaken: event is written down already
    CONSTRAINT events_pkey PRIMARY KEY (happened_at, id),
    CONSTRAINT events_kind_check CHECK (kind <> '')
) PARTITION BY RANGE (happened_at);

CREATE TABLE IF NOT EXISTS events_2026_11 PARTITION OF events
    FOR VALUES FROM ('2026-11-01 00:00+00') TO ('2026-12-01 00:00+00');
CREATE TABLE IF NOT EXISTS events_2026_12 PARTITION OF events
    FOR VALUES FROM ('2026-12-01 00:00+00') TO ('2027-01-01 00:00+00');
CREATE TABLE IF NOT EXISTS events_other PARTITION OF events DEFAULT;

CREATE INDEX IF NOT EXISTS events_member_id_happened_at_id_idx ON events (member_id, happened_at, id);
