CREATE TYPE bk_state AS ENUM ('open', 'done');
CREATE TABLE IF NOT EXISTS bk_jobs (
    id integer NOT NULL,
    state bk_state DEFAULT 'open' NOT NULL,
    CONSTRAINT bk_jobs_pkey PRIMARY KEY (id)
);
