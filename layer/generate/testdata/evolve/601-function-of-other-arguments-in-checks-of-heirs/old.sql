CREATE FUNCTION "Half"(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 2)::integer $$;
CREATE TABLE "T" (id integer NOT NULL, "N" integer NOT NULL, CONSTRAINT "T_check" CHECK ("Half"("N") > 0)) PARTITION BY RANGE (id);
CREATE TABLE "T1" PARTITION OF "T" FOR VALUES FROM (0) TO (100);
CREATE INDEX "T_idx" ON "T" ("Half"("N"));
CREATE TABLE p (id integer, CONSTRAINT pc CHECK ("Half"(id) > 0));
CREATE TABLE c () INHERITS (p);
