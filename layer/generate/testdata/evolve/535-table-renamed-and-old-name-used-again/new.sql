CREATE TABLE old_users ( -- +was users
    id integer GENERATED ALWAYS AS IDENTITY NOT NULL, name text, CONSTRAINT old_users_pkey PRIMARY KEY (id));
CREATE INDEX old_users_name_idx ON old_users (name);
CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY NOT NULL, name text NOT NULL, CONSTRAINT users_pkey PRIMARY KEY (id));
CREATE INDEX users_name_idx ON users (lower(name));
CREATE TABLE posts (id integer NOT NULL, user_id integer, CONSTRAINT posts_pkey PRIMARY KEY (id), CONSTRAINT posts_user_id_fkey FOREIGN KEY (user_id) REFERENCES old_users (id));
CREATE VIEW names AS SELECT name FROM old_users UNION SELECT name FROM users;
