-- People who can sign in. The id is made in Go, like every default; no column has one here.
CREATE TABLE IF NOT EXISTS readers (
    id              text COLLATE "C" NOT NULL,
    email           text             NOT NULL, -- as typed, for writing to its owner
    email_key       text COLLATE "C" NOT NULL, -- what uniqueness and look-ups go by
    password_hash   text             NOT NULL, -- a PHC string, never a password
    created_at      timestamptz      NOT NULL,
    email_confirmed boolean          NOT NULL,
    is_super_user   boolean          NOT NULL,

    -- +error ErrReaderIDTaken: reader id already taken
    CONSTRAINT readers_pkey PRIMARY KEY (id),
    -- +error ErrEmailTaken: e-mail already taken
    CONSTRAINT readers_email_key UNIQUE (email_key),
    -- +error ErrReaderIDInvalid: id must be 32 lower-case hexadecimal characters
    CONSTRAINT readers_id_check CHECK (id ~ '^[0-9a-f]{32}$'),
    -- +error ErrEmailInvalid: email must have 3 to 320 characters
    CONSTRAINT readers_email_check CHECK (char_length(email) BETWEEN 3 AND 320),
    -- +error ErrEmailKeyInvalid: email must have one @ and no spaces
    CONSTRAINT readers_email_key_check CHECK (email_key ~ '^[^\s@]+@[^\s@]+$' AND char_length(email_key) <= 320),
    -- +error ErrPasswordHashInvalid: password_hash must be in PHC string format
    CONSTRAINT readers_password_hash_check CHECK (password_hash COLLATE "C" ~ '^\$[a-z0-9-]{1,32}(\$[A-Za-z0-9/+.=,-]+){2,}$' AND char_length(password_hash) <= 512),
    -- +error ErrReaderTimeInvalid: created_at must be of the years 1 to 9999
    CONSTRAINT readers_created_at_check CHECK (extract(year FROM created_at AT TIME ZONE 'UTC') BETWEEN 1 AND 9999)
);

-- Readers by time of sign-up: ListReaders.
CREATE INDEX IF NOT EXISTS readers_created_at_id_idx ON readers (created_at, id);
