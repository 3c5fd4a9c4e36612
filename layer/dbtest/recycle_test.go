package dbtest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"musicstore/layer/dbtest"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const someRows = `
INSERT INTO papers (name, url, year, price_cents, has_preview, is_published)
SELECT n, n, 1991, 999, false, true FROM generate_series(1, 9) AS n;
INSERT INTO articles (paper_id, name, length_seconds, display_order) SELECT id, 'Index Scan', 61, 1 FROM papers;
INSERT INTO readers
SELECT repeat('a', 32), 'ada@example.com', 'ada@example.com', '$argon2id$v=19$c2FsdA$aGFzaA', now(), true, false;
INSERT INTO sales (reader_id, paper_id, payment_ref, description, amount_paid_cents, created_at)
SELECT repeat('a', 32), id, id, '', 999, now() FROM papers;
INSERT INTO invitations
SELECT repeat('b', 32), repeat('a', 32), sha256('token'), now(), now() + interval '1 hour';`

const manyRows = `
INSERT INTO papers (name, url, year, price_cents, has_preview, is_published)
SELECT n, n, 1991, 999, false, true FROM generate_series(1, 2000) AS n;`

// asAdmin connects to a test's database as the role of AdminURL.
func asAdmin(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(dbtest.AdminURL(t))
	require.NoError(t, err)
	config.Database = database(t, url)
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })

	return conn
}

// run runs statements and returns the text that the last of them gives, if any.
func run(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	require.NoError(t, err, sql)
	if last := results[len(results)-1]; len(last.Rows) > 0 && len(last.Rows[0]) > 0 {
		return string(last.Rows[0][0])
	}

	return ""
}

// once runs statements on a connection of their own.
func once(t *testing.T, url, sql string) string {
	t.Helper()
	conn := asAdmin(t, url)
	text := run(t, conn, sql)
	require.NoError(t, conn.Close(t.Context()))

	return text
}

// TestRecycler_SeesEveryChange makes each change in a transaction of its own, and looks there.
func TestRecycler_SeesEveryChange(t *testing.T) {
	t.Parallel()
	url := databases.URL(t)
	admin := asAdmin(t, url)
	script := run(t, admin, dbtest.ScriptSQL)
	asNew := run(t, admin, script)
	name := pgx.Identifier{database(t, url)}.Sanitize()

	run(t, admin, "BEGIN;"+someRows)
	require.Equal(t, asNew, run(t, admin, script), "rows are no change: they are deleted")
	run(t, admin, "ROLLBACK")

	for _, change := range []string{
		"ALTER TABLE papers ADD COLUMN mood text",
		"ALTER TABLE papers DROP COLUMN has_preview",
		"ALTER TABLE papers RENAME COLUMN url TO slug",
		"ALTER TABLE papers RENAME TO records",
		"ALTER TABLE papers ALTER COLUMN year SET DEFAULT 1991",
		"ALTER TABLE papers ALTER COLUMN year SET STATISTICS 5",
		"ALTER TABLE papers ALTER COLUMN name DROP NOT NULL",
		"ALTER TABLE papers ALTER COLUMN id SET GENERATED ALWAYS",
		"ALTER TABLE papers SET (fillfactor = 50)",
		"ALTER TABLE invitations SET UNLOGGED",
		"ALTER TABLE papers OWNER TO pg_monitor",
		"ALTER TABLE papers ENABLE ROW LEVEL SECURITY",
		"ALTER TABLE papers DISABLE TRIGGER ALL",
		"ALTER TABLE papers DROP CONSTRAINT papers_year_check",
		"ALTER TABLE papers ADD CONSTRAINT papers_name_short CHECK (char_length(name) < 9) NOT VALID",
		"ALTER INDEX papers_year_id_idx RENAME TO by_year",
		"ALTER SEQUENCE papers_id_seq INCREMENT BY 5",
		"CREATE INDEX by_name ON readers (email)",
		"CREATE MATERIALIZED VIEW v AS SELECT",
		"CREATE OPERATOR === (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)",
		"CREATE POLICY p ON papers",
		"CREATE PUBLICATION p FOR ALL TABLES",
		"CREATE RULE r AS ON INSERT TO papers DO INSTEAD NOTHING",
		"CREATE SCHEMA s",
		"CREATE SEQUENCE s",
		"CREATE STATISTICS s ON name, url FROM papers",
		"CREATE TABLE t ()",
		"CREATE TABLE t () INHERITS (papers)",
		"CREATE TEMPORARY TABLE papers ()",
		"CREATE TYPE t AS ENUM ('one')",
		"CREATE VIEW v AS SELECT",
		"CREATE FUNCTION now(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; " +
			"CREATE TRIGGER t BEFORE INSERT ON papers EXECUTE FUNCTION f()",
		"CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; " +
			"CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION f()",
		"DROP INDEX papers_year_id_idx",
		"DROP TABLE invitations; CREATE TABLE invitations (id text)",
		"DROP EXTENSION plpgsql",
		"DROP SCHEMA public CASCADE",
		"COMMENT ON TABLE papers IS 'records'",
		"COMMENT ON COLUMN papers.name IS 'title'",
		"COMMENT ON DATABASE " + name + " IS 'of a test'",
		"GRANT SELECT ON papers TO pg_monitor",
		"GRANT SELECT (name) ON papers TO pg_monitor",
		"GRANT USAGE ON SCHEMA public TO pg_monitor",
		"GRANT CREATE ON DATABASE " + name + " TO pg_monitor",
		"REVOKE EXECUTE ON FUNCTION now() FROM PUBLIC",
		"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_monitor",
		"ALTER DATABASE " + name + " SET statement_timeout = '1min'",
		"ALTER ROLE pgtdbuser IN DATABASE " + name + " SET statement_timeout = '1min'",
		"ALTER DATABASE " + name + " CONNECTION LIMIT 5",
		"ALTER DATABASE " + name + " OWNER TO pg_monitor",
		"SELECT lo_create(0)",
		"SELECT lo_from_bytea(0, 'bytes')",
		"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'papers_year_id_idx'::regclass",
		"TRUNCATE invitations",
		manyRows, // last, because their pages stay
	} {
		run(t, admin, "BEGIN;"+change)
		state, err := admin.PgConn().Exec(t.Context(), script).ReadAll()
		if err == nil { // a table that is missing can't be emptied either
			require.NotEqual(t, asNew, string(state[len(state)-1].Rows[0][0]), change)
		}
		run(t, admin, "ROLLBACK")
	}
}

// TestRecycler_LetsNoTestFeelTheOneBefore asks a database what a test can feel, harms it, and asks what the next test is
// lent. The control is a recycler that doesn't look.
//
//nolint:paralleltest,tparallel // one after the other they share what is left as new
func TestRecycler_LetsNoTestFeelTheOneBefore(t *testing.T) {
	t.Parallel()
	r := dbtest.NewRecycler(t, &dbgen.Metadata, 20*time.Second)

	for _, c := range []struct {
		name, harm, feel string
		same             bool // whether the next test is to get the same database, emptied
	}{
		{
			"ThatWroteRows", someRows, `SELECT concat_ws(' ', (SELECT count(*) FROM readers), (SELECT count(*) FROM papers),
			(SELECT count(*) FROM articles), (SELECT count(*) FROM sales), (SELECT count(*) FROM invitations))`, true,
		},
		{
			"ThatMovedASequence", "SELECT nextval('papers_id_seq'), setval('articles_id_seq', 7, false)",
			"SELECT concat_ws(' ', a.last_value, a.is_called, t.last_value) FROM papers_id_seq AS a, articles_id_seq AS t", true,
		},
		{
			"ThatWroteManyRows", manyRows + "DELETE FROM papers", "SELECT pg_relation_size('papers') > 10 * 8192", false,
		},
		{
			"ThatAddedAColumn", "ALTER TABLE papers ADD COLUMN mood text DEFAULT 'blue'",
			"SELECT count(*) FROM information_schema.columns WHERE table_name = 'papers'", false,
		},
		{
			"ThatAnalyzed", someRows + "ANALYZE", "SELECT count(*) FROM pg_stats WHERE tablename = 'papers'", false,
		},
		{
			"ThatVacuumed", "VACUUM papers", "SELECT reltuples FROM pg_class WHERE oid = 'papers'::regclass", false,
		},
		{
			"ThatSetTheDatabase",
			"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''5MB''', current_database()); END $$",
			"SHOW work_mem", false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name != "ThatWroteRows" && c.name != "ThatSetTheDatabase" {
				dbtest.Full(t)
			}
			used, err := r.Take(newInner(t)) // a test that does not end: the control takes its place
			require.NoError(t, err)
			asNew := once(t, used.URL(), c.feel)
			once(t, used.URL(), c.harm)

			r.TakeBackUnseen(used)
			naive := newInner(t)
			d, err := r.Take(naive)
			require.NoError(t, err)
			require.Equal(t, used.URL(), d.URL())
			require.NotEqual(t, asNew, once(t, d.URL(), c.feel), "the control feels it")
			naive.end()

			next := newInner(t)
			d, err = r.Take(next)
			require.NoError(t, err)
			require.Equal(t, asNew, once(t, d.URL(), c.feel))
			require.Equal(t, c.same, d.URL() == used.URL())
			next.end()
		})
	}
}

// The session that looks at a database is kept with it. A test that ends all sessions must not cost the database.
func TestRecycler_TakesBackWhatHasLostTheAdministratorsSession(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	r := dbtest.NewRecycler(t, &dbgen.Metadata, 20*time.Second)
	test := newInner(t)
	first, err := r.Take(test)
	require.NoError(t, err)
	url := first.URL()
	for range 2 {
		require.Equal(t, "t", once(t, url, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()`))
		test.end()
		test = newInner(t)
		d, err := r.Take(test)
		require.NoError(t, err)
		require.Equal(t, url, d.URL())
	}
	test.end()
}

func TestRecycler_FailsATestThatLeavesASessionOpen(t *testing.T) {
	t.Parallel()
	const feel = `SELECT concat_ws(' ',
		(SELECT count(*) FROM pg_locks WHERE (locktype = 'advisory' OR mode = 'AccessExclusiveLock')
		 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
		(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'pgtdbuser'),
		(SELECT count(*) FROM pg_class WHERE relname = 'papers'))`

	r := dbtest.NewRecycler(t, &dbgen.Metadata, 0)
	used, err := r.Take(newInner(t)) // a test that does not end: the control takes its place
	require.NoError(t, err)
	asNew := once(t, used.URL(), feel)
	leaked := connect(t, used.URL())
	run(t, leaked, "CREATE TEMPORARY TABLE papers (); SELECT pg_advisory_lock(1)")
	run(t, leaked, "BEGIN; LOCK TABLE readers")

	r.TakeBackUnseen(used)
	naive := newInner(t)
	d, err := r.Take(naive)
	require.NoError(t, err)
	require.Equal(t, used.URL(), d.URL())
	require.NotEqual(t, asNew, once(t, d.URL(), feel), "the control feels it")
	naive.end()
	require.Equal(t, "a connection to the test's database, or a prepared transaction, is still open at its end", naive.fatal)

	next := newInner(t)
	d, err = r.Take(next)
	require.NoError(t, err)
	require.NotEqual(t, used.URL(), d.URL())
	require.Equal(t, asNew, once(t, d.URL(), feel))
	t.Cleanup(func() { drop(t, database(t, d.URL())) }) // its end would ask for patience

	require.NoError(t, leaked.Close(t.Context()))
	t.Cleanup(func() { drop(t, database(t, used.URL())) }) // the database of a failed test stays
}

// BenchmarkStore prints how long a test waits for its own empty store, until it has answered once, and what its end
// takes: with a recycled database and with a fresh clone, 200 of each in turns, four at a time as `make test` has it. Part
// of either is to connect, which is also measured by itself.
func BenchmarkStore(b *testing.B) {
	const tests, atOnce, block = 200, 4, 20
	existing := databases.URL(b)
	kinds := map[string]func() (wait, end time.Duration, err error){
		"recycled": func() (wait, end time.Duration, err error) { return timeStore(b, recycledURL) },
		"clone": func() (wait, end time.Duration, err error) {
			return timeStore(b, func(tb testing.TB) (string, error) {
				tb.Helper()

				return dbtest.Clone(tb, &dbgen.Metadata)
			})
		},
		"connect": func() (wait, end time.Duration, err error) { return timeConnect(b, existing) },
	}
	waits, ends := map[string][]time.Duration{}, map[string][]time.Duration{}
	for b.Loop() {
		for range tests / block {
			for kind, one := range kinds {
				var group errgroup.Group
				group.SetLimit(atOnce)
				took := make(chan [2]time.Duration, block)
				for range block {
					group.Go(func() error {
						wait, end, err := one()
						took <- [2]time.Duration{wait, end}

						return err
					})
				}
				require.NoError(b, group.Wait())
				close(took)
				for d := range took {
					waits[kind], ends[kind] = append(waits[kind], d[0]), append(ends[kind], d[1])
				}
			}
		}
	}
	for kind := range kinds {
		b.ReportMetric(medianOf(waits[kind]), kind+"-wait-ms")
		if kind != "connect" {
			b.ReportMetric(medianOf(ends[kind]), kind+"-end-ms")
		}
	}
	b.ReportMetric(0, "ns/op")
}

func recycledURL(tb testing.TB) (string, error) {
	tb.Helper()

	return databases.URL(tb), nil
}

// timeStore is a test that opens its store and writes into it.
func timeStore(tb testing.TB, newURL func(testing.TB) (string, error)) (wait, end time.Duration, err error) {
	tb.Helper()
	test := newInner(tb)
	started := time.Now()
	url, err := newURL(test)
	if err != nil {
		return 0, 0, err
	}
	conn, rows, err := ask(test, url)
	if err != nil {
		return 0, 0, err
	}
	wait = time.Since(started)
	if rows != 0 {
		err = errors.New("the store is not empty")
	}
	if _, err2 := conn.Exec(test.Context(), someRows); err == nil {
		err = err2
	}
	if err2 := conn.Close(test.Context()); err == nil {
		err = err2
	}
	started = time.Now()
	test.end()

	return wait, time.Since(started), err
}

// timeConnect is what of a test's wait is to connect and ask once.
func timeConnect(tb testing.TB, url string) (wait, end time.Duration, err error) {
	tb.Helper()
	started := time.Now()
	conn, _, err := ask(tb, url)
	if err != nil {
		return 0, 0, err
	}
	wait = time.Since(started)
	started = time.Now()
	err = conn.Close(tb.Context())

	return wait, time.Since(started), err
}

// ask connects to a store and counts its readers.
func ask(tb testing.TB, url string) (conn *pgx.Conn, readers int, err error) {
	tb.Helper()
	if conn, err = pgx.Connect(tb.Context(), url); err != nil {
		return nil, 0, err
	}
	err = conn.QueryRow(tb.Context(), "SELECT count(*) FROM readers").Scan(&readers)

	return conn, readers, err
}

func medianOf(times []time.Duration) float64 {
	slices.Sort(times)

	return float64(times[len(times)/2]) / float64(time.Millisecond)
}
