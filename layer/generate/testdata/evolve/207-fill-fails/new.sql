CREATE TABLE IF NOT EXISTS bk_legs (
    id integer NOT NULL,
    km integer NOT NULL,
    pace integer NOT NULL, -- +fill 1000 / km
    CONSTRAINT bk_legs_pkey PRIMARY KEY (id)
);
