package dbtx_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
)

func TestRepo_Stats(t *testing.T) {
	t.Parallel()

	t.Run("CountsTheConnections", func(t *testing.T) {
		t.Parallel()
		store, err := testdb.Open(t.Context(), dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "1"))
		require.NoError(t, err)
		defer store.Close()
		before := store.Stats()
		require.EqualValues(t, 1, before.MaxConns)
		require.EqualValues(t, 1, before.Conns)
		require.EqualValues(t, 1, before.IdleConns)
		require.EqualValues(t, 1, before.NewConns)
		require.NoError(t, store.InTx(t.Context(), func(*testdb.Repo) error {
			held := store.Stats()
			require.EqualValues(t, 1, held.AcquiredConns)
			require.Zero(t, held.IdleConns)
			require.Equal(t, before.Acquires+1, held.Acquires)
			ctx, cancel := context.WithCancel(t.Context())
			waiting := make(chan error)
			go func() {
				_, err := store.ListPapers(ctx, 50)
				waiting <- err
			}()
			cancel()
			require.ErrorIs(t, <-waiting, context.Canceled)

			return nil
		}))
		require.Zero(t, store.Stats().AcquiredConns)
		require.Positive(t, store.Stats().AcquireSeconds)
	})
	t.Run("AreZeroWithoutAPool", func(t *testing.T) {
		t.Parallel()
		conn, err := pgx.Connect(t.Context(), dbtest.URL(t))
		require.NoError(t, err)
		defer conn.Close(t.Context())
		require.Zero(t, testdb.New(conn).Stats())
		require.NoError(t, dbtest.New(t).InTx(t.Context(), func(tx *testdb.Repo) error {
			require.Zero(t, tx.Stats())

			return nil
		}))
	})
	t.Run("AreThereOfACallersPoolAndAfterClose", func(t *testing.T) {
		t.Parallel()
		pool := dbtest.Pool(t)
		store := testdb.New(pool)
		_, err := store.ListPapers(t.Context(), 50)
		require.NoError(t, err)
		require.Positive(t, store.Stats().Acquires)
		pool.Close()
		require.Zero(t, store.Stats().Conns)
		require.Positive(t, store.Stats().Acquires)
	})
	t.Run("HaveNamesThatSayWhatIsCounted", func(t *testing.T) {
		t.Parallel()
		text, err := json.Marshal(testdb.Stats{})
		require.NoError(t, err)
		var fields map[string]float64
		require.NoError(t, json.Unmarshal(text, &fields))
		require.Len(t, fields, 13)
		for name := range fields {
			require.Regexp(t, `^[a-z_]+_(connections|total)$|^connections$`, name)
		}
	})
}
