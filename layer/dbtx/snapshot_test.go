package dbtx_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/wireproxy"
)

// counts returns a read of how many papers there are, and one that waits for an advisory lock before.
func counts(ctx context.Context, n *int) (count, await func(dbtx.DBTX) error) {
	read := func(sql string) func(dbtx.DBTX) error {
		return func(db dbtx.DBTX) error { return db.QueryRow(ctx, sql).Scan(n) }
	}

	return read("SELECT count(*) FROM papers"),
		read("SELECT count(*) FROM papers WHERE (SELECT pg_advisory_xact_lock_shared(9)) IS NOT NULL")
}

// Between two reads another session commits a row.
func TestStore_Snapshot_IsOneMoment(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		run  func(s *dbtx.Store, ctx context.Context, reads ...func(dbtx.DBTX) error) error
		want int
	}{
		"Snapshot": {(*dbtx.Store).Snapshot, 0},
		"InASnapshot": {func(s *dbtx.Store, ctx context.Context, reads ...func(dbtx.DBTX) error) error {
			return s.InTxOptions(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(s *dbtx.Store) error { return s.Snapshot(ctx, reads...) })
		}, 0},
		"InATransactionAtReadCommitted, the first control": {func(s *dbtx.Store, ctx context.Context, reads ...func(dbtx.DBTX) error) error {
			return s.InTx(ctx, func(s *dbtx.Store) error { return s.Snapshot(ctx, reads...) })
		}, 1},
		"OneByOne, the second control": {func(s *dbtx.Store, _ context.Context, reads ...func(dbtx.DBTX) error) error {
			for _, read := range reads {
				if err := read(s.DBTX()); err != nil {
					return err
				}
			}

			return nil
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := dbtest.New(t)
			ctx := t.Context()
			var first, second int
			_, await := counts(ctx, &first)
			count, _ := counts(ctx, &second)
			writer, err := store.DB().(*pgxpool.Pool).Acquire(ctx)
			require.NoError(t, err)
			defer writer.Release()
			_, err = writer.Exec(ctx, "SELECT pg_advisory_lock(9)")
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- test.run(testdb.Store(store), ctx, await, count) }()
			dbtxtest.AwaitLock(t, writer.Conn())
			newPaper(t, testdb.New(writer.Conn()), "The Guardian")
			_, err = writer.Exec(ctx, "SELECT pg_advisory_unlock(9)")
			require.NoError(t, err)
			require.NoError(t, <-done)
			require.Zero(t, first)
			require.Equal(t, test.want, second)
		})
	}
}

func TestStore_Snapshot_TakesReadsAlone(t *testing.T) {
	t.Parallel()
	echo := &dbtxtest.Echo{}
	store := testdb.Store(dbtest.New(t, testdb.WithEcho(echo)))
	ctx := t.Context()
	calls := 0
	one := func(db dbtx.DBTX) error { return db.QueryRow(ctx, "SELECT 1").Scan(new(int)) }
	for name, read := range map[string]func(dbtx.DBTX) error{
		"NoQuery":    func(dbtx.DBTX) error { return nil },
		"TwoQueries": func(db dbtx.DBTX) error { _ = one(db); return one(db) }, //nolint:nlreturn // one line reads better
		"AWrite":     func(db dbtx.DBTX) error { return db.QueryRow(ctx, "DELETE FROM papers RETURNING 1").Scan(new(int)) },
		"ACopy": func(db dbtx.DBTX) error {
			_, err := db.CopyFrom(ctx, pgx.Identifier{"papers"}, []string{"id"}, pgx.CopyFromRows(nil))

			return err
		},
		"ABatch": func(db dbtx.DBTX) error { return db.SendBatch(ctx, &pgx.Batch{}).Close() },
	} {
		err := store.Snapshot(ctx, one, read)
		require.ErrorIs(t, err, testdb.ErrInvalid, name)
		require.EqualError(t, err, "snapshot: reads[1]: must run one query that only reads, the same in each call, and return its error", name)
	}
	require.Empty(t, echo.Take(), "nothing was sent")
	require.ErrorIs(t, store.Snapshot(ctx, func(db dbtx.DBTX) error {
		calls++
		if calls == 1 {
			return one(db)
		}

		return db.QueryRow(ctx, "SELECT 2").Scan(new(int))
	}), testdb.ErrInvalid)
	require.ErrorIs(t, store.Snapshot(ctx, func(dbtx.DBTX) error { return context.DeadlineExceeded }), context.DeadlineExceeded)
	require.NoError(t, store.Snapshot(ctx))
	require.NoError(t, store.Snapshot(ctx, one, one))
}

// A read does nothing beside its query: a write would be kept though the snapshot is refused.
func TestStore_Snapshot_HasNoWayAroundIt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := dbtest.New(t)
	for name, read := range map[string]func(*testdb.Repo) error{
		"InTx": func(r *testdb.Repo) error {
			return r.InTx(ctx, func(tx *testdb.Repo) error {
				_, err := tx.CreatePaper(ctx, paper("A"))

				return err
			})
		},
		"Snapshot": func(r *testdb.Repo) error { return r.Snapshot(ctx) },
		"Exec": func(r *testdb.Repo) error {
			_, err := r.DB().Exec(ctx, "DELETE FROM papers")

			return err
		},
		"Query": func(r *testdb.Repo) error {
			_, err := r.DB().Query(ctx, "SELECT 1")

			return err
		},
		"QueryRow":  func(r *testdb.Repo) error { return r.DB().QueryRow(ctx, "SELECT 1").Scan(new(int)) },
		"SendBatch": func(r *testdb.Repo) error { return r.DB().SendBatch(ctx, &pgx.Batch{}).Close() },
		"Begin": func(r *testdb.Repo) error {
			_, err := r.DB().Begin(ctx)

			return err
		},
		"CopyFrom": func(r *testdb.Repo) error {
			_, err := r.DB().CopyFrom(ctx, pgx.Identifier{"papers"}, []string{"id"}, pgx.CopyFromRows(nil))

			return err
		},
	} {
		err := store.Snapshot(ctx, read)
		require.ErrorIs(t, err, testdb.ErrInvalid, name)
		require.EqualError(t, err, "snapshot: reads: must run one query that only reads, and nothing else", name)
	}
	require.Zero(t, countPapers(t, store))
}

// A query that fails has the server skip the COMMIT behind it.
func TestStore_Snapshot_AFailureLeavesTheConnectionAsItWas(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	ctx := t.Context()
	pool := store.DB().(*pgxpool.Pool)
	fails := func(db dbtx.DBTX) error {
		return db.QueryRow(ctx, "SELECT 1 / (SELECT count(*) FROM papers)").Scan(new(int))
	}
	for range 3 {
		before := pool.Stat().NewConnsCount()
		err := testdb.Store(store).Snapshot(ctx, fails)
		require.Equal(t, "22012", dbtxtest.SQLState(err), "%v", err)
		require.Equal(t, before, pool.Stat().NewConnsCount())
		require.EqualValues(t, 0, acquired(store))
	}
	held, err := pool.Acquire(ctx)
	require.NoError(t, err)
	defer held.Release()
	conn := held.Conn()
	single := testdb.Store(testdb.New(conn))
	require.Equal(t, "22012", dbtxtest.SQLState(single.Snapshot(ctx, fails)))
	require.Equal(t, byte('I'), conn.PgConn().TxStatus())

	// A transaction of the caller's own is not ended.
	_, err = conn.Exec(ctx, "BEGIN")
	require.NoError(t, err)
	newPaper(t, testdb.New(conn), "The Guardian")
	n := 0
	count, _ := counts(ctx, &n)
	require.NoError(t, single.Snapshot(ctx, count))
	require.Equal(t, 1, n)
	require.Equal(t, byte('T'), conn.PgConn().TxStatus())
	_, err = conn.Exec(ctx, "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, single.Snapshot(ctx, count))
	require.Zero(t, n)
}

func TestStore_Snapshot_InEveryQueryModeAndBehindPgBouncer(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	direct := dbtest.URL(t)
	stores := map[string]*testdb.Repo{}
	for _, mode := range queryModes {
		stores[mode] = openMode(t, direct, mode)
	}
	pooled := behindPgBouncer(t, direct)
	stores["PgBouncer"] = openMode(t, pooled, "exec")
	made := newPaper(t, stores["PgBouncer"], "The Guardian")
	articles := newArticles(t, stores["PgBouncer"], made, 3)
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, err := range dbtxtest.AtOnce(8, func(int) error {
				for range 5 {
					var paper testdb.Paper
					var of []testdb.Article
					err := store.Snapshot(t.Context(),
						func(r *testdb.Repo) (err error) {
							paper, err = r.GetPaper(t.Context(), made.ID)

							return err
						},
						func(r *testdb.Repo) (err error) {
							of, err = r.ListArticlesOfPapers(t.Context(), []int64{made.ID})

							return err
						},
					)
					if err != nil {
						return err
					}
					if paper != made || len(of) != len(articles) {
						return fmt.Errorf("%v with %d articles", paper, len(of))
					}
				}

				return nil
			}) {
				require.NoError(t, err)
			}
			missing := int64(0)
			err := store.Snapshot(t.Context(),
				func(r *testdb.Repo) (err error) {
					_, err = r.GetPaper(t.Context(), missing)

					return err
				},
				func(r *testdb.Repo) (err error) {
					_, err = r.ListArticlesOfPapers(t.Context(), []int64{missing})

					return err
				},
			)
			require.ErrorIs(t, err, testdb.ErrNotFound)
		})
	}
}

func TestStore_Snapshot_OutlivesItsLink(t *testing.T) {
	t.Parallel()
	snapshotOutlivesItsLink(t, 9)
}

func TestSoak_SnapshotOutlivesItsLinkAtEveryMessage(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	snapshotOutlivesItsLink(t, 1)
}

// A transaction that only reads is sent again when its link is cut, at any message. A call that is cancelled returns that.
func snapshotOutlivesItsLink(t *testing.T, step int) {
	t.Helper()
	url := dbtest.URL(t)
	newPaper(t, open(t, url), "The Guardian")
	proxy := wireproxy.New(t, url)
	store := open(t, proxy.URL("pool_max_conns=1"))
	pool := store.DB().(*pgxpool.Pool)
	for _, name := range dbtest.Sample(1, "CutAfter", "CutBefore", "CancelledInSilence", "CancelledInPassing") {
		fault := dbtxtest.LinkFaults[name]
		for at := 1; ; at += step {
			dbtxtest.Forget(t, pool)
			ctx, cancel := context.WithCancel(t.Context())
			w := dbtxtest.NewWire(&dbgen.Metadata, at, func() wireproxy.Action { return fault(cancel) })
			proxy.Set(w.Rule)
			first, second := 0, 0
			count, _ := counts(ctx, &first)
			again, _ := counts(ctx, &second)
			err := testdb.Store(store).Snapshot(ctx, count, again)
			proxy.Set(nil)
			cancel()
			broken, _ := w.Result()
			if err == nil {
				require.Equal(t, []int{1, 1}, []int{first, second}, "%s at message %d", name, at)
			} else {
				require.ErrorIs(t, err, context.Canceled, "%s at message %d", name, at)
				require.True(t, strings.HasPrefix(name, "Cancelled"), "%s at message %d: %v", name, at, err)
			}
			require.NoError(t, pool.AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
				require.Equal(t, byte('I'), c.Conn().PgConn().TxStatus(), "%s at message %d", name, at)

				return nil
			}))
			_, err = store.HasInvitation(t.Context(), "")
			require.NoError(t, err, "%s at message %d", name, at)
			proxy.Settle(1)
			if !broken {
				require.Greater(t, at, 8, "BEGIN, two queries, COMMIT and their replies are more messages, even in the simple protocol")

				break
			}
		}
	}
}
