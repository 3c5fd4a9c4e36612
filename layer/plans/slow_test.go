package plans_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/localpg"
	"musicstore/layer/plans"
	"musicstore/layer/schema"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// server starts a server with some settings, and returns its URL. It skips the test where this PostgreSQL came without
// pg_stat_statements.
func server(t *testing.T, settings ...string) string {
	t.Helper()
	ctx := t.Context()
	s, err := localpg.TempInMemory(ctx, settings...)
	if err != nil && strings.Contains(err.Error(), `could not access file "pg_stat_statements"`) {
		t.Skip("this PostgreSQL came without the library pg_stat_statements: install its contrib package")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })

	return s.URL("postgres")
}

const preloaded = "shared_preload_libraries=pg_stat_statements"

// connect returns a pool, with the tables of the tests if there are none yet.
func connect(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	db, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(db.Close)

	return db
}

func slow(t *testing.T, db plans.DB) plans.Loads {
	t.Helper()
	loads, err := plans.Slow(t.Context(), db, &dbgen.Metadata)
	require.NoError(t, err)

	return loads
}

// calls returns how often each query was run.
func calls(loads plans.Loads) map[string]int64 {
	n := map[string]int64{}
	for _, l := range loads.Queries {
		n[l.Query] = l.Calls
	}

	return n
}

func TestSlow(t *testing.T) { //nolint:tparallel // the parts share the statistics of a server
	t.Parallel()
	ctx := t.Context()
	url := server(t, preloaded)
	db := connect(t, url)
	run(t, db, `CREATE SCHEMA "Odd ""Name"; CREATE EXTENSION pg_stat_statements SCHEMA "Odd ""Name"`)
	_, err := schema.Bootstrap(ctx, db, &dbgen.Metadata)
	require.NoError(t, err)
	store, err := testdb.Open(ctx, url)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	reset := func() { run(t, db, `SELECT "Odd ""Name".pg_stat_statements_reset()`) }

	t.Run("CountsByTheNamesOfTheQueries", func(t *testing.T) { //nolint:paralleltest // they share the statistics
		reset()
		started := time.Now()
		paper, err := store.CreatePaper(ctx, testdb.CreatePaperParams{Name: "The Times", URL: "times", Year: 1985, IsPublished: true})
		require.NoError(t, err)
		for range 3 {
			_, err = store.GetPaper(ctx, paper.ID)
			require.NoError(t, err)
		}
		_, err = store.GetPaper(ctx, -1)
		require.ErrorIs(t, err, dbtx.ErrNotFound)
		store.RenameArticle(ctx, []testdb.RenameArticleParams{{Name: "a", ID: 1}, {Name: "b", ID: 2}}).Exec(nil)
		_, err = store.LoadArticles(ctx, []testdb.LoadArticlesParams{{PaperID: paper.ID, Name: "a", DisplayOrder: 1}})
		require.NoError(t, err)
		require.Zero(t, slow(t, db).Hidden.Calls)
		run(t, db, "DO $$ BEGIN PERFORM * FROM papers WHERE id = 1; END $$")

		loads := slow(t, db)
		require.Equal(t, map[string]int64{"CreatePaper": 1, "GetPaper": 4, "RenameArticle": 2}, calls(loads))
		require.Positive(t, loads.Others.Calls)
		require.Positive(t, loads.Others.Total)
		require.WithinDuration(t, started, loads.Since, 5*time.Second)
		for i, l := range loads.Queries {
			require.Positive(t, l.Total)
			require.LessOrEqual(t, l.Mean(), l.Max)
			require.LessOrEqual(t, l.Max, l.Total)
			require.Less(t, l.Total, time.Since(started))
			require.True(t, i == 0 || loads.Queries[i-1].Total >= l.Total)
			if l.Query == "GetPaper" {
				require.EqualValues(t, 3, l.Rows)
				require.Positive(t, l.Hit)
			}
		}
		require.Equal(t, calls(loads), calls(slow(t, db)), "it changes nothing")
	})
	t.Run("SaysWhichQueriesAreCountedTogether", func(t *testing.T) { //nolint:paralleltest // they share the statistics
		reset()
		for _, publish := range []func(context.Context, int64) (testdb.Paper, error){store.UnpublishPaper, store.PublishPaper} {
			_, err := publish(ctx, -1)
			require.ErrorIs(t, err, dbtx.ErrNotFound)
		}
		queries := slow(t, db).Queries
		require.Len(t, queries, 1)
		require.Equal(t, "PublishPaper", queries[0].Query)
		require.Equal(t, []string{"UnpublishPaper"}, queries[0].Also)
		require.EqualValues(t, 2, queries[0].Calls)
	})
	t.Run("CountsApartWhatTheServerCountsApart", func(t *testing.T) { //nolint:paralleltest // they share the statistics
		reset()
		m := known("A :many\nSELECT id FROM papers WHERE year = @a;\n", "B :many\nSELECT id FROM papers WHERE year = 5;\n",
			"C :many\nSELECT concat(name, @a::text) FROM papers;\n", "D :many\nSELECT concat(name, @a::text, @b::text) FROM papers;\n",
			"E :many\nSELECT id FROM papers WHERE year = 6;\n", "F :many\nSELECT 1 AS \"A\" FROM papers AS \"x\" ORDER BY \"x\".id;\n",
			"G :many\nSELECT 1 AS \"A\" FROM papers AS \"X\" ORDER BY \"X\".year;\n")
		for _, q := range m.Queries {
			run(t, db, q.SQL, append([]any{pgx.QueryExecModeExec}, make([]any, len(q.Params))...)...)
		}
		loads, err := plans.Slow(ctx, db, m)
		require.NoError(t, err)
		want := map[string]int64{"A": 1, "B": 2, "C": 1, "D": 1, "F": 1, "G": 1}
		var version int
		require.NoError(t, db.QueryRow(ctx, "SELECT current_setting('server_version_num')::integer").Scan(&version))
		if version >= 180000 { // it counts a constant with a parameter, under the text that came first
			want["A"] += want["B"]
			delete(want, "B")
		}
		require.Equal(t, want, calls(loads))
		_, byHand, _ := strings.Cut(m.Queries[0].SQL, "\n")
		reset()
		run(t, db, byHand, pgx.QueryExecModeExec, 5)
		loads, err = plans.Slow(ctx, db, m)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"A": 1}, calls(loads))
	})
	t.Run("KnowsAQueryThatAnotherHasSentFirst", func(t *testing.T) { //nolint:paralleltest // they share the statistics
		reset()
		// Explain prepares it. The server keeps the text of that, with the name inside.
		explain(t, db, "ConfirmEmail", []string{"x"}, plans.ExplainOptions{Write: true})
		require.Empty(t, slow(t, db).Queries, "what Explain runs is not counted")
		_, err := store.ConfirmEmail(ctx, "x")
		require.ErrorIs(t, err, dbtx.ErrNotFound)
		require.Equal(t, map[string]int64{"ConfirmEmail": 1}, calls(slow(t, db)))

		// A person has run it without its name, with other constants, in other letters.
		reset()
		run(t, db, "update readers SET email_confirmed = /* not */ false WHERE id = $1 RETURNING id, email, email_key, password_hash, "+
			"created_at, email_confirmed, is_super_user -- by hand", "x")
		require.Equal(t, map[string]int64{"ConfirmEmail": 1}, calls(slow(t, db)))
		run(t, db, "UPDATE readers SET email_confirmed = false WHERE id = $1 RETURNING id", "x") // the control
		require.Equal(t, map[string]int64{"ConfirmEmail": 1}, calls(slow(t, db)))
	})
	t.Run("KnowsEveryQueryByItsText", func(t *testing.T) { //nolint:paralleltest // they share the statistics
		reset()
		want, n := map[string]bool{}, 0
		for _, q := range dbgen.Metadata.Queries {
			if q.Command == dbtx.Copyfrom {
				continue
			}
			_, sql, _ := strings.Cut(q.SQL, "\n")
			args := []any{pgx.QueryExecModeExec}
			for range q.Params {
				args = append(args, nil)
			}
			if _, err := db.Exec(ctx, sql, args...); err == nil {
				want[q.Name] = true
				n++
			}
		}
		require.Greater(t, n, 20)
		for _, l := range slow(t, db).Queries {
			for _, name := range append(l.Also, l.Query) {
				delete(want, name)
			}
		}
		require.Empty(t, want)
	})
	t.Run("KnowsAQueryWithEachKindOfConstant", func(t *testing.T) { //nolint:paralleltest // they share the statistics
		reset()
		const odd = `SELECT -1, +2.5e3, .5, 7 - 1, E'it\'s -- ''a', 'b''/*', $$c'$$, $é1$d$$ $é1$, B'101', x'1F', U&'\0041', true, NOT false, NULL,
			interval '1 day', date '2026-01-01' - 1, ARRAY[1, 2, 3], ('{"a": 1}'::jsonb) -> 'a', "name ""' 1" AS "A$1", "é" IS NULL, a$b || 'x'
			FROM (SELECT name AS "name ""' 1", id AS "é", url AS a$b FROM papers) AS p WHERE "é" IN (1, 2, 3) AND "é" NOT IN (-4, 5) LIMIT 3`
		m := known("Odd :many\n" + odd + ";\n")
		run(t, db, odd)
		run(t, db, strings.ReplaceAll(odd, "id AS", "price_cents AS")) // the control
		loads, err := plans.Slow(ctx, db, m)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"Odd": 1}, calls(loads))
	})
	t.Run("LeavesOutOtherDatabases", func(t *testing.T) { //nolint:paralleltest // they share the statistics
		reset()
		run(t, db, "CREATE DATABASE other")
		config := db.Config()
		config.ConnConfig.Database = "other"
		other, err := pgxpool.NewWithConfig(ctx, config)
		require.NoError(t, err)
		t.Cleanup(other.Close)
		_, err = schema.Bootstrap(ctx, other, &dbgen.Metadata)
		require.NoError(t, err)
		run(t, other, "CREATE EXTENSION pg_stat_statements")
		_, err = testdb.New(other).GetPaper(ctx, 1)
		require.ErrorIs(t, err, dbtx.ErrNotFound)
		require.Empty(t, slow(t, db).Queries)
		require.Equal(t, map[string]int64{"GetPaper": 1}, calls(slow(t, other)), "the control")
	})
	t.Run("SaysThatStatementsAreHiddenFromARole", func(t *testing.T) { //nolint:paralleltest // they share the statistics
		reset()
		_, err := store.GetPaper(ctx, -1)
		require.ErrorIs(t, err, dbtx.ErrNotFound)
		run(t, db, `CREATE ROLE clerk; GRANT USAGE ON SCHEMA "Odd ""Name" TO clerk; GRANT clerk TO CURRENT_USER`)
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		defer tx.Rollback(ctx)
		_, err = tx.Exec(ctx, "SET LOCAL ROLE clerk")
		require.NoError(t, err)
		loads := slow(t, tx)
		require.Empty(t, loads.Queries)
		require.Positive(t, loads.Hidden.Calls)
		_, err = tx.Exec(ctx, "SET LOCAL ROLE postgres; GRANT pg_read_all_stats TO clerk; SET LOCAL ROLE clerk")
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"GetPaper": 1}, calls(slow(t, tx)), "the control")
	})
	t.Run("SaysHowToUpdateTheExtension", func(t *testing.T) { //nolint:paralleltest // they share the statistics
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		defer tx.Rollback(ctx)
		_, err = tx.Exec(ctx, "DROP EXTENSION pg_stat_statements; CREATE EXTENSION pg_stat_statements VERSION '1.8'")
		require.NoError(t, err)
		_, err = plans.Slow(ctx, tx, &dbgen.Metadata)
		require.ErrorIs(t, err, plans.ErrNoStatistics)
		require.ErrorContains(t, err, "is of version 1.8, and must be 1.9 or newer. Run ALTER EXTENSION pg_stat_statements UPDATE;")
	})
}

func TestSlow_SaysHowToGetStatistics(t *testing.T) {
	t.Parallel()
	db := connect(t, server(t))
	_, err := plans.Slow(t.Context(), db, &dbgen.Metadata)
	require.ErrorIs(t, err, plans.ErrNoStatistics)
	require.EqualError(t, err, "slow: no statistics of statements: the extension is not in this database. If the server does not load it yet, "+
		"add pg_stat_statements to shared_preload_libraries of the server, and restart the server. Then run CREATE EXTENSION pg_stat_statements;")
	if number(t, db, "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_stat_statements'") == 0 {
		t.Skip("this PostgreSQL came without pg_stat_statements: install its contrib package")
	}
	run(t, db, "CREATE EXTENSION pg_stat_statements")
	_, err = plans.Slow(t.Context(), db, &dbgen.Metadata)
	require.ErrorIs(t, err, plans.ErrNoStatistics)
	require.EqualError(t, err, "slow: no statistics of statements: the server does not load the extension: "+
		"add pg_stat_statements to shared_preload_libraries of the server, and restart the server")
	require.Equal(t, 1, number(t, db, "SELECT 1"), "the session goes on")
}
