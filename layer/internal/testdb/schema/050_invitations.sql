-- Invitations of readers. Only the digest of the secret in the link is here. A reader has at most one open invitation; used ones
-- stay.
CREATE TABLE IF NOT EXISTS invitations (
    id         text COLLATE "C" NOT NULL,
    reader_id text COLLATE "C" NOT NULL,
    token_hash bytea            NOT NULL, -- SHA-256
    created_at timestamptz      NOT NULL,
    expires_at timestamptz      NOT NULL,
    used_at    timestamptz,
    used_ip    inet,

    -- +error ErrInvitationIDTaken: invitation id already taken
    CONSTRAINT invitations_pkey PRIMARY KEY (id),
    -- +error ErrInvitationTokenTaken: invitation token already taken
    CONSTRAINT invitations_token_hash_key UNIQUE (token_hash),
    -- +error ErrInvitationReaderUnknown: reader of the invitation does not exist
    CONSTRAINT invitations_reader_id_fkey FOREIGN KEY (reader_id) REFERENCES readers (id) ON DELETE CASCADE,
    -- +error ErrInvitationIDInvalid: id must be 32 lower-case hexadecimal characters
    CONSTRAINT invitations_id_check CHECK (id ~ '^[0-9a-f]{32}$'),
    -- +error ErrInvitationTokenHashInvalid: token_hash must be a SHA-256
    CONSTRAINT invitations_token_hash_check CHECK (octet_length(token_hash) = 32),
    -- +error ErrInvitationTimeInvalid: created_at must be of the years 1 to 9999
    CONSTRAINT invitations_created_at_check CHECK (extract(year FROM created_at AT TIME ZONE 'UTC') BETWEEN 1 AND 9999),
    -- +error ErrInvitationExpiryInvalid: expires_at must be after created_at, and before the year 10000
    CONSTRAINT invitations_expires_at_check CHECK (
        expires_at > created_at AND extract(year FROM expires_at AT TIME ZONE 'UTC') <= 9999
    ),
    -- +error ErrInvitationUsedAtInvalid: used_at must be from created_at until before expires_at
    CONSTRAINT invitations_used_at_check CHECK (used_at >= created_at AND used_at < expires_at),
    -- +error ErrInvitationUsedIPInvalid: used_ip must go with used_at
    CONSTRAINT invitations_used_ip_check CHECK (used_ip IS NULL OR used_at IS NOT NULL)
);

-- One open invitation a reader.
-- +error ErrInvitationOpen: reader has an open invitation already
CREATE UNIQUE INDEX IF NOT EXISTS invitations_reader_id_key ON invitations (reader_id) WHERE used_at IS NULL;
-- The foreign key.
CREATE INDEX IF NOT EXISTS invitations_reader_id_idx ON invitations (reader_id);
-- What DeleteExpiredInvitations clears away.
CREATE INDEX IF NOT EXISTS invitations_expires_at_idx ON invitations (expires_at);
