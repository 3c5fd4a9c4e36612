-- +was t
CREATE TABLE "T" (id integer NOT NULL);
