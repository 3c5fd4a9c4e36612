package dbtx_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
)

// DB of a closure is a transaction with all that pgx's have, and keeps to the rules of the store's.
func TestRepo_InTx_ItsDBIsATransaction(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	ctx := t.Context()
	require.NoError(t, store.InTx(ctx, func(repo *testdb.Repo) error {
		tx, ok := repo.DB().(pgx.Tx)
		require.True(t, ok)
		_, err := tx.Exec(ctx, "CREATE TEMPORARY TABLE numbers (n integer) ON COMMIT DROP")
		require.NoError(t, err)
		_, err = tx.Prepare(ctx, "count", "SELECT count(*) FROM numbers")
		require.NoError(t, err)
		count := func() (n int) {
			require.NoError(t, tx.QueryRow(ctx, "count").Scan(&n))

			return n
		}
		n, err := tx.CopyFrom(ctx, pgx.Identifier{"numbers"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}, {2}}))
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		require.Equal(t, 2, count())

		rows, err := tx.Query(ctx, "SELECT n FROM numbers ORDER BY n")
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "SELECT 1")
		require.ErrorIs(t, err, testdb.ErrConcurrentUse, "its rows are being read")
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"numbers"}, []string{"n"}, pgx.CopyFromRows(nil))
		require.ErrorIs(t, err, testdb.ErrConcurrentUse)
		_, err = tx.Prepare(ctx, "again", "SELECT 1")
		require.ErrorIs(t, err, testdb.ErrConcurrentUse)
		_, err = tx.Begin(ctx)
		require.ErrorIs(t, err, testdb.ErrConcurrentUse)
		require.ErrorIs(t, tx.Commit(ctx), testdb.ErrConcurrentUse)
		require.ErrorIs(t, tx.QueryRow(ctx, "SELECT 1").Scan(new(int)), testdb.ErrConcurrentUse)
		_, err = tx.Query(ctx, "SELECT 1")
		require.ErrorIs(t, err, testdb.ErrConcurrentUse)
		require.ErrorIs(t, tx.SendBatch(ctx, &pgx.Batch{}).Close(), testdb.ErrConcurrentUse)
		require.True(t, rows.Next())
		values, err := rows.Values()
		require.NoError(t, err)
		require.Equal(t, []any{int32(1)}, values)
		require.True(t, rows.Next())
		var second int
		require.NoError(t, rows.Scan(&second))
		require.Equal(t, 2, second)
		rows.Close()
		require.NoError(t, rows.Err())

		for _, end := range []string{"commit", "rollback"} {
			inner, err := tx.Begin(ctx)
			require.NoError(t, err)
			_, err = inner.Exec(ctx, "INSERT INTO numbers VALUES (3)")
			require.NoError(t, err)
			if end == "commit" {
				require.NoError(t, inner.Commit(ctx))
			} else {
				require.NoError(t, inner.Rollback(ctx))
			}
		}
		require.Equal(t, 3, count(), "one was kept, and one was not")

		batch := &pgx.Batch{}
		batch.Queue("INSERT INTO numbers VALUES (4)")
		batch.Queue("SELECT max(n) FROM numbers")
		results := tx.SendBatch(ctx, batch)
		_, err = results.Exec()
		require.NoError(t, err)
		var most int
		require.NoError(t, results.QueryRow().Scan(&most))
		require.Equal(t, 4, most)
		require.NoError(t, results.Close())
		require.Equal(t, byte('T'), tx.Conn().PgConn().TxStatus())
		large := tx.LargeObjects()
		oid, err := large.Create(ctx, 0)
		require.NoError(t, err)

		return large.Unlink(ctx, oid)
	}))
}
