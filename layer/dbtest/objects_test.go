package dbtest_test

import (
	"strings"
	"testing"

	"musicstore/layer/dbtest"

	"github.com/stretchr/testify/require"
)

// objects is a schema with partitions, views, types, functions, triggers, a cycle of foreign keys and names in mixed case.
const objects = `
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TYPE "Mood" AS ENUM ('blue', 'red');
CREATE DOMAIN "Short" AS text CHECK (VALUE <> '');
CREATE TYPE place AS (city text);
CREATE SEQUENCE "Numbers" START 5;
CREATE TABLE deleted (id bigint);
CREATE TABLE "Guests" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Number" bigint DEFAULT nextval('"Numbers"'), host_id bigint,
    mood "Mood" DEFAULT 'blue', home place, seated int4range, EXCLUDE USING gist (seated WITH &&)
);
CREATE TABLE hosts (id serial PRIMARY KEY, best bigint REFERENCES "Guests" DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE "Guests" ADD FOREIGN KEY (host_id) REFERENCES hosts ON DELETE RESTRICT;
CREATE TABLE visits (at date NOT NULL, guest bigint REFERENCES "Guests") PARTITION BY RANGE (at);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE "Visits_2" PARTITION OF visits DEFAULT PARTITION BY LIST (guest);
CREATE TABLE "Visits_3" PARTITION OF "Visits_2" DEFAULT;
CREATE VIEW "Moods" AS SELECT id, mood FROM "Guests";
CREATE MATERIALIZED VIEW counts AS SELECT mood, count(*) AS n FROM "Guests" GROUP BY mood;
CREATE UNIQUE INDEX counts_mood ON counts (mood);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO deleted VALUES (OLD.id); RETURN OLD; END';
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'nothing goes'; END $$;
CREATE TRIGGER "Note" AFTER DELETE ON "Guests" FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER refuse BEFORE DELETE ON hosts FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE RULE keep AS ON DELETE TO deleted DO INSTEAD NOTHING;`

const objectRows = `
INSERT INTO hosts VALUES (DEFAULT, 1); INSERT INTO "Guests" (host_id) VALUES (1), (1);
INSERT INTO visits VALUES ('2026-01-05', 1), ('2026-05-05', 1), ('2026-05-05', 2); INSERT INTO deleted VALUES (7);`

const objectsLeft = `SELECT concat_ws(' ', (SELECT count(*) FROM hosts), (SELECT count(*) FROM "Guests"), (SELECT count(*) FROM visits),
	(SELECT count(*) FROM deleted), (SELECT last_value FROM "Numbers"), (SELECT last_value FROM hosts_id_seq))`

// A database with every kind of object is emptied, and what a test has changed of it is seen.
func TestRecycler_KnowsEveryKindOfObject(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	admin := asAdmin(t, url)
	run(t, admin, objects)
	script := run(t, admin, dbtest.ScriptSQL)
	for name, c := range map[string]struct {
		change string
		same   bool
	}{
		"rows":                       {objectRows, true},
		"rows of a sequence":         {`SELECT nextval('"Numbers"')`, true},
		"a label":                    {`ALTER TYPE "Mood" ADD VALUE 'green'`, false},
		"a label's name":             {`ALTER TYPE "Mood" RENAME VALUE 'red' TO 'rot'`, false},
		"a function's body":          {"CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'", false},
		"a function":                 {"CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'", false},
		"a view's query":             {`CREATE OR REPLACE VIEW "Moods" AS SELECT id, mood FROM "Guests" WHERE id > 1`, false},
		"a view":                     {`DROP VIEW "Moods"`, false},
		"a refreshed view":           {objectRows + "REFRESH MATERIALIZED VIEW counts", false},
		"a refreshed view, slowly":   {objectRows + "REFRESH MATERIALIZED VIEW CONCURRENTLY counts", false},
		"a domain's check":           {`ALTER DOMAIN "Short" ADD CHECK (VALUE <> 'x')`, false},
		"a type's attribute":         {"ALTER TYPE place ADD ATTRIBUTE zip text", false},
		"a sequence's step":          {`ALTER SEQUENCE "Numbers" INCREMENT BY 2`, false},
		"a trigger":                  {`ALTER TABLE "Guests" DISABLE TRIGGER "Note"`, false},
		"a partition":                {"CREATE TABLE mine PARTITION OF visits FOR VALUES FROM ('2030-01-01') TO ('2030-02-01')", false},
		"a detached partition":       {"ALTER TABLE visits DETACH PARTITION visits_1", false},
		"a comment":                  {`COMMENT ON COLUMN "Guests"."Number" IS 'mine'`, false},
		"an extension":               {"DROP EXTENSION btree_gist CASCADE", false},
		"an index of a partition":    {"CREATE INDEX ON visits_1 (at)", false},
		"a view's option":            {`ALTER VIEW "Moods" SET (security_barrier)`, false},
		"a row security that is off": {`ALTER TABLE "Visits_3" ENABLE ROW LEVEL SECURITY`, false},
	} {
		asNew := run(t, admin, script) // an index that was rolled back leaves its mark in the row of its table
		run(t, admin, "BEGIN;"+c.change)
		state := run(t, admin, script)
		if c.same {
			require.Empty(t, otherWords(asNew, state), name)
			require.Equal(t, "0 0 0 0 5 1", run(t, admin, objectsLeft), name)
		} else {
			require.NotEqual(t, asNew, state, name)
		}
		run(t, admin, "ROLLBACK")
	}

	// The control: the rules and triggers stand in the way of one who does as a user would.
	_, err := admin.PgConn().Exec(t.Context(), "BEGIN; SET session_replication_role = origin;"+objectRows+`DELETE FROM hosts`).ReadAll()
	require.ErrorContains(t, err, "nothing goes")
	run(t, admin, "ROLLBACK")
}

// A trigger that fires always writes while the tables are emptied, and an extension's table keeps its rows.
func TestRecycler_EmptiesInSpiteOfTriggersThatFireAlways(t *testing.T) {
	t.Parallel()
	admin := asAdmin(t, dbtest.EmptyURL(t))
	run(t, admin, objects+`ALTER TABLE "Guests" ENABLE ALWAYS TRIGGER "Note";
		CREATE TABLE known (id integer); INSERT INTO known VALUES (1); ALTER EXTENSION btree_gist ADD TABLE known`)
	script := run(t, admin, dbtest.ScriptSQL)
	asNew := run(t, admin, script)
	run(t, admin, "BEGIN;"+objectRows)
	require.Empty(t, otherWords(asNew, run(t, admin, script)))
	require.Equal(t, "0 0 0 0 5 1", run(t, admin, objectsLeft))
	require.Equal(t, "1", run(t, admin, "SELECT count(*) FROM known"))
	run(t, admin, "ROLLBACK")

	run(t, admin, "BEGIN; SET session_replication_role = replica;"+objectRows+`DELETE FROM deleted; DELETE FROM "Guests"`)
	require.Equal(t, "2", run(t, admin, "SELECT count(*) FROM deleted"), "the control: who deletes once leaves rows")
	run(t, admin, "ROLLBACK")

	for _, change := range []string{
		"INSERT INTO known VALUES (2)", "UPDATE known SET id = 3", "DELETE FROM known",
		"CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';" + objectRows,
		// A trigger that keeps the rows was there before: then nobody gets the database again.
		`ALTER TABLE hosts ENABLE ALWAYS TRIGGER refuse;` + objectRows,
	} {
		run(t, admin, "BEGIN;"+change)
		state, err := admin.PgConn().Exec(t.Context(), script).ReadAll()
		if err == nil {
			require.NotEqual(t, asNew, string(state[len(state)-1].Rows[0][0]), change)
		}
		run(t, admin, "ROLLBACK")
	}
}

// otherWords returns the words of two states, which are long, that only one of them has.
func otherWords(a, b string) (other []string) {
	has := map[string]int{}
	for word := range strings.FieldsSeq(a) {
		has[word]++
	}
	for word := range strings.FieldsSeq(b) {
		has[word]--
	}
	for word, n := range has {
		if n != 0 {
			other = append(other, word)
		}
	}

	return other
}
