package dbtx_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/private"
	"musicstore/layer/wireproxy"
)

// gathering is a store with pipelining, on a link that sees what is gathered.
type gathering struct {
	store  *testdb.Repo
	direct *pgxpool.Pool // past the link
	proxy  *wireproxy.Proxy

	mu       sync.Mutex
	parsed   map[string]string // the SQL of what is prepared for pipelining, by its name
	inTx     map[int]bool      // by connection
	snapshot map[int]bool      // one is under way, by connection
	gathered map[string]int    // how many were gathered, by the name of the query
	wrong    []string          // what should not have been
}

// newGathering opens a store with pipelining that waits a minute for a slow look-up, so that a loaded machine looks like
// any other.
func newGathering(t *testing.T, opts ...testdb.Option) *gathering {
	t.Helper()

	return newGatheringOf(t, "6", opts...)
}

// newGatheringOf is newGathering with so many connections.
func newGatheringOf(t *testing.T, conns string, opts ...testdb.Option) *gathering {
	t.Helper()
	g := &gathering{direct: dbtest.Pool(t), parsed: map[string]string{}, inTx: map[int]bool{}, snapshot: map[int]bool{}, gathered: map[string]int{}}
	g.proxy = wireproxy.New(t, g.direct.Config().ConnString())
	g.proxy.Set(g.rule)
	var err error
	opts = append(opts, testdb.WithPipelining())
	g.store, err = testdb.Open(t.Context(), dbtxtest.With(t, g.proxy.URL("pool_max_conns="+conns), "default_query_exec_mode", cacheStatement), opts...)
	require.NoError(t, err)
	t.Cleanup(g.store.Close)
	dbtx.SetPatience(testdb.Store(g.store), time.Minute)

	return g
}

func (g *gathering) rule(m wireproxy.Message) wireproxy.Action {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch is := m.Is.(type) {
	case *pgproto3.ReadyForQuery:
		g.inTx[m.Link] = is.TxStatus == 'T' // after an error in a snapshot, nobody reads what travels behind it
	case *pgproto3.Parse:
		if strings.HasPrefix(is.Name, "gathered_") {
			g.parsed[is.Name] = is.Query
		}
	case *pgproto3.Bind:
		if sql, ok := g.parsed[is.PreparedStatement]; ok {
			if begin := strings.HasPrefix(sql, "BEGIN "); begin || sql == "COMMIT" {
				g.snapshot[m.Link] = begin
				g.gathered[sql[:6]]++

				break
			}
			_, name, _ := strings.Cut(sql, "-- name: ")
			name, kind, _ := strings.Cut(name, " ")
			g.gathered[name]++
			if g.inTx[m.Link] || !dbtx.Reads(&dbgen.Metadata, sql) || !g.snapshot[m.Link] && !strings.HasPrefix(kind, ":one\n") {
				g.wrong = append(g.wrong, sql)
			}
		}
	}

	return wireproxy.Pass
}

// count returns how many of a query were gathered; of all, if it is "".
func (g *gathering) count(query string) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, of := range g.gathered {
		if query == "" || query == name {
			n += of
		}
	}

	return n
}

// lock holds a table until its result is called: what reads it waits.
func (g *gathering) lock(t *testing.T, table string) (release func()) {
	t.Helper()
	tx, err := g.direct.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }) // of a test that failed
	_, err = tx.Exec(t.Context(), "LOCK TABLE "+table)
	require.NoError(t, err)

	return func() { require.NoError(t, tx.Rollback(t.Context())) }
}

// waits waits until so many sessions wait for a lock.
func (g *gathering) waits(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waiting int
		err := g.direct.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
			WHERE NOT granted AND datname = current_database()`).Scan(&waiting)

		return err == nil && waiting >= n
	}, time.Minute, time.Millisecond)
}

// company has a look-up wait at a lock, so that no other is alone, until its result is called.
func (g *gathering) company(t *testing.T) (leave func()) {
	t.Helper()
	release := g.lock(t, "sales")
	done := make(chan error, 1)
	go func() {
		_, err := g.store.GetSale(t.Context(), 0)
		done <- err
	}()
	g.waits(t, 1)

	return func() {
		release()
		require.ErrorIs(t, <-done, testdb.ErrNotFound)
	}
}

// inverse is a look-up that fails for 0.
const inverse = "-- name: Inverse :one\nSELECT 100 / $1::bigint"

func invert(ctx context.Context, store *testdb.Repo, n int64) (of int64, err error) {
	err = testdb.Store(store).DBTX().QueryRow(ctx, inverse, n).Scan(&of)

	return of, err
}

func TestWithPipelining(t *testing.T) {
	t.Parallel()

	t.Run("AnswersAsWithout", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		g := newGathering(t)
		plain := testdb.New(g.direct)
		a, b := newReader(t, plain, "a@x"), newPaper(t, plain, "A")
		invitation := newInvitation(t, plain, a, "token")
		look := func(store *testdb.Repo) error {
			reader, err := store.GetReader(t.Context(), a.ID)
			if err != nil || !reflect.DeepEqual(reader, a) {
				return fmt.Errorf("%v, not %v: %w", reader, a, err)
			}
			paper, err := store.GetPaperByURL(t.Context(), b.URL)
			if err != nil || paper != b {
				return fmt.Errorf("%v, not %v: %w", paper, b, err)
			}
			found, err := store.GetInvitation(t.Context(), private.DigestOf("token"))
			if err != nil || found.ID != invitation.ID || !found.ExpiresAt.Equal(invitation.ExpiresAt) || found.ExpiresAt.Location() != time.UTC {
				return fmt.Errorf("%v, not %v: %w", found, invitation, err)
			}
			if _, err = store.GetArticle(t.Context(), -1); err == nil || err.Error() != "get article: not found" {
				return fmt.Errorf("not found: %w", err)
			}
			if _, err = store.GetPaperByURL(t.Context(), "\x00"); !errors.Is(err, testdb.ErrInvalid) {
				return fmt.Errorf("invalid: %w", err)
			}

			return nil
		}
		require.NoError(t, look(plain))
		require.NoError(t, look(g.store), "alone")
		require.Zero(t, g.count(""), "one that is alone has nothing to wait for")
		require.Equal(t, make([]error, 32), dbtxtest.AtOnce(32, func(int) error { return look(g.store) }))
		defer g.company(t)()
		require.NoError(t, look(g.store))
		for _, name := range []string{"GetReader", "GetPaperByURL", "GetInvitation", "GetArticle"} {
			require.Positive(t, g.count(name), name)
		}
	})
	t.Run("IsForLookUpsAlone", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		g := newGathering(t)
		require.NoError(t, everyQuery(t.Context(), g.store))
		require.Zero(t, g.count(""))
		require.NoError(t, everyQueryAtOnce(t.Context(), 8, 1, func(int) *testdb.Repo { return g.store }))
		require.NoError(t, g.store.InTx(t.Context(), func(tx *testdb.Repo) error {
			require.False(t, dbtx.Gathers(testdb.Store(tx)))

			return everyQuery(t.Context(), tx)
		}))
		require.Empty(t, g.wrong)
		for name := range g.gathered {
			of := dbgen.Metadata.Find(name)
			require.True(t, of.Command == dbtx.One && !of.Write && !of.Locks, name)
		}
		require.True(t, dbgen.Metadata.Find("LockPaper").Locks)
		require.Positive(t, g.count(""))
	})
	t.Run("DoesNothingWhereItCanNot", func(t *testing.T) {
		t.Parallel()
		url := dbtxtest.With(t, dbtest.URL(t), "default_query_exec_mode", cacheStatement)
		require.False(t, dbtx.Gathers(testdb.Store(openMode(t, url, cacheStatement))))
		for _, mode := range queryModes {
			store, err := testdb.Open(t.Context(), dbtxtest.With(t, url, "default_query_exec_mode", mode), testdb.WithPipelining())
			require.NoError(t, err)
			require.Equal(t, mode == cacheStatement, dbtx.Gathers(testdb.Store(store)), mode)
			store.Close()
		}
		config, err := pgxpool.ParseConfig(url)
		require.NoError(t, err)
		config.PrepareConn = func(context.Context, *pgx.Conn) (bool, error) { return true, nil }
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		require.NoError(t, err)
		defer pool.Close()
		require.False(t, dbtx.Gathers(testdb.Store(testdb.New(pool, testdb.WithPipelining()))), "the hook may serve one caller alone")
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		defer conn.Close(t.Context())
		require.False(t, dbtx.Gathers(testdb.Store(testdb.New(conn, testdb.WithPipelining()))))
	})
	t.Run("IsSeenByEchoAndTracerLikeAnyOther", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		echo, tracer := &dbtxtest.Echo{}, &dbtxtest.Tracer{}
		g := newGathering(t, testdb.WithEcho(echo), testdb.WithTracer(tracer))
		for _, n := range []int64{2, 2} { // the first is the one that proves to be quick
			_, err := invert(t.Context(), g.store, n)
			require.NoError(t, err)
		}
		defer g.company(t)()
		echo.Take()
		tracer.Reset()
		_, err := invert(t.Context(), g.store, 4)
		require.NoError(t, err)
		_, err = invert(t.Context(), g.store, 0)
		require.Error(t, err)
		require.Equal(t, 2, g.count("Inverse"))
		lines := echo.Take()
		require.Len(t, lines, 2)
		require.Regexp(t, `^Inverse \| SELECT 100 / \$1::bigint \| \$1=4 \| 1 row \| \S+$`, lines[0])
		require.Regexp(t, `^Inverse \| .* \| 0 rows \| \S+ \| ERROR: data exception \(SQLSTATE 22012\)$`, lines[1])
		require.Equal(t, []string{inverse, inverse}, tracer.Statements())
		require.ErrorContains(t, tracer.LastError(), "22012")
	})
	t.Run("KeepsAnErrorToTheOneWhoMadeIt", func(t *testing.T) {
		t.Parallel()
		g := newGathering(t)
		_, err := invert(t.Context(), g.store, 1)
		require.NoError(t, err)
		defer g.company(t)()
		const callers, bad = 32, 7
		errs := dbtxtest.AtOnce(callers, func(i int) error {
			of, err := invert(t.Context(), g.store, int64(i-bad))
			if err == nil && of != 100/int64(i-bad) {
				return errors.New("another's answer")
			}

			return err
		})
		require.Equal(t, callers, g.count("Inverse"))
		for i, err := range errs {
			if i != bad {
				require.NoError(t, err)
			}
		}
		require.EqualError(t, errs[bad], "select: a value makes the statement divide by zero; the server does not say which one")
		require.ErrorAs(t, errs[bad], new(*pgconn.PgError))

		// The control: pgx's own batch has one Sync, and an error is the end of all behind it.
		batch := &pgx.Batch{}
		for i := range callers {
			batch.Queue(inverse, int64(i-bad))
		}
		results := g.direct.SendBatch(t.Context(), batch)
		served := 0
		for range callers {
			var of int64
			if results.QueryRow().Scan(&of) == nil {
				served++
			}
		}
		require.Error(t, results.Close())
		require.Equal(t, bad, served)
	})
	t.Run("GathersSnapshots", func(t *testing.T) {
		t.Parallel()
		g := newGathering(t)
		a := newPaper(t, g.store, "A")
		articles := newArticles(t, g.store, a, 3)
		snapshot := func(ctx context.Context, id, n int64) (err error) {
			var paper testdb.Paper
			var of []testdb.Article
			var inverted int64
			if err = testdb.Store(g.store).Snapshot(ctx,
				func(db dbtx.DBTX) (err error) {
					paper, err = dbgen.New(db).GetPaper(ctx, id)

					return err
				},
				func(db dbtx.DBTX) (err error) {
					of, err = dbgen.New(db).ListArticlesOfPapers(ctx, []int64{id})

					return err
				},
				func(db dbtx.DBTX) error { return db.QueryRow(ctx, inverse, n).Scan(&inverted) },
			); err == nil && (paper != a || len(of) != len(articles) || inverted != 100/n) {
				err = fmt.Errorf("%v with %d articles and %d", paper, len(of), inverted)
			}

			return err
		}
		require.NoError(t, snapshot(t.Context(), a.ID, 1))
		require.Zero(t, g.count(""), "one that is alone has nothing to wait for")
		defer g.company(t)()
		const callers, bad, missing = 32, 7, 9
		errs := dbtxtest.AtOnce(callers, func(i int) error {
			switch i {
			case missing:
				return snapshot(t.Context(), 0, 1)
			default:
				return snapshot(t.Context(), a.ID, int64(i-bad))
			}
		})
		for i, err := range errs {
			switch i {
			case bad:
				require.EqualError(t, err, "select: a value makes the statement divide by zero; the server does not say which one")
			case missing:
				require.ErrorIs(t, err, testdb.ErrNotFound)
			default:
				require.NoError(t, err)
			}
		}
		require.Positive(t, g.count("ListArticlesOfPapers"))
		require.Equal(t, g.count("BEGIN "), g.count("COMMIT"))
		require.Empty(t, g.wrong)

		require.PanicsWithError(t, errOwn.Error(), func() {
			_ = testdb.Store(g.store).Snapshot(t.Context(), func(db dbtx.DBTX) error {
				return db.QueryRow(t.Context(), inverse, int64(1)).Scan(new(panicking))
			})
		})
	})
	t.Run("KeepsASnapshotThatFailsApart", func(t *testing.T) {
		t.Parallel()
		g := newGathering(t)
		snapshot := func(n int64) error {
			return testdb.Store(g.store).Snapshot(t.Context(), func(db dbtx.DBTX) error {
				return db.QueryRow(t.Context(), inverse, n).Scan(new(int64))
			})
		}
		require.NoError(t, snapshot(1))
		defer g.company(t)()
		began := time.Now()
		for range 5 { // each would cost a connection, and those behind it another round trip
			require.Equal(t, "22012", dbtxtest.SQLState(snapshot(0)))
		}
		if time.Since(began) < 100*time.Millisecond {
			require.Equal(t, 1, g.count("BEGIN "))
		}
		require.Positive(t, g.count("BEGIN "))
	})
	t.Run("LetsASnapshotLeave", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		g := newGathering(t, testdb.WithEcho(echo))
		snapshot := func(ctx context.Context) error {
			return testdb.Store(g.store).Snapshot(ctx, func(db dbtx.DBTX) error {
				_, err := dbgen.New(db).ListArticlesOfPapers(ctx, nil)

				return err
			})
		}
		require.NoError(t, snapshot(t.Context()))
		defer g.company(t)()
		ctx, cancel := context.WithCancel(t.Context())
		release := g.lock(t, "articles")
		done := make(chan error, 1)
		go func() { done <- snapshot(ctx) }()
		g.waits(t, 2) // the company and the snapshot
		echo.Take()
		cancel()
		err := <-done
		require.ErrorIs(t, err, context.Canceled)
		require.EqualError(t, err, "begin: context canceled")
		require.Regexp(t, `^BEGIN ISOLATION LEVEL repeatable read read only \| 0 rows \| \S+ \| context canceled\n$`, echo.String())
		release()
		require.NoError(t, snapshot(t.Context()))
		require.Equal(t, 1, g.count("BEGIN "))
	})
	t.Run("KeepsARefusedBeginFromThoseBehindIt", func(t *testing.T) {
		t.Parallel()
		g := newGatheringOf(t, "2") // one for the company, and one for all others
		pool := g.store.DB().(*pgxpool.Pool)
		_, err := invert(t.Context(), g.store, 1)
		require.NoError(t, err)
		defer g.company(t)()
		forgotten, rounds := 0, dbtest.Sample(12, make([]int, 40)...)
		for range rounds {
			errs := dbtxtest.AtOnce(16, func(i int) error {
				n, of := int64(i+1), int64(0)
				one := func(db dbtx.DBTX) error { return db.QueryRow(t.Context(), inverse, n).Scan(&of) }
				var err error
				if i == 0 {
					err = testdb.Store(g.store).Snapshot(t.Context(), one, one, one)
				} else {
					of, err = invert(t.Context(), g.store, n)
				}
				if err == nil && of != 100/n {
					err = errors.New("another's answer")
				}

				return err
			})
			require.NoError(t, errors.Join(errs...))
			for _, conn := range pool.AcquireAllIdle(t.Context()) { // as a pooler may
				var name string
				if err := conn.QueryRow(t.Context(), "SELECT name FROM pg_prepared_statements WHERE name LIKE 'gathered_%' AND statement LIKE 'BEGIN%'").Scan(&name); err == nil {
					_, err = conn.Exec(t.Context(), "DEALLOCATE "+name)
					require.NoError(t, err)
					forgotten++
				}
				conn.Release()
			}
		}
		require.Greater(t, forgotten, len(rounds)/4)
	})
	t.Run("KeepsFewStatementsOfTheCallersOwn", func(t *testing.T) {
		t.Parallel()
		g := newGatheringOf(t, "4")
		db, most := testdb.Store(g.store).DBTX(), 512
		ask := func(i int) {
			t.Helper()
			var got int
			sql := fmt.Sprintf("-- name: Own%d :one\nSELECT $1::integer + %[1]d", i)
			require.NoError(t, db.QueryRow(t.Context(), sql, 1).Scan(&got))
			require.Equal(t, 1+i, got)
		}
		for i := range most + 100 {
			ask(i)
		}
		leave := g.company(t)
		for i := range most + 100 {
			ask(i)
		}
		_, err := g.store.GetPaper(t.Context(), 0) // a generated one, for the first time
		require.ErrorIs(t, err, testdb.ErrNotFound)
		_, err = g.store.GetPaper(t.Context(), 0)
		require.ErrorIs(t, err, testdb.ErrNotFound)
		leave()
		require.Equal(t, 1, g.count("GetPaper"))
		require.Equal(t, most, g.count("")-g.count("GetPaper")-g.count("GetSale"))
	})
	t.Run("EndsTheRowsThatAReadKeeps", func(t *testing.T) {
		t.Parallel()
		g := newGatheringOf(t, "2")
		const list = "-- name: Numbers :many\nSELECT $1::bigint FROM generate_series(1, 3)"
		keep := func(n int64) (rows pgx.Rows, err error) {
			err = testdb.Store(g.store).Snapshot(t.Context(), func(db dbtx.DBTX) (err error) {
				rows, err = db.Query(t.Context(), list, n)

				return err
			})

			return rows, err
		}
		rows, err := keep(1)
		require.NoError(t, err)
		require.False(t, rows.Next(), "as without the option")
		defer g.company(t)()
		require.Equal(t, make([]error, 16), dbtxtest.AtOnce(16, func(i int) error {
			rows, err := keep(int64(i))
			if err == nil && rows.Next() {
				err = errors.New("rows after the end of the snapshot")
			}

			return err
		}))
		require.Positive(t, g.count("Numbers"))
	})
	t.Run("LetsAReadWaitForTheLookUpBehindIt", func(t *testing.T) {
		t.Parallel()
		g := newGatheringOf(t, "32") // a read that waits keeps its connection
		dbtx.SetPatience(testdb.Store(g.store), 50*time.Millisecond)
		var mu sync.Mutex
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		require.Equal(t, make([]error, 16), dbtxtest.AtOnce(16, func(i int) (err error) {
			for round := 0; round < 20 && err == nil; round++ {
				if i%4 == 0 {
					mu.Lock()
					_, err = invert(ctx, g.store, 1)
					mu.Unlock()

					continue
				}
				err = testdb.Store(g.store).Snapshot(ctx, func(db dbtx.DBTX) error {
					mu.Lock()
					defer mu.Unlock()

					return db.QueryRow(ctx, inverse, int64(1)).Scan(new(int64))
				})
			}

			return err
		}))
		require.Positive(t, g.count("BEGIN "))
	})
	t.Run("KeepsSnapshotsToOneMoment", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		g := newGathering(t)
		var first, second int
		count, _ := counts(t.Context(), &first)
		_, await := counts(t.Context(), &second)
		require.NoError(t, testdb.Store(g.store).Snapshot(t.Context(), count, await), "it is quick")
		defer g.company(t)()
		tx, err := g.direct.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Rollback(t.Context()) }()
		_, err = tx.Exec(t.Context(), "SELECT pg_advisory_xact_lock(9)")
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- testdb.Store(g.store).Snapshot(t.Context(), count, await) }()
		g.waits(t, 2)
		newPaper(t, testdb.New(tx), "A")
		require.NoError(t, tx.Commit(t.Context()))
		require.NoError(t, <-done)
		require.Equal(t, []int{0, 0}, []int{first, second})
		require.Equal(t, 1, g.count("BEGIN "))
	})
	t.Run("LetsACallerLeaveAndTheOthersStay", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		g := newGathering(t)
		a := newReader(t, g.store, "a@x")
		_, err := g.store.GetReader(t.Context(), a.ID)
		require.NoError(t, err)
		defer g.company(t)()
		release := g.lock(t, "readers")
		const callers = 200 // more than the flights take: some wait for their turn
		ctx, cancel := context.WithCancelCause(t.Context())
		left, stayed := make(chan error, callers), make(chan error, callers)
		look := func(ctx context.Context, done chan<- error) {
			found, err := g.store.GetReader(ctx, a.ID)
			if err == nil && !reflect.DeepEqual(found, a) {
				err = errors.New("another's answer")
			}
			done <- err
		}
		for range callers {
			go look(ctx, left)
			go look(t.Context(), stayed)
		}
		g.waits(t, 3) // the company and two flights
		cancel(errOwn)
		for range callers {
			err := <-left
			require.ErrorIs(t, err, errOwn)
			require.EqualError(t, err, "get reader: "+errOwn.Error())
		}
		require.Empty(t, stayed)
		release()
		for range callers {
			require.NoError(t, <-stayed)
		}
		require.Positive(t, g.count("GetReader"))
	})
	t.Run("KeepsASlowOneToItself", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		g := newGatheringOf(t, "16")
		a, b := newReader(t, g.store, "a@x"), newArticles(t, g.store, newPaper(t, g.store, "A"), 1)[0]
		look := func(int) error { _, err := g.store.GetReader(t.Context(), a.ID); return err }
		slow := func() error { _, err := g.store.GetArticle(t.Context(), b.ID); return err }
		require.NoError(t, look(0))
		require.NoError(t, slow())
		defer g.company(t)()
		const slows, callers = 8, 100 // a slow one has a connection to itself in the end, of the sixteen
		done := make(chan error, slows)
		var release func()
		began, patience := time.Now(), 50*time.Millisecond
		for { // until a flight has left in time, with a slow one in it; after one that has not, it is kept apart for a while
			require.Less(t, time.Since(began), time.Minute)
			dbtx.SetPatience(testdb.Store(g.store), patience)
			patience = min(2*patience, time.Second)
			release = g.lock(t, "articles")
			go func() { done <- slow() }()
			g.waits(t, 2) // the company and the slow one, gathered or not
			if g.count("GetArticle") > 0 {
				break
			}
			release()
			require.NoError(t, <-done)
		}
		for range slows - 1 {
			go func() { done <- slow() }()
			require.NoError(t, look(0))
		}
		require.Equal(t, make([]error, callers), dbtxtest.AtOnce(callers, look))
		require.Empty(t, done)
		release()
		for range slows {
			require.NoError(t, <-done)
		}

		// The control: on one connection those behind a slow one wait for as long as it does.
		release = g.lock(t, "articles")
		conn, err := pgx.Connect(t.Context(), g.direct.Config().ConnString())
		require.NoError(t, err)
		defer conn.Close(t.Context())
		pipeline := conn.PgConn().StartPipeline(t.Context())
		for _, sql := range []string{"SELECT FROM articles", "SELECT FROM readers"} {
			pipeline.SendQueryParams(sql, nil, nil, nil, nil)
			require.NoError(t, pipeline.Sync())
		}
		served := make(chan error, 1)
		go func() {
			for range 3 { // the slow one, its Sync, and the other
				if _, err := pipeline.GetResults(); err != nil {
					served <- err
				}
			}
			served <- nil
		}()
		g.waits(t, 2)
		require.Empty(t, served)
		release()
		require.NoError(t, <-served)
		require.NoError(t, pipeline.Close())
	})
	t.Run("OutlivesItsConnections", func(t *testing.T) {
		t.Parallel()
		gatheringOutlivesItsConnections(t, 5)
	})
	t.Run("OutlivesItsLink", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		gatheringOutlivesItsLink(t, 10)
	})
	t.Run("OutlivesAChangeOfTheSchema", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		g := newGathering(t)
		b := newPaper(t, g.store, "A")
		look := func(int) error {
			if found, err := g.store.GetPaper(t.Context(), b.ID); err != nil || found != b {
				return fmt.Errorf("%v: %w", found, err)
			}

			return nil
		}
		require.NoError(t, look(0))
		defer g.company(t)()
		for _, sql := range []string{
			"ALTER TABLE papers ALTER COLUMN year TYPE bigint",
			"ALTER TABLE papers ALTER COLUMN price_cents TYPE numeric",
			"ALTER TABLE papers ADD COLUMN note text",
		} {
			require.Equal(t, make([]error, 16), dbtxtest.AtOnce(16, look))
			before := g.count("GetPaper")
			require.Positive(t, before)
			_, err := g.direct.Exec(t.Context(), sql)
			require.NoError(t, err)
			require.Equal(t, make([]error, 16), dbtxtest.AtOnce(16, look))
			require.Equal(t, make([]error, 16), dbtxtest.AtOnce(16, look))
			require.Greater(t, g.count("GetPaper"), before+16, "and they are gathered again")
		}
	})
}

func TestSoak_WithPipelining_OutlivesItsConnectionsAndItsLink(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	gatheringOutlivesItsConnections(t, 50)
	gatheringOutlivesItsLink(t, 50)
}

// gatheringOutlivesItsConnections kills the connections under eight workers that do so many rounds of look-ups.
func gatheringOutlivesItsConnections(t *testing.T, rounds int) {
	t.Helper()
	plain, killer := killable(t, "")
	config := plain.DB().(*pgxpool.Pool).Config()
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	store := testdb.New(pool, testdb.WithPipelining())
	dbtx.SetPatience(testdb.Store(store), time.Minute)
	a, b := newReader(t, store, "a@x"), newPaper(t, store, "A")
	require.Equal(t, make([]error, 8), dbtxtest.AtOnce(8, func(worker int) error {
		for n := range rounds {
			if worker == 0 && n%5 == 0 { // under the others, wherever they are
				if err := killer.kill(t.Context()); err != nil {
					return err
				}
			}
			if found, err := store.GetReaderByEmail(t.Context(), "a@x"); err != nil || !reflect.DeepEqual(found, a) {
				return fmt.Errorf("%v: %w", found, err)
			}
			if found, err := store.GetPaper(t.Context(), b.ID); err != nil || found != b {
				return fmt.Errorf("%v: %w", found, err)
			}
			if err := snapshotOf(t.Context(), store, b); err != nil {
				return err
			}
		}

		return nil
	}))
	require.Positive(t, killer.kills.Load())
}

// gatheringOutlivesItsLink cuts the link under eight workers that do so many look-ups.
func gatheringOutlivesItsLink(t *testing.T, rounds int) {
	t.Helper()
	g := newGathering(t)
	a, b := newReader(t, g.store, "a@x"), newPaper(t, g.store, "A")
	now := dbtxtest.EveryNth(97)
	g.proxy.Set(func(m wireproxy.Message) wireproxy.Action {
		g.rule(m)
		switch m.Is.(type) {
		case *pgproto3.Bind, *pgproto3.BindComplete, *pgproto3.DataRow, *pgproto3.Sync, *pgproto3.ReadyForQuery:
			if now() {
				return wireproxy.CutBefore
			}
		}

		return wireproxy.Pass
	})
	require.Equal(t, make([]error, 8), dbtxtest.AtOnce(8, func(int) error {
		for range rounds {
			if found, err := g.store.GetReader(t.Context(), a.ID); err != nil || !reflect.DeepEqual(found, a) {
				return fmt.Errorf("%v: %w", found, err)
			}
			if err := snapshotOf(t.Context(), g.store, b); err != nil {
				return err
			}
		}

		return nil
	}))
	g.proxy.Set(nil)
	require.Positive(t, g.count("GetReader"))
	require.Positive(t, g.count("BEGIN "))
	require.Positive(t, g.proxy.Cuts())
}

// snapshotOf reads a paper and its articles, of which it has none, at one moment.
func snapshotOf(ctx context.Context, store *testdb.Repo, want testdb.Paper) error {
	var found testdb.Paper
	var of []testdb.Article
	err := store.Snapshot(ctx,
		func(r *testdb.Repo) (err error) {
			found, err = r.GetPaper(ctx, want.ID)

			return err
		},
		func(r *testdb.Repo) (err error) {
			of, err = r.ListArticlesOfPapers(ctx, []int64{want.ID})

			return err
		},
	)
	if err != nil || found != want || len(of) > 0 {
		return fmt.Errorf("%v with %d articles: %w", found, len(of), err)
	}

	return nil
}
