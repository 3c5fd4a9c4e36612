package ddl_test

import (
	"fmt"
	"strings"
	"testing"

	"musicstore/layer/ddl"

	"github.com/stretchr/testify/require"
)

// said returns what is wrong with a schema of one file, line by line.
func said(t *testing.T, sql string) []string {
	t.Helper()
	f, err := ddl.Read("a.sql", sql)
	require.NoError(t, err, sql)
	var all []string
	for _, p := range ddl.Problems([]*ddl.File{f}) {
		all = append(all, fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text))
	}

	return all
}

// long has one byte more than PostgreSQL keeps.
var long = strings.Repeat("n", 64)

func TestProblems_Refuses(t *testing.T) {
	t.Parallel()
	const tables = "CREATE TABLE t (id bigint PRIMARY KEY, n integer); CREATE SEQUENCE s; CREATE TYPE mood AS ENUM ('blue'); CREATE DOMAIN d AS text;\n"
	const (
		schema  = "a.sql:2: a store has one schema, the current one, and this names the schema app"
		rows    = "a.sql:2: rows are not part of a schema: put them in with a query, or with a program"
		runs    = "a.sql:2: a schema says what there is and runs nothing"
		rights  = "a.sql:2: rights are not part of a schema: give them with what the command grants prints, and dump with --no-privileges"
		unknown = "a.sql:2: this statement is not known here: docs/schema.md lists what a schema may hold"
		sets    = "a.sql:2: a schema sets nothing, except for what pg_dump writes at the head of a dump"
	)
	cut := "a.sql:2: " + long + " has 64 bytes, and PostgreSQL cuts a name after 63: give it a shorter one"
	folded := func(name string) string {
		return fmt.Sprintf("a.sql:2: %s has no quotes, so PostgreSQL reads %s: write that, or \"%[1]s\" wherever it stands", name, strings.ToLower(name))
	}
	want := map[string]string{
		// more than one schema
		"CREATE SCHEMA app":                                            "a.sql:2: a store has one schema, the current one: CREATE SCHEMA is not for its files",
		"CREATE TABLE app.u (id bigint)":                               schema,
		"CREATE TABLE u (id bigint REFERENCES app.v)":                  schema,
		"CREATE TABLE u (id app.mood)":                                 schema,
		"CREATE TABLE u (id text DEFAULT app.f())":                     schema,
		"CREATE TABLE u (id text COLLATE app.c)":                       schema,
		"CREATE VIEW v AS SELECT 1 AS a FROM app.t":                    schema,
		"CREATE FUNCTION app.f() RETURNS int RETURN 1":                 schema,
		"CREATE TYPE app.m AS ENUM ('a')":                              schema,
		"CREATE DOMAIN app.dd AS text":                                 schema,
		"CREATE TYPE app.r AS RANGE (SUBTYPE = float8)":                schema,
		"CREATE SEQUENCE app.s":                                        schema,
		"CREATE INDEX i ON app.t (id)":                                 schema,
		"CREATE EXTENSION citext SCHEMA app":                           schema,
		"COMMENT ON COLUMN app.t.id IS 'x'":                            schema,
		"COMMENT ON TABLE app.t IS 'x'":                                schema,
		"ALTER TABLE app.t ADD CONSTRAINT c CHECK (true)":              schema,
		"CREATE TRIGGER tr AFTER INSERT ON t EXECUTE FUNCTION app.f()": schema,
		"COMMENT ON SCHEMA public IS 'x'":                              "a.sql:2: this comment is about nothing that a schema may hold",

		"CREATE TABLE u (id bigint DEFAULT nextval('app.s'))":                                schema,
		"CREATE TABLE u (id bigint DEFAULT nextval('\"app\".s'::regclass))":                  schema,
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path FROM CURRENT RETURN 1": "a.sql:2: SET search_path FROM CURRENT takes what the session has that makes the function: write the value",
		"CREATE TABLE public (id bigint)":                                                    "a.sql:2: public is the name of a schema, which is left out: call it otherwise",
		"CREATE FUNCTION \"f(\"() RETURNS int RETURN 1":                                      "a.sql:2: the name of a function can't have a parenthesis: call it otherwise",

		// history
		"ALTER TABLE t RENAME TO u":                                                  "a.sql:2: RENAME is history: write the new name where it is made",
		"ALTER TABLE t RENAME COLUMN id TO k":                                        "a.sql:2: RENAME is history: write the new name where it is made",
		"ALTER TYPE mood RENAME VALUE 'blue' TO 'red'":                               "a.sql:2: ALTER TYPE is history: write the label where the type is made",
		"ALTER TYPE mood ADD VALUE 'red'":                                            "a.sql:2: ALTER TYPE is history: write the label where the type is made",
		"ALTER TYPE c ADD ATTRIBUTE a integer":                                       "a.sql:2: ALTER TYPE is history: write it where the type is made",
		"ALTER DOMAIN d SET NOT NULL":                                                "a.sql:2: ALTER DOMAIN is history: write it where the domain is made",
		"ALTER FUNCTION f() STABLE":                                                  "a.sql:2: ALTER is history: write it where the object is made",
		"ALTER TABLE t SET SCHEMA app":                                               "a.sql:2: ALTER is history: write it where the object is made",
		"ALTER SEQUENCE s RESTART":                                                   "a.sql:2: ALTER SEQUENCE is history: write the options in its CREATE SEQUENCE (OWNED BY may stand here)",
		"DROP TABLE IF EXISTS t":                                                     "a.sql:2: DROP is history: take out what is dropped",
		"DROP FUNCTION f()":                                                          "a.sql:2: DROP is history: take out what is dropped",
		"ALTER TABLE t ADD COLUMN a integer":                                         "a.sql:2: ADD COLUMN is history: write the column where its table is made",
		"ALTER TABLE t DROP COLUMN n":                                                "a.sql:2: DROP COLUMN is history: take the column out where its table is made",
		"ALTER TABLE t ALTER COLUMN n TYPE bigint":                                   "a.sql:2: ALTER COLUMN … TYPE is history: write the type where the column is made",
		"ALTER TABLE t DROP CONSTRAINT t_pkey":                                       "a.sql:2: DROP CONSTRAINT is history: take the constraint out where it is made",
		"ALTER TABLE t ALTER n SET NOT NULL":                                         "a.sql:2: NOT NULL of an ALTER TABLE is history: write it where the column is made",
		"ALTER TABLE t ALTER n DROP DEFAULT":                                         "a.sql:2: DROP DEFAULT is history: take the default out where the column is made",
		"ALTER TABLE t ENABLE ROW LEVEL SECURITY":                                    "a.sql:2: row-level security is not known here: docs/schema.md lists what a schema may hold",
		"ALTER TABLE t SET UNLOGGED":                                                 "a.sql:2: this form of ALTER TABLE is history or is not known here: write it where the table is made",
		"CREATE TABLE IF NOT EXISTS t (id bigint)":                                   "a.sql:2: table t is there already, at a.sql:1: a schema says once what there is",
		"CREATE VIEW v AS SELECT 1 AS a;\nCREATE OR REPLACE VIEW v AS SELECT 2 AS a": "a.sql:3: view v is there already, at a.sql:2: a schema says once what there is",
		"CREATE FUNCTION f(a integer) RETURNS int RETURN 1;\nCREATE OR REPLACE FUNCTION f(int) RETURNS int RETURN 2": "a.sql:3: function f(int4) is there already, at a.sql:2: a schema says once what there is",
		"ALTER TABLE t ADD CONSTRAINT c CHECK (true);\nALTER TABLE t ADD CONSTRAINT c CHECK (true)":                  "a.sql:3: constraint c is there already, at a.sql:2: a schema says once what there is",
		"COMMENT ON TABLE t IS 'x';\nCOMMENT ON TABLE t IS 'y'":                                                      "a.sql:3: the comment on t is there already, at a.sql:2: a schema says once what there is",
		"INSERT INTO t VALUES (1)":         rows,
		"UPDATE t SET n = 1":               rows,
		"DELETE FROM t":                    rows,
		"TRUNCATE t":                       rows,
		"COPY t FROM stdin":                rows,
		"SELECT 1":                         runs,
		"SELECT pg_catalog.setval('s', 1)": runs,
		"DO $$ BEGIN END $$":               runs,
		"CALL p()":                         runs,
		"REFRESH MATERIALIZED VIEW m":      runs,
		"BEGIN":                            "a.sql:2: Bootstrap runs the files in one transaction: take out what begins or ends another",
		"GRANT SELECT ON t TO PUBLIC":      rights,
		"REVOKE ALL ON t FROM PUBLIC":      rights,
		"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC": rights,
		"CREATE ROLE joe":                       rights,
		"SET work_mem = '1GB'":                  sets,
		"SET client_encoding = 'LATIN1'":        sets,
		"SET standard_conforming_strings = off": sets,
		"SET search_path = app":                 sets,
		"SET default_tablespace = fast":         sets,

		"CREATE INDEX CONCURRENTLY i ON t (id)": "a.sql:2: CONCURRENTLY is not for the transaction that makes everything: take it out",

		// what is not known
		"CREATE POLICY p ON t":                                        unknown,
		"CREATE RULE r AS ON INSERT TO t DO NOTHING":                  unknown,
		"CREATE STATISTICS st ON id, n FROM t":                        unknown,
		"CREATE COLLATION c (locale = 'C')":                           unknown,
		"CREATE SERVER s FOREIGN DATA WRAPPER w":                      unknown,
		"CREATE TYPE c":                                               "a.sql:2: a base type needs functions in C: a schema may hold enums, domains, composite types and ranges",
		"CREATE AGGREGATE a (BASETYPE = int, SFUNC = f, STYPE = int)": "a.sql:2: CREATE AGGREGATE has the types of its arguments behind its name: CREATE AGGREGATE f (integer) (…)",
		"CREATE TABLE u AS SELECT 1 AS a":                             "a.sql:2: CREATE TABLE … AS copies rows, which a schema does not have: write the columns out",
		"CREATE TABLE u OF c":                                         "a.sql:2: u: the columns that OF takes from a type are not followed: write the columns out",
		"CREATE TEMP TABLE u (id bigint)":                             "a.sql:2: u is temporary: it would be gone with the session that makes it",
		"CREATE TEMPORARY VIEW u AS SELECT 1 AS a":                    "a.sql:2: u is temporary: it would be gone with the session that makes it",
		"CREATE FUNCTION f(a t.id%TYPE) RETURNS int RETURN 1":         "a.sql:2: %TYPE is read once, when the function is made: write the type itself",

		// what would never be
		"CREATE INDEX i ON u (id)":                                 "a.sql:2: u is not made in these files, so this would never be",
		"ALTER TABLE u ADD CONSTRAINT c CHECK (true)":              "a.sql:2: u is not made in these files, so this would never be",
		"COMMENT ON FUNCTION f(integer) IS 'x'":                    "a.sql:2: f(int4) is not made in these files, so this would never be",
		"CREATE TRIGGER tr AFTER INSERT ON u EXECUTE FUNCTION f()": "a.sql:2: u is not made in these files, so this would never be",

		// names that PostgreSQL cuts
		"CREATE TABLE " + long + " (id bigint)":                              cut,
		"CREATE TABLE u (" + long + " bigint)":                               cut,
		"CREATE TABLE u (\"" + long + "\" bigint)":                           cut,
		"CREATE TABLE u (id bigint CONSTRAINT " + long + " UNIQUE)":          cut,
		"CREATE INDEX " + long + " ON t (id)":                                cut,
		"CREATE TRIGGER " + long + " AFTER INSERT ON t EXECUTE FUNCTION f()": cut,
		"CREATE TYPE " + long + " AS ENUM ('a')":                             cut,
		"CREATE DOMAIN " + long + " AS text":                                 cut,
		"CREATE FUNCTION " + long + "() RETURNS int RETURN 1":                cut,
		"CREATE FUNCTION f(" + long + " int) RETURNS int RETURN 1":           cut,
		"CREATE VIEW v AS SELECT 1 AS " + long:                               cut,
		"CREATE SEQUENCE " + long:                                            cut,
		"CREATE TYPE m AS ENUM ('a', '" + long + "')":                        "a.sql:2: the label " + long + " has 64 bytes, and PostgreSQL takes 63: give it a shorter one",

		// names that PostgreSQL folds
		"CREATE TABLE Users (id bigint)":                                                       folded("Users"),
		"CREATE TABLE public.Users (id bigint)":                                                folded("Users"),
		"CREATE TABLE u (firstName text)":                                                      folded("firstName"),
		"CREATE TABLE u (Type text)":                                                           folded("Type"),
		"CREATE TABLE u (Date DATE)":                                                           folded("Date"),
		"CREATE TABLE u (id bigint, CONSTRAINT uKey UNIQUE (id))":                              folded("uKey"),
		"CREATE TABLE u (id bigint REFERENCES T (id))":                                         folded("T"),
		"CREATE TABLE u (id bigint CHECK (Id > 0))":                                            folded("Id"),
		"ALTER TABLE T ADD CONSTRAINT c CHECK (true)":                                          folded("T"),
		"ALTER TABLE t ADD CONSTRAINT myCheck CHECK (true)":                                    folded("myCheck"),
		"CREATE INDEX tIndex ON t (n)":                                                         folded("tIndex"),
		"CREATE INDEX i ON t (N)":                                                              folded("N"),
		"CREATE VIEW v AS SELECT id AS theID FROM t":                                           folded("theID"),
		"CREATE VIEW v (theID) AS SELECT id FROM t":                                            folded("theID"),
		"CREATE VIEW myView AS SELECT id FROM t":                                               folded("myView"),
		"CREATE MATERIALIZED VIEW myView AS SELECT id FROM t":                                  folded("myView"),
		"CREATE TYPE myMood AS ENUM ('A')":                                                     folded("myMood"),
		"CREATE TYPE p AS (streetName text)":                                                   folded("streetName"),
		"CREATE TYPE myPair AS (a text)":                                                       folded("myPair"),
		"CREATE DOMAIN myText AS text":                                                         folded("myText"),
		"CREATE SEQUENCE mySequence":                                                           folded("mySequence"),
		"CREATE FUNCTION getIt() RETURNS int RETURN 1":                                         folded("getIt"),
		"CREATE FUNCTION f(theID int) RETURNS int RETURN 1":                                    folded("theID"),
		"CREATE TRIGGER onInsert AFTER INSERT ON t EXECUTE FUNCTION f()":                       folded("onInsert"),
		"COMMENT ON TABLE T IS 'x'":                                                            folded("T"),
		"COMMENT ON COLUMN t.N IS 'x'":                                                         folded("N"),
		"CREATE TRIGGER tr AFTER INSERT ON t EXECUTE FUNCTION doIt()":                          folded("doIt"),
		"CREATE TABLE u (a MOOD)":                                                              folded("MOOD"),
		"COMMENT ON COLUMN t.id IS 'x'; CREATE TABLE u (id bigint, PRIMARY KEY (ID), ID2 int)": folded("ID2"),
	}
	got := map[string]string{}
	for sql := range want {
		got[sql] = strings.Join(said(t, tables+sql+";"), "\n")
	}
	require.Equal(t, want, got)
}

func TestProblems_AcceptsCapitalsThatChangeNothing(t *testing.T) {
	t.Parallel()
	require.Empty(t, said(t, `
Create Extension If Not Exists CITEXT With Schema public;
CREATE TABLE "Users" (
    "Id" UUID PRIMARY KEY DEFAULT GEN_RANDOM_UUID(), uuid UUID, "eMail" CITEXT NOT NULL, date DATE, name NAME, Ü text,
    made TIMESTAMPTZ NOT NULL DEFAULT NOW(), CONSTRAINT "Users_eMail" CHECK (LENGTH("eMail") > 3)
) WITH (FILLFACTOR = 70);
CREATE INDEX ON "Users" USING GIN (TO_TSVECTOR('simple', "eMail"));
CREATE INDEX "Users_date" ON "Users" USING BTREE (date TEXT_PATTERN_OPS);
CREATE DOMAIN positive AS INT4 CHECK (VALUE > 0);
CREATE TYPE span AS RANGE (SUBTYPE = FLOAT8, SUBTYPE_DIFF = FLOAT8MI);
CREATE FUNCTION touch() RETURNS TRIGGER LANGUAGE PLPGSQL AS $F$ BEGIN NEW.made := Now(); RETURN NEW; END $F$;
CREATE TRIGGER "Touch" BEFORE UPDATE ON "Users" FOR EACH ROW WHEN (OLD.date IS DISTINCT FROM NEW.date) EXECUTE FUNCTION touch();
CREATE AGGREGATE total(INT8) (SFUNC = INT8_SUM, STYPE = NUMERIC);
CREATE VIEW lists AS SELECT U.name, Count(*) OVER W AS n FROM "Users" AS U WINDOW W AS (PARTITION BY U.date);
`))
}
