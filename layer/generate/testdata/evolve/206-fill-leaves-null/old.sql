CREATE TABLE IF NOT EXISTS bk_legs (
    id integer NOT NULL,
    km integer,
    CONSTRAINT bk_legs_pkey PRIMARY KEY (id)
);
