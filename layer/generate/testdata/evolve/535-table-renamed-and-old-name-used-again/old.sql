CREATE TABLE users (id integer GENERATED ALWAYS AS IDENTITY NOT NULL, name text, CONSTRAINT users_pkey PRIMARY KEY (id));
CREATE INDEX users_name_idx ON users (name);
CREATE TABLE posts (id integer NOT NULL, user_id integer, CONSTRAINT posts_pkey PRIMARY KEY (id), CONSTRAINT posts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id));
CREATE VIEW names AS SELECT name FROM users;
