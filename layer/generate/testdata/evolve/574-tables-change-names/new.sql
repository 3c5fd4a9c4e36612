-- +was days
CREATE TABLE weeks (id integer NOT NULL, day date, CONSTRAINT weeks_pkey PRIMARY KEY (id));
-- +was weeks
CREATE TABLE days (id integer NOT NULL, week integer, CONSTRAINT days_pkey PRIMARY KEY (id));
