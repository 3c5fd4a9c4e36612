CREATE DOMAIN bk_email AS text CONSTRAINT bk_email_check CHECK (VALUE LIKE '%@%');
CREATE TABLE IF NOT EXISTS bk_d (
    id integer NOT NULL,
    mail bk_email NOT NULL,
    CONSTRAINT bk_d_pkey PRIMARY KEY (id)
);
