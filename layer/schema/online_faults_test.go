package schema_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/schema"
	"musicstore/layer/wireproxy"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// jobs is a table that these tests change: it gets a column with a mark, a check and an index.
const jobs = "CREATE TABLE IF NOT EXISTS jobs (\n    id integer,\n    state text NOT NULL,\n    CONSTRAINT jobs_pkey PRIMARY KEY (id)\n);"

func newJobs(t *testing.T, fill string) dbtx.SQL {
	t.Helper()
	m := of(t, []file{{"jobs.sql", strings.Replace(jobs, "NOT NULL,", `NOT NULL,
    kind text NOT NULL,
    CONSTRAINT jobs_state_check CHECK (state <> ''),`, 1) + "\nCREATE INDEX IF NOT EXISTS jobs_state_idx ON jobs (state);"}})
	m.Tables = column("jobs", dbtx.Column{Name: "kind", Type: "text", NotNull: true, Fill: fill})

	return dbtx.SQL{Metadata: m}
}

func withJobs(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	db := connect(t, url)
	run(t, db, jobs+"INSERT INTO jobs SELECT i, 'new' FROM generate_series(1, 500) AS i")

	return db
}

// arrived checks that a database is as the files say.
func arrived(t *testing.T, db schema.DB, sql dbtx.SQL) {
	t.Helper()
	differences, err := schema.Check(t.Context(), db, sql.Metadata)
	require.NoError(t, err)
	require.Empty(t, differences)
}

func invalid(t *testing.T, db schema.DB) []string {
	t.Helper()

	return list(t, db, "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
}

func TestMigrate_OneWorksAndTheOthersWait(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	url := dbtest.EmptyURL(t)
	db := withJobs(t, url)
	sql := newJobs(t, "upper(state)")
	var worked atomic.Int32
	errs := dbtxtest.AtOnce(3, func(int) error {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		applied, err := schema.Migrate(t.Context(), conn, sql, schema.MigrateOptions{})
		if len(applied) > 0 {
			worked.Add(1)
		}

		return err
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, worked.Load())
	arrived(t, db, sql)

	// The control: one that waits inside the server for the lock keeps a snapshot, and CREATE INDEX CONCURRENTLY waits for it.
	run(t, db, "DROP INDEX jobs_state_idx; SELECT pg_advisory_lock(7)")
	waiting := connect(t, url)
	done := make(chan error, 1)
	go func() {
		_, err := waiting.Exec(context.WithoutCancel(t.Context()), "SELECT pg_advisory_lock(7)")
		done <- err
	}()
	dbtxtest.AwaitLock(t, connect(t, url))
	run(t, db, "SET statement_timeout = '300ms'")
	_, err := db.Exec(t.Context(), "CREATE INDEX CONCURRENTLY jobs_state_idx ON jobs (state)")
	run(t, db, "SELECT pg_advisory_unlock_all()")
	waited := <-done
	require.True(t, sqlstate.Of(err) == "57014" || sqlstate.Of(err) == "40P01" || sqlstate.Of(waited) == "40P01",
		"query_canceled or deadlock_detected: %v, %v", err, waited)
}

// migrates is the environment variable by which a process of TestSoak_TwentyProcessesMigrateAtOnce knows its database.
const migrates = "MUSICSTORE_TEST_MIGRATE"

func TestSoak_TwentyProcessesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	if url := os.Getenv(migrates); url != "" {
		applied, err := schema.Migrate(t.Context(), connect(t, url), newJobs(t, "upper(state)"), schema.MigrateOptions{})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(os.Getenv(migrates+"_OUT"), []byte(strconv.Itoa(len(applied))), 0o600))

		return
	}
	dbtest.Soak(t)
	url := dbtest.EmptyURL(t)
	db := withJobs(t, url)
	run(t, db, "INSERT INTO jobs SELECT i, 'new' FROM generate_series(501, 100000) AS i")
	dir := t.TempDir()
	errs := dbtxtest.AtOnce(20, func(i int) error {
		process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSoak_TwentyProcessesMigrateAtOnce$")
		process.Env = append(os.Environ(), migrates+"="+url, migrates+"_OUT="+filepath.Join(dir, strconv.Itoa(i)))
		out, err := process.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}

		return nil
	})
	worked := 0
	for i, err := range errs {
		require.NoError(t, err)
		text, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i)))
		require.NoError(t, err)
		if string(text) != "0" {
			worked++
		}
	}
	require.Equal(t, 1, worked)
	arrived(t, db, newJobs(t, ""))
}

// A transaction that keeps its locks: the steps are tried again, and nobody waits behind them for longer than a lock_timeout.
func TestMigrate_TriesAgainWhereALockIsHeld(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	behindLocks(t, 0)
}

func TestSoak_MigrateTriesAgainWhereALockIsHeldForAMinute(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	behindLocks(t, time.Minute)
}

// behindLocks migrates beside a transaction that keeps its lock for that time; where it is 0, until three tries have failed.
func behindLocks(t *testing.T, held time.Duration) {
	t.Helper()
	w := world{rows: 500}
	k := kind{
		write: []string{"UPDATE jobs SET state = 'old' WHERE id = %d"}, read: []string{"SELECT state FROM jobs WHERE id = %d"},
		open: "SELECT FROM jobs LIMIT 1",
	}
	url := dbtest.EmptyURL(t)
	db := withJobs(t, url)
	sql := newJobs(t, "upper(state)")
	process := db.PgConn().PID()
	others := gather(t, w, k, url, process, cmp.Or(held, time.Hour))
	tries := 0
	_, err := schema.Migrate(t.Context(), db, sql, schema.MigrateOptions{
		LockTimeout: lockTimeout,
		Waiting: func(schema.Step) {
			if tries++; tries == 3 && held == 0 {
				close(others.release)
			}
		},
	})
	others.leave()
	require.NoError(t, err)
	require.GreaterOrEqual(t, tries, 3)
	require.Less(t, longest(others.all(t, w, process)).took, longestWait)
	arrived(t, db, sql)
	t.Logf("%d tries, longest wait %v, longest stall %v", tries, longest(others.all(t, w, process)).took, others.stall)

	// The control: without a limit the others wait until that transaction ends.
	others = gather(t, w, k, url, process, 20*time.Second)
	run(t, db, "RESET lock_timeout; ALTER TABLE jobs ADD COLUMN more text")
	others.leave()
	require.Greater(t, longest(others.all(t, w, process)).took, longestWait)
}

// A table that another has for itself: the plan waits for it as long as it takes.
func TestMigrate_WaitsForATableThatIsLocked(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	url := dbtest.EmptyURL(t)
	db, other := withJobs(t, url), connect(t, url)
	sql := newJobs(t, "upper(state)")
	locked := false
	var ended sync.WaitGroup
	_, err := schema.Migrate(t.Context(), db, sql, schema.MigrateOptions{
		LockTimeout: 50 * time.Millisecond,
		Progress: func(step schema.Step, _ int) {
			if locked || !strings.Contains(step.SQL, "CHECK") {
				return
			}
			locked = true
			run(t, other, "BEGIN; LOCK TABLE jobs")
			ended.Go(func() {
				time.Sleep(500 * time.Millisecond)
				_, _ = other.Exec(context.WithoutCancel(t.Context()), "COMMIT")
			})
		},
	})
	ended.Wait()
	require.NoError(t, err)
	require.True(t, locked)
	arrived(t, db, sql)
}

// An index is built beside a snapshot that is older: it waits for that, and ends well.
func TestMigrate_BuildsAnIndexBesideAnOldSnapshot(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	url := dbtest.EmptyURL(t)
	db, old := withJobs(t, url), connect(t, url)
	sql := dbtx.SQL{Metadata: of(t, []file{{"jobs.sql", jobs + "\nCREATE INDEX IF NOT EXISTS jobs_state_idx ON jobs (state);"}})}
	const snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM jobs LIMIT 1"

	// The control: under a lock_timeout it leaves an index that is not valid.
	run(t, old, snapshot)
	run(t, db, "SET lock_timeout = '100ms'")
	_, err := db.Exec(t.Context(), "CREATE INDEX CONCURRENTLY jobs_state_idx ON jobs (state)")
	require.Equal(t, "55P03", sqlstate.Of(err))
	require.Equal(t, []string{"jobs_state_idx"}, invalid(t, db))

	// Migrate drops that one first.
	var steps []string
	ended := make(chan struct{})
	applied, err := schema.Migrate(t.Context(), db, sql, schema.MigrateOptions{
		LockTimeout: 100 * time.Millisecond,
		Progress: func(step schema.Step, _ int) {
			steps = append(steps, step.SQL)
			if len(steps) == 1 {
				go func() {
					defer close(ended)
					time.Sleep(700 * time.Millisecond)
					_, _ = old.Exec(context.WithoutCancel(t.Context()), "COMMIT")
				}()
			}
		},
	})
	<-ended
	require.NoError(t, err)
	require.Len(t, applied, 2)
	require.Contains(t, steps[0], `DROP INDEX CONCURRENTLY IF EXISTS "jobs_state_idx"`)
	require.Contains(t, steps[1], `CREATE INDEX CONCURRENTLY "jobs_state_idx"`)
	require.Empty(t, invalid(t, db))
	require.Equal(t, []string{"100ms"}, list(t, db, "SHOW lock_timeout"), "the session has its own again")
	arrived(t, db, sql)
}

// Others and the build of an index may wait for each other. What it leaves is dropped, and it is built again.
func TestMigrate_BuildsAnIndexAgainAfterADeadlock(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	url := dbtest.EmptyURL(t)
	db, other := withJobs(t, url), connect(t, url)
	sql := dbtx.SQL{Metadata: of(t, []file{{"jobs.sql", jobs + "\nCREATE INDEX IF NOT EXISTS jobs_state_idx ON jobs (state);"}})}
	var steps []string
	ended := make(chan error, 1)
	_, err := schema.Migrate(t.Context(), db, sql, schema.MigrateOptions{Progress: func(step schema.Step, _ int) {
		if steps = append(steps, step.SQL); len(steps) > 1 {
			return
		}
		run(t, other, "SET statement_timeout = '5s'")
		go func() { // it keeps a snapshot, and waits for the lock of the one that migrates
			_, err := other.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf("SELECT pg_advisory_lock(%d)", schema.LockKey+1))
			ended <- err
		}()
		dbtxtest.AwaitLock(t, connect(t, url))
		time.Sleep(1200 * time.Millisecond) // it has looked for a deadlock by then, and the index is what ends
	}})
	require.Error(t, <-ended)
	require.NoError(t, err)
	require.Empty(t, invalid(t, db))
	arrived(t, db, sql)
	require.Contains(t, strings.Join(steps, "\n"), "DROP INDEX CONCURRENTLY")
}

// An index that a function has built is wrong when the function is another, and so is a check.
func TestMigrate_MakesAgainWhatAChangedFunctionMade(t *testing.T) {
	t.Parallel()
	schemaOf := func(body string) string {
		return "CREATE OR REPLACE FUNCTION plain(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT " + body + " $$;\n" +
			strings.Replace(jobs, "NOT NULL,", "NOT NULL,\n    CONSTRAINT jobs_state_check CHECK (plain(state) <> 'no'),", 1) +
			"\nCREATE INDEX IF NOT EXISTS jobs_state_idx ON jobs (plain(state));"
	}
	db := connect(t, dbtest.EmptyURL(t))
	run(t, db, schemaOf("lower(t)")+"INSERT INTO jobs VALUES (1, ' a '), (2, ' no ')")
	sql := dbtx.SQL{Metadata: of(t, []file{{"jobs.sql", schemaOf("lower(trim(t))")}})}
	found := func() []string {
		run(t, db, "SET enable_seqscan = off")
		defer run(t, db, "RESET enable_seqscan")

		return list(t, db, "SELECT count(*)::text FROM jobs WHERE plain(state) = 'a'")
	}

	// The control: the function alone.
	run(t, db, "BEGIN; CREATE OR REPLACE FUNCTION plain(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(trim(t)) $$")
	require.Equal(t, []string{"0"}, found())
	run(t, db, "ROLLBACK")

	_, err := schema.Migrate(t.Context(), db, sql, schema.MigrateOptions{})
	require.ErrorIs(t, err, schema.ErrRefused)
	_, query, listed := strings.Cut(err.Error(), "they are listed by: ")
	require.True(t, listed, "%v", err)
	require.Equal(t, []string{"2"}, list(t, db, "SELECT id::text FROM ("+query+") AS listed"))
	run(t, db, "UPDATE jobs SET state = 'yes' WHERE id = 2")
	_, err = schema.Migrate(t.Context(), db, sql, schema.MigrateOptions{})
	require.NoError(t, err)
	arrived(t, db, sql)
	require.Equal(t, []string{"1"}, found())
	require.Equal(t, []string{"jobs_pkey", "jobs_state_idx"}, list(t, db, "SELECT indexname::text FROM pg_indexes WHERE tablename = 'jobs' ORDER BY 1"))
}

func TestMigrate_RefusesAPooler(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	db := withJobs(t, url)
	sql := newJobs(t, "upper(state)")
	proxy := wireproxy.New(t, url)
	proxy.Set(func(m wireproxy.Message) wireproxy.Action {
		if key, is := m.Is.(*pgproto3.BackendKeyData); is { // a pooler gives its clients keys of its own
			m.Become(&pgproto3.BackendKeyData{ProcessID: key.ProcessID + 1, SecretKey: key.SecretKey})
		}

		return wireproxy.Pass
	})
	pooled := connect(t, proxy.URL(""))
	before := catalogue(t, db)
	applied, err := schema.Migrate(t.Context(), pooled, sql, schema.MigrateOptions{})
	require.ErrorIs(t, err, schema.ErrPooler)
	require.Empty(t, applied)
	require.Equal(t, before, catalogue(t, db))

	// What reads in one transaction works.
	plan, err := schema.PlanOf(t.Context(), pooled, sql.Metadata, schema.MigrateOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, plan.Steps)
	differences, err := schema.Check(t.Context(), pooled, sql.Metadata)
	require.NoError(t, err)
	require.NotEmpty(t, differences)
}

// Time limits and the isolation of the role do not disturb it, and the session has its settings again.
func TestMigrate_KeepsTheSettingsOfItsSession(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	url := dbtest.EmptyURL(t)
	withJobs(t, url)
	run(t, connect(t, url), "DELETE FROM jobs WHERE id > 3")
	sql := newJobs(t, "(SELECT upper(state) FROM pg_sleep(0.7))")
	db := connect(t, url, oddly("statement_timeout = 2s", "idle_in_transaction_session_timeout = 2s", "lock_timeout = 7s",
		"default_transaction_isolation = serializable", "search_path = public", "TimeZone = Asia/Tokyo"))
	const settings = "SELECT name || ' ' || setting FROM pg_settings WHERE name NOT LIKE 'plpgsql.%' ORDER BY 1"
	before := list(t, db, settings)
	_, err := schema.Migrate(t.Context(), db, sql, schema.MigrateOptions{})
	require.NoError(t, err)
	require.Equal(t, before, list(t, db, settings))
	require.Equal(t, []string{"0"}, list(t, db,
		"SELECT count(*)::text FROM pg_locks JOIN pg_database AS d ON d.oid = database WHERE locktype = 'advisory' AND datname = current_database()"))
	arrived(t, db, sql)

	_, err = db.Exec(t.Context(), "SELECT pg_sleep(2.1)")
	require.Equal(t, "57014", sqlstate.Of(err), "the control: the session has a time limit")
}

// A migration that is cut off lets the next one go on.
func TestMigrate_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	url := dbtest.EmptyURL(t)
	withJobs(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	slow := newJobs(t, "(SELECT upper(state) FROM pg_sleep(0.1))")
	_, err := schema.Migrate(ctx, connect(t, url), slow, schema.MigrateOptions{Progress: func(step schema.Step, _ int) {
		if step.Batches {
			go func() {
				time.Sleep(300 * time.Millisecond)
				cancel()
			}()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	db := connect(t, url)
	sql := newJobs(t, "upper(state)")
	applied, err := schema.Migrate(soon(t), db, sql, schema.MigrateOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, applied)
	arrived(t, db, sql)
	require.Equal(t, []string{"0"}, list(t, db, "SELECT count(*)::text FROM jobs WHERE kind <> 'NEW'"))
	log, err := schema.Log(t.Context(), db, sql.Metadata)
	require.NoError(t, err)
	text, err := json.Marshal(log)
	require.NoError(t, err)
	require.Contains(t, string(text), "ADD COLUMN")
}
