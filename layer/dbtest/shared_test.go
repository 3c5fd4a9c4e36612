package dbtest_test

import (
	"context"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

func openPool(url string) (*pgxpool.Pool, func(), error) {
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		return nil, nil, err
	}

	return pool, pool.Close, nil
}

func TestShared_GivesTheNextTestTheSessionsAsNew(t *testing.T) {
	t.Parallel()
	const feel = `SELECT concat_ws(' ', current_setting('work_mem'), current_setting('role'),
		(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
		(SELECT count(*) FROM pg_listening_channels()))`
	own := dbtest.Of(&dbgen.Metadata) // whose databases no other test takes
	ask := func(pool *pgxpool.Pool, sql string) (answer string) {
		require.NoError(t, pool.QueryRow(t.Context(), sql).Scan(&answer))

		return answer
	}
	test := newInner(t)
	pool := own.Shared(test, openPool)
	asNew, session := ask(pool, feel), ask(pool, "SELECT pg_backend_pid()::text")
	_, err := pool.Exec(t.Context(), "INSERT INTO papers (name, url, year, price_cents, has_preview, is_published) "+
		"VALUES ('Daily', 'daily', 1999, 100, false, false)")
	require.NoError(t, err)
	for _, sql := range []string{"SET work_mem = '5MB'", "SET ROLE pgtdbuser", "SELECT pg_advisory_lock(1)", "LISTEN x"} {
		before := ask(pool, feel)
		_, err := pool.Exec(t.Context(), sql)
		require.NoError(t, err)
		require.NotEqual(t, before, ask(pool, feel), "the control: the session feels it")
	}
	test.end()

	next := newInner(t)
	require.Same(t, pool, own.Shared(next, openPool))
	require.Equal(t, session, ask(pool, "SELECT pg_backend_pid()::text"))
	require.Equal(t, asNew, ask(pool, feel))
	require.Equal(t, "0", ask(pool, "SELECT count(*)::text FROM papers"))
	next.end()
}
