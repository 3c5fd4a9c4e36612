-- +was days
CREATE TABLE weeks (id integer NOT NULL, CONSTRAINT weeks_pkey PRIMARY KEY (id));
-- +was weeks
CREATE TABLE months (id integer NOT NULL, CONSTRAINT months_pkey PRIMARY KEY (id));
-- +was months
CREATE TABLE days (id integer NOT NULL, CONSTRAINT days_pkey PRIMARY KEY (id));
