package dbtx_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/private"
)

func TestConn_SendBatch(t *testing.T) {
	t.Parallel()
	const insert = `-- name: CreateShelf :batchone
INSERT INTO papers (name, url, year, price_cents, has_preview, is_published)
VALUES ($1, $2, 1991, 0, false, false) RETURNING name`

	t.Run("GivesResultsTheirTypesAndEchoesEach", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		newReader(t, store, "a@x")
		echo.Take()
		b := &pgx.Batch{}
		b.Queue(insert, "A", "a")
		b.Queue("SELECT created_at FROM readers")
		b.Queue("SELECT name FROM papers WHERE name = 'none'")
		b.Queue("UPDATE papers SET year = 1992")
		b.Queue("SELECT name, 1 FROM papers")
		b.Queue("SELECT 'unread'")
		results := testdb.Store(store).DBTX().SendBatch(t.Context(), b)
		require.Nil(t, results.Tx())
		var name string
		require.NoError(t, results.QueryRow().Scan(&name))
		require.Equal(t, "A", name)
		var at time.Time
		require.NoError(t, results.QueryRow().Scan(&at))
		require.Equal(t, time.UTC, at.Location())
		require.ErrorIs(t, results.QueryRow().Scan(&name), testdb.ErrNotFound)
		tag, err := results.Exec()
		require.NoError(t, err)
		require.Equal(t, int64(1), tag.RowsAffected())
		rows, err := results.Query()
		require.NoError(t, err)
		require.True(t, rows.Next())
		var one int
		require.NoError(t, rows.Scan(&name, &one))
		require.False(t, rows.Next())
		require.NoError(t, rows.Err())
		require.NoError(t, results.Close())
		lines := echo.Take()
		require.Len(t, lines, 6)
		require.Regexp(t, `^CreateShelf \| INSERT INTO papers .* \| \$1="A", \$2="a" \| 1 row \| `, lines[0])
		require.Contains(t, lines[3], "UPDATE papers SET year = 1992 | 1 row | ")
		require.Contains(t, lines[5], "SELECT 'unread' | 0 rows | ")
	})
	t.Run("GivesErrorsTheirTypes", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		newPaper(t, store, "Taken")
		for name, read := range map[string]func(pgx.BatchResults) error{
			"QueryRow": func(r pgx.BatchResults) error { return r.QueryRow().Scan(new(string)) },
			"Exec":     func(r pgx.BatchResults) error { _, err := r.Exec(); return err },
			"Query": func(r pgx.BatchResults) error {
				rows, err := r.Query()
				if err != nil {
					return err
				}
				rows.Close()

				return rows.Err()
			},
			"Close": func(r pgx.BatchResults) error { return r.Close() },
		} {
			b := &pgx.Batch{}
			b.Queue(insert, "Taken", "x")
			results := testdb.Store(store).DBTX().SendBatch(t.Context(), b)
			require.ErrorIs(t, read(results), testdb.ErrPaperNameTaken, name)
			require.ErrorIs(t, results.Close(), testdb.ErrPaperNameTaken, name)
		}
		require.Zero(t, acquired(store))
	})
	t.Run("IsNotSentWithTextThatCannotBe", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		b := &pgx.Batch{}
		b.Queue(insert, "good", "good")
		b.Queue(insert, "b\x00d", "bad")
		results := testdb.Store(store).DBTX().SendBatch(t.Context(), b)
		const want = "insert: $1: has a NUL character"
		_, err := results.Exec()
		require.EqualError(t, err, want)
		_, err = results.Query()
		require.EqualError(t, err, want)
		require.EqualError(t, results.QueryRow().Scan(), want)
		require.Nil(t, results.Tx())
		require.EqualError(t, results.Close(), want)
		require.Zero(t, countPapers(t, store))
	})
}

func TestConn_CopyFrom(t *testing.T) {
	t.Parallel()
	echo := &dbtxtest.Echo{}
	store := dbtest.New(t, testdb.WithEcho(echo))
	a := newPaper(t, store, "A")
	columns := []string{"paper_id", "name", "length_seconds", "display_order"}
	load := func(rows ...[]any) (int64, error) {
		return testdb.Store(store).DBTX().CopyFrom(t.Context(), pgx.Identifier{"articles"}, columns, pgx.CopyFromRows(rows))
	}
	echo.Take()
	n, err := load([]any{a.ID, "one", 1, 1}, []any{a.ID, "two", 2, 2})
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
	lines := echo.Take()
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], `COPY "articles" (paper_id, name, length_seconds, display_order) FROM STDIN BINARY | 2 rows | `)

	_, err = load([]any{a.ID, "three", -1, 3})
	require.ErrorIs(t, err, testdb.ErrArticleLengthInvalid)
	_, err = load([]any{a.ID, "three", 1, 3}, []any{a.ID, "f\x00ur", 1, 4})
	require.ErrorIs(t, err, testdb.ErrInvalid)
	require.ErrorContains(t, err, `copy "articles": name: has a NUL character`)
	_, err = testdb.Store(store).DBTX().CopyFrom(t.Context(), pgx.Identifier{"articles"}, columns,
		pgx.CopyFromFunc(func() ([]any, error) { return nil, errOwn }))
	require.ErrorIs(t, err, errOwn)
	articles, err := store.ListArticlesOfPapers(t.Context(), []int64{a.ID})
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two"}, names(articles))
}

func TestConn_CopyFrom_WritesTheTypesOfNow(t *testing.T) {
	t.Parallel()
	columns := []string{"grams"}
	type copier interface {
		CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error)
	}
	copiers := map[string]func(store *testdb.Repo) copier{
		"Here":       func(store *testdb.Repo) copier { return testdb.Store(store).DBTX() },
		"PgxControl": func(store *testdb.Repo) copier { return store.DB() },
	}
	url := dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "1") // with a table for each
	for _, mode := range queryModes {
		for name, of := range copiers {
			t.Run(name+"_"+mode, func(t *testing.T) {
				t.Parallel()
				store, weights := openMode(t, url, mode), "weights_"+strings.ToLower(name)+"_"+mode
				table := pgx.Identifier{weights}
				load := func(grams int) error {
					_, err := of(store).CopyFrom(t.Context(), table, columns, pgx.CopyFromRows([][]any{{grams}}))

					return err
				}
				exec := func(sql string) {
					t.Helper()
					_, err := store.DB().Exec(t.Context(), sql)
					require.NoError(t, err)
				}
				exec("CREATE TABLE " + weights + " (grams integer)")
				require.NoError(t, load(1))
				exec("ALTER TABLE " + weights + " ALTER COLUMN grams TYPE real") // which is as wide
				require.NoError(t, load(2))
				var sum float32
				require.NoError(t, store.DB().QueryRow(t.Context(), "SELECT sum(grams) FROM "+weights).Scan(&sum))
				stale := name == "PgxControl" && (mode == cacheStatement || mode == "cache_describe")
				if stale {
					require.InDelta(t, 1.0, sum, .01, "the integer's bytes are taken for a tiny real")
				} else {
					require.InDelta(t, 3.0, sum, .01)
				}
				exec("ALTER TABLE " + weights + " ALTER COLUMN grams TYPE bigint")
				for range 2 { // once would do for whoever heals after an error
					if err := load(3); stale {
						require.Error(t, err)
					} else {
						require.NoError(t, err)
					}
				}
			})
		}
	}
	t.Run("InATransaction", func(t *testing.T) {
		t.Parallel()
		store, table := openMode(t, url, cacheStatement), pgx.Identifier{"weights"}
		require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			for _, sql := range []string{"CREATE TABLE weights (grams integer)", "ALTER TABLE weights ALTER COLUMN grams TYPE bigint"} {
				if _, err := tx.DB().Exec(t.Context(), sql); err != nil {
					return err
				}
				if _, err := testdb.Store(tx).DBTX().CopyFrom(t.Context(), table, columns, pgx.CopyFromRows([][]any{{1}})); err != nil {
					return err
				}
			}

			return nil
		}))
	})
	t.Run("AnErrorThatLeavesTheConnectionLosesNoOutcome", func(t *testing.T) {
		t.Parallel()
		store, table := openMode(t, url, cacheStatement), pgx.Identifier{"weights_behind"}
		for _, sql := range []string{
			"CREATE TABLE weights_behind (grams integer)", "ALTER TABLE weights_behind ALTER COLUMN grams TYPE bigint",
		} {
			_, err := store.DB().Exec(t.Context(), sql)
			require.NoError(t, err)
			_, err = store.DB().CopyFrom(t.Context(), table, columns, pgx.CopyFromRows([][]any{{1}})) // behind the store's back
			if err != nil {
				require.Equal(t, "08P01", dbtxtest.SQLState(err), "of class 08, connection exceptions")
			}
		}
		_, err := testdb.Store(store).DBTX().CopyFrom(t.Context(), table, columns, pgx.CopyFromRows([][]any{{1}}))
		require.Equal(t, "08P01", dbtxtest.SQLState(err))
		require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, testdb.ErrUnavailable)
	})
	t.Run("NotOnATransactionThatHasEnded", func(t *testing.T) {
		t.Parallel()
		pool := openMode(t, dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "1"), cacheStatement).DB()
		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		ended := testdb.New(tx)
		require.NoError(t, tx.Rollback(t.Context()))
		other, err := pool.Begin(t.Context()) // on the same connection, which takes no statement any more
		require.NoError(t, err)
		defer func() { require.NoError(t, other.Rollback(context.WithoutCancel(t.Context()))) }()
		_, err = other.Exec(t.Context(), "SELECT 1/0")
		require.Error(t, err)
		_, err = ended.LoadArticles(t.Context(), []testdb.LoadArticlesParams{{PaperID: 1, Name: "x", DisplayOrder: 1}})
		require.ErrorIs(t, err, pgx.ErrTxClosed)
	})
}

func TestConn_GivesTimesInUTC(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	var at time.Time
	var maybe, none *time.Time
	require.NoError(t, testdb.Store(store).DBTX().QueryRow(t.Context(),
		`SELECT now(), now(), NULL::timestamptz`).Scan(&at, &maybe, &none))
	require.Equal(t, time.UTC, at.Location())
	require.Equal(t, time.UTC, maybe.Location())
	require.Nil(t, none)
}

func TestConn_GivesAnErrorInTheMiddleOfTheRows(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	rows, err := testdb.Store(store).DBTX().Query(t.Context(), `SELECT 1 / (3 - n) FROM generate_series(1, 5) AS n`)
	require.NoError(t, err)
	seen := 0
	for rows.Next() {
		seen++
	}
	require.Equal(t, 2, seen)
	require.EqualError(t, rows.Err(), "select: a value makes the statement divide by zero; "+
		"the server does not say which one")
	require.ErrorContains(t, testdb.Store(store).DBTX().QueryRow(t.Context(), "SELECT 'x'").Scan(new(int)), "select: ")

	rows, err = testdb.Store(store).DBTX().Query(t.Context(), `SELECT 'x'`)
	require.NoError(t, err)
	defer rows.Close()
	require.True(t, rows.Next())
	require.ErrorContains(t, rows.Scan(new(int)), "select: ")
}

func TestConn_RefusesTextThatPostgreSQLCannotHold(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	for _, bad := range []any{"a\x00", "\xff", new("a\x00"), []string{"good", "a\x00"}, private.Email("a\x00")} {
		_, err := testdb.Store(store).DBTX().Exec(t.Context(), "SELECT $1", bad)
		require.ErrorIs(t, err, testdb.ErrInvalid)
		_, err = testdb.Store(store).DBTX().Query(t.Context(), "SELECT $1", bad)
		require.ErrorIs(t, err, testdb.ErrInvalid)
		require.ErrorIs(t, testdb.Store(store).DBTX().QueryRow(t.Context(), "SELECT $1", bad).Scan(), testdb.ErrInvalid)
	}
	for _, good := range []any{"日本", (*string)(nil), new("x"), []string{}, private.Email("ö")} {
		_, err := testdb.Store(store).DBTX().Exec(t.Context(), "SELECT $1::text", fmt.Sprint(good))
		require.NoError(t, err)
	}
	_, err := store.GetReader(t.Context(), "a\x00")
	require.EqualError(t, err, "get reader: id: has a NUL character", "the parameter has its name from the SQL")
}

// killer ends the backends of a store now and then, until its test ends.
type killer struct {
	admin *pgxpool.Pool
	name  string
	kills atomic.Int64
}

// killable returns a store and what kills the backends under it. extra is added to its URL.
func killable(t *testing.T, extra string) (*testdb.Repo, *killer) {
	t.Helper()
	url := dbtest.URL(t)
	admin, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	k := &killer{admin: admin, name: "victim-" + testdb.NewID()}
	store, err := testdb.Open(t.Context(), url+"&application_name="+k.name+extra)
	require.NoError(t, err)
	t.Cleanup(store.Close)

	return store, k
}

// kill ends all backends of the store at once.
func (k *killer) kill(ctx context.Context) error {
	var n int64
	err := k.admin.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE application_name = $1`, k.name).Scan(&n)
	k.kills.Add(n)

	return err
}

func TestRepo_OutlivesItsConnections(t *testing.T) {
	t.Parallel()
	outlivesKilledConnections(t, 1, 10)
	outlivesOtherEnds(t)
}

func TestSoak_OutlivesItsConnections(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	outlivesKilledConnections(t, 5, 50)
}

// outlivesKilledConnections kills the connections under reads, writes and loads, so many times each, and under workers
// that do so many writes each.
func outlivesKilledConnections(t *testing.T, times int32, each int) {
	t.Helper()
	t.Run("InEveryRead", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store, killer := killable(t, "")
		a, b := newReader(t, store, "a@x"), newPaper(t, store, "A")
		for range times {
			for _, read := range []func() error{
				func() error { _, err := store.GetReader(t.Context(), a.ID); return err },
				func() error { _, err := store.GetPaper(t.Context(), b.ID); return err },
				func() error { _, err := store.ListPapers(t.Context(), 50); return err },
				func() error { _, err := testdb.Store(store).DBTX().Exec(t.Context(), "SELECT 1"); return err },
			} {
				require.NoError(t, killer.kill(t.Context()))
				require.NoError(t, read())
			}
		}
		require.GreaterOrEqual(t, killer.kills.Load(), int64(4*times))
	})
	t.Run("InEveryWriteWithAKey", func(t *testing.T) {
		t.Parallel()
		store, killer := killable(t, "")
		a := newPaper(t, store, "A")
		for n := range times {
			require.NoError(t, killer.kill(t.Context()))
			buyer, err := store.CreateReader(t.Context(), testdb.CreateReaderParams{Email: private.Email('a'+n) + "@x", PasswordHash: hash})
			require.NoError(t, err)
			require.NoError(t, killer.kill(t.Context()))
			_, err = store.RecordSale(t.Context(), testdb.RecordSaleParams{
				ReaderID: buyer.ID, PaperID: a.ID, PaymentRef: testdb.NewID(),
			})
			require.NoError(t, err)
			require.NoError(t, killer.kill(t.Context()))
			newInvitation(t, store, buyer, testdb.NewID())
		}
		require.GreaterOrEqual(t, killer.kills.Load(), int64(3*times))
	})
	t.Run("InALoadThatHasNotBegun", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store, killer := killable(t, "")
		a := newPaper(t, store, "A")
		for n := range times {
			require.NoError(t, killer.kill(t.Context()))
			_, err := store.LoadArticles(t.Context(), []testdb.LoadArticlesParams{{PaperID: a.ID, Name: "T", DisplayOrder: n + 1}})
			require.NoError(t, err)
		}
		require.NoError(t, killer.kill(t.Context()))
		_, err := store.DB().CopyFrom(t.Context(), pgx.Identifier{"articles"}, []string{"paper_id", "name", "display_order"},
			pgx.CopyFromRows([][]any{{a.ID, "T", times + 1}}))
		require.Error(t, err, "the control: pgx alone")
	})
	t.Run("WhileManyWorkAndNothingIsLostOrDoubled", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store, killer := killable(t, "&pool_max_conns=4")
		a := newPaper(t, store, "A")
		buyer := newReader(t, store, "a@x")
		const workers = 4
		errs := dbtxtest.AtOnce(workers, func(int) error {
			for n := range each {
				if n%5 == 0 { // under the others, wherever they are
					if err := killer.kill(t.Context()); err != nil {
						return err
					}
				}
				p := testdb.RecordSaleParams{ReaderID: buyer.ID, PaperID: a.ID, PaymentRef: testdb.NewID()}
				if _, err := store.RecordSale(t.Context(), p); err != nil {
					return err
				}
			}

			return nil
		})
		require.Equal(t, make([]error, workers), errs)
		var n int
		require.NoError(t, killer.admin.QueryRow(t.Context(), "SELECT count(*) FROM sales").Scan(&n))
		require.Equal(t, workers*each, n)
		require.GreaterOrEqual(t, killer.kills.Load(), int64(workers))
	})
}

func outlivesOtherEnds(t *testing.T) {
	t.Helper()
	t.Run("InATransactionThatWasNotCommitted", func(t *testing.T) {
		t.Parallel()
		store, killer := killable(t, "")
		runs := 0
		require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			runs++
			if runs == 1 {
				require.NoError(t, killer.kill(t.Context()))
			}
			_, err := tx.CreatePaper(t.Context(), paper("A"))

			return err
		}))
		require.Equal(t, 2, runs)
		require.Equal(t, 1, countPapers(t, store))
	})
	t.Run("AndSaysSoWhenAWriteWithoutAKeyMayHaveHappened", func(t *testing.T) {
		t.Parallel()
		store, killer := killable(t, "")
		// The statement ends its own backend: it has been sent, and nobody can tell how it ended.
		_, err := testdb.Store(store).DBTX().Exec(t.Context(),
			"INSERT INTO papers SELECT FROM (SELECT pg_terminate_backend(pg_backend_pid())) AS x, pg_sleep(10)")
		require.ErrorIs(t, err, testdb.ErrOutcomeUnknown)
		require.ErrorContains(t, err, "insert: the outcome is unknown: ")
		require.Zero(t, killer.kills.Load())
	})
	t.Run("ButOneThatCarriesAKeyIsSentAgain", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store, _ := killable(t, "")
		_, err := testdb.Store(store).DBTX().Exec(t.Context(), "CREATE SEQUENCE tries")
		require.NoError(t, err)
		// Its first run ends its own backend; a sequence is not rolled back.
		const once = `WITH t AS MATERIALIZED (SELECT nextval('tries') AS n), dead AS MATERIALIZED (
				SELECT CASE WHEN n = 1 THEN pg_terminate_backend(pg_backend_pid()) END, CASE WHEN n = 1 THEN pg_sleep(10) END FROM t)
			INSERT INTO papers (name, url, year, price_cents, has_preview, is_published)
			SELECT 'A', 'a', 1991, 0, false, false FROM dead`
		_, err = dbtx.Keyed(testdb.Store(store), once).Exec(t.Context(), once)
		require.NoError(t, err)
		require.Equal(t, 1, countPapers(t, store))
	})
	t.Run("AndItsOutcomeIsUnknownWhenTheServerStaysAway", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		for name, wait := range map[string]time.Duration{"UntilTheLastTry": time.Minute, "UntilTheContextEnds": time.Second} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				config, err := pgxpool.ParseConfig(dbtest.URL(t))
				require.NoError(t, err)
				var away atomic.Bool
				dial := config.ConnConfig.DialFunc
				config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if away.Load() {
						return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
					}

					return dial(ctx, network, addr)
				}
				pool, err := pgxpool.NewWithConfig(t.Context(), config)
				require.NoError(t, err)
				t.Cleanup(pool.Close)
				require.NoError(t, pool.Ping(t.Context()))
				away.Store(true)

				ctx, cancel := context.WithTimeout(t.Context(), wait)
				defer cancel()
				const dies = "INSERT INTO papers SELECT FROM (SELECT pg_terminate_backend(pg_backend_pid())) AS x, pg_sleep(10)"
				_, err = dbtx.Keyed(testdb.Store(testdb.New(pool)), dies).Exec(ctx, dies)
				require.ErrorIs(t, err, testdb.ErrOutcomeUnknown, "the first try was sent, though the last was not")
				require.NotErrorIs(t, err, testdb.ErrUnavailable)
				const never = "INSERT INTO papers SELECT"
				_, err = dbtx.Keyed(testdb.Store(testdb.New(pool)), never).Exec(ctx, never)
				require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown, "nothing of it was sent")
			})
		}
	})
	t.Run("ButRowsThatWereSeenAreNotShownAgain", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store, _ := killable(t, "")
		rows, err := testdb.Store(store).DBTX().Query(t.Context(),
			`SELECT n, CASE WHEN n = 20000 THEN pg_terminate_backend(pg_backend_pid()) END FROM generate_series(1, 40000) AS n`)
		require.NoError(t, err)
		n := 0
		for rows.Next() {
			n++
		}
		require.ErrorIs(t, rows.Err(), testdb.ErrUnavailable)
		require.Less(t, n, 40000)
		require.Positive(t, n)
	})
	t.Run("WhenTheSchemaChangesUnderACachedStatement", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store := dbtest.New(t)
		a := newPaper(t, store, "A")
		read, err := store.GetPaper(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, a, read)
		_, err = store.DB().Exec(t.Context(), "ALTER TABLE papers ALTER COLUMN year TYPE bigint")
		require.NoError(t, err)
		read, err = store.GetPaper(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, a, read)
	})
}

func TestRepo_AStatementThatGaveWayToAnotherRunsAgain(t *testing.T) {
	t.Parallel()
	store := open(t, dbtxtest.With(t, dbtest.URL(t), "default_transaction_isolation", "serializable"))
	a := newPaper(t, store, "A")
	pool := store.DB().(*pgxpool.Pool)
	// A transaction changes the row, and commits while somebody else's statement waits for it.
	first := func(update func(sql string) error) error {
		const sql = "UPDATE papers SET price_cents = price_cents + 1"
		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		defer tx.Rollback(t.Context())
		_, err = tx.Exec(t.Context(), sql)
		require.NoError(t, err)
		second := make(chan error, 1)
		go func() { second <- update(sql) }()
		dbtxtest.AwaitLock(t, store.DB())
		require.NoError(t, tx.Commit(t.Context()))

		return <-second
	}
	require.NoError(t, first(func(sql string) error {
		_, err := testdb.Store(store).DBTX().Exec(t.Context(), sql)

		return err
	}))
	err := first(func(sql string) error { // the control
		_, err := pool.Exec(t.Context(), sql)

		return err
	})
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg)
	require.Equal(t, "40001", pg.Code)
	read, err := store.GetPaper(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, a.PriceCents+3, read.PriceCents)
}

func TestRepo_ASingleConnectionIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), dbtest.URL(t))
	require.NoError(t, err)
	store := testdb.New(conn)
	newPaper(t, store, "A")
	require.Equal(t, 1, countPapers(t, store))
	require.NoError(t, conn.Close(t.Context()))
	_, err = store.GetPaper(t.Context(), 1)
	require.ErrorIs(t, err, testdb.ErrUnavailable)
	require.NotErrorAs(t, err, new(*pgconn.PgError))
}
