package schema_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtest"
	"musicstore/layer/schema"
)

// others are files, and a database that was made from others.
var others = []struct {
	since      int
	files, has string
}{
	{
		files: "CREATE TABLE a (id int); CREATE TABLE b () INHERITS (a)",
		has:   "CREATE TABLE a (id int); CREATE TABLE b (id int)",
	},
	{
		files: "CREATE UNLOGGED TABLE a (id int)",
		has:   "CREATE TABLE a (id int)",
	},
	{
		files: "CREATE TABLE a (id int)",
		has:   "CREATE UNLOGGED TABLE a (id int)",
	},
	{
		files: "CREATE TABLE a (id int); CREATE FUNCTION full(a) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
		has:   "CREATE TABLE a (id int, name text); CREATE FUNCTION full(a) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.name'",
	},
	{
		files: "CREATE TABLE a (id int); CREATE FUNCTION full(a) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE INDEX i ON a (full(a.*))",
		has:   "CREATE TABLE b ()",
	},
	{
		files: "CREATE TYPE m AS ENUM ('a'); CREATE TABLE a (m m DEFAULT 'a')",
		has:   "CREATE TABLE a (m text DEFAULT 'a')",
	},
	{
		files: "CREATE TABLE a (m text DEFAULT 'a')",
		has:   "CREATE TYPE m AS ENUM ('a'); CREATE TABLE a (m m DEFAULT 'a')",
	},
	{
		files: "CREATE TYPE m AS ENUM ('a'); CREATE TABLE a (m m[] DEFAULT '{a}')",
		has:   "CREATE TABLE a (m text[] DEFAULT '{a}')",
	},
	{
		files: "CREATE DOMAIN m AS int CHECK (VALUE > 0); CREATE TABLE a (m m)",
		has:   "CREATE TABLE a (m int)",
	},
	{
		files: "CREATE TABLE a (id int, v int GENERATED ALWAYS AS (id * 2) STORED); CREATE VIEW w AS SELECT v FROM a; CREATE VIEW x AS SELECT * FROM w",
		has:   "CREATE TABLE a (id int, v int GENERATED ALWAYS AS (id * 3) STORED); CREATE VIEW w AS SELECT v FROM a; CREATE VIEW x AS SELECT * FROM w",
	},
	{
		files: "CREATE TABLE a (id int); CREATE VIEW w AS SELECT id FROM a",
		has:   "CREATE TABLE a (id int, x int); CREATE VIEW w AS SELECT id, x FROM a; CREATE VIEW y AS SELECT x FROM w",
	},
	{
		files: "CREATE TABLE a (id int); CREATE MATERIALIZED VIEW w AS SELECT id FROM a; CREATE INDEX i ON w (id); COMMENT ON MATERIALIZED VIEW w IS 'x'",
		has:   "CREATE TABLE a (id bigint); CREATE MATERIALIZED VIEW w AS SELECT id FROM a; CREATE INDEX i ON w (id)",
	},
	{
		files: "CREATE VIEW v AS SELECT 1 AS a, 2 AS b",
		has:   "CREATE TABLE v (a int)",
	},
	{
		files: "CREATE TABLE v (a int)",
		has:   "CREATE VIEW v AS SELECT 1 AS a",
	},
	{
		files: "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW v AS SELECT f(1) AS x",
		has:   "CREATE FUNCTION f(b int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW v AS SELECT f(1) AS x",
	},
	{
		files: "CREATE PROCEDURE f(a int) LANGUAGE sql AS 'SELECT 1'",
		has:   "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
	},
	{
		files: "CREATE TABLE a (id int PRIMARY KEY, b int); CREATE VIEW v AS SELECT id, b FROM a GROUP BY id",
		has:   "CREATE TABLE a (id int, b int)",
	},
	{
		files: "CREATE TABLE a (id int, CONSTRAINT k PRIMARY KEY (id)); ",
		has:   "CREATE TABLE a (id int, b int, CONSTRAINT k PRIMARY KEY (id, b))",
	},
	{
		files: "CREATE SEQUENCE s; CREATE TABLE a (id int DEFAULT nextval('s'))",
		has:   "CREATE TABLE a (id int)",
	},
	{
		files: "CREATE TABLE a (id int)",
		has:   "CREATE SEQUENCE s; CREATE TABLE a (id int DEFAULT nextval('s'))",
	},
	{
		files: "CREATE TABLE a (id int)",
		has:   "CREATE TABLE a (id serial)",
	},
	{
		files: "CREATE TABLE a (id serial)",
		has:   "CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY)",
	},
	{
		files: "CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY)",
		has:   "CREATE TABLE a (id serial)",
	},
	{
		files: `CREATE TABLE "A b" ("I d" serial, "X" int)`,
		has:   `CREATE TABLE "A b" ("X" bigint)`,
	},
	{
		files: "CREATE TABLE a (id int) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (1) TO (5) PARTITION BY LIST (id); CREATE TABLE a11 PARTITION OF a1 FOR VALUES IN (1)",
		has:   "CREATE TABLE a (id int)",
	},
	{
		files: "CREATE TABLE a (id int) PARTITION BY HASH (id); CREATE TABLE a1 PARTITION OF a FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE a2 PARTITION OF a FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
		has:   "CREATE TABLE a (id int) PARTITION BY HASH (id); CREATE TABLE a1 PARTITION OF a FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
	},
	{
		files: "CREATE TABLE a (id int, n int) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (1) TO (5); CREATE INDEX i ON a (n); ALTER TABLE a ADD CONSTRAINT c CHECK (n > 0)",
		has:   "CREATE TABLE a (id int) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (1) TO (5)",
	},
	{
		files: "CREATE TABLE a (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (1) TO (5); CREATE TABLE r (a int REFERENCES a)",
		has:   "CREATE TABLE a (id int) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (1) TO (5); CREATE TABLE r (a int)",
	},
	{
		files: "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE a (id int); CREATE TRIGGER x BEFORE UPDATE OF id ON a FOR EACH ROW EXECUTE FUNCTION t()",
		has:   "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE a (id bigint); CREATE TRIGGER x BEFORE UPDATE OF id ON a FOR EACH ROW EXECUTE FUNCTION t()",
	},
	{
		files: "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE a (id int); CREATE CONSTRAINT TRIGGER x AFTER UPDATE ON a DEFERRABLE FOR EACH ROW EXECUTE FUNCTION t()",
		has:   "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE a (id int); CREATE TRIGGER x AFTER UPDATE ON a FOR EACH ROW EXECUTE FUNCTION t()",
	},
	{
		files: "CREATE TABLE a (id int); CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT count(id) FROM a; END",
		has:   "CREATE TABLE a (id bigint); CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT count(id) FROM a; END",
	},
	{
		files: "CREATE TABLE a (id int); CREATE FUNCTION f(n int DEFAULT 3, VARIADIC m text[] DEFAULT '{}') RETURNS TABLE (x int, y text) LANGUAGE sql AS 'SELECT 1, $$x$$'",
		has:   "CREATE TABLE a (id int)",
	},
	{
		since: 15, files: "CREATE TABLE a (id int CONSTRAINT c UNIQUE NULLS NOT DISTINCT, b int, c int, UNIQUE (b, c)); CREATE TABLE r (b int, c int, CONSTRAINT f FOREIGN KEY (b, c) REFERENCES a (b, c) ON DELETE SET NULL (c))",
		has: "CREATE TABLE a (id int CONSTRAINT c UNIQUE, b int, c int, UNIQUE (b, c)); CREATE TABLE r (b int, c int, CONSTRAINT f FOREIGN KEY (b, c) REFERENCES a (b, c) ON DELETE SET NULL)",
	},
	{
		files: "CREATE DOMAIN d AS int; CREATE DOMAIN d2 AS d CHECK (VALUE BETWEEN 1 AND 2 AND VALUE <> 3); CREATE TYPE c AS (x d2[]); CREATE TABLE a (c c)",
		has:   "CREATE DOMAIN d AS int",
	},
	{
		files: "CREATE TABLE a (id int); CREATE VIEW v AS SELECT id FROM a WITH CHECK OPTION",
		has:   "CREATE TABLE a (id int); CREATE VIEW v AS SELECT id FROM a",
	},
	{
		files: "CREATE VIEW v (x, y) AS VALUES (1, 2)",
		has:   "CREATE VIEW v (x, z) AS VALUES (1, 2)",
	},
	{
		files: "CREATE RECURSIVE VIEW v (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM v WHERE n < 10",
		has:   "",
	},
	{
		files: "CREATE TYPE m AS ENUM ('a', 'b', 'c')",
		has:   "CREATE TYPE m AS ENUM ('b')",
	},
	{
		files: `CREATE TABLE a (id int, s text COLLATE "C" DEFAULT 'x'); COMMENT ON COLUMN a.s IS 'text'`,
		has:   "CREATE TABLE a (id int)",
	},
	{
		files: "CREATE TABLE a (id int); CREATE AGGREGATE agg(int) (SFUNC = int4pl, STYPE = int); CREATE VIEW v AS SELECT agg(id) AS x FROM a",
		has:   "CREATE TABLE a (id int)",
	},
	{
		files: "CREATE TABLE a (j jsonb, r int4range, ts tsvector GENERATED ALWAYS AS (to_tsvector('simple', 'x')) STORED, EXCLUDE USING gist (r WITH &&)); CREATE INDEX i ON a USING gin (j jsonb_path_ops); CREATE UNIQUE INDEX u ON a ((j->>'x')) INCLUDE (r) WHERE r IS NOT NULL",
		has:   "CREATE TABLE a (j json, r int8range)",
	},
	{
		files: "CREATE FUNCTION later() RETURNS int LANGUAGE sql AS 'SELECT n FROM zzz'; CREATE TABLE zzz (n int)",
		has:   "",
	},
}

// The mends lead from any database to the files. `make test` mends every sixth one, `make soak` all of them.
func TestCheck_MendsOtherSchemas(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	mendOthers(t, 6)
}

func TestSoak_CheckMendsOtherSchemas(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	mendOthers(t, 1)
}

func mendOthers(t *testing.T, step int) {
	t.Helper()
	db := connect(t, dbtest.EmptyURL(t))
	for i, other := range others {
		if i%step != 0 || serverVersion(t, db) < other.since {
			continue
		}
		m := of(t, []file{{Name: "schema/010_other.sql", SQL: other.files}})
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		run(t, tx, other.has)
		differences, err := schema.Check(t.Context(), tx, m)
		require.NoError(t, err, other.files)
		require.NotEmpty(t, differences, "%s\n%s", other.files, other.has)
		mend(t, tx, differences)
		differences, err = schema.Check(t.Context(), tx, m)
		require.NoError(t, err, other.files)
		if len(differences) > 0 { // what a view shows of a table that was altered, say
			mend(t, tx, differences)
			differences, err = schema.Check(t.Context(), tx, m)
			require.NoError(t, err, other.files)
		}
		require.Empty(t, inWords(differences), "%s\n%s", other.files, other.has)
		require.NoError(t, tx.Rollback(t.Context()))
	}
}
