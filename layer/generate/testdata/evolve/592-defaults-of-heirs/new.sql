CREATE TABLE p (id bigint GENERATED ALWAYS AS IDENTITY, n bigint DEFAULT 6, t integer, k integer, z bigint, CONSTRAINT p_pkey PRIMARY KEY (id));
CREATE TABLE a (n bigint DEFAULT 7, t integer DEFAULT 5, k integer DEFAULT 2, z bigint NOT NULL) INHERITS (p);
CREATE TABLE "B" (n bigint DEFAULT 8, t integer) INHERITS (a);
