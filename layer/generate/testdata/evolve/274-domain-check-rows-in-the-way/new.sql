CREATE DOMAIN bk_email AS text CONSTRAINT bk_email_check CHECK (VALUE LIKE '%_@_%' AND length(VALUE) < 100);
CREATE TABLE IF NOT EXISTS bk_d (
    id integer NOT NULL,
    mail bk_email NOT NULL,
    extra text,
    CONSTRAINT bk_d_pkey PRIMARY KEY (id)
);
