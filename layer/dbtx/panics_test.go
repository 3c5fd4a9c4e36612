package dbtx_test

import (
	"context"
	"database/sql/driver"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
)

// panicking is an argument, a destination and a writer that panics.
type panicking struct{}

func (panicking) Value() (driver.Value, error) { panic(errOwn) }
func (*panicking) Scan(any) error              { panic(errOwn) }
func (panicking) Write([]byte) (int, error)    { panic(errOwn) }

// panickingTracer panics at the start of each query, or at its end, once it is told to.
type panickingTracer struct{ start, end *atomic.Bool }

func newPanickingTracer() panickingTracer { return panickingTracer{new(atomic.Bool), new(atomic.Bool)} }

func (p panickingTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if p.start.Load() {
		panic(errOwn)
	}

	return ctx
}

func (p panickingTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {
	if p.end.Load() {
		panic(errOwn)
	}
}

// panickingPoolTracer panics whenever a connection is made, acquired or released.
type panickingPoolTracer struct{ panickingTracer }

func (panickingPoolTracer) TraceConnectStart(context.Context, pgx.TraceConnectStartData) context.Context {
	panic(errOwn)
}

func (panickingPoolTracer) TraceConnectEnd(context.Context, pgx.TraceConnectEndData) { panic(errOwn) }

func (panickingPoolTracer) TraceAcquireStart(context.Context, *pgxpool.Pool, pgxpool.TraceAcquireStartData) context.Context {
	panic(errOwn)
}

func (panickingPoolTracer) TraceAcquireEnd(context.Context, *pgxpool.Pool, pgxpool.TraceAcquireEndData) {
	panic(errOwn)
}
func (panickingPoolTracer) TraceRelease(*pgxpool.Pool, pgxpool.TraceReleaseData) { panic(errOwn) }

// released waits until the store's pool, of one connection, has it to give.
func released(t *testing.T, store *testdb.Repo) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, store.DB().(*pgxpool.Pool).AcquireFunc(ctx, func(*pgxpool.Conn) error { return nil }))
}

func TestRepo_WithTracer_APanicAboutConnectionsIsDropped(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	tracer := panickingPoolTracer{newPanickingTracer()}
	require.Panics(t, func() { tracer.TraceRelease(nil, pgxpool.TraceReleaseData{}) }, "the control: it does")
	for _, more := range [][]testdb.Option{nil, {testdb.WithPipelining()}} {
		store := open(t, dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "2"), append(more, testdb.WithTracer(tracer))...)
		require.Equal(t, make([]error, 2), dbtxtest.AtOnce(2, func(int) error { return everyQuery(t.Context(), store) }))
		tracer.start.Store(true)
		require.Panics(t, func() { _, _ = store.GetPaper(t.Context(), 1) }, "of a statement it is the caller's")
		tracer.start.Store(false)
		require.Zero(t, acquired(store))
	}
}

// There is no control for these: a connection that pgx alone loses so can't be given back, and keeps its pool from closing;
// and a source of a COPY that panics would end the process.
func TestRepo_APanicLeaksNoConnection(t *testing.T) {
	t.Parallel()
	panics := map[string]func(t *testing.T, store *testdb.Repo){
		"Argument of Exec": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			_, _ = testdb.Store(store).DBTX().Exec(t.Context(), "SELECT $1::text", panicking{})
		},
		"Argument of Query": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			_, _ = testdb.Store(store).DBTX().Query(t.Context(), "SELECT $1::text", panicking{})
		},
		"Argument of QueryRow": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			_ = testdb.Store(store).DBTX().QueryRow(t.Context(), "SELECT $1::text", panicking{})
		},
		"Argument of a batch": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			b := &pgx.Batch{}
			b.Queue("SELECT $1::text", panicking{})
			_ = testdb.Store(store).DBTX().SendBatch(t.Context(), b).Close()
		},
		"Callback of a batch": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			b := &pgx.Batch{}
			b.Queue("SELECT 1").QueryRow(func(pgx.Row) error { panic(errOwn) })
			_ = testdb.Store(store).DBTX().SendBatch(t.Context(), b).Close()
		},
		"Destination of a row": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			_ = testdb.Store(store).DBTX().QueryRow(t.Context(), "SELECT 'x'").Scan(new(panicking))
		},
		"Destination of rows": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			rows, err := testdb.Store(store).DBTX().Query(t.Context(), "SELECT 'x'")
			require.NoError(t, err)
			defer rows.Close()
			require.True(t, rows.Next())
			_ = rows.Scan(new(panicking))
		},
		"Source of a COPY": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			_, _ = testdb.Store(store).DBTX().CopyFrom(t.Context(), pgx.Identifier{"articles"}, []string{"name"},
				pgx.CopyFromFunc(func() ([]any, error) { panic(errOwn) }))
		},
		"Value of a COPY": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			_, _ = testdb.Store(store).DBTX().CopyFrom(t.Context(), pgx.Identifier{"articles"}, []string{"name"},
				pgx.CopyFromSlice(1, func(int) ([]any, error) { panic(errOwn) }))
		},
		"Closure": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			_ = store.InTx(t.Context(), func(tx *testdb.Repo) error {
				return tx.InTx(t.Context(), func(*testdb.Repo) error { panic(errOwn) })
			})
		},
		"Destination in a closure": func(t *testing.T, store *testdb.Repo) {
			t.Helper()
			_ = store.InTx(t.Context(), func(tx *testdb.Repo) error {
				return testdb.Store(tx).DBTX().QueryRow(t.Context(), "SELECT 'x'").Scan(new(panicking))
			})
		},
	}
	store := open(t, dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "1"))
	for name, do := range panics { //nolint:paralleltest // the parts share a connection
		t.Run(name, func(t *testing.T) {
			require.PanicsWithError(t, errOwn.Error(), func() { do(t, store) })
			released(t, store)
			require.Zero(t, countPapers(t, store), "it is of use")
		})
	}
	t.Run("OfATracer", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		tracer := newPanickingTracer()
		store := open(t, dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "1"), testdb.WithTracer(tracer))
		a := newPaper(t, store, "A")
		for _, at := range []*atomic.Bool{tracer.start, tracer.end} {
			for _, do := range []func(){
				func() { _, _ = store.GetPaper(t.Context(), a.ID) },
				func() { _, _ = store.GetArticle(t.Context(), 1) },
				func() { _, _ = store.PublishPaper(t.Context(), a.ID) },
				func() { _ = store.AddPaper(t.Context(), testdb.AddPaperParams(paper(testdb.NewID()))) },
				func() {
					_ = store.InTx(t.Context(), func(tx *testdb.Repo) error {
						_, err := tx.GetPaper(t.Context(), a.ID)

						return err
					})
				},
			} {
				at.Store(true)
				require.PanicsWithError(t, errOwn.Error(), do)
				at.Store(false)
				released(t, store)
			}
		}
	})
}

func TestRepo_WithEcho_AWriterThatPanicsLosesNothing(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { _, _ = io.WriteString(panicking{}, "x") }, "the control: it does")
	store := open(t, dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "1"), testdb.WithEcho(panicking{}))
	require.NoError(t, everyQuery(t.Context(), store))
	require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error { return everyQuery(t.Context(), tx) }))
	require.ErrorIs(t, store.InTx(t.Context(), func(*testdb.Repo) error { return errOwn }), errOwn)
	b := &pgx.Batch{}
	b.Queue("SELECT 1")
	require.NoError(t, testdb.Store(store).DBTX().SendBatch(t.Context(), b).Close())
	require.Zero(t, acquired(store))
}

// blocking is a writer that blocks until it is closed.
type blocking chan struct{}

func (b blocking) Write(p []byte) (int, error) {
	<-b

	return len(p), nil
}

func TestRepo_WithEcho_AWriterThatBlocksHoldsNoStatementPastItsDeadline(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	w := make(blocking)
	store := open(t, dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "1"), testdb.WithEcho(w))
	for name, do := range map[string]func(ctx context.Context) error{
		"Row":  func(ctx context.Context) error { _, err := store.CreatePaper(ctx, paper("A")); return err },
		"Rows": func(ctx context.Context) error { _, err := store.ListReaders(ctx, 50); return err },
		"Exec": func(ctx context.Context) error { return store.AddPaper(ctx, testdb.AddPaperParams(paper("B"))) },
		"InTx": func(ctx context.Context) error { return store.InTx(ctx, func(*testdb.Repo) error { return errOwn }) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		start := time.Now()
		err := do(ctx)
		require.Less(t, time.Since(start), 5*time.Second, name)
		if err != nil && name != "InTx" { // the deadline came before the reply
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
		}
		require.Eventually(t, func() bool { return acquired(store) == 0 }, time.Minute, time.Millisecond, name) // it may be closing
		cancel()
	}
	held := make(chan struct{})
	go func() { // the control: whoever writes by itself is held
		_, _ = io.WriteString(w, "x")
		close(held)
	}()
	select {
	case <-held:
		require.Fail(t, "it does not block")
	case <-time.After(50 * time.Millisecond):
	}
	close(w)
	<-held
	require.NoError(t, everyQuery(t.Context(), store), "the writer goes on, and so does the echo")
}

func TestRepo_WithPipelining_APanicIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	tracer := newPanickingTracer()
	g := newGathering(t, testdb.WithTracer(tracer))
	a := newReader(t, g.store, "a@x")
	look := func() error {
		_, err := g.store.GetReader(t.Context(), a.ID)

		return err
	}
	require.NoError(t, look()) // it is known to be quick
	leave := g.company(t)
	// many has all look up at once, and returns how many of them panicked, each in its own goroutine.
	many := func(do func() error) (panicked int64) {
		var n atomic.Int64
		dbtxtest.AtOnce(8, func(int) error {
			defer func() {
				if recover() != nil {
					n.Add(1)
				}
			}()

			return do()
		})

		return n.Load()
	}
	for _, at := range []*atomic.Bool{tracer.start, tracer.end} {
		at.Store(true)
		require.EqualValues(t, 8, many(look))
		at.Store(false)
		require.Zero(t, many(look))
	}
	require.EqualValues(t, 8, many(func() error {
		return testdb.Store(g.store).DBTX().QueryRow(t.Context(), "SELECT 'x'").Scan(new(panicking))
	}), "a destination")
	require.EqualValues(t, 8, many(func() error {
		return testdb.Store(g.store).DBTX().QueryRow(t.Context(), "SELECT $1::text", panicking{}).Scan(new(string))
	}), "an argument")
	leave()
	require.Eventually(t, func() bool { return acquired(g.store) == 0 }, time.Minute, time.Millisecond)
	require.Positive(t, g.count("GetReader"), "they were gathered")
}
