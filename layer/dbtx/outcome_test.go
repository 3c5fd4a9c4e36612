package dbtx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/wireproxy"
)

// unsureErrors are errors after which a write that was under way may have been kept.
var unsureErrors = map[string]pgproto3.ErrorResponse{
	"Panic":               {Severity: "PANIC", SeverityUnlocalized: "PANIC", Code: "58030"},
	"PanicInGerman":       {Severity: "PANIK", SeverityUnlocalized: "PANIC", Code: "58030"},
	"PanicOfAnOldServer":  {Severity: "PANIC", Code: "XX000"},
	"Fatal":               {Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "53200"},
	"Shutdown":            {Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01"},
	"CompletionUnknown":   {Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "40003"},
	"ResolutionUnknown":   {Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "08007"},
	"TransactionTimeout":  {Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "25P04"},
	"RecoveryConflict":    {Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "40001"}, // as an ERROR, it would run again
	"RecoveryDeadlock":    {Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "40P01"},
	"StatementIsUnknown":  {Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "26000"},
	"PlanIsOutdated":      {Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "0A000", Routine: "RevalidateCachedQuery"},
	"ACodeNobodyHasHeard": {Severity: "PANIC", SeverityUnlocalized: "PANIC", Code: "ZZ999"},
}

func TestRepo_ASessionThatEndsUnderAWriteLeavesItsOutcomeUnknown(t *testing.T) {
	t.Parallel()
	// One that ends the session: all of them are in the soak test.
	unsureUnderWrites(t, "PanicInGerman")
}

func TestSoak_ASessionThatEndsUnderAWriteLeavesItsOutcomeUnknown(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	unsureUnderWrites(t, slices.Collect(maps.Keys(unsureErrors))...)
}

// unsureUnderWrites has each of the named errors end statements of all kinds.
func unsureUnderWrites(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		failure := unsureErrors[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failure.Message = "could not write"
			direct := open(t, dbtest.URL(t))
			proxy := wireproxy.New(t, direct.DB().(*pgxpool.Pool).Config().ConnString())
			store := open(t, proxy.URL("pool_max_conns=2"))
			a, buyer := newPaper(t, direct, "A"), newReader(t, direct, "buyer@x")
			// once has the reply to the first such statement replaced; "" is the first but BEGIN.
			once := func(tag string) {
				var done atomic.Bool
				proxy.Set(wireproxy.FailReply(func(is string) bool {
					return is != "BEGIN" && strings.HasPrefix(is, tag) && done.CompareAndSwap(false, true)
				}, failure))
			}
			count := func(from string) (n int) {
				require.NoError(t, direct.DB().QueryRow(t.Context(), "SELECT count(*) FROM "+from).Scan(&n))

				return n
			}
			unknown := func(name string, err error, kept string) {
				t.Helper()
				require.ErrorIs(t, err, testdb.ErrOutcomeUnknown, name)
				require.NotErrorIs(t, err, testdb.ErrUnavailable, name)
				require.Equal(t, 1, count(kept), name)
			}

			once("")
			_, err := store.CreatePaper(t.Context(), paper("B"))
			unknown("a row", err, "papers WHERE name = 'B'")
			once("")
			_, err = store.GetReaderByEmail(t.Context(), "buyer@x")
			require.NoError(t, err)
			once("")
			_, err = store.UnpublishPaper(t.Context(), a.ID)
			unknown("a row", err, "papers WHERE name = 'A' AND NOT is_published")
			once("")
			err = store.AddPaper(t.Context(), testdb.AddPaperParams(paper("C")))
			unknown("no row", err, "papers WHERE name = 'C'")
			once("COPY")
			_, err = testdb.Store(store).DBTX().CopyFrom(t.Context(), pgx.Identifier{"articles"},
				[]string{"paper_id", "name", "length_seconds", "display_order"}, pgx.CopyFromRows([][]any{{a.ID, "two", 1, 2}}))
			unknown("copy", err, "articles WHERE name = 'two'")
			once("COPY")
			err = store.InTx(t.Context(), func(tx *testdb.Repo) error {
				_, err := tx.LoadArticles(t.Context(), []testdb.LoadArticlesParams{{PaperID: a.ID, Name: "three", DisplayOrder: 3}})

				return err
			})
			require.NoError(t, err, "it is in a transaction, which runs again")
			require.Equal(t, 1, count("articles WHERE name = 'three'"))
			once("COMMIT")
			err = store.InTx(t.Context(), func(tx *testdb.Repo) error {
				_, err := tx.CreatePaper(t.Context(), paper("D"))

				return err
			})
			unknown("in a transaction", err, "papers WHERE name = 'D'")
			for _, last := range []string{"SELECT 1", "UPDATE papers SET year = 1999 WHERE name = 'A'"} {
				once(strings.Split(last, " ")[0])
				b := &pgx.Batch{}
				b.Queue("DELETE FROM articles WHERE name = 'two'")
				b.Queue(last)
				results := testdb.Store(store).DBTX().SendBatch(t.Context(), b)
				unknown("batch", results.Close(), "(VALUES (1)) AS one")
			}

			once("")
			_, err = store.RecordSale(t.Context(),
				testdb.RecordSaleParams{ReaderID: buyer.ID, PaperID: a.ID, PaymentRef: "ref"})
			require.NoError(t, err, "it has a key, and is sent again")
			require.Equal(t, 1, count("sales"))
			once("")
			_, err = store.ListPapers(t.Context(), 50)
			require.NoError(t, err)
			once("") // before COMMIT the transaction is lost, and nothing else
			runs := 0
			require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
				runs++
				_, err := tx.CreatePaper(t.Context(), paper("E"))

				return err
			}))
			require.Equal(t, 2, runs)
			require.Equal(t, 1, count("papers WHERE name = 'E'"))

			// The control: who takes it for an error like any other does the write twice.
			once("")
			insert := func() error {
				_, err := store.DB().Exec(t.Context(), insertSale, buyer.ID, a.ID, testdb.NewID())

				return err
			}
			require.Error(t, insert())
			require.NoError(t, insert())
			require.Equal(t, 3, count("sales"))
		})
	}
}

func TestRepo_AnErrorThatRolledBackIsNotUnknown(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	for _, code := range []string{"58030", "53100", "08006", "25P03", "57P01"} {
		_, err := testdb.Store(store).DBTX().Exec(t.Context(), fmt.Sprintf(`DO $$ BEGIN RAISE 'x' USING ERRCODE = '%s'; END $$`, code))
		require.Equal(t, code, dbtxtest.SQLState(err))
		require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, testdb.ErrUnavailable)
	}
}

func TestRepo_InTx_RunsAgainWhenItsSessionWasIdleForTooLong(t *testing.T) {
	t.Parallel()
	direct := open(t, dbtest.URL(t))
	proxy := wireproxy.New(t, direct.DB().(*pgxpool.Pool).Config().ConnString())

	t.Run("BeforeAStatement", func(t *testing.T) {
		t.Parallel()
		for limit, want := range map[string]int{"500": 2, "60000": 1} { // and the control
			store := open(t, proxy.URL("idle_in_transaction_session_timeout="+limit))
			runs := 0
			require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
				newPaper(t, tx, "before "+limit)
				if runs++; runs == 1 {
					time.Sleep(time.Second)
				}
				_, err := tx.CreatePaper(t.Context(), paper("idle for "+limit))

				return err
			}))
			require.Equal(t, want, runs, limit)
		}
	})
	t.Run("BeforeCommit", func(t *testing.T) {
		t.Parallel()
		// A COMMIT of nothing, whose reply is made to be that of a session which had ended.
		rolledBack := wireproxy.New(t, direct.DB().(*pgxpool.Pool).Config().ConnString())
		store := open(t, rolledBack.URL(""))
		rolledBack.Set(wireproxy.FailReply(func(tag string) bool { return tag == "ROLLBACK" },
			pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "25P03", Message: "idle"}))
		runs := 0
		require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			if runs++; runs == 1 {
				_, err := tx.DB().Exec(t.Context(), "SELECT 1/0")
				require.Error(t, err)

				return nil
			}
			_, err := tx.CreatePaper(t.Context(), paper("committed"))

			return err
		}))
		require.Equal(t, 2, runs)
	})
	t.Run("UnlessItIsASingleConnection", func(t *testing.T) {
		t.Parallel()
		conn, err := pgx.Connect(t.Context(), proxy.URL("idle_in_transaction_session_timeout=500"))
		require.NoError(t, err)
		runs := 0
		err = testdb.New(conn).InTx(t.Context(), func(tx *testdb.Repo) error {
			runs++
			newPaper(t, tx, "before a single")
			time.Sleep(time.Second)
			_, err := tx.CreatePaper(t.Context(), paper("single"))

			return err
		})
		require.ErrorIs(t, err, testdb.ErrUnavailable)
		require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown)
		require.Equal(t, 1, runs)
	})
}

func TestRepo_AWriteInOneMessageWhoseReplyIsLostIsNotSentAgain(t *testing.T) {
	t.Parallel()
	direct := open(t, dbtest.URL(t))
	proxy := wireproxy.New(t, direct.DB().(*pgxpool.Pool).Config().ConnString())
	store := openMode(t, proxy.URL("pool_max_conns=2"), "simple_protocol")
	lose := func() {
		var done atomic.Bool
		proxy.Set(wireproxy.LoseReply(func(tag string) bool { return tag != "SET" && done.CompareAndSwap(false, true) }))
	}
	lose()
	_, err := store.CreatePaper(t.Context(), paper("A"))
	require.ErrorIs(t, err, testdb.ErrOutcomeUnknown)
	require.Equal(t, 1, countPapers(t, direct))
	const another = `INSERT INTO papers (name, url, year, price_cents, has_preview, is_published)
		SELECT 'B' || count(*), 'b' || count(*), 1991, 0, false, false FROM papers`
	lose()
	_, err = testdb.Store(store).DBTX().Exec(t.Context(), another)
	require.ErrorIs(t, err, testdb.ErrOutcomeUnknown)
	require.Equal(t, 2, countPapers(t, direct))

	// The control: pgx says that it is safe to try again.
	lose()
	_, err = store.DB().Exec(t.Context(), another)
	require.True(t, pgconn.SafeToRetry(err))
	_, err = store.DB().Exec(t.Context(), another)
	require.NoError(t, err)
	require.Equal(t, 4, countPapers(t, direct), "it was done twice")
}

// writesWithoutAKey are writes, each by another way to the server.
func writesWithoutAKey(ctx context.Context, store *testdb.Repo, paperID int64) map[string]error {
	_, row := store.CreatePaper(ctx, paper(testdb.NewID()))
	_, copied := store.LoadArticles(ctx, []testdb.LoadArticlesParams{{PaperID: paperID, Name: "x", DisplayOrder: 2}})
	b := &pgx.Batch{}
	b.Queue("UPDATE papers SET year = 1992")

	return map[string]error{
		"QueryRow": row,
		"Exec":     store.AddPaper(ctx, testdb.AddPaperParams(paper(testdb.NewID()))),
		"COPY":     copied,
		"Batch":    testdb.Store(store).DBTX().SendBatch(ctx, b).Close(),
		"InTx": store.InTx(ctx, func(tx *testdb.Repo) error {
			_, err := tx.CreatePaper(ctx, paper(testdb.NewID()))

			return err
		}),
	}
}

func TestRepo_AWriteThatWaitedForAConnectionWasNotSent(t *testing.T) {
	t.Parallel()
	contexts := map[error]func(context.Context) (context.Context, context.CancelFunc){
		context.Canceled: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			stop := time.AfterFunc(300*time.Millisecond, cancel)

			return ctx, func() { stop.Stop(); cancel() }
		},
		context.DeadlineExceeded: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 300*time.Millisecond)
		},
	}
	for ends, of := range contexts {
		part := func(t *testing.T) {
			t.Helper()
			if ends == context.Canceled { //nolint:errorlint // a key
				dbtest.Full(t)
			}
		}
		t.Run(fmt.Sprint(ends), func(t *testing.T) {
			t.Parallel()
			part(t)
			store := open(t, dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "1"))
			a := newPaper(t, store, "A")
			held, err := store.DB().(*pgxpool.Pool).Acquire(t.Context())
			require.NoError(t, err)
			defer held.Release() // Close waits for it, also where the test fails
			ctx, cancel := of(t.Context())
			defer cancel()
			waited := make(chan error, 1)
			go func() { // this one waits; those behind it find their context ended
				_, err := store.RecordSale(ctx, testdb.RecordSaleParams{PaymentRef: "x"})
				waited <- err
			}()
			for name, err := range writesWithoutAKey(ctx, store, a.ID) {
				require.ErrorIs(t, err, ends, name)
				require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown, name)
			}
			err = <-waited
			require.ErrorIs(t, err, ends)
			require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown)
			held.Release()
			require.Equal(t, 1, countPapers(t, store))
		})
		t.Run(fmt.Sprint(ends, " control"), func(t *testing.T) { // it was sent, and waits for a lock
			t.Parallel()
			part(t)
			store, a := locked(t)
			ctx, cancel := of(t.Context())
			defer cancel()
			_, err := store.PublishPaper(ctx, a.ID)
			require.ErrorIs(t, err, ends)
			require.ErrorIs(t, err, testdb.ErrOutcomeUnknown)
		})
	}
	t.Run("InAHookOfThePool", func(t *testing.T) {
		t.Parallel()
		config, err := pgxpool.ParseConfig(dbtest.URL(t))
		require.NoError(t, err)
		var refuses atomic.Bool
		errHook := errors.New("no tenant")
		config.PrepareConn = func(ctx context.Context, _ *pgx.Conn) (bool, error) {
			if refuses.Load() {
				return true, errHook
			}

			return true, ctx.Err()
		}
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		store := testdb.New(pool)
		a := newPaper(t, store, "A")
		refuses.Store(true)
		for name, err := range writesWithoutAKey(t.Context(), store, a.ID) {
			require.ErrorIs(t, err, errHook, name)
			require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown, name)
			require.NotErrorIs(t, err, testdb.ErrUnavailable, name)
		}
	})
}

func TestRepo_AServerThatAcceptsAndSaysNothingIsUnavailable(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	acceptsAndSaysNothing(t, func(name string) bool { return name == "Read" })
}

func TestSoak_AServerThatAcceptsAndSaysNothingIsUnavailable(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	acceptsAndSaysNothing(t, func(string) bool { return true })
}

// acceptsAndSaysNothing has calls of the kinds that asked says so meet a server that has fallen silent.
func acceptsAndSaysNothing(t *testing.T, asked func(name string) bool) {
	t.Helper()
	url := dbtest.URL(t)
	reads := map[string]func(ctx context.Context, store *testdb.Repo) error{
		"Read": func(ctx context.Context, store *testdb.Repo) error { _, err := store.GetPaper(ctx, 1); return err },
		"List": func(ctx context.Context, store *testdb.Repo) error {
			_, err := store.ListPapers(ctx, 50)
			return err
		},
	}
	for _, name := range []string{"QueryRow", "Exec", "COPY", "Batch", "InTx"} {
		reads[name] = func(ctx context.Context, store *testdb.Repo) error {
			one := map[string]func() error{
				"QueryRow": func() error { _, err := store.CreatePaper(ctx, paper("A")); return err },
				"Exec":     func() error { return store.AddPaper(ctx, testdb.AddPaperParams(paper("A"))) },
				"COPY": func() error {
					_, err := store.LoadArticles(ctx, []testdb.LoadArticlesParams{{PaperID: 1, Name: "x", DisplayOrder: 2}})

					return err
				},
				"Batch": func() error {
					b := &pgx.Batch{}
					b.Queue("UPDATE papers SET year = 1992")

					return testdb.Store(store).DBTX().SendBatch(ctx, b).Close()
				},
				"InTx": func() error { return store.InTx(ctx, func(*testdb.Repo) error { return nil }) },
			}

			return one[name]()
		}
	}
	// silenced returns a store that has lost its connection to a server which has just fallen silent, and what tells how often
	// it tried to connect again. The first attempt fails at once if a cut says so.
	silenced := func(limit string, cut bool) (store *testdb.Repo, attempts func() int64) {
		proxy := wireproxy.New(t, url)
		store = open(t, proxy.URL("pool_max_conns=1&"+limit))
		var n atomic.Int64
		proxy.Set(func(m wireproxy.Message) wireproxy.Action {
			if _, ok := m.Is.(*pgproto3.StartupMessage); !ok {
				return wireproxy.Pass
			}
			if n.Add(1) == 1 && cut {
				return wireproxy.CutBefore
			}

			return wireproxy.Stall
		})
		store.DB().(*pgxpool.Pool).Reset()

		return store, n.Load
	}
	var wg sync.WaitGroup
	checks := map[string]func(t *testing.T){}
	for limit, atMost := range map[string]int64{"connect_timeout=3": 10, "": 2} { // without one, an attempt takes two minutes
		for name, call := range reads {
			if limit == "" && name == "Batch" || !asked(name) {
				continue // a batch is tried once
			}
			store, attempts := silenced(limit, limit == "")
			var err error
			var took time.Duration
			wg.Go(func() {
				start := time.Now()
				err = call(t.Context(), store)
				took = time.Since(start)
			})
			checks[name+limit] = func(t *testing.T) {
				t.Helper()
				require.ErrorIs(t, err, testdb.ErrUnavailable)
				require.NotErrorIs(t, err, context.DeadlineExceeded, "it is not the caller's")
				require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown)
				require.LessOrEqual(t, attempts(), atMost)
				require.Less(t, took, 15*time.Second, "24 attempts take 72 seconds")
			}
		}
	}
	// The control: pgx alone waits for as long as its caller does.
	const patience = 6 * time.Second // is more than the bound of an outage
	plain, _ := silenced("", false)
	var naiveErr error
	var naiveTook time.Duration
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		start := time.Now()
		_, naiveErr = plain.DB().Exec(ctx, "SELECT 1")
		naiveTook = time.Since(start)
	})
	checks["PgxControl"] = func(t *testing.T) {
		t.Helper()
		require.ErrorIs(t, naiveErr, context.DeadlineExceeded)
		require.GreaterOrEqual(t, naiveTook, patience)
	}
	wg.Wait() // they share one wait, and one place among the parallel tests
	for name, check := range checks {
		t.Run(name, check)
	}
	t.Run("Open", func(t *testing.T) {
		t.Parallel()
		proxy := wireproxy.New(t, url)
		proxy.Set(func(wireproxy.Message) wireproxy.Action { return wireproxy.Stall })
		_, err := testdb.Open(t.Context(), proxy.URL("connect_timeout=1"))
		require.ErrorIs(t, err, testdb.ErrUnavailable)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("UnlessTheCallersDeadlineEndsFirst", func(t *testing.T) {
		t.Parallel()
		proxy := wireproxy.New(t, url)
		store := open(t, proxy.URL("pool_max_conns=1&connect_timeout=10"))
		proxy.Set(func(wireproxy.Message) wireproxy.Action { return wireproxy.Stall })
		store.DB().(*pgxpool.Pool).Reset()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := store.GetPaper(ctx, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, testdb.ErrUnavailable)
	})
}

func TestRepo_LoadArticlesThatGaveWayToAnotherRunsAgain(t *testing.T) {
	t.Parallel()
	store := open(t, dbtxtest.With(t, dbtest.URL(t), "default_transaction_isolation", "serializable"))
	a := newPaper(t, store, "A")
	columns := []string{"paper_id", "name", "length_seconds", "display_order"}
	// A transaction changes a key of the paper, and commits while a COPY waits for it.
	first := func(n int, load func() error) error {
		tx, err := store.DB().Begin(t.Context())
		require.NoError(t, err)
		defer tx.Rollback(t.Context())
		_, err = tx.Exec(t.Context(), "UPDATE papers SET name = name || 'A'")
		require.NoError(t, err)
		loaded := make(chan error, 1)
		go func() { loaded <- load() }()
		dbtxtest.AwaitLock(t, store.DB())
		require.NoError(t, tx.Commit(t.Context()))
		err = <-loaded
		var count int
		require.NoError(t, store.DB().QueryRow(t.Context(), "SELECT count(*) FROM articles").Scan(&count))
		require.Equal(t, n, count)

		return err
	}
	require.NoError(t, first(2, func() error {
		n, err := store.LoadArticles(t.Context(), []testdb.LoadArticlesParams{
			{PaperID: a.ID, Name: "one", DisplayOrder: 1}, {PaperID: a.ID, Name: "two", DisplayOrder: 2},
		})
		require.Equal(t, int64(2), n)

		return err
	}))
	require.NoError(t, first(3, func() error {
		_, err := testdb.Store(store).DBTX().CopyFrom(t.Context(), pgx.Identifier{"articles"}, columns,
			pgx.CopyFromRows([][]any{{a.ID, "three", 1, 3}}))

		return err
	}))
	read := 0
	require.Equal(t, "40001", dbtxtest.SQLState(first(3, func() error {
		_, err := testdb.Store(store).DBTX().CopyFrom(t.Context(), pgx.Identifier{"articles"}, columns,
			pgx.CopyFromFunc(func() ([]any, error) {
				if read++; read > 1 {
					return nil, nil
				}

				return []any{a.ID, "four", 1, 4}, nil
			}))

		return err
	})), "a source that can't be read again")
	require.Equal(t, 2, read)
	require.Equal(t, "40001", dbtxtest.SQLState(first(3, func() error { // the control
		_, err := store.DB().CopyFrom(t.Context(), pgx.Identifier{"articles"}, columns,
			pgx.CopyFromRows([][]any{{a.ID, "four", 1, 4}}))

		return err
	})))
}

// deadLink returns a store on a link that is alive until its second result is called.
func deadLink(t *testing.T, settings string) (store *testdb.Repo, die func()) {
	t.Helper()
	proxy := wireproxy.New(t, dbtest.URL(t))
	store, err := testdb.Open(t.Context(), proxy.URL(settings))
	require.NoError(t, err)

	return store, func() { proxy.Set(func(wireproxy.Message) wireproxy.Action { return wireproxy.Die }) }
}

func TestRepo_InTx_ADeadlineBoundsTheRollbackToo(t *testing.T) {
	t.Parallel()
	const deadline, naive = 300 * time.Millisecond, 3 * time.Second
	for name, nested := range map[string]bool{"Transaction": false, "Savepoint": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, die := deadLink(t, "")
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			var start time.Time
			err := store.InTx(ctx, func(tx *testdb.Repo) error {
				fail := func(*testdb.Repo) error {
					die()
					start = time.Now()

					return errOwn
				}
				if nested {
					return tx.InTx(ctx, fail)
				}

				return fail(tx)
			})
			require.ErrorIs(t, err, errOwn)
			require.Less(t, time.Since(start), naive)
			go store.Close() // ends with the link
		})
	}
	t.Run("Control", func(t *testing.T) { // a rollback with a bound of its own
		t.Parallel()
		store, die := deadLink(t, "")
		tx, err := store.DB().Begin(t.Context())
		require.NoError(t, err)
		die()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), naive)
		defer cancel()
		require.Error(t, tx.Rollback(ctx))
		require.GreaterOrEqual(t, time.Since(start), naive)
		go store.Close()
	})
}

func TestRepo_CloseDoesNotWaitForADeadLink(t *testing.T) {
	t.Parallel()
	store, die := deadLink(t, "")
	pool := store.DB().(*pgxpool.Pool)
	under := func() { // a statement whose connection is still being closed when it has returned
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := store.GetPaper(ctx, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	die()
	under()
	start := time.Now()
	store.Close()
	require.Less(t, time.Since(start), 5*time.Second)
	store.Close()
	require.Positive(t, pool.Stat().TotalConns(), "the control: pgx's own Close still waits")
}

func TestRepo_CloseWaitsForAQueryUnderWay(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	store := dbtest.New(t)
	done := make(chan error, 1)
	go func() {
		_, err := testdb.Store(store).DBTX().Exec(t.Context(), "SELECT pg_sleep(1.5)")
		done <- err
	}()
	require.Eventually(t, func() bool { return acquired(store) == 1 }, time.Minute, time.Millisecond)
	store.Close()
	require.NoError(t, <-done, "a query under way is waited for")
}

// A server whose disk is full, or that can't read a file, refuses sessions with FATAL errors of these classes.
func TestRepo_AServerThatCannotBeginASessionIsUnavailable(t *testing.T) {
	t.Parallel()
	cannotBegin(t, "53100") // with all codes in the soak test
}

func TestSoak_AServerThatCannotBeginASessionIsUnavailable(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	cannotBegin(t, "XX000", "53100", "58030", "58P01")
}

// cannotBegin has a server refuse two sessions with each of the errors, and then all that follow.
func cannotBegin(t *testing.T, codes ...string) {
	t.Helper()
	for _, code := range codes {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			store, refuse := refusing(t, code)
			refuse(2)
			_, err := store.ListPapers(t.Context(), 50)
			require.NoError(t, err, code)
			refuse(1 << 30)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			_, err = store.CreatePaper(ctx, paper("not sent"))
			cancel()
			require.ErrorIs(t, err, testdb.ErrUnavailable, code)
			require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown, code)
		})
	}
	store, refuse := refusing(t, "28P01") // the control: a wrong password is no outage
	refuse(1)
	_, err := store.ListPapers(t.Context(), 50)
	require.NotErrorIs(t, err, testdb.ErrUnavailable)
	require.ErrorContains(t, err, "28P01")
}

// refusing returns a store, and what has the server refuse its next n sessions with FATAL.
func refusing(t *testing.T, code string) (store *testdb.Repo, refuse func(n int64)) {
	t.Helper()
	proxy := wireproxy.New(t, dbtest.URL(t))
	store, err := testdb.Open(t.Context(), proxy.URL("pool_max_conns=1"))
	require.NoError(t, err)
	t.Cleanup(store.Close)
	var left atomic.Int64
	proxy.Set(func(m wireproxy.Message) wireproxy.Action {
		if _, ok := m.Is.(*pgproto3.AuthenticationOk); !ok || left.Add(-1) < 0 {
			return wireproxy.Pass
		}
		m.Become(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: "not now"})

		return wireproxy.CutAfter
	})

	return store, func(n int64) {
		store.DB().(*pgxpool.Pool).Reset()
		left.Store(n)
	}
}

// A reply that comes twice, or a piece of one, is nobody's: the connection counts as lost, and the next caller gets its own.
func TestRepo_AReplyOutOfStepIsServedToNobody(t *testing.T) {
	t.Parallel()
	replyTwice(t, 1)
}

func TestSoak_AReplyOutOfStepIsServedToNobody(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	replyTwice(t, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
}

// replyTwice has the server say that it is ready once more, before and after each of these messages of a reply; of a single one only
// before, and of a look-up and a write.
func replyTwice(t *testing.T, messages ...int) {
	t.Helper()
	ctx := t.Context()
	direct := open(t, dbtest.URL(t))
	proxy := wireproxy.New(t, direct.DB().(*pgxpool.Pool).Config().ConnString())
	store := open(t, proxy.URL("pool_max_conns=1"))
	first, second := newPaper(t, direct, "First"), newPaper(t, direct, "Second")
	var status sync.Map // of each connection
	// twice sends one more ReadyForQuery before, or after, the n-th message of the server.
	twice := func(n int, before bool) wireproxy.Rule {
		var seen atomic.Int64

		return func(m wireproxy.Message) wireproxy.Action {
			reply, ok := m.Is.(pgproto3.BackendMessage)
			if m.FromClient() || !ok {
				return wireproxy.Pass
			}
			ready, ok := reply.(*pgproto3.ReadyForQuery)
			if ok {
				status.Store(m.Link, ready.TxStatus)
			}
			if seen.Add(1) != int64(n) {
				return wireproxy.Pass
			}
			is, ok := status.Load(m.Link)
			if !ok {
				is = byte('I')
			}
			again := &pgproto3.ReadyForQuery{TxStatus: is.(byte)}
			if before {
				m.Become(again, reply)
			} else {
				m.Become(reply, again)
			}

			return wireproxy.Pass
		}
	}
	count := func() int { return countPapers(t, direct) }
	for name, op := range map[string]struct {
		safe bool // to be sent again
		do   func(store *testdb.Repo) error
	}{
		"a look-up": {true, func(store *testdb.Repo) error {
			got, err := store.GetPaper(ctx, first.ID)
			if err == nil {
				require.Equal(t, first, got)
			}

			return err
		}},
		"a list": {true, func(store *testdb.Repo) error {
			got, err := store.ListPapers(ctx, 2)
			if err == nil {
				require.Len(t, got, 2)
			}

			return err
		}},
		"a write": {false, func(store *testdb.Repo) error {
			before := count()
			_, err := store.CreatePaper(ctx, paper(testdb.NewID()))
			if err == nil {
				require.Equal(t, before+1, count())
			}

			return err
		}},
		"a write without rows": {false, func(store *testdb.Repo) error {
			before := count()
			err := store.AddPaper(ctx, testdb.AddPaperParams(paper(testdb.NewID())))
			if err == nil {
				require.Equal(t, before+1, count())
			}

			return err
		}},
		"a transaction": {false, func(store *testdb.Repo) error {
			before := count()
			err := store.InTx(ctx, func(tx *testdb.Repo) error {
				if _, err := tx.CreatePaper(ctx, paper(testdb.NewID())); err != nil {
					return err
				}
				got, err := tx.GetPaper(ctx, second.ID)
				if err == nil {
					require.Equal(t, second, got)
				}

				return err
			})
			if err == nil {
				require.Equal(t, before+1, count())
			}

			return err
		}},
	} {
		for _, before := range []bool{true, false} {
			if len(messages) == 1 && (!before || name != "a look-up" && name != "a write") {
				continue
			}
			for _, n := range messages {
				where := fmt.Sprintf("%s, message %d, before %t", name, n, before)
				store.DB().(*pgxpool.Pool).Reset()
				require.NoError(t, store.DB().(*pgxpool.Pool).Ping(ctx)) // a new connection
				proxy.Set(twice(n, before))
				if err := op.do(store); op.safe {
					require.NoError(t, err, where)
				} else if err != nil {
					require.ErrorIs(t, err, testdb.ErrOutcomeUnknown, where)
				}
				for range 2 {
					got, err := store.GetPaper(ctx, second.ID)
					require.NoError(t, err, where)
					require.Equal(t, second, got, where)
				}
				proxy.Set(nil)
			}
		}
	}

	// The control: of pgx itself the next caller gets nothing, or another's row.
	naive, err := pgx.Connect(ctx, proxy.URL("default_query_exec_mode=cache_statement"))
	require.NoError(t, err)
	defer naive.Close(ctx)
	wrong := 0
	for n := range 4 {
		for i, id := range []int64{first.ID, first.ID, second.ID, first.ID, second.ID} {
			if i == 1 {
				proxy.Set(twice(n+1, true))
			}
			var got int64
			sql := fmt.Sprintf("SELECT id FROM papers WHERE id = $1 -- %d, %d", n, i) // to be prepared
			if err := naive.QueryRow(ctx, sql, id).Scan(&got); err != nil || got != id {
				wrong++
			}
			proxy.Set(nil)
		}
	}
	require.Positive(t, wrong)
}

// unread is a message of a type that PostgreSQL does not have.
type unread struct{}

func (unread) Decode([]byte) error               { return nil }
func (unread) Encode(dst []byte) ([]byte, error) { return append(dst, '!', 0, 0, 0, 4), nil }
func (unread) Backend()                          {}

// A reply that can't be read ends the connection, as a cut link does. So a read runs again, and the outcome of a write that
// was under way is unknown.
func TestRepo_AReplyThatCannotBeReadLosesTheConnection(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	direct := open(t, dbtest.URL(t))
	known := newPaper(t, direct, "Known")
	url := direct.DB().(*pgxpool.Pool).Config().ConnString()
	proxy := wireproxy.New(t, url)
	store := open(t, proxy.URL("pool_max_conns=1"))
	// garble replaces the reply to the first statement with this tag.
	garble := func(tag string) {
		var done atomic.Bool
		proxy.Set(func(m wireproxy.Message) wireproxy.Action {
			reply, ok := m.Is.(*pgproto3.CommandComplete)
			if ok && strings.HasPrefix(string(reply.CommandTag), tag) && done.CompareAndSwap(false, true) {
				m.Become(unread{})
			}

			return wireproxy.Pass
		})
	}

	garble("SELECT")
	got, err := store.GetPaper(ctx, known.ID)
	require.NoError(t, err)
	require.Equal(t, known, got)
	garble("SELECT")
	papers, err := store.ListPapers(ctx, 10)
	require.NoError(t, err)
	require.Len(t, papers, 1)

	kept := func() (n int) {
		const count = "SELECT (SELECT count(*) FROM papers) + (SELECT count(*) FROM articles)"
		require.NoError(t, direct.DB().QueryRow(ctx, count).Scan(&n))

		return n
	}
	for name, write := range map[string]struct {
		tag string
		do  func(store *testdb.Repo) error
	}{
		"a write": {"INSERT", func(store *testdb.Repo) error {
			_, err := store.CreatePaper(ctx, paper(testdb.NewID()))

			return err
		}},
		"a write without rows": {"INSERT", func(store *testdb.Repo) error {
			return store.AddPaper(ctx, testdb.AddPaperParams(paper(testdb.NewID())))
		}},
		"a COPY": {"COPY", func(store *testdb.Repo) error {
			_, err := store.LoadArticles(ctx, []testdb.LoadArticlesParams{{PaperID: known.ID, Name: "A", DisplayOrder: 1}})

			return err
		}},
		"a COMMIT": {"COMMIT", func(store *testdb.Repo) error {
			return store.InTx(ctx, func(tx *testdb.Repo) error {
				_, err := tx.CreatePaper(ctx, paper(testdb.NewID()))

				return err
			})
		}},
	} {
		before := kept()
		garble(write.tag)
		require.ErrorIs(t, write.do(store), testdb.ErrOutcomeUnknown, name)
		require.Equal(t, before+1, kept(), name)
	}

	for _, tag := range []string{"BEGIN", "INSERT"} { // before COMMIT was sent, nothing can have been kept
		before := kept()
		garble(tag)
		require.NoError(t, store.InTx(ctx, func(tx *testdb.Repo) error {
			_, err := tx.CreatePaper(ctx, paper(testdb.NewID()))

			return err
		}), tag)
		require.Equal(t, before+1, kept(), tag)
	}

	garble("SELECT")
	naive, err := pgx.Connect(ctx, proxy.URL(""))
	require.NoError(t, err)
	defer naive.Close(ctx)
	err = naive.QueryRow(ctx, "SELECT count(*) FROM papers WHERE id = $1", known.ID).Scan(new(int))
	require.ErrorContains(t, err, "unknown message type")
	require.NotErrorIs(t, err, io.ErrUnexpectedEOF, "the control: the driver's error does not say that the connection is lost")
	require.True(t, naive.IsClosed())
}
