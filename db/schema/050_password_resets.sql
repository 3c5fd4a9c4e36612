-- Requests to set a new password. Only the digest of the secret in the link is here, so that a leaked table
-- resets nobody's password. An account has at most one open reset; used ones stay as its history.
CREATE TABLE IF NOT EXISTS password_resets (
    id         text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    token_hash bytea            NOT NULL, -- SHA-256
    created_at timestamptz      NOT NULL,
    expires_at timestamptz      NOT NULL,
    used_at    timestamptz,
    used_ip    inet,

    -- +error ErrResetIDTaken: reset id already taken
    CONSTRAINT password_resets_pkey PRIMARY KEY (id),
    -- +error ErrResetTokenTaken: reset token already taken
    CONSTRAINT password_resets_token_hash_key UNIQUE (token_hash),
    -- +error ErrResetAccountUnknown: account of the reset does not exist
    CONSTRAINT password_resets_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE,
    -- +error ErrResetIDInvalid: id must be 32 lower-case hexadecimal characters
    CONSTRAINT password_resets_id_check CHECK (id ~ '^[0-9a-f]{32}$'),
    -- +error ErrResetTokenHashInvalid: token_hash must be a SHA-256
    CONSTRAINT password_resets_token_hash_check CHECK (octet_length(token_hash) = 32),
    -- +error ErrResetTimeInvalid: created_at must be of the years 1 to 9999
    CONSTRAINT password_resets_created_at_check CHECK (extract(year FROM created_at AT TIME ZONE 'UTC') BETWEEN 1 AND 9999),
    -- +error ErrResetExpiryInvalid: expires_at must be after created_at, and before the year 10000
    CONSTRAINT password_resets_expires_at_check CHECK (
        expires_at > created_at AND extract(year FROM expires_at AT TIME ZONE 'UTC') <= 9999
    ),
    -- +error ErrResetUsedAtInvalid: used_at must be from created_at until before expires_at
    CONSTRAINT password_resets_used_at_check CHECK (used_at >= created_at AND used_at < expires_at),
    -- +error ErrResetUsedIPInvalid: used_ip must go with used_at
    CONSTRAINT password_resets_used_ip_check CHECK (used_ip IS NULL OR used_at IS NOT NULL)
);

-- One open reset an account: a newer request takes the older one's place.
-- +error ErrResetOpen: account has an open reset already
CREATE UNIQUE INDEX IF NOT EXISTS password_resets_account_id_key ON password_resets (account_id) WHERE used_at IS NULL;
-- The foreign key.
CREATE INDEX IF NOT EXISTS password_resets_account_id_idx ON password_resets (account_id);
-- What DeleteExpiredPasswordResets clears away.
CREATE INDEX IF NOT EXISTS password_resets_expires_at_idx ON password_resets (expires_at);
