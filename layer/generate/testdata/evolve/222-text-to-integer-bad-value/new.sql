CREATE TABLE IF NOT EXISTS bk_meters (
    id integer NOT NULL,
    reading integer NOT NULL,
    label text NOT NULL, -- +fill 'x'
    CONSTRAINT bk_meters_pkey PRIMARY KEY (id)
);
