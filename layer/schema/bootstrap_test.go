package schema_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/schema"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestBootstrap(t *testing.T) {
	t.Parallel()

	t.Run("MakesTheTablesOfAnEmptyDatabaseOnce", func(t *testing.T) {
		t.Parallel()
		db := connect(t, dbtest.EmptyURL(t))
		created, err := schema.Bootstrap(t.Context(), db, own)
		require.NoError(t, err)
		require.Equal(t, tables, created)
		require.Equal(t, tables, relations(t, db))

		before := catalogue(t, db)
		created, err = schema.Bootstrap(t.Context(), db, own)
		require.NoError(t, err)
		require.Empty(t, created)
		require.Equal(t, before, catalogue(t, db))
	})
	t.Run("IsOneRoundTripWithoutALockWhenAllIsThere", func(t *testing.T) {
		t.Parallel()
		url, sent := databases.URL(t), &counter{}
		holder, db := connect(t, url), connect(t, url, func(c *pgx.ConnConfig) { c.Tracer = sent })
		tx, err := holder.Begin(t.Context())
		require.NoError(t, err)
		run(t, tx, "LOCK TABLE "+strings.Join(tables, ", ")+" IN ACCESS EXCLUSIVE MODE")
		_, err = tx.Exec(t.Context(), "SELECT pg_advisory_xact_lock($1)", schema.LockKey)
		require.NoError(t, err)

		created, err := schema.Bootstrap(soon(t), db, own)
		require.NoError(t, err)
		require.Empty(t, created)
		require.Len(t, sent.take(), 1)
		require.NoError(t, tx.Rollback(t.Context()))
	})
	t.Run("TakesAPool", func(t *testing.T) {
		t.Parallel()
		db := pool(t, dbtest.EmptyURL(t))
		created, err := schema.Bootstrap(t.Context(), db, own)
		require.NoError(t, err)
		require.Equal(t, tables, created)
		require.Zero(t, db.Stat().AcquiredConns())
	})
	t.Run("TakesATransactionAndEndsWithIt", func(t *testing.T) {
		t.Parallel()
		db := connect(t, dbtest.EmptyURL(t))
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		created, err := schema.Bootstrap(t.Context(), tx, own)
		require.NoError(t, err)
		require.Equal(t, tables, created)
		require.Equal(t, tables, relations(t, tx))
		require.NoError(t, tx.Rollback(t.Context()))
		require.Empty(t, relations(t, db))

		tx, err = db.Begin(t.Context())
		require.NoError(t, err)
		_, err = schema.Bootstrap(t.Context(), tx, own)
		require.NoError(t, err)
		require.NoError(t, tx.Commit(t.Context()))
		require.Equal(t, tables, relations(t, db))
	})
	t.Run("GoesIntoTheFirstSchemaOfTheSearchPath", func(t *testing.T) {
		t.Parallel()
		url := databases.URL(t)
		run(t, connect(t, url), "CREATE SCHEMA shop")
		db := connect(t, url, searchPath("nowhere, shop, public"))
		created, err := schema.Bootstrap(t.Context(), db, own)
		require.NoError(t, err)
		require.Equal(t, tables, created, "though public has them all")
		require.Equal(t, tables, relations(t, db))

		public := connect(t, url, searchPath("public"))
		require.Equal(t, tables, relations(t, public))
		require.Empty(t, list(t, public, `
SELECT conname FROM pg_constraint AS con
JOIN pg_class AS one ON one.oid = conrelid
JOIN pg_class AS other ON other.oid = confrelid
WHERE contype = 'f' AND one.relnamespace <> other.relnamespace`), "no foreign key leads from one schema to the other")
	})
}

func TestBootstrap_ChangesNothingThatExists(t *testing.T) {
	t.Parallel()
	url := databases.URL(t)
	db := connect(t, url)
	for _, change := range []string{
		"ALTER TABLE readers ADD COLUMN nickname text DEFAULT 'Ada'",
		"ALTER TABLE readers DROP CONSTRAINT readers_email_check, ALTER COLUMN email DROP NOT NULL",
		"ALTER TABLE papers ALTER COLUMN year TYPE bigint",
		"ALTER TABLE papers DROP CONSTRAINT papers_name_key",
		"ALTER TABLE articles DROP CONSTRAINT articles_paper_id_fkey",
		"ALTER TABLE sales ADD CONSTRAINT mine CHECK (amount_paid_cents <> 13)",
		"DROP INDEX papers_year_id_idx",
		"CREATE INDEX papers_year_id_idx ON papers (lower(name))", // under the name of another
		"CREATE TABLE mine (id bigint PRIMARY KEY)",
		"GRANT SELECT ON papers TO PUBLIC",
		`INSERT INTO readers (id, email, email_key, password_hash, created_at, email_confirmed, is_super_user)
		 VALUES (repeat('a', 32), NULL, 'a@b', '$argon2id$v=19$c2FsdA$aGFzaA', now(), true, false)`,
		`INSERT INTO papers (name, url, year, price_cents, has_preview, is_published)
		 VALUES ('Twice', 'one', 1991, 1, true, true), ('Twice', 'two', 1991, 1, true, true)`,
		`INSERT INTO articles (paper_id, name, length_seconds, display_order) VALUES (99, 'Of no paper', 1, 1)`,
	} {
		run(t, db, change)
	}
	before, beforeRows := catalogue(t, db), rows(t, db, append(tables, "mine")...)

	created, err := schema.Bootstrap(t.Context(), db, own)
	require.NoError(t, err)
	require.Empty(t, created)
	require.Equal(t, before, catalogue(t, db))
	require.Equal(t, beforeRows, rows(t, db, append(tables, "mine")...))

	// Also when it has something to make beside.
	run(t, db, "DROP TABLE invitations")
	without := catalogue(t, db)
	created, err = schema.Bootstrap(t.Context(), db, own)
	require.NoError(t, err)
	require.Equal(t, []string{"invitations"}, created)
	require.Empty(t, lost(without, catalogue(t, db)))
	require.Len(t, catalogue(t, db), len(before))
	require.Equal(t, beforeRows, rows(t, db, append(tables, "mine")...))
}

// missing are things to drop, and what Bootstrap says that it has made then.
var missing = map[string]struct {
	drop string
	want []string
}{
	"the first table":      {"DROP TABLE readers CASCADE", []string{"readers"}},
	"a table in between":   {"DROP TABLE sales", []string{"sales"}},
	"the last table":       {"DROP TABLE invitations", []string{"invitations"}},
	"two tables":           {"DROP TABLE papers, articles, sales CASCADE", []string{"papers", "articles", "sales"}},
	"an index":             {"DROP INDEX sales_created_at_idx", nil}, // of a table that is there: Migrate makes it
	"a unique index":       {"DROP INDEX invitations_reader_id_key", nil},
	"an index and a table": {"DROP INDEX papers_year_id_idx; DROP TABLE articles CASCADE", []string{"articles"}},
	"indexes of one table": {"DROP INDEX sales_created_at_idx, sales_paper_id_idx", nil},
}

func TestBootstrap_MakesWhatIsMissing(t *testing.T) {
	t.Parallel()
	makesWhatIsMissing(t, "a table in between", "an index and a table")
}

func TestSoak_BootstrapMakesWhatIsMissing(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	makesWhatIsMissing(t, slices.Collect(maps.Keys(missing))...)
}

func makesWhatIsMissing(t *testing.T, names ...string) {
	t.Helper()
	db := connect(t, databases.URL(t))
	for _, name := range names {
		missing := missing[name]
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		run(t, tx, missing.drop)
		without := catalogue(t, tx)
		created, err := schema.Bootstrap(t.Context(), tx, own)
		require.NoError(t, err, name)
		require.Equal(t, missing.want, created, name)
		require.Empty(t, lost(without, catalogue(t, tx)), "%s: nothing else was touched", name)
		created, err = schema.Bootstrap(t.Context(), tx, own)
		require.NoError(t, err, name)
		require.Empty(t, created, name)
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

func TestBootstrap_ByManyAtOnce(t *testing.T) {
	t.Parallel()

	t.Run("LetsOneMakeItAll", func(t *testing.T) { // with 200 in TestSoak_Bootstrap
		t.Parallel()
		db := pool(t, dbtest.EmptyURL(t))
		created, errs := make([][]string, 6), make([]error, 6)
		atOnce(len(errs), func(i int) { created[i], errs[i] = schema.Bootstrap(t.Context(), db, own) })
		for _, err := range errs {
			require.NoError(t, err)
		}
		made := slices.DeleteFunc(created, func(names []string) bool { return len(names) == 0 })
		require.Equal(t, [][]string{tables}, made)
		require.Equal(t, tables, relations(t, db))
	})
	t.Run("LetsOneSaySoAtAnotherIsolationLevel", func(t *testing.T) {
		t.Parallel()
		oneSaysSo(t, 4, "serializable")
	})
	t.Run("FailsWithoutTheLock", func(t *testing.T) {
		t.Parallel()
		files := ownFiles(t)
		failed := map[string]int{}
		for round := 0; len(failed) == 0 && round < 10; round++ {
			db := pool(t, dbtest.EmptyURL(t))
			errs := make([]error, 12)
			atOnce(len(errs), func(i int) { errs[i] = naive(t.Context(), db, files) })
			for _, err := range errs {
				if err != nil {
					failed[sqlstate.Of(err)]++
				}
			}
			require.Equal(t, tables, relations(t, db), "one of them got through")
			db.Close()
		}
		require.NotEmpty(t, failed, "the test above proves nothing when this passes")
		for state, n := range failed {
			require.Contains(t, []string{"23505", "42P07", "42710", "40P01"}, state, "%d times", n)
		}
	})
}

// oneSaysSo bootstraps a number of times at once in sessions of each isolation level.
func oneSaysSo(t *testing.T, n int, levels ...string) {
	t.Helper()
	url := dbtest.EmptyURL(t)
	for _, level := range levels {
		db := pool(t, url, func(c *pgx.ConnConfig) { c.RuntimeParams["default_transaction_isolation"] = level })
		created, errs := make([][]string, n), make([]error, n)
		atOnce(n, func(i int) { created[i], errs[i] = schema.Bootstrap(t.Context(), db, own) })
		for _, err := range errs {
			require.NoError(t, err)
		}
		made := slices.DeleteFunc(created, func(names []string) bool { return len(names) == 0 })
		require.Equal(t, [][]string{tables}, made, level)
		run(t, db, "DROP TABLE "+strings.Join(tables, ", "))
		db.Close()
	}
}

func TestSoak_BootstrapLetsOneSaySoAtEveryIsolationLevel(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	oneSaysSo(t, 30, "repeatable read", "serializable")
}

func TestSoak_Bootstrap(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	files := ownFiles(t)
	failed := 0
	for range 10 {
		db := pool(t, dbtest.EmptyURL(t))
		errs, makers := make([]error, 200), atomic.Int64{}
		atOnce(200, func(i int) {
			var created []string
			if created, errs[i] = schema.Bootstrap(t.Context(), db, own); len(created) > 0 {
				makers.Add(1)
			}
		})
		require.Equal(t, make([]error, 200), errs)
		require.Equal(t, int64(1), makers.Load())
		db.Close() // the next round's connections take their place

		unlocked := pool(t, dbtest.EmptyURL(t)) // the control
		atOnce(200, func(i int) { errs[i] = naive(t.Context(), unlocked, files) })
		for _, err := range errs {
			if err != nil {
				failed++
			}
		}
		unlocked.Close()
	}
	require.Positive(t, failed)
	t.Logf("2000 bootstraps, 200 at a time: none failed; without the lock, %d", failed)
}

// manyWithoutLocks bootstraps a number of times at once on an engine without advisory locks.
func manyWithoutLocks(t *testing.T, n int) {
	t.Helper()
	db := pool(t, dbtest.EmptyURL(t))
	errs := make([]error, n)
	atOnce(n, func(i int) { _, errs[i] = schema.Bootstrap(t.Context(), withoutLock(db), own) })
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, tables, relations(t, db))
}

func TestSoak_BootstrapOnAnEngineWithoutAdvisoryLocks(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	manyWithoutLocks(t, 30)
}

func TestBootstrap_OnAnEngineWithoutAdvisoryLocks(t *testing.T) {
	t.Parallel()

	t.Run("IsDoneByOne", func(t *testing.T) {
		t.Parallel()
		db := connect(t, dbtest.EmptyURL(t))
		tx, err := withoutLock(db).Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SELECT pg_advisory_xact_lock($1)", schema.LockKey)
		require.Equal(t, "42883", sqlstate.Of(err))
		require.NoError(t, tx.Rollback(t.Context()))

		created, err := schema.Bootstrap(t.Context(), withoutLock(db), own)
		require.NoError(t, err)
		require.Equal(t, tables, created)
	})
	t.Run("IsDoneByManyAtOnce", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		manyWithoutLocks(t, 4)
	})
	t.Run("IsTriedAgainAfterALostRaceOnly", func(t *testing.T) {
		t.Parallel()
		db := connect(t, dbtest.EmptyURL(t))
		run(t, db, `
CREATE SEQUENCE tries; -- no rollback takes back what it has counted
CREATE FUNCTION fail_twice(state text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') < 3 THEN
        RAISE EXCEPTION 'lost' USING ERRCODE = state;
    END IF;
END $$`)
		for state, tries := range map[string]string{
			"23505": "3", "42P07": "3", "42710": "3", "40P01": "3", // lost races
			"42501": "1", "23503": "1", "42883": "1", "40001": "1",
		} {
			_, err := schema.Bootstrap(t.Context(), withoutLock(db), of(t, []file{
				{Name: "010_poems.sql", SQL: "CREATE TABLE IF NOT EXISTS poems (id bigint);"},
				{Name: "020_race.sql", SQL: "SELECT fail_twice('" + state + "');"},
			}))
			require.Equal(t, tries == "3", err == nil, state)
			require.Equal(t, []string{tries}, list(t, db, "SELECT last_value::text FROM tries"), state)
			run(t, db, "DROP TABLE IF EXISTS poems; ALTER SEQUENCE tries RESTART")
		}
	})
	t.Run("GivesUpWhereTryingAgainDoesNotHelp", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		clashing := []file{
			{Name: "010_poems.sql", SQL: "CREATE TABLE IF NOT EXISTS poems (id bigint);"},
			{Name: "020_key.sql", SQL: "ALTER TABLE poems ADD CONSTRAINT poets UNIQUE (id);"},
		}
		db := connect(t, dbtest.EmptyURL(t))
		run(t, db, "CREATE TABLE poets (id bigint)")
		_, err := schema.Bootstrap(t.Context(), withoutLock(db), of(t, clashing))
		require.Equal(t, "42P07", sqlstate.Of(err))
		require.ErrorContains(t, err, "bootstrap: 020_key.sql:1: ")
		require.Equal(t, []string{"poets"}, relations(t, db))

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		tries := 0
		_, err = schema.Bootstrap(ctx, hooked{db, func(tx pgx.Tx) pgx.Tx {
			tries++

			return rollbackHook{noLock{tx}, func() {
				if tries == 2 {
					cancel()
				}
			}}
		}}, of(t, clashing))
		require.ErrorIs(t, err, context.Canceled, "or where its context ends meanwhile")
		require.Equal(t, 2, tries)
		require.Equal(t, []string{"poets"}, relations(t, db))
	})
}

func TestBootstrap_LeavesNothingWhenItsConnectionIsLost(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	killer := connect(t, url)
	for name, moment := range map[string]func(tx pgx.Tx, kill func()) pgx.Tx{
		"before the lock": func(tx pgx.Tx, kill func()) pgx.Tx { kill(); return tx },
		"under the lock":  func(tx pgx.Tx, kill func()) pgx.Tx { return queryHook{tx, kill} },
		"at the end":      func(tx pgx.Tx, kill func()) pgx.Tx { return commitHook{tx, kill} },
	} {
		db := connect(t, url)
		kill := func() {
			_, err := killer.Exec(t.Context(), "SELECT pg_terminate_backend($1, 5000)", db.PgConn().PID())
			require.NoError(t, err)
		}
		_, err := schema.Bootstrap(soon(t), hooked{db, func(tx pgx.Tx) pgx.Tx { return moment(tx, kill) }}, own)
		require.ErrorContains(t, err, "bootstrap: ", name)
		require.True(t, db.IsClosed(), name)
		require.Empty(t, relations(t, killer), name)
	}
	created, err := schema.Bootstrap(t.Context(), killer, own)
	require.NoError(t, err)
	require.Equal(t, tables, created)
}

func TestBootstrap_GivesUpOnATableThatIsHeld(t *testing.T) {
	t.Parallel()
	url := databases.URL(t)
	holder, db := connect(t, url), connect(t, url)
	run(t, db, "DROP TABLE articles, invitations")
	before := catalogue(t, db)
	tx, err := holder.Begin(t.Context())
	require.NoError(t, err)
	run(t, tx, "LOCK TABLE readers IN ROW EXCLUSIVE MODE") // what every writer holds

	_, err = schema.Bootstrap(soon(t), hooked{db, func(tx pgx.Tx) pgx.Tx {
		return queryHook{tx, func() {
			require.Equal(t, []string{"10s"}, list(t, tx, "SHOW lock_timeout"), "what Bootstrap has set itself")
			run(t, tx, "SET LOCAL lock_timeout = '50ms'")
		}}
	}}, own)
	require.ErrorContains(t, err, "bootstrap: something has held the tables for 10s: end it, or try again when it has ended: ")
	require.ErrorContains(t, err, "schema/050_invitations.sql:3: ") // its foreign key refers to readers
	require.Equal(t, "55P03", sqlstate.Of(err))
	require.Equal(t, before, catalogue(t, db), "articles has gone with it")

	require.NoError(t, tx.Rollback(t.Context()))
	created, err := schema.Bootstrap(t.Context(), db, own)
	require.NoError(t, err)
	require.Equal(t, []string{"articles", "invitations"}, created)
	require.Equal(t, []string{"0"}, list(t, db, "SHOW lock_timeout"), "the session has its own again")
}

func TestBootstrap_Fails(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t) // each leaves nothing in it

	t.Run("NamingTheFileThatIsBroken", func(t *testing.T) {
		t.Parallel()
		db := connect(t, url)
		for name, broken := range map[string]struct{ sql, line, state string }{
			"a type":     {"CREATE TABLE IF NOT EXISTS broken (id bigin);", "1", "42704"},
			"later in":   {"CREATE TABLE IF NOT EXISTS broken (id bigint);\nCREATE INDEX ON broken (name);", "2", "42703"},
			"a relation": {"CREATE TABLE IF NOT EXISTS broken (id bigint REFERENCES nothing);", "1", "42P01"},
		} {
			_, err := schema.Bootstrap(t.Context(), db, of(t, []file{
				{Name: "010_fine.sql", SQL: "CREATE TABLE IF NOT EXISTS fine (id bigint);"},
				{Name: "020_broken.sql", SQL: broken.sql},
				{Name: "030_late.sql", SQL: "CREATE TABLE IF NOT EXISTS late (id bigint);"},
			}))
			require.ErrorContains(t, err, "bootstrap: 020_broken.sql:"+broken.line+": ERROR: ", name)
			require.Equal(t, broken.state, sqlstate.Of(err), name)
			require.Empty(t, relations(t, db), name)
		}
	})
	t.Run("WhereATableHasItsOldName", func(t *testing.T) {
		t.Parallel()
		db := connect(t, databases.URL(t))
		run(t, db, "DROP TABLE articles, invitations; CREATE TABLE invites (id text)")
		before := catalogue(t, db)
		was := func(name string) *dbtx.Metadata {
			return &dbtx.Metadata{Schema: own.Schema, Tables: []*dbtx.Table{{Name: "invitations", Was: name}}}
		}
		_, err := schema.Bootstrap(t.Context(), db, was("invites"))
		require.ErrorIs(t, err, schema.ErrRenamed)
		require.EqualError(t, err, "bootstrap: a table has its old name: invitations is there as invites; migrate renames it")
		require.Equal(t, before, catalogue(t, db))
		created, err := schema.Bootstrap(t.Context(), db, was("requests")) // no table has that name
		require.NoError(t, err)
		require.Equal(t, []string{"articles", "invitations"}, created)
		created, err = schema.Bootstrap(t.Context(), db, was("invites")) // migrated since
		require.NoError(t, err)
		require.Empty(t, created)
	})
	t.Run("WhereTheRoleMayNotCreate", func(t *testing.T) {
		t.Parallel()
		run(t, connect(t, url), "CREATE SCHEMA locked; REVOKE CREATE ON SCHEMA locked FROM CURRENT_USER")
		_, err := schema.Bootstrap(t.Context(), connect(t, url, searchPath("locked")), own)
		require.EqualError(t, err,
			"bootstrap: schema/010_readers.sql:2: ERROR: permission denied for schema locked (SQLSTATE 42501)")
	})
	t.Run("WhereTheSearchPathLeadsNowhere", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"nowhere", `""`} {
			_, err := schema.Bootstrap(t.Context(), connect(t, url, searchPath(path)), own)
			require.ErrorContains(t, err, "bootstrap: the search_path names no schema that exists: ")
			require.Equal(t, "3F000", sqlstate.Of(err))
		}
		require.Empty(t, relations(t, connect(t, url)))
	})
	t.Run("InATransactionThatGoesOn", func(t *testing.T) {
		t.Parallel()
		db := connect(t, url)
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		_, err = schema.Bootstrap(t.Context(), tx, of(t, []file{
			{Name: "010_fine.sql", SQL: "CREATE TABLE IF NOT EXISTS fine (id bigint);"},
			{Name: "020_broken.sql", SQL: "CREATE TABLE IF NOT EXISTS broken (id bigin);"},
		}))
		require.ErrorContains(t, err, "020_broken.sql")
		_, err = schema.Bootstrap(t.Context(), tx, own)
		require.NoError(t, err, "a savepoint has kept the transaction alive")
		require.Equal(t, tables, relations(t, tx))
		require.NoError(t, tx.Rollback(t.Context()))
	})
	t.Run("OnAConnectionThatIsClosed", func(t *testing.T) {
		t.Parallel()
		db := connect(t, url)
		require.NoError(t, db.Close(t.Context()))
		_, err := schema.Bootstrap(t.Context(), db, own)
		require.ErrorContains(t, err, "bootstrap: ")
	})
}

func TestBootstrap_StopsWhenItsContextIsCancelled(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)

	t.Run("Before", func(t *testing.T) {
		t.Parallel()
		db := pool(t, url)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := schema.Bootstrap(ctx, db, own)
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, relations(t, db))
	})
	t.Run("WhileItWaits", func(t *testing.T) {
		t.Parallel()
		url := dbtest.EmptyURL(t)
		holder, db := connect(t, url), pool(t, url)
		_, err := holder.Exec(t.Context(), "SELECT pg_advisory_lock($1)", schema.LockKey)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := schema.Bootstrap(ctx, db, own)
			done <- err
		}()
		waiting := func() bool {
			return len(list(t, holder, "SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "+
				"AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")) == 1
		}
		for bound := soon(t); !waiting(); {
			require.NoError(t, bound.Err())
		}
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.Empty(t, relations(t, db))

		run(t, holder, "SELECT pg_advisory_unlock_all()")
		created, err := schema.Bootstrap(soon(t), db, own)
		require.NoError(t, err)
		require.Equal(t, tables, created)
	})
	t.Run("BetweenTheFiles", func(t *testing.T) {
		t.Parallel()
		db := pool(t, url)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := schema.Bootstrap(ctx, db, of(t, []file{
			{Name: "010_fine.sql", SQL: "CREATE TABLE IF NOT EXISTS fine (id bigint);"},
			{Name: "020_long.sql", SQL: "SELECT pg_sleep(3);"}, // a busy server may get the cancel request first, and then sleeps
		}))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Empty(t, relations(t, db))
	})
}
