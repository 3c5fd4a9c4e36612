package dbtx_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
)

var errOwn = errors.New("the caller's own")

func countPapers(t *testing.T, store *testdb.Repo) int {
	t.Helper()
	return len(allPapers(t, store))
}

func allPapers(t *testing.T, store *testdb.Repo) []testdb.Paper {
	t.Helper()
	papers, err := store.ListPapers(t.Context(), 1000)
	require.NoError(t, err)

	return papers
}

func TestRepo_InTx(t *testing.T) {
	t.Parallel()

	t.Run("KeepsAllWhenTheClosureReturnsNil", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			newPaper(t, tx, "A")
			newPaper(t, tx, "B")
			require.Zero(t, countPapers(t, store), "nobody else sees them yet")

			return nil
		}))
		require.Equal(t, 2, countPapers(t, store))
	})
	t.Run("KeepsNothingWhenItReturnsAnError", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
			newPaper(t, tx, "A")

			return errOwn
		})
		require.Equal(t, errOwn, err, "as it is")
		require.Zero(t, countPapers(t, store))
	})
	t.Run("KeepsNothingWhenItPanics", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		require.PanicsWithError(t, errOwn.Error(), func() {
			_ = store.InTx(t.Context(), func(tx *testdb.Repo) error {
				newPaper(t, tx, "A")
				panic(errOwn)
			})
		})
		require.Zero(t, countPapers(t, store))
		require.Zero(t, acquired(store), "the connection is back")
	})
	t.Run("KeepsNothingWhenTheContextEnds", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := store.InTx(ctx, func(tx *testdb.Repo) error {
			newPaper(t, tx, "A")
			cancel()

			return errOwn
		})
		require.ErrorIs(t, err, errOwn)
		require.Zero(t, countPapers(t, store))
		require.Zero(t, acquired(store), "the connection is back")
	})
	t.Run("RollsBackThoughTheContextHasEnded", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		ctx, cancel := context.WithCancel(t.Context())
		_ = store.InTx(ctx, func(tx *testdb.Repo) error {
			newPaper(t, tx, "A")
			cancel()

			return errOwn
		})
		require.Regexp(t, `^ROLLBACK \| 0 rows \| [^|]*$`, echo.Take()[2], "without an error: the connection stays good")
	})
	t.Run("SaysThatTheContextEndedBeforeCommit", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := store.InTx(ctx, func(tx *testdb.Repo) error {
			newPaper(t, tx, "A")
			cancel()

			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown, "COMMIT was not sent")
		require.Zero(t, countPapers(t, store))
	})
	t.Run("SaysThatAFailedStatementLeftNothingToCommit", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
			newPaper(t, tx, "A")
			_, err := tx.CreatePaper(t.Context(), paper("A"))
			require.ErrorIs(t, err, testdb.ErrPaperNameTaken)

			return nil // the error is swallowed
		})
		require.ErrorIs(t, err, pgx.ErrTxCommitRollback)
		require.EqualError(t, err, "commit: rolled back: a statement in the transaction had failed")
		require.Zero(t, countPapers(t, store))
	})
}

func TestRepo_InTx_Nested(t *testing.T) {
	t.Parallel()

	t.Run("IsASavepoint", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			newPaper(t, tx, "A")
			err := tx.InTx(t.Context(), func(inner *testdb.Repo) error {
				newPaper(t, inner, "B")
				_, err := inner.CreatePaper(t.Context(), paper("A"))

				return err
			})
			require.ErrorIs(t, err, testdb.ErrPaperNameTaken)

			return tx.InTx(t.Context(), func(inner *testdb.Repo) error {
				newPaper(t, inner, "C")

				return nil
			})
		}))
		var verbs []string
		for _, line := range echo.Take() {
			verb, _, _ := strings.Cut(line, " |")
			verbs = append(verbs, verb)
		}
		require.Equal(t, []string{
			"BEGIN", "CreatePaper", "SAVEPOINT", "CreatePaper", "CreatePaper", "ROLLBACK TO SAVEPOINT",
			"SAVEPOINT", "CreatePaper", "RELEASE SAVEPOINT", "COMMIT",
		}, verbs)
		var kept []string
		for _, a := range allPapers(t, store) {
			kept = append(kept, a.Name)
		}
		require.Equal(t, []string{"A", "C"}, kept)
	})
	t.Run("TakesNoOptions", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			err := tx.InTxOptions(t.Context(), pgx.TxOptions{IsoLevel: pgx.Serializable}, func(*testdb.Repo) error { return nil })
			require.ErrorIs(t, err, testdb.ErrInvalid)
			require.EqualError(t, err, "begin: options: the transaction has begun already")

			return nil
		}))
	})
	t.Run("WorksOnACallersTransaction", func(t *testing.T) {
		t.Parallel()
		pool := dbtest.Pool(t)
		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		store := testdb.New(tx)
		require.ErrorIs(t, store.InTx(t.Context(), func(r *testdb.Repo) error {
			newPaper(t, r, "A")

			return errOwn
		}), errOwn)
		newPaper(t, store, "A")
		require.Equal(t, 1, countPapers(t, store), "the transaction goes on")
		require.NoError(t, tx.Rollback(t.Context()))
		require.Zero(t, countPapers(t, testdb.New(pool)))
	})
}

func TestRepo_InTxOptions(t *testing.T) {
	t.Parallel()
	echo := &dbtxtest.Echo{}
	store := dbtest.New(t, testdb.WithEcho(echo))

	t.Run("ReadOnlyRefusesWrites", func(t *testing.T) {
		t.Parallel()
		opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
		err := store.InTxOptions(t.Context(), opts, func(tx *testdb.Repo) error {
			_, err := tx.CreatePaper(t.Context(), paper("A"))

			return err
		})
		require.ErrorIs(t, err, testdb.ErrReadOnly)
		require.EqualError(t, err, "create paper: the server or the transaction takes no writes")
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg)
		require.Equal(t, "25006", pg.Code)
		require.Contains(t, echo.String(), "BEGIN ISOLATION LEVEL repeatable read read only | 0 rows | ")
	})
	t.Run("HoldOnADBWithoutBeginTx", func(t *testing.T) {
		t.Parallel()
		pool := dbtest.Pool(t)
		db := struct{ dbtx.DB }{pool} // which has Begin alone
		echo := &dbtxtest.Echo{}
		store := testdb.New(db, testdb.WithEcho(echo))
		const modes = "SELECT current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')"
		for _, c := range []struct {
			opts pgx.TxOptions
			want string
		}{
			{pgx.TxOptions{}, "read committed off"},
			{pgx.TxOptions{IsoLevel: pgx.Serializable}, "serializable off"},
			{pgx.TxOptions{AccessMode: pgx.ReadOnly}, "read committed on"},
			{pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.NotDeferrable}, "repeatable read on"},
		} {
			var got string
			require.NoError(t, store.InTxOptions(t.Context(), c.opts, func(tx *testdb.Repo) error {
				return tx.DB().QueryRow(t.Context(), modes).Scan(&got)
			}))
			require.Equal(t, c.want, got)
		}
		require.Contains(t, echo.String(), "SET TRANSACTION ISOLATION LEVEL serializable | 0 rows | ")

		var got string
		require.NoError(t, testdb.Store(store).Snapshot(t.Context(), func(db dbtx.DBTX) error { return db.QueryRow(t.Context(), modes).Scan(&got) }))
		require.Equal(t, "repeatable read on", got)

		err := store.InTxOptions(t.Context(), pgx.TxOptions{CommitQuery: "COMMIT"}, func(*testdb.Repo) error { panic("it ran") })
		require.EqualError(t, err, "begin: options: have a BeginQuery or a CommitQuery, and the DB of the store has no method BeginTx")
		require.ErrorIs(t, err, testdb.ErrInvalid)

		err = store.InTxOptions(t.Context(), pgx.TxOptions{IsoLevel: "chaos"}, func(*testdb.Repo) error { panic("it ran") })
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg)
		require.Equal(t, "42601", pg.Code)
		require.Zero(t, pool.Stat().AcquiredConns())

		begun, err := pool.Begin(t.Context()) // that has run a statement, so its level is settled
		require.NoError(t, err)
		defer func() { _ = begun.Rollback(context.WithoutCancel(t.Context())) }()
		_, err = begun.Exec(t.Context(), "SELECT 1")
		require.NoError(t, err)
		store = testdb.New(struct{ dbtx.DB }{begun})
		err = store.InTxOptions(t.Context(), pgx.TxOptions{IsoLevel: pgx.Serializable}, func(*testdb.Repo) error { panic("it ran") })
		require.ErrorAs(t, err, &pg)
		require.Equal(t, "25001", pg.Code)
	})
}

// runsAgainAfterSerializationFailures has n count the papers, all before any goes on, and add one of the number they counted:
// only one after the other can that be right.
func runsAgainAfterSerializationFailures(t *testing.T, n int) {
	t.Helper()
	serializable := pgx.TxOptions{IsoLevel: pgx.Serializable}
	add := func(tx *testdb.Repo, all *dbtxtest.Barrier, first bool) error {
		papers, err := tx.ListPapers(t.Context(), 1000)
		if first {
			all.Wait()
		}
		if err != nil {
			return err
		}
		a := paper(fmt.Sprintf("copy %d of %s", len(papers), testdb.NewID()))
		a.PriceCents = int64(len(papers))
		_, err = tx.CreatePaper(t.Context(), a)

		return err
	}
	prices := func(store *testdb.Repo) map[int64]bool {
		all := map[int64]bool{}
		for _, a := range allPapers(t, store) {
			all[a.PriceCents] = true
		}

		return all
	}

	store := dbtest.New(t)
	var runs atomic.Int64
	all := dbtxtest.NewBarrier(n)
	errs := dbtxtest.AtOnce(n, func(int) error {
		first := true

		return store.InTxOptions(t.Context(), serializable, func(tx *testdb.Repo) error {
			runs.Add(1)
			defer func() { first = false }()

			return add(tx, all, first)
		})
	})
	require.Equal(t, make([]error, n), errs)
	require.Len(t, prices(store), n, "each counted another number")
	require.GreaterOrEqual(t, runs.Load(), int64(2*n-1), "all but one ran again")

	// The control: at the default level all count the same.
	naive := dbtest.New(t)
	all = dbtxtest.NewBarrier(n)
	errs = dbtxtest.AtOnce(n, func(int) error {
		return naive.InTx(t.Context(), func(tx *testdb.Repo) error { return add(tx, all, true) })
	})
	require.Equal(t, make([]error, n), errs)
	require.Len(t, prices(naive), 1)
}

func TestSoak_InTx_RunsAgainAfterASerializationFailure(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	runsAgainAfterSerializationFailures(t, 16)
}

func TestRepo_InTx_RunsAgain(t *testing.T) {
	t.Parallel()
	serializable := pgx.TxOptions{IsoLevel: pgx.Serializable}

	t.Run("AfterASerializationFailure", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		runsAgainAfterSerializationFailures(t, 6)
	})
	t.Run("AfterAFailureThatOnlyCommitShows", func(t *testing.T) {
		t.Parallel()
		tracer := &dbtxtest.Tracer{}
		store := dbtest.Open(t, testdb.WithTracer(tracer))
		newPaper(t, store, "A")
		newPaper(t, store, "B")
		// Write skew: each reads all and changes one; PostgreSQL finds out when the second commits.
		both := dbtxtest.NewBarrier(2)
		var runs, atCommit atomic.Int64
		errs := dbtxtest.AtOnce(2, func(i int) error {
			first := true

			return store.InTxOptions(t.Context(), serializable, func(tx *testdb.Repo) error {
				runs.Add(1)
				papers, err := tx.ListPapers(t.Context(), 50)
				if err != nil {
					return err
				}
				if first {
					both.Wait()
				}
				_, err = tx.UnpublishPaper(t.Context(), papers[i].ID)
				if first && err == nil {
					first = false
					both.Wait() // both have written, so only COMMIT is left to fail
					atCommit.Add(1)
				}

				return err
			})
		})
		require.Equal(t, make([]error, 2), errs)
		require.Equal(t, int64(2), atCommit.Load())
		// PostgreSQL refuses one of the two, and on a busy machine also some that would have done no harm.
		refused := tracer.Failures("40001")
		require.Positive(t, refused)
		require.Equal(t, int64(2+refused), runs.Load(), "each that was refused ran again, and no other")
	})
	t.Run("AfterADeadlock", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		ids := []int64{newPaper(t, store, "A").ID, newPaper(t, store, "B").ID}
		both := dbtxtest.NewBarrier(2)
		var runs atomic.Int64
		errs := dbtxtest.AtOnce(2, func(i int) error {
			first := true

			return store.InTx(t.Context(), func(tx *testdb.Repo) error {
				runs.Add(1)
				if _, err := tx.LockPaper(t.Context(), ids[i]); err != nil {
					return err
				}
				if first {
					first = false
					both.Wait()
				}
				_, err := tx.LockPaper(t.Context(), ids[1-i])

				return err
			})
		})
		require.Equal(t, make([]error, 2), errs)
		require.GreaterOrEqual(t, runs.Load(), int64(3), "one of the two ran again")
	})
	t.Run("OnceWhenACachedPlanNoLongerFits", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store := dbtest.New(t)
		a := newPaper(t, store, "A")
		runs := 0
		require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			runs++
			if _, err := tx.GetPaper(t.Context(), a.ID); err != nil {
				return err
			}
			if runs == 1 {
				_, err := tx.DB().Exec(t.Context(), "ALTER TABLE papers ALTER COLUMN year TYPE bigint")
				require.NoError(t, err)
			}
			_, err := tx.GetPaper(t.Context(), a.ID)

			return err
		}))
		if keepsPlans(t, store) {
			require.Equal(t, 2, runs)
		} else {
			require.Equal(t, 1, runs, "in this query mode there is no plan")
		}
	})
	t.Run("ButNotForever", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		runs := 0
		err := store.InTx(t.Context(), func(*testdb.Repo) error {
			runs++

			return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: "40001"})
		})
		require.ErrorContains(t, err, "wrapped")
		require.Equal(t, 24, runs)
	})
	t.Run("NotWhenTheContextHasEnded", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		ctx, cancel := context.WithCancel(t.Context())
		runs := 0
		err := store.InTx(ctx, func(*testdb.Repo) error {
			runs++
			cancel()

			return &pgconn.PgError{Code: "40001"}
		})
		require.Error(t, err)
		require.Equal(t, 1, runs)
	})
}
