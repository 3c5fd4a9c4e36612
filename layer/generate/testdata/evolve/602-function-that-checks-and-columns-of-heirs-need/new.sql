CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT n / 3 $$;
CREATE TABLE p (id integer, g integer GENERATED ALWAYS AS (half(id)) STORED, CONSTRAINT pc CHECK (half(id) > 0));
CREATE TABLE c () INHERITS (p);
CREATE TABLE a (CONSTRAINT ac CHECK (half(id) > 0)) INHERITS (p);
