package schema_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/schema"
)

// objects is a schema with every kind of thing that a schema may hold.
const objects = `
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TYPE "Mood" AS ENUM ('blue', 'red');
CREATE DOMAIN "Short" AS text COLLATE "C" DEFAULT 'x' NOT NULL
    CONSTRAINT short_check CHECK (VALUE BETWEEN 'a' AND 'z' AND VALUE <> 'q');
CREATE TYPE place AS (city text, "Zip" varchar(9), street text);
CREATE TYPE span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
COMMENT ON TYPE "Mood" IS 'how one feels';
CREATE SEQUENCE "Numbers" AS integer INCREMENT BY 5 START WITH 10 CACHE 3;
CREATE FUNCTION twice(n integer, plus integer DEFAULT 0) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT n * 2 + plus WHERE n BETWEEN 1 AND 9 AND n > plus OR true;
END;
CREATE FUNCTION twice(t text) RETURNS text LANGUAGE sql STRICT AS 'SELECT t || t';
CREATE TABLE "Guests" (
    id       bigint GENERATED ALWAYS AS IDENTITY,
    "Number" integer DEFAULT nextval('"Numbers"'),
    serial   serial,
    mood     "Mood" DEFAULT 'blue',
    nick     "Short",
    home     place,
    "Twice"  integer GENERATED ALWAYS AS (twice("Number")) STORED,
    seated   tstzrange,
    tags     text[] DEFAULT '{}',
    host_id  bigint,
    CONSTRAINT "Guests_pkey" PRIMARY KEY (id),
    CONSTRAINT "Guests_seat" EXCLUDE USING gist (nick WITH =, seated WITH &&) WHERE (seated IS NOT NULL),
    CONSTRAINT "Guests_number_key" UNIQUE ("Number") DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX "Guests_tags" ON "Guests" USING gin (tags);
CREATE INDEX "Guests_incl" ON "Guests" (host_id) INCLUDE (mood) WHERE mood = 'red';
COMMENT ON TABLE "Guests" IS 'who comes; it''s all';
COMMENT ON COLUMN "Guests"."Number" IS 'of the chair';
COMMENT ON CONSTRAINT "Guests_seat" ON "Guests" IS 'one a seat';
COMMENT ON INDEX "Guests_tags" IS 'by tag';
CREATE TABLE hosts (id bigint PRIMARY KEY, best bigint, note text);
CREATE VIEW notes AS SELECT note FROM hosts;
ALTER TABLE "Guests" ADD CONSTRAINT "Guests_host" FOREIGN KEY (host_id) REFERENCES hosts (id) ON DELETE SET NULL;
ALTER TABLE hosts ADD CONSTRAINT hosts_best FOREIGN KEY (best) REFERENCES "Guests" (id) ON UPDATE CASCADE;
CREATE TABLE visits (at date NOT NULL, guest bigint, CONSTRAINT visits_pkey PRIMARY KEY (at, guest)) PARTITION BY RANGE (at);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE "Visits_2" PARTITION OF visits FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE visits_other PARTITION OF visits DEFAULT;
CREATE INDEX visits_guest ON visits (guest);
CREATE TABLE parcels (id bigint NOT NULL) PARTITION BY LIST (id); -- a job makes the partitions
CREATE VIEW "Moods" AS SELECT g.id, g.mood, g."Number" FROM "Guests" AS g WHERE g."Number" BETWEEN 1 AND 9 AND g.id > 3;
CREATE VIEW red WITH (security_barrier) AS SELECT id FROM "Moods" WHERE mood = 'red';
COMMENT ON VIEW red IS 'the red ones';
COMMENT ON COLUMN red.id IS 'the number';
CREATE MATERIALIZED VIEW counts AS SELECT mood, count(*) AS n, twice(1) AS two FROM "Guests" GROUP BY mood;
CREATE UNIQUE INDEX counts_mood ON counts (mood);
CREATE FUNCTION red_ones() RETURNS SETOF "Guests" LANGUAGE sql STABLE AS 'SELECT * FROM "Guests" WHERE mood = ''red''';
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$ BEGIN RETURN NEW; END $$;
CREATE PROCEDURE tidy(INOUT n bigint) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM red; END $$;
CREATE TRIGGER "Check" BEFORE UPDATE OF mood ON "Guests" FOR EACH ROW
    WHEN (NEW."Number" > OLD."Number" AND (NEW.home)."Zip" IN ('a', 'b')) EXECUTE FUNCTION refuse();
CREATE TRIGGER asleep AFTER INSERT ON visits FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE visits DISABLE TRIGGER asleep;
CREATE TRIGGER instead INSTEAD OF INSERT ON "Moods" FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE AGGREGATE total(bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0');
COMMENT ON FUNCTION twice(text) IS 'text twice';
COMMENT ON TRIGGER "Check" ON "Guests" IS 'looks';
`

// An objectChange is a change to the schema of objects, and what Check says of it.
type objectChange struct {
	sql   string
	files [2]string // what is another text in the files
	want  []string  // each a prefix
	again []string  // what is to mend after that
	stays bool      // no statement mends it
}

var objectChanges = map[string]objectChange{
	"a view is missing":             {sql: "DROP VIEW red", want: []string{"view red is missing"}},
	"a view is extra":               {sql: "CREATE VIEW mine AS SELECT * FROM red", want: []string{"view mine is extra"}},
	"a view is another":             {sql: `CREATE OR REPLACE VIEW red WITH (security_barrier) AS SELECT id FROM "Moods" WHERE mood = 'blue'`, want: []string{"view red is AS "}},
	"a view that another needs":     {sql: `CREATE OR REPLACE VIEW "Moods" AS SELECT g.id, g.mood, g."Number" FROM "Guests" AS g`, want: []string{"view Moods is AS "}},
	"a view without its option":     {sql: `ALTER VIEW red RESET (security_barrier)`, want: []string{"view red is AS "}},
	"a materialized view missing":   {sql: "DROP MATERIALIZED VIEW counts", want: []string{"materialized view counts is missing"}},
	"a materialized view's index":   {sql: "DROP INDEX counts_mood", want: []string{"index counts.counts_mood is missing"}},
	"a materialized view is a view": {sql: "DROP MATERIALIZED VIEW counts; CREATE VIEW counts AS SELECT 1 AS one", want: []string{"materialized view counts is view, not"}},
	"a materialized view is another": {
		sql:  `DROP MATERIALIZED VIEW counts; CREATE MATERIALIZED VIEW counts AS SELECT mood, count(*) AS n, twice(2) AS two FROM "Guests" GROUP BY mood`,
		want: []string{"materialized view counts is AS"},
	},
	"a function is missing":          {sql: "DROP FUNCTION twice(text)", want: []string{"function twice(text) is missing"}},
	"a function is extra":            {sql: "CREATE FUNCTION twice(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 2'", want: []string{"function twice(bigint) is extra"}},
	"a function has another body":    {sql: "CREATE OR REPLACE FUNCTION twice(t text) RETURNS text LANGUAGE sql STRICT AS 'SELECT t'", want: []string{"function twice(text) is "}},
	"a function is volatile":         {sql: "ALTER FUNCTION red_ones() VOLATILE", want: []string{"function red_ones() is "}},
	"a function has another setting": {sql: "ALTER FUNCTION refuse() RESET ALL", want: []string{"function refuse() is "}},
	"a function is not strict":       {sql: "ALTER FUNCTION twice(text) CALLED ON NULL INPUT COST 7 SECURITY DEFINER PARALLEL SAFE", want: []string{"function twice(text) is "}},
	"a function returns another type": {
		sql: "DROP FUNCTION twice(text); CREATE FUNCTION twice(t text) RETURNS integer LANGUAGE sql STRICT AS 'SELECT 1'", want: []string{"function twice(text) is "},
	},
	"a function's default is another": {
		sql:  `CREATE OR REPLACE FUNCTION twice(n integer, plus integer DEFAULT 1) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE BEGIN ATOMIC SELECT n * 2 + plus WHERE n BETWEEN 1 AND 9 AND n > plus OR true; END`,
		want: []string{"function twice(integer, integer) is "}, stays: true, // a generated column needs it
	},
	"a function's parsed body is another": {
		sql:  `CREATE OR REPLACE FUNCTION twice(n integer, plus integer DEFAULT 0) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE BEGIN ATOMIC SELECT n * 3; END`,
		want: []string{"function twice(integer, integer) is "},
	},
	"a procedure is missing":     {sql: "DROP PROCEDURE tidy", want: []string{"procedure tidy(bigint) is missing"}},
	"a procedure is another":     {sql: "CREATE OR REPLACE PROCEDURE tidy(INOUT n bigint) LANGUAGE plpgsql AS 'BEGIN END'", want: []string{"procedure tidy(bigint) is "}},
	"an aggregate is missing":    {sql: "DROP AGGREGATE total(bigint)", want: []string{"aggregate total(bigint) is missing"}},
	"an aggregate is another":    {sql: "DROP AGGREGATE total(bigint); CREATE AGGREGATE total(bigint) (SFUNC = int8pl, STYPE = bigint)", want: []string{"aggregate total(bigint) is "}},
	"a label is extra":           {sql: `ALTER TYPE "Mood" ADD VALUE 'green' BEFORE 'red'`, want: []string{"enum Mood is ('blue', 'green', 'red'), not ('blue', 'red')"}, stays: true},
	"an enum is extra":           {sql: `CREATE TYPE mine AS ENUM ()`, want: []string{"enum mine is extra"}},
	"a domain's default":         {sql: `ALTER DOMAIN "Short" SET DEFAULT 'y'`, want: []string{`domain Short is text COLLATE "C" NOT NULL DEFAULT 'y'::text, not text COLLATE "C" NOT NULL DEFAULT 'x'::text`}},
	"a domain's NOT NULL":        {sql: `ALTER DOMAIN "Short" DROP NOT NULL`, want: []string{`domain Short is text COLLATE "C" DEFAULT 'x'::text, not`}},
	"a domain's check is gone":   {sql: `ALTER DOMAIN "Short" DROP CONSTRAINT short_check`, want: []string{"constraint Short.short_check is missing"}},
	"a domain's check":           {sql: `ALTER DOMAIN "Short" DROP CONSTRAINT short_check; ALTER DOMAIN "Short" ADD CONSTRAINT short_check CHECK (VALUE <> 'q')`, want: []string{"constraint Short.short_check is "}},
	"a domain's check is extra":  {sql: `ALTER DOMAIN "Short" ADD CONSTRAINT mine CHECK (VALUE <> 'r')`, want: []string{"constraint Short.mine is extra"}},
	"a domain's check is named":  {sql: `ALTER DOMAIN "Short" RENAME CONSTRAINT short_check TO mine`, want: []string{"constraint Short.short_check is named mine"}},
	"a domain's check not valid": {sql: `ALTER DOMAIN "Short" DROP CONSTRAINT short_check; ALTER DOMAIN "Short" ADD CONSTRAINT short_check CHECK (VALUE BETWEEN 'a' AND 'z' AND VALUE <> 'q') NOT VALID`, want: []string{"constraint Short.short_check is "}},
	"an attribute is extra":      {sql: "ALTER TYPE place ADD ATTRIBUTE more text", want: []string{`type place is ("city" text, "Zip" character varying(9), "street" text, "more" text), not`}},
	"an attribute is missing":    {sql: `ALTER TYPE place DROP ATTRIBUTE street`, want: []string{`type place is ("city" text, "Zip" character varying(9)), not`}},
	"a range is missing":         {sql: "DROP TYPE span", want: []string{"type span is missing"}},
	"a range is another":         {sql: "DROP TYPE span; CREATE TYPE span AS RANGE (SUBTYPE = float8)", want: []string{"type span is RANGE"}, stays: true},
	"a sequence is missing":      {sql: `ALTER TABLE "Guests" ALTER COLUMN "Number" DROP DEFAULT; DROP SEQUENCE "Numbers"`, want: []string{"sequence Numbers is missing", "column Guests.Number is "}},
	"a sequence has other options": {
		sql: `ALTER SEQUENCE "Numbers" AS bigint INCREMENT BY 6 CYCLE`, want: []string{"sequence Numbers is AS bigint INCREMENT BY 6"},
	},
	"a serial's sequence": {sql: `ALTER SEQUENCE "Guests_serial_seq" INCREMENT BY 7`, want: []string{"column Guests.serial is integer NOT NULL DEFAULT nextval"}},
	"a serial is gone":    {sql: `ALTER TABLE "Guests" ALTER COLUMN serial DROP DEFAULT; DROP SEQUENCE "Guests_serial_seq"`, want: []string{"column Guests.serial is integer NOT NULL, not"}},
	"a serial is missing": {sql: `ALTER TABLE "Guests" DROP COLUMN serial`, want: []string{"column Guests.serial is missing"}},
	"a serial's sequence is nobody's": {
		sql: `ALTER SEQUENCE "Guests_serial_seq" OWNED BY NONE`, want: []string{"column Guests.serial is integer NOT NULL DEFAULT nextval"},
	},
	"a trigger is missing":        {sql: `DROP TRIGGER "Check" ON "Guests"`, want: []string{"trigger Guests.Check is missing"}},
	"a trigger is disabled":       {sql: `ALTER TABLE "Guests" DISABLE TRIGGER "Check"`, want: []string{"trigger Guests.Check is "}},
	"a trigger is enabled":        {sql: `ALTER TABLE visits ENABLE TRIGGER asleep`, want: []string{"trigger visits.asleep is "}},
	"a trigger fires otherwise":   {sql: `DROP TRIGGER "Check" ON "Guests"; CREATE TRIGGER "Check" BEFORE UPDATE OF mood ON "Guests" FOR EACH ROW WHEN (NEW."Number" > 1) EXECUTE FUNCTION refuse()`, want: []string{"trigger Guests.Check is "}},
	"a view's trigger is missing": {sql: `DROP TRIGGER instead ON "Moods"`, want: []string{"trigger Moods.instead is missing"}},
	"a function with its trigger": {sql: `DROP FUNCTION refuse CASCADE`, want: []string{
		"function refuse() is missing", "trigger Guests.Check is missing", "trigger visits.asleep is missing", "trigger Moods.instead is missing",
	}},
	"a partition is missing":         {sql: `DROP TABLE "Visits_2"`, want: []string{"partition visits.Visits_2 is missing"}},
	"a partition is detached":        {sql: `ALTER TABLE visits DETACH PARTITION visits_1`, want: []string{"partition visits.visits_1 is table, not partition of visits FOR VALUES"}},
	"a partition is extra":           {sql: `CREATE TABLE mine PARTITION OF visits FOR VALUES FROM ('2026-05-01') TO ('2026-06-01')`, want: []string{"partition visits.mine is extra"}},
	"a partition of a job":           {sql: `CREATE TABLE mine PARTITION OF parcels FOR VALUES IN (1)`},
	"a partitioned table is gone":    {sql: `DROP TABLE visits`, want: []string{"table visits is missing", "partition visits.visits_1 is missing", "partition visits.Visits_2 is missing", "partition visits.visits_other is missing", "trigger visits.asleep is missing"}},
	"bounds have changed places":     {sql: `ALTER TABLE visits DETACH PARTITION visits_1; ALTER TABLE visits DETACH PARTITION "Visits_2"; ALTER TABLE visits ATTACH PARTITION visits_1 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01'); ALTER TABLE visits ATTACH PARTITION "Visits_2" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`, want: []string{"partition visits.visits_1 is partition of visits FOR", "partition visits.Visits_2 is partition of visits FOR"}},
	"a partitioned table is by LIST": {sql: `DROP TABLE visits; CREATE TABLE visits (at date NOT NULL, guest bigint, CONSTRAINT visits_pkey PRIMARY KEY (at, guest)) PARTITION BY LIST (at); CREATE TABLE visits_1 PARTITION OF visits DEFAULT`, want: []string{"table visits is table partitioned by LIST (at), not", "partition visits.visits_1 is", "partition visits.Visits_2 is missing", "partition visits.visits_other is missing", "trigger visits.asleep is missing"}},
	"a partitioned table's index":    {sql: `DROP INDEX visits_guest`, want: []string{"index visits.visits_guest is missing"}},
	"a partition has an index":       {sql: `CREATE INDEX mine ON visits_1 (at)`, want: []string{"index visits_1.mine is extra"}},
	"a table's comment":              {sql: `COMMENT ON TABLE "Guests" IS 'others'`, want: []string{"comment on table Guests is others, not who comes; it's all"}},
	"a table is stored in another way": {
		sql: `ALTER TABLE hosts SET (fillfactor = 50, toast.autovacuum_enabled = false, autovacuum_vacuum_scale_factor = 0.02), REPLICA IDENTITY FULL; ALTER TABLE hosts CLUSTER ON hosts_pkey;
ALTER TABLE visits_1 SET (fillfactor = 60), REPLICA IDENTITY NOTHING; ALTER TABLE "Guests" REPLICA IDENTITY USING INDEX "Guests_pkey"`,
		want: []string{
			"storage of table Guests is extra: REPLICA IDENTITY USING INDEX \"Guests_pkey\"", "storage of table hosts is extra: CLUSTER ON hosts_pkey, REPLICA IDENTITY FULL, autovacuum_vacuum_scale_factor=0.02, fillfactor=50, toast.autovacuum_enabled=false",
			"storage of partition visits.visits_1 is extra: REPLICA IDENTITY NOTHING, fillfactor=60",
		},
	},
	"a column, a key and a view are stored in another way": {
		sql: `ALTER TABLE "Guests" ALTER nick SET STATISTICS 7, ALTER tags SET STORAGE EXTERNAL, ALTER tags SET COMPRESSION pglz, ALTER id SET (n_distinct = -0.5);
ALTER INDEX "Guests_pkey" SET (fillfactor = 80); ALTER MATERIALIZED VIEW counts SET (fillfactor = 70)`,
		want: []string{
			"storage of materialized view counts is extra: fillfactor=70", "storage of column Guests.id is extra: n_distinct=-0.5", "storage of column Guests.nick is extra: STATISTICS 7",
			"storage of column Guests.tags is extra: COMPRESSION pglz, STORAGE EXTERNAL", "storage of constraint Guests.Guests_pkey is extra: fillfactor=80",
		},
	},
	"a partition's and a view's columns are stored in another way": {
		sql: `ALTER TABLE visits_1 ALTER at SET STATISTICS 7, ALTER at SET (n_distinct = 3); ALTER MATERIALIZED VIEW counts ALTER mood SET STATISTICS 8;
ALTER TABLE visits ALTER guest SET STATISTICS 9`,
		want: []string{
			"storage of column visits.guest is extra: STATISTICS 9", "storage of column visits_1.at is extra: STATISTICS 7, n_distinct=3",
			"storage of column counts.mood is extra: STATISTICS 8",
		},
	},
	"a table has lost how it was stored": {
		files: [2]string{"CREATE VIEW notes", `ALTER TABLE hosts SET (fillfactor = 50), ALTER note SET STATISTICS 9, ALTER note SET STORAGE MAIN, ALTER note SET (n_distinct = 3); ALTER TABLE hosts CLUSTER ON hosts_pkey;
ALTER TABLE hosts REPLICA IDENTITY USING INDEX hosts_pkey;
CREATE VIEW notes`},
		want: []string{"storage of table hosts is missing: CLUSTER ON hosts_pkey, REPLICA IDENTITY USING INDEX hosts_pkey, fillfactor=50", "storage of column hosts.note is missing: STATISTICS 9, STORAGE MAIN, n_distinct=3"},
	},
	"a partition has not what its parent's columns have": {
		files: [2]string{"CREATE INDEX visits_guest", `ALTER TABLE visits ALTER guest SET STATISTICS 9;
CREATE INDEX visits_guest`},
		sql:  "DROP TABLE visits_1",
		want: []string{"partition visits.visits_1 is missing", "storage of column visits.guest is missing: STATISTICS 9"},
	},
	"comments are missing":    {sql: `COMMENT ON COLUMN "Guests"."Number" IS NULL; COMMENT ON CONSTRAINT "Guests_seat" ON "Guests" IS NULL; COMMENT ON INDEX "Guests_tags" IS NULL; COMMENT ON TYPE "Mood" IS NULL; COMMENT ON FUNCTION twice(text) IS NULL; COMMENT ON VIEW red IS NULL; COMMENT ON COLUMN red.id IS NULL; COMMENT ON TRIGGER "Check" ON "Guests" IS NULL`, want: []string{"comment on enum Mood is missing", "comment on function twice(text) is missing", "comment on view red is missing", "comment on column Guests.Number is missing", "comment on constraint Guests.Guests_seat is missing", "comment on index Guests.Guests_tags is missing", "comment on column red.id is missing", "comment on trigger Guests.Check is missing"}},
	"comments are extra":      {sql: `COMMENT ON TABLE hosts IS 'mine'; COMMENT ON COLUMN "Moods".mood IS 'mine'; COMMENT ON DOMAIN "Short" IS 'mine'; COMMENT ON CONSTRAINT short_check ON DOMAIN "Short" IS 'mine'; COMMENT ON COLUMN place.city IS 'mine'; COMMENT ON SEQUENCE "Numbers" IS 'mine'; COMMENT ON PROCEDURE tidy IS 'mine'; COMMENT ON AGGREGATE total(bigint) IS 'mine'; COMMENT ON MATERIALIZED VIEW counts IS 'mine'; COMMENT ON TABLE visits_1 IS 'mine'`, want: []string{"comment on domain Short is extra: mine", "comment on sequence Numbers is extra: mine", "comment on table hosts is extra: mine", "comment on partition visits.visits_1 is extra: mine", "comment on materialized view counts is extra: mine", "comment on procedure tidy(bigint) is extra: mine", "comment on aggregate total(bigint) is extra: mine", "comment on constraint Short.short_check is extra: mine", "comment on column place.city is extra: mine", "comment on column Moods.mood is extra: mine"}},
	"an index is made again":  {sql: `DROP INDEX "Guests_tags"; CREATE INDEX "Guests_tags" ON "Guests" (tags)`, want: []string{"index Guests.Guests_tags is "}},
	"an index includes less":  {sql: `DROP INDEX "Guests_incl"; CREATE INDEX "Guests_incl" ON "Guests" (host_id) WHERE mood = 'red'`, want: []string{"index Guests.Guests_incl is "}},
	"an exclusion is another": {sql: `ALTER TABLE "Guests" DROP CONSTRAINT "Guests_seat"; ALTER TABLE "Guests" ADD CONSTRAINT "Guests_seat" EXCLUDE USING gist (seated WITH &&)`, want: []string{"constraint Guests.Guests_seat is EXCLUDE"}},
	"a key is not deferrable": {sql: `ALTER TABLE "Guests" DROP CONSTRAINT "Guests_number_key"; ALTER TABLE "Guests" ADD CONSTRAINT "Guests_number_key" UNIQUE ("Number")`, want: []string{"constraint Guests.Guests_number_key is UNIQUE"}},
	"a foreign key deletes":   {sql: `ALTER TABLE "Guests" DROP CONSTRAINT "Guests_host"; ALTER TABLE "Guests" ADD CONSTRAINT "Guests_host" FOREIGN KEY (host_id) REFERENCES hosts (id) ON DELETE CASCADE`, want: []string{"constraint Guests.Guests_host is FOREIGN"}},
	"a generated column":      {sql: `DROP VIEW "Moods" CASCADE; ALTER TABLE "Guests" DROP COLUMN "Twice"; ALTER TABLE "Guests" ADD COLUMN "Twice" integer GENERATED ALWAYS AS (twice("Number", 2)) STORED`, want: []string{"column Guests.Twice is", "view Moods is missing", "view red is missing", "trigger Moods.instead is missing"}},
	"tables that refer to each other": {
		sql: `DROP TABLE "Guests", hosts CASCADE`, want: []string{
			"table Guests is missing", "table hosts is missing", "view notes is missing", "view Moods is missing", "view red is missing", "materialized view counts is missing", "function red_ones() is missing", "constraint Guests.Guests_host is missing", "constraint hosts.hosts_best is missing", "trigger Guests.Check is missing", "trigger Moods.instead is missing",
		},
	},
	"a column that views show is of another type": {
		sql:  "DROP VIEW notes; ALTER TABLE hosts ALTER COLUMN note TYPE varchar(9); CREATE VIEW notes AS SELECT note FROM hosts",
		want: []string{"column hosts.note is character varying(9), not text"},
	},
	"labels are missing": {
		files: [2]string{"('blue', 'red')", "('pale', 'blue', 'green', 'red', 'dark')"},
		want:  []string{"enum Mood is ('blue', 'red'), not ('pale', 'blue', 'green', 'red', 'dark')"},
	},
	"labels are in another order": {
		files: [2]string{"('blue', 'red')", "('red', 'blue')"}, stays: true,
		want: []string{"enum Mood is ('blue', 'red'), not ('red', 'blue')"},
	},
	"a domain is of another type": {
		files: [2]string{`"Short" AS text`, `"Short" AS varchar(9)`}, stays: true,
		want: []string{`domain Short is text COLLATE "C" NOT NULL DEFAULT 'x'::text, not character varying(9)`, "constraint Short.short_check is"},
	},
	"a column and a view that shows it are missing": {
		files: [2]string{"note text);", "note text, more integer, kind \"Mood\");\nCREATE VIEW mores AS SELECT more, twice(more) AS t, kind FROM hosts;"},
		want:  []string{"column hosts.more is missing", "column hosts.kind is missing", "view mores is missing"},
	},
	"a column is missing that a function makes": {
		files: [2]string{"note text);", "note text);\nCREATE FUNCTION of() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';\n" +
			"CREATE TABLE later (n integer DEFAULT of());\nALTER TABLE hosts ADD CONSTRAINT of CHECK (id > of());"},
		want: []string{"function of() is missing", "constraint hosts.of is missing", "table later is missing"},
	},
	"a view shows all columns of a table": { // whose order is another than in the files
		files: [2]string{"note text);", "more integer, note text);\nCREATE VIEW alls AS SELECT * FROM hosts;"},
		want:  []string{"column hosts.more is missing", "view alls is missing"},
		again: []string{"view alls is AS"},
	},
}

// connectObjects returns a connection to a database with the objects, and what is known of them.
func connectObjects(tb testing.TB) (*pgx.Conn, *dbtx.Metadata) {
	tb.Helper()
	m := of(tb, []file{{Name: "schema/010_objects.sql", SQL: objects}})
	db := connect(tb, dbtest.EmptyURL(tb))
	run(tb, db, objects)

	return db, m
}

// Every change is found, and the mending statements leave nothing to find, except where no statement can mend it.
// `make test` makes a part of the changes, `make soak` makes all of them.
func TestCheck_FindsChangesOfEveryKindOfObject(t *testing.T) {
	t.Parallel()
	findObjectChanges(t, 16)
}

func TestSoak_CheckFindsAndMendsEveryChangeOfEveryKindOfObject(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	findObjectChanges(t, 1)
}

// findObjectChanges makes every so many-th change, mends it, and undoes both.
func findObjectChanges(t *testing.T, step int) {
	t.Helper()
	db, m := connectObjects(t)
	look := func(tx interface {
		schema.DB
		execer
	}, name string,
	) []schema.Difference {
		// Some servers refuse a savepoint right behind ALTER DOMAIN … ADD CONSTRAINT.
		run(t, tx, "CREATE TEMPORARY TABLE IF NOT EXISTS passed (); DROP TABLE passed")
		known := m
		if change := objectChanges[name].files; change[0] != "" {
			require.Contains(t, objects, change[0])
			known = of(t, []file{{Name: "schema/010_objects.sql", SQL: strings.Replace(objects, change[0], change[1], 1)}})
		}
		differences, err := schema.Check(t.Context(), tx, known)
		require.NoError(t, err, name)

		return differences
	}
	require.Empty(t, inWords(look(db, "nothing")), "the control: nothing is changed")
	for i, name := range slices.Sorted(maps.Keys(objectChanges)) {
		if i%step != 0 {
			continue
		}
		change := objectChanges[name]
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), change.sql, pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err, name)
		differences := look(tx, name)
		words := inWords(differences)
		if change.want != nil || !change.stays {
			require.Len(t, words, len(change.want), "%s: %s", name, strings.Join(words, "\n"))
		}
		for i, want := range change.want {
			require.True(t, strings.HasPrefix(words[i], want), "%s: %s\nis no %s", name, words[i], want)
		}
		if !change.stays {
			mend(t, tx, differences)
			if change.again != nil {
				differences = look(tx, name)
				require.Len(t, differences, len(change.again), name)
				mend(t, tx, differences)
			}
			require.Empty(t, inWords(look(tx, name)), name)
		}
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

// A database that lacks everything is made whole by the mends in their order.
func TestCheck_MendsAnEmptyDatabaseWithEveryKindOfObject(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	m := of(t, []file{{Name: "schema/010_objects.sql", SQL: objects}})
	db := connect(t, dbtest.EmptyURL(t))
	differences, err := schema.Check(t.Context(), db, m)
	require.NoError(t, err)
	require.NotEmpty(t, differences)
	mend(t, db, differences)
	differences, err = schema.Check(t.Context(), db, m)
	require.NoError(t, err)
	require.Empty(t, inWords(differences))
}

// A view, a function, a trigger and a domain that PostgreSQL has read from its own text are no difference, although their
// texts are others now.
func TestCheck_ReadsEveryKindOfObjectAgain(t *testing.T) {
	t.Parallel()
	db, m := connectObjects(t)
	const texts = `
SELECT pg_get_viewdef('"Moods"'::regclass) UNION ALL SELECT pg_get_functiondef('twice(integer, integer)'::regprocedure)
UNION ALL SELECT pg_get_triggerdef(oid, true) FROM pg_trigger WHERE tgname = 'Check'
UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'short_check'`
	before := list(t, db, texts)
	run(t, db, "CREATE OR REPLACE VIEW \"Moods\" AS "+before[0])
	run(t, db, before[1])
	run(t, db, `DROP TRIGGER "Check" ON "Guests"; `+before[2]+`; COMMENT ON TRIGGER "Check" ON "Guests" IS 'looks'`)
	run(t, db, `ALTER DOMAIN "Short" DROP CONSTRAINT short_check; ALTER DOMAIN "Short" ADD CONSTRAINT short_check `+before[3])
	for i, text := range list(t, db, texts) {
		require.NotEqual(t, before[i], text, "the control: it is printed otherwise")
	}
	differences, err := schema.Check(t.Context(), db, m)
	require.NoError(t, err)
	require.Empty(t, inWords(differences))
}

// A role needs CREATE on the database for a schema with functions. It sees the same as the owner. Nothing stays, and nobody
// has to wait.
func TestCheck_NeedsARightForFunctionsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	db, m := connectObjects(t)
	database := db.Config().Database
	role := "checker-" + database[len(database)-8:]
	admin := connect(t, dbtest.AdminURL(t))
	run(t, admin, fmt.Sprintf(`CREATE ROLE %q LOGIN PASSWORD 'checker'; REVOKE ALL ON DATABASE %[2]q FROM PUBLIC;
		GRANT CONNECT ON DATABASE %[2]q TO %[1]q`, role, database))
	atEnd(t, fmt.Sprintf("REVOKE ALL ON DATABASE %q FROM %q; DROP ROLE %[2]q", database, role))
	looker := connect(t, db.Config().ConnString(), func(c *pgx.ConnConfig) { c.User, c.Password = role, "checker" })
	_, err := schema.Check(t.Context(), looker, m)
	require.ErrorIs(t, err, schema.ErrNoSchema)
	require.EqualError(t, err, fmt.Sprintf(
		"check: can't make a schema to compare with: the role may not: GRANT CREATE ON DATABASE %q TO %q;", database, role))
	run(t, admin, fmt.Sprintf("GRANT CREATE ON DATABASE %q TO %q", database, role))

	const all = `SELECT nspname::text FROM pg_namespace UNION ALL SELECT oid::regprocedure::text FROM pg_proc
		UNION ALL SELECT oid::regclass::text FROM pg_class UNION ALL SELECT oid::regtype::text FROM pg_type`
	before := list(t, db, all)
	run(t, db, `DROP FUNCTION red_ones; ALTER TABLE hosts ADD COLUMN mine integer; CREATE VIEW mine AS SELECT mine FROM hosts`)
	want, err := schema.Check(t.Context(), db, m)
	require.NoError(t, err)
	require.Len(t, want, 3)
	var held []string
	got, err := schema.Check(t.Context(), hooked{looker, func(tx pgx.Tx) pgx.Tx {
		return atTheEnd{tx, func() {
			held = list(t, db, fmt.Sprintf(`
SELECT DISTINCT mode FROM pg_locks JOIN pg_class AS c ON c.oid = relation
WHERE pid = %d AND relnamespace = 'public'::regnamespace`, tx.Conn().PgConn().PID()))
		}}
	}}, m)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, []string{"AccessShareLock"}, held, "which only DROP and the like wait for")
	mend(t, db, want)
	require.ElementsMatch(t, before, list(t, db, all))

	_, err = schema.Check(t.Context(), connect(t, db.Config().ConnString(), func(c *pgx.ConnConfig) {
		c.RuntimeParams["default_transaction_read_only"] = "on"
	}), m)
	require.ErrorIs(t, err, schema.ErrNoSchema)
}

// The files' own code does not run: a materialized view stays empty, and no function is called.
func TestCheck_RunsNoCodeOfTheFiles(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.EmptyURL(t))
	const fails = `CREATE FUNCTION fails() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE 'it ran'; END $$;
CREATE TABLE t (n integer DEFAULT fails() CHECK (n > fails()));
CREATE FUNCTION later() RETURNS bigint LANGUAGE sql SET search_path = nowhere AS 'SELECT count(*) FROM t';
CREATE MATERIALIZED VIEW one AS SELECT fails() AS n WITH DATA;
CREATE MATERIALIZED VIEW two AS SELECT fails() AS n;
CREATE MATERIALIZED VIEW three AS SELECT fails() AS data WITH NO DATA`
	_, err := db.Exec(t.Context(), fails, pgx.QueryExecModeSimpleProtocol)
	require.Error(t, err, "the control: the statements themselves run it")
	differences, err := schema.Check(t.Context(), db, of(t, []file{{Name: "schema/010_fails.sql", SQL: fails}}))
	require.NoError(t, err)
	require.Len(t, differences, 6)
}

// An extension that the database does not have is missing, whether or not the session could create it.
func TestCheck_FindsExtensionsThatAreMissing(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.EmptyURL(t))
	for sql, want := range map[string][]string{
		"CREATE EXTENSION citext; CREATE TABLE words (word citext PRIMARY KEY)": {
			"extension citext is missing", "table words is missing",
		},
		"CREATE EXTENSION no_such_thing; CREATE TABLE words (word no_such_type PRIMARY KEY)": {"extension no_such_thing is missing"},
	} {
		files := []file{{Name: "schema/010_words.sql", SQL: sql}}
		differences, err := schema.Check(t.Context(), db, of(t, files))
		require.NoError(t, err)
		require.Equal(t, want, inWords(differences))
		if len(want) > 1 {
			mend(t, db, differences)
			differences, err = schema.Check(t.Context(), db, of(t, files))
			require.NoError(t, err)
			require.Empty(t, inWords(differences))
		}
	}
}

// Views, enums, domains and sequences need no right but the one to make temporary tables.
func TestCheck_BuildsWhatItCanAsTemporaryObjects(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.EmptyURL(t))
	database := db.Config().Database
	admin := connect(t, dbtest.AdminURL(t))
	const files = `CREATE TYPE mood AS ENUM ('blue'); CREATE DOMAIN short AS text CHECK (VALUE <> '');
CREATE SEQUENCE numbers; CREATE TABLE t (id serial PRIMARY KEY, n bigint DEFAULT nextval('numbers'), mood mood, short short);
CREATE TABLE p (id integer) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE VIEW v AS SELECT id FROM t WHERE mood = 'blue'; COMMENT ON TABLE t IS 'it'`
	run(t, db, files)
	run(t, admin, fmt.Sprintf("ALTER DATABASE %q OWNER TO CURRENT_USER; REVOKE CREATE ON DATABASE %[1]q FROM PUBLIC", database))
	known := of(t, []file{{Name: "schema/010_some.sql", SQL: files}})
	differences, err := schema.Check(t.Context(), db, known)
	require.NoError(t, err)
	require.Empty(t, inWords(differences))
	run(t, db, "DROP VIEW v; ALTER TYPE mood ADD VALUE 'red'; DROP TABLE p1; ALTER DOMAIN short DROP CONSTRAINT short_check")
	differences, err = schema.Check(t.Context(), db, known)
	require.NoError(t, err)
	require.Equal(t, []string{
		"enum mood is ('blue', 'red'), not ('blue')", "constraint short.short_check is missing: CHECK ((VALUE <> ''::text))",
		"view v is missing", "partition p.p1 is missing: partition of p FOR VALUES IN (1)",
	}, inWords(differences))
}

// PostgreSQL 17.12 writes pg_attver into the options of each column. Nobody can change it, and a dump leaves it out.
func TestCheck_IgnoresTheServersOwnOptionsOfColumns(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.EmptyURL(t))
	admin := connect(t, dbtest.AdminURL(t), func(c *pgx.ConnConfig) { c.Database = db.Config().Database })
	const files = "CREATE TABLE t (id integer)"
	run(t, db, files)
	known := of(t, []file{{Name: "schema/010_some.sql", SQL: files}})
	for options, want := range map[string][]string{
		"pg_attver=7":              {},
		"pg_attver=7,n_distinct=5": {"storage of column t.id is extra: n_distinct=5"}, // the control
	} {
		run(t, admin, "UPDATE pg_catalog.pg_attribute SET attoptions = '{"+options+"}' WHERE attrelid = 't'::regclass AND attname = 'id'")
		differences, err := schema.Check(t.Context(), db, known)
		require.NoError(t, err)
		require.Equal(t, want, inWords(differences), options)
	}
}

// Functions need no right either, while the database has each of them.
func TestCheck_ComparesFunctionsThatAreThereWithoutARight(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.EmptyURL(t))
	admin := connect(t, dbtest.AdminURL(t))
	const files = `
CREATE FUNCTION plain(name text) RETURNS text IMMUTABLE RETURN lower(name || CASE WHEN name = '' THEN '-' ELSE '' END);
CREATE FUNCTION "Ünder.Score"(a integer, b integer DEFAULT 1) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURN a; END $$;
CREATE TABLE t (id bigint DEFAULT "Ünder.Score"(1) PRIMARY KEY, name text CHECK (plain(name) <> ''), key text GENERATED ALWAYS AS (plain(name)) STORED);
CREATE INDEX t_idx ON t (plain(name)) WHERE plain(name) > 'a';
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER stop BEFORE INSERT ON t FOR EACH ROW WHEN (plain(NEW.name) = 'x') EXECUTE FUNCTION stop();
CREATE VIEW v AS SELECT plain(name) AS name FROM t;
CREATE FUNCTION ts() RETURNS SETOF t STABLE BEGIN ATOMIC SELECT id, name, key FROM t WHERE plain(name) = name; END`
	run(t, db, files)
	run(t, admin, fmt.Sprintf("ALTER DATABASE %q OWNER TO CURRENT_USER; REVOKE CREATE ON DATABASE %[1]q FROM PUBLIC", db.Config().Database))
	known := of(t, []file{{Name: "schema/010_some.sql", SQL: files}})
	differences, err := schema.Check(t.Context(), db, known)
	require.NoError(t, err)
	require.Empty(t, inWords(differences))

	run(t, db, `CREATE OR REPLACE FUNCTION plain(name text) RETURNS text IMMUTABLE RETURN upper(name);
ALTER FUNCTION "Ünder.Score" COST 7; ALTER TABLE t DISABLE TRIGGER stop; COMMENT ON FUNCTION stop() IS 'other';
DROP INDEX t_idx; CREATE INDEX t_idx ON t (plain(name)) WHERE plain(name) > 'b'; CREATE FUNCTION mine() RETURNS integer RETURN 1`)
	differences, err = schema.Check(t.Context(), db, known)
	require.NoError(t, err)
	var found []string
	for _, d := range differences {
		found = append(found, d.Kind+" "+d.Name)
	}
	require.ElementsMatch(t, []string{
		"function plain(text)", `function "Ünder.Score"(integer, integer)`, "trigger stop", "comment on function stop()", "index t_idx", "function mine()",
	}, found)
	for range 2 { // what calls the function is made again in the second pass
		mend(t, db, differences)
		differences, err = schema.Check(t.Context(), db, known)
		require.NoError(t, err)
	}
	require.Empty(t, inWords(differences))

	// The controls: a function that is missing, one with a comment, and one over a type of the files need the right.
	for _, more := range []string{
		"CREATE FUNCTION more() RETURNS integer RETURN 2",
		"COMMENT ON FUNCTION stop() IS 'other'",
		"CREATE TYPE mood AS ENUM ('blue'); CREATE FUNCTION told(mood) RETURNS text IMMUTABLE RETURN 'x'; CREATE TABLE u (m mood CHECK (told(m) <> ''))",
	} {
		_, err = schema.Check(t.Context(), db, of(t, []file{{Name: "schema/010_some.sql", SQL: files + ";" + more}}))
		require.ErrorIs(t, err, schema.ErrNoSchema)
		run(t, db, more)
	}
	_, err = schema.Check(t.Context(), db, of(t, []file{{Name: "schema/010_some.sql", SQL: files + "; CREATE TYPE mood AS ENUM ('blue');" +
		"CREATE FUNCTION told(mood) RETURNS text IMMUTABLE RETURN 'x'; CREATE TABLE u (m mood CHECK (told(m) <> ''))"}}))
	require.ErrorIs(t, err, schema.ErrNoSchema, "a temporary type is not the function's")

	// Either right is enough.
	run(t, admin, fmt.Sprintf("REVOKE TEMPORARY ON DATABASE %q FROM PUBLIC", db.Config().Database))
	_, err = schema.Check(t.Context(), db, known)
	require.ErrorIs(t, err, schema.ErrNoTemporaryTables)
	run(t, admin, fmt.Sprintf("GRANT CREATE ON DATABASE %q TO PUBLIC", db.Config().Database))
	differences, err = schema.Check(t.Context(), db, known)
	require.NoError(t, err)
	require.NotContains(t, strings.Join(inWords(differences), "\n"), "plain")
}

// The diagram has the tables of a schema with everything: each once, by its own name, and no view.
func TestGraph_OfEveryKindOfObject(t *testing.T) {
	t.Parallel()
	db, _ := connectObjects(t)
	run(t, db, `CREATE TABLE seats (id "Short" PRIMARY KEY, guest "Short" REFERENCES seats, at date, who bigint,
		FOREIGN KEY (at, who) REFERENCES visits) PARTITION BY LIST (id); CREATE TABLE seats_1 PARTITION OF seats DEFAULT`)
	graph, err := schema.Graph(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, `erDiagram
    Guests {
        bigint id PK
        integer Number UK "null"
        integer serial
        Mood mood "null"
        Short nick
        place home "null"
        integer Twice "null"
        tstzrange seated "null"
        text[] tags "null"
        bigint host_id FK "null"
    }
    hosts {
        bigint id PK
        bigint best FK "null"
        text note "null"
    }
    parcels {
        bigint id
    }
    seats {
        Short id PK
        Short guest FK
        date at FK "null"
        bigint who FK "null"
    }
    visits {
        date at PK
        bigint guest PK
    }
    Guests |o--o{ hosts : "best"
    hosts |o--o{ Guests : "host_id"
    seats ||--o{ seats : "guest"
    visits |o--o{ seats : "at, who"
`, graph)
}

// A role that has the grants alone can run every query, of every kind of object. The control: before, it can run none.
func TestGrants_LetARoleRunQueriesOfEveryKindOfObject(t *testing.T) {
	t.Parallel()
	db, _ := connectObjects(t)
	run(t, db, `CREATE VIEW "Own" AS SELECT at, guest FROM visits; REVOKE ALL ON SCHEMA public FROM PUBLIC`)
	m := &dbtx.Metadata{}
	for _, name := range list(t, db, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
		AND relkind IN ('r', 'p', 'v', 'm') ORDER BY relname`) {
		table := &dbtx.Table{Name: name}
		for _, column := range list(t, db, `SELECT attname::text FROM pg_attribute
			WHERE attrelid = '`+pgx.Identifier{name}.Sanitize()+`'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`) {
			of := dbtx.Column{Name: column}
			switch column {
			case "Number":
				of.Sequence = "Numbers"
			case "serial":
				of.Sequence = "Guests_serial_seq"
			}
			table.Columns = append(table.Columns, of)
		}
		m.Tables = append(m.Tables, table)
	}
	queries := []string{
		`SELECT id, "Number" FROM "Moods" WHERE mood = 'red'`, "SELECT count(*) FROM counts", "SELECT n FROM counts",
		`INSERT INTO "Guests" (mood, home) VALUES ('blue', ROW('a', 'b', 'c')) RETURNING id, "Number", serial`,
		`SELECT twice(id::integer), twice(nick), 'red'::"Mood", nick::"Short" FROM "Guests" FOR UPDATE`,
		"INSERT INTO visits (at, guest) VALUES ('2026-01-02', 1), ('2026-02-02', 1), ('2030-01-01', 1) RETURNING at",
		"UPDATE visits SET guest = 2 WHERE at = '2026-01-02'", "DELETE FROM visits WHERE guest = 2",
		`INSERT INTO "Moods" (id) VALUES (1)`, `INSERT INTO "Own" (at, guest) VALUES ('2026-01-03', 1)`,
		`DELETE FROM "Own" WHERE guest = 1`, "SELECT total(guest) FROM visits",
	}
	for _, sql := range queries {
		uses, err := dbtxtest.Uses(t.Context(), db, sql)
		require.NoError(t, err, sql)
		m.Queries = append(m.Queries, &dbtx.Query{SQL: sql, Uses: uses})
	}

	database := db.Config().Database
	role := "Guest-" + database[len(database)-8:]
	admin := connect(t, dbtest.AdminURL(t), func(c *pgx.ConnConfig) { c.Database = database })
	run(t, admin, fmt.Sprintf("REFRESH MATERIALIZED VIEW counts; CREATE ROLE %q LOGIN", role))
	atEnd(t, fmt.Sprintf("DROP ROLE %q", role))
	for _, granted := range []bool{false, true} {
		tx, err := admin.Begin(t.Context())
		require.NoError(t, err)
		if granted {
			run(t, tx, "SET LOCAL ROLE "+pgx.Identifier{db.Config().User}.Sanitize())
			run(t, tx, strings.Join(grantsFor(t, role, "public", m), "\n"))
			run(t, tx, "RESET ROLE")
		}
		run(t, tx, fmt.Sprintf("SET LOCAL ROLE %q", role))
		for _, sql := range queries {
			run(t, tx, "SAVEPOINT query")
			_, err := tx.Exec(t.Context(), sql)
			if granted {
				require.NoError(t, err, sql)
			} else {
				require.Error(t, err, sql)
				run(t, tx, "ROLLBACK TO query")
			}
		}
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

// A schema in the form of pg_dump is one with that of the database that it was written from, and its mends make that whole.
func TestCheck_KnowsTheFormOfADump(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	const written = `
CREATE TABLE "Owners" (id serial PRIMARY KEY, best bigint);
CREATE TABLE pets (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, owner integer REFERENCES "Owners" ON DELETE CASCADE);
ALTER TABLE "Owners" ADD CONSTRAINT "Owners_best_fkey" FOREIGN KEY (best) REFERENCES pets (id);
CREATE TABLE walks (at date NOT NULL, id integer NOT NULL, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE INDEX walks_id_idx ON walks (id);
CREATE TABLE walks_1 PARTITION OF walks FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE INDEX walks_1_at ON walks_1 (at)`
	const dump = `
SET check_function_bodies = false;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public."Owners" (id integer NOT NULL, best bigint);
CREATE SEQUENCE public."Owners_id_seq" AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public."Owners_id_seq" OWNED BY public."Owners".id;
CREATE TABLE public.pets (id bigint NOT NULL, owner integer);
ALTER TABLE public.pets ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.pets_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1
);
CREATE TABLE public.walks (at date NOT NULL, id integer NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE public.walks_1 (at date NOT NULL, id integer NOT NULL);
ALTER TABLE ONLY public.walks ATTACH PARTITION public.walks_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
ALTER TABLE ONLY public."Owners" ALTER COLUMN id SET DEFAULT nextval('public."Owners_id_seq"'::regclass);
ALTER TABLE ONLY public."Owners" ADD CONSTRAINT "Owners_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public.pets ADD CONSTRAINT pets_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.walks ADD CONSTRAINT walks_pkey PRIMARY KEY (at, id);
ALTER TABLE ONLY public.walks_1 ADD CONSTRAINT walks_1_pkey PRIMARY KEY (at, id);
CREATE INDEX walks_id_idx ON ONLY public.walks USING btree (id);
CREATE INDEX walks_1_at ON public.walks_1 USING btree (at);
CREATE INDEX walks_1_id_idx ON public.walks_1 USING btree (id);
ALTER INDEX public.walks_pkey ATTACH PARTITION public.walks_1_pkey;
ALTER INDEX public.walks_id_idx ATTACH PARTITION public.walks_1_id_idx;
ALTER TABLE ONLY public."Owners" ADD CONSTRAINT "Owners_best_fkey" FOREIGN KEY (best) REFERENCES public.pets(id);
ALTER TABLE ONLY public.pets ADD CONSTRAINT pets_owner_fkey FOREIGN KEY (owner) REFERENCES public."Owners"(id) ON DELETE CASCADE;`
	whole, empty := connect(t, dbtest.EmptyURL(t)), connect(t, dbtest.EmptyURL(t))
	run(t, whole, written)
	files := map[string]*dbtx.Metadata{
		"written": of(t, []file{{Name: "written.sql", SQL: written}}), "dump": of(t, []file{{Name: "dump.sql", SQL: dump}}),
	}
	for name, m := range files {
		differences, err := schema.Check(t.Context(), whole, m)
		require.NoError(t, err, name)
		require.Empty(t, inWords(differences), name)
		tx, err := empty.Begin(t.Context())
		require.NoError(t, err)
		differences, err = schema.Check(t.Context(), tx, m)
		require.NoError(t, err, name)
		mend(t, tx, differences)
		for other, m := range files {
			differences, err = schema.Check(t.Context(), tx, m)
			require.NoError(t, err, name)
			require.Empty(t, inWords(differences), "%s, by %s", name, other)
		}
		require.NoError(t, tx.Rollback(t.Context()))
	}
}
