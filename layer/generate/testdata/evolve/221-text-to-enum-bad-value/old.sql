CREATE TABLE IF NOT EXISTS bk_jobs (
    id integer NOT NULL,
    state text DEFAULT 'open' NOT NULL,
    CONSTRAINT bk_jobs_pkey PRIMARY KEY (id)
);
