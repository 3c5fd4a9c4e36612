CREATE TABLE days (id integer NOT NULL, CONSTRAINT days_pkey PRIMARY KEY (id));
CREATE TABLE weeks (id integer NOT NULL, CONSTRAINT weeks_pkey PRIMARY KEY (id));
CREATE TABLE months (id integer NOT NULL, CONSTRAINT months_pkey PRIMARY KEY (id));
