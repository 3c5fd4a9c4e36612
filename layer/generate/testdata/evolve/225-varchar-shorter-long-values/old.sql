CREATE TABLE IF NOT EXISTS bk_tags (
    id integer NOT NULL,
    name varchar(50) NOT NULL,
    CONSTRAINT bk_tags_pkey PRIMARY KEY (id)
);
