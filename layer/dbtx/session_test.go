package dbtx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
)

// locked returns a store and a paper that somebody else holds until the test ends: who wants it waits.
func locked(t *testing.T) (*testdb.Repo, testdb.Paper) {
	t.Helper()
	pool := dbtest.Pool(t)
	store := open(t, pool.Config().ConnString())
	a := newPaper(t, store, "Locked")
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tx.Rollback(context.WithoutCancel(t.Context()))) })
	_, err = tx.Exec(t.Context(), "SELECT FROM papers WHERE id = $1 FOR UPDATE", a.ID)
	require.NoError(t, err)

	return store, a
}

// slowCalls are calls in a transaction that take longer than their context lasts.
var slowCalls = map[string]func(ctx context.Context, tx *testdb.Repo, lockedPaper int64) error{
	"Query of the store": func(ctx context.Context, tx *testdb.Repo, id int64) error {
		_, err := tx.LockPaper(ctx, id)

		return err
	},
	"Write of the store": func(ctx context.Context, tx *testdb.Repo, id int64) error {
		_, err := tx.PublishPaper(ctx, id)

		return err
	},
	"COPY": func(ctx context.Context, tx *testdb.Repo, id int64) error {
		_, err := tx.LoadArticles(ctx, []testdb.LoadArticlesParams{{PaperID: id, Name: "x", DisplayOrder: 2}})

		return err
	},
	"Batch": func(ctx context.Context, tx *testdb.Repo, _ int64) error {
		b := &pgx.Batch{}
		b.Queue("SELECT pg_sleep(3)")

		return testdb.Store(tx).DBTX().SendBatch(ctx, b).Close()
	},
	"Savepoint": func(ctx context.Context, tx *testdb.Repo, id int64) error {
		return tx.InTx(ctx, func(inner *testdb.Repo) error {
			_, err := inner.LockPaper(ctx, id)

			return err
		})
	},
	"Exec of the DB": func(ctx context.Context, tx *testdb.Repo, _ int64) error {
		_, err := tx.DB().Exec(ctx, "SELECT pg_sleep(3)")

		return err
	},
	"QueryRow of the DB": func(ctx context.Context, tx *testdb.Repo, _ int64) error {
		return tx.DB().QueryRow(ctx, "SELECT pg_sleep(3)::text").Scan(new(string))
	},
	"Query of the DB": func(ctx context.Context, tx *testdb.Repo, _ int64) error {
		rows, err := tx.DB().Query(ctx, "SELECT pg_sleep(3)")
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, pgx.RowTo[string])

		return err
	},
	"Batch of the DB": func(ctx context.Context, tx *testdb.Repo, _ int64) error {
		b := &pgx.Batch{}
		b.Queue("SELECT pg_sleep(3)")

		return tx.DB().SendBatch(ctx, b).Close()
	},
	"Savepoint of the DB": func(ctx context.Context, tx *testdb.Repo, _ int64) error {
		inner, err := tx.DB().Begin(ctx)
		if err != nil {
			return err
		}
		_, err = inner.Exec(ctx, "SELECT pg_sleep(3)")

		return err
	},
}

func TestRepo_InTx_ACallThatOutlivesItsContextEndsTheTransaction(t *testing.T) {
	t.Parallel()
	callsOutliveTheirContext(t, false)
}

func TestSoak_InTx_ACallThatOutlivesItsContextEndsTheTransaction(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	callsOutliveTheirContext(t, true)
}

// callsOutliveTheirContext has every slow call be too slow, whatever the closure does then: all of it after each of the calls,
// or two things after one.
func callsOutliveTheirContext(t *testing.T, all bool) {
	t.Helper()
	store, a := locked(t)
	const because, andCommits = "the context of an earlier call ended: context deadline exceeded", "AndCommits"
	for name, call := range slowCalls {
		for then, goOn := range map[string]func(ctx context.Context, tx *testdb.Repo) error{
			"AndReturned": nil,
			andCommits:    func(context.Context, *testdb.Repo) error { return nil },
			"AndGoesOn": func(ctx context.Context, tx *testdb.Repo) error {
				_, err := tx.CreatePaper(ctx, paper("B"))
				require.ErrorContains(t, err, "create paper: the transaction has ended, because "+because)

				return err
			},
			"AndGoesOnWithTheDB": func(ctx context.Context, tx *testdb.Repo) error {
				_, err := tx.DB().Exec(ctx, "SELECT 1")
				require.EqualError(t, err, "the transaction has ended, because "+because)

				return err
			},
			"AndMakesASavepoint": func(ctx context.Context, tx *testdb.Repo) error {
				return tx.InTx(ctx, func(*testdb.Repo) error { return errOwn })
			},
		} {
			if !all && (name != "Write of the store" || then != andCommits && then != "AndGoesOn") {
				continue
			}
			t.Run(name+then, func(t *testing.T) {
				t.Parallel()
				runs := 0
				err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
					runs++
					if _, err := tx.CreatePaper(t.Context(), paper("A")); err != nil {
						return err
					}
					short, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
					defer cancel()
					err := call(short, tx, a.ID)
					require.ErrorIs(t, err, context.DeadlineExceeded)
					if goOn != nil {
						return goOn(t.Context(), tx)
					}

					return err
				})
				require.Equal(t, 1, runs)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NotErrorIs(t, err, testdb.ErrUnavailable)
				require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown)
				if goOn != nil || name == "Query of the store" {
					require.ErrorContains(t, err, "the transaction has ended")
				}
			})
		}
	}
	t.Run("PgxControl", func(t *testing.T) { // pgx's error looks like one of a lost connection
		t.Parallel()
		tx, err := store.DB().Begin(t.Context())
		require.NoError(t, err)
		short, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		_, err = tx.Exec(short, "SELECT pg_sleep(3)")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = tx.Exec(t.Context(), "SELECT 1")
		require.EqualError(t, err, "conn closed")
		require.True(t, pgconn.SafeToRetry(err))
		require.Error(t, tx.Rollback(t.Context()))
	})
}

func TestRepo_InTx_ACallThatWasNotSentEndsNothing(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
		_, err := tx.CreatePaper(ended, paper("A"))
		require.EqualError(t, err, "create paper: context canceled")
		_, err = tx.DB().Exec(ended, "SELECT 1")
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, tx.InTx(ended, func(*testdb.Repo) error { return nil }), context.Canceled)
		_, err = tx.CreatePaper(t.Context(), paper("B"))

		return err
	}))
	require.Equal(t, 1, countPapers(t, store))
}

func TestRepo_InTx_ASavepointWhoseContextEndedKeepsNothing(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
		ctx, cancel := context.WithCancel(t.Context())
		err := tx.InTx(ctx, func(inner *testdb.Repo) error {
			defer cancel()
			newPaper(t, inner, "A")

			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
		err = tx.InTx(t.Context(), func(inner *testdb.Repo) error {
			newPaper(t, inner, "B")
			_, err := inner.DB().Exec(t.Context(), "SELECT 1/0")
			require.Error(t, err)

			return nil // the error is swallowed
		})
		require.ErrorIs(t, err, pgx.ErrTxCommitRollback)
		newPaper(t, tx, "C")

		return nil
	}))
	require.Equal(t, 1, countPapers(t, store))
}

func TestRepo_ASingleConnectionThatACallOutlivedIsNoOutage(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), dbtest.URL(t))
	require.NoError(t, err)
	store := testdb.New(conn)
	short, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	_, err = testdb.Store(store).DBTX().Exec(short, "SELECT pg_sleep(3)")
	require.EqualError(t, err, "select: context deadline exceeded, and so the connection is closed")
	_, err = store.GetPaper(t.Context(), 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, testdb.ErrUnavailable)
	require.ErrorContains(t, err, "the connection is closed, because the context of an earlier call ended")
	require.ErrorIs(t, store.InTx(t.Context(), func(*testdb.Repo) error { return nil }), context.DeadlineExceeded)
}

func TestRepo_ConcurrentUse(t *testing.T) {
	t.Parallel()

	t.Run("OfATransaction", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		runs := 0
		err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
			runs++

			return errors.Join(dbtxtest.AtOnce(8, func(int) error {
				_, err := tx.DB().Exec(t.Context(), "SELECT pg_sleep(.1)")

				return err
			})...)
		})
		require.ErrorIs(t, err, testdb.ErrConcurrentUse)
		require.NotErrorIs(t, err, testdb.ErrUnavailable)
		require.Equal(t, 1, runs)
	})
	t.Run("ByQueriesOfTheStore", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store, a := locked(t)
		runs := 0
		err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
			runs++
			ctx, cancel := context.WithCancel(t.Context())
			first := make(chan error, 1)
			go func() {
				_, err := tx.LockPaper(ctx, a.ID)
				first <- err
			}()
			dbtxtest.AwaitLock(t, store.DB())
			_, err := tx.GetPaper(t.Context(), a.ID)
			require.EqualError(t, err, "get paper: "+testdb.ErrConcurrentUse.Error())
			_, copied := tx.LoadArticles(t.Context(), []testdb.LoadArticlesParams{{PaperID: a.ID, Name: "x", DisplayOrder: 2}})
			require.ErrorIs(t, copied, testdb.ErrConcurrentUse)
			require.ErrorIs(t, tx.InTx(t.Context(), func(*testdb.Repo) error { return nil }), testdb.ErrConcurrentUse)
			_, listed := tx.ListPapers(t.Context(), 50)
			require.ErrorIs(t, listed, testdb.ErrConcurrentUse)
			cancel()
			require.ErrorIs(t, <-first, context.Canceled)

			return err
		})
		require.ErrorIs(t, err, testdb.ErrConcurrentUse)
		require.Equal(t, 1, runs)
	})
	t.Run("WhileRowsAreOpen", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		runs := 0
		err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
			runs++
			rows, err := tx.DB().Query(t.Context(), "SELECT generate_series(1, 3)")
			require.NoError(t, err)
			defer rows.Close()
			require.True(t, rows.Next())
			_, err = tx.CreatePaper(t.Context(), paper("A"))

			return err
		})
		require.EqualError(t, err, "create paper: "+testdb.ErrConcurrentUse.Error())
		require.Equal(t, 1, runs)
		require.Zero(t, acquired(store))
	})
	t.Run("AtCommit", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		runs := 0
		err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
			runs++
			newPaper(t, tx, "A")
			_, err := tx.DB().Query(t.Context(), "SELECT generate_series(1, 3)") // left open

			return err
		})
		require.ErrorIs(t, err, testdb.ErrConcurrentUse)
		require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown)
		require.Equal(t, 1, runs)
		require.Zero(t, countPapers(t, store))
		require.Eventually(t, func() bool { return acquired(store) == 0 }, time.Minute, time.Millisecond)
	})
	t.Run("AtCommitUnderAStatementOfAnotherGoroutine", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store, a := locked(t)
		left := make(chan error, 1)
		err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
			newPaper(t, tx, "A")
			go func() {
				_, err := tx.LockPaper(t.Context(), a.ID)
				left <- err
			}()
			dbtxtest.AwaitLock(t, store.DB())

			return nil
		})
		require.ErrorIs(t, err, testdb.ErrConcurrentUse)
		require.Error(t, <-left, "its connection is gone")
		require.Equal(t, 1, countPapers(t, store), "the locked one")
	})
	t.Run("OfASingleConnection", func(t *testing.T) {
		t.Parallel()
		conn, err := pgx.Connect(t.Context(), dbtest.URL(t))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) })
		store := testdb.New(conn)
		rows, err := conn.Query(t.Context(), "SELECT generate_series(1, 3)") // past the store
		require.NoError(t, err)
		_, err = store.ListPapers(t.Context(), 50)
		require.ErrorIs(t, err, testdb.ErrConcurrentUse)
		require.NotErrorIs(t, err, testdb.ErrUnavailable)
		require.ErrorIs(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			_, err := tx.ListPapers(t.Context(), 50)

			return err
		}), testdb.ErrConcurrentUse)
		rows.Close()
	})
	t.Run("OfSavepointsThatEndInAnotherOrder", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
			inside, ended := make(chan struct{}), make(chan error, 1)
			go func() {
				ended <- tx.InTx(t.Context(), func(*testdb.Repo) error {
					close(inside)

					return tx.InTx(t.Context(), func(*testdb.Repo) error { return nil })
				})
			}()
			<-inside
			require.NoError(t, <-ended, "these are one in the other")
			first, second := make(chan struct{}), make(chan struct{})
			go func() {
				ended <- tx.InTx(t.Context(), func(inner *testdb.Repo) error {
					_, err := inner.CreatePaper(t.Context(), paper("A"))
					close(first)
					<-second

					return err
				})
			}()
			<-first
			_ = tx.InTx(t.Context(), func(inner *testdb.Repo) error {
				newPaper(t, inner, "B")
				close(second)
				require.ErrorIs(t, <-ended, testdb.ErrConcurrentUse)

				return nil
			})

			return nil // the errors are swallowed
		})
		require.ErrorIs(t, err, testdb.ErrConcurrentUse)
		require.Zero(t, countPapers(t, store))
	})
	t.Run("PgxControl", func(t *testing.T) { // pgx's error looks like one of a lost connection
		t.Parallel()
		tx, err := dbtest.Pool(t).Begin(t.Context())
		require.NoError(t, err)
		rows, err := tx.Query(t.Context(), "SELECT generate_series(1, 3)")
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SELECT 1")
		require.EqualError(t, err, "conn busy")
		require.True(t, pgconn.SafeToRetry(err))
		rows.Close()
		require.NoError(t, tx.Rollback(t.Context()))
	})
}
