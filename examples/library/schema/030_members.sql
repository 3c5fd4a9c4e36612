CREATE TABLE IF NOT EXISTS members (
    id           text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    email        text NOT NULL,
    email_key    text COLLATE "C" NOT NULL,
    card_number  text COLLATE "C" NOT NULL,
    created_at   timestamptz NOT NULL,

    CONSTRAINT members_pkey PRIMARY KEY (id),
    CONSTRAINT members_id_check CHECK (id ~ '^[0-9a-f]{32}$'),
    CONSTRAINT members_name_check CHECK (char_length(name) BETWEEN 1 AND 200),
    -- +error ErrEmailTaken: e-mail already taken
    CONSTRAINT members_email_key_key UNIQUE (email_key),
    -- +error ErrCardTaken: card belongs to somebody
    CONSTRAINT members_card_number_key UNIQUE (card_number)
);
