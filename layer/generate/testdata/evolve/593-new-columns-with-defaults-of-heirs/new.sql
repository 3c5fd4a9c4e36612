CREATE TABLE p (
 id integer NOT NULL,
 n integer NOT NULL DEFAULT 5,
 m integer,
 k integer NOT NULL DEFAULT 1, -- +fill id + 1
 created_at timestamptz NOT NULL
);
CREATE TABLE a (
 x integer,
 n integer NOT NULL DEFAULT 7,
 m integer NOT NULL DEFAULT 2, -- +fill 3
 k integer NOT NULL DEFAULT 2
) INHERITS (p);
