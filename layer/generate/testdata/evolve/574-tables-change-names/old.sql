CREATE TABLE days (id integer NOT NULL, day date, CONSTRAINT days_pkey PRIMARY KEY (id));
CREATE TABLE weeks (id integer NOT NULL, week integer, CONSTRAINT weeks_pkey PRIMARY KEY (id));
