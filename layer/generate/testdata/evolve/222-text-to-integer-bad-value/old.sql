CREATE TABLE IF NOT EXISTS bk_meters (
    id integer NOT NULL,
    reading text NOT NULL,
    CONSTRAINT bk_meters_pkey PRIMARY KEY (id)
);
