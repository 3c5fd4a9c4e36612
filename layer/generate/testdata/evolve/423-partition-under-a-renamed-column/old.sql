CREATE TABLE IF NOT EXISTS logs (
    at date NOT NULL,
    height integer NOT NULL,
    CONSTRAINT logs_key UNIQUE (height, at)
) PARTITION BY RANGE (at);
CREATE TABLE IF NOT EXISTS logs_2025 PARTITION OF logs FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE INDEX IF NOT EXISTS logs_height_idx ON logs (height);
