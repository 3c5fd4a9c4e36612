CREATE TABLE p (id integer GENERATED ALWAYS AS IDENTITY, n integer DEFAULT 5, t text, k integer DEFAULT 1, z integer, CONSTRAINT p_pkey PRIMARY KEY (id));
CREATE TABLE a (n integer DEFAULT 7, t text DEFAULT '4', k integer DEFAULT 2, z integer NOT NULL) INHERITS (p);
CREATE TABLE "B" (n integer DEFAULT 8, t text DEFAULT '4') INHERITS (a);
