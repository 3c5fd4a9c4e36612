-- +was people
CREATE TABLE "Users" (id integer NOT NULL, CONSTRAINT people_pkey PRIMARY KEY (id));
-- +was days
CREATE TABLE weeks (id integer NOT NULL, CONSTRAINT days_pkey PRIMARY KEY (id));
-- +was hours
CREATE TABLE seconds (id integer NOT NULL, CONSTRAINT hours_pkey PRIMARY KEY (id));
