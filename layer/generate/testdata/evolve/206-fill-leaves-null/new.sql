CREATE TABLE IF NOT EXISTS bk_legs (
    id integer NOT NULL,
    km integer,
    miles numeric(10,2) NOT NULL, -- +fill km / 1.609
    CONSTRAINT bk_legs_pkey PRIMARY KEY (id)
);
