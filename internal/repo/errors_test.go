package repo_test

import (
	"strings"
	"testing"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// constraintsSQL lists what can refuse a row: constraints, and unique indexes that are none. PostgreSQL 18 lists the
// not-null constraints too, which have their sentinel from their name alone.
const constraintsSQL = `
SELECT conrelid::regclass::text AS table, conname::text AS name, contype::text AS type
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION
SELECT indrelid::regclass::text, indexrelid::regclass::text, 'u'
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = 'public'::regnamespace AND indisunique
ORDER BY 1, 2`

type constraint struct{ Table, Name, Type string }

func constraints(t *testing.T, store *repo.Repo) []constraint {
	t.Helper()
	rows, err := store.DB().Query(t.Context(), constraintsSQL)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[constraint])
	require.NoError(t, err)

	return all
}

func TestConstraints_EachHasASentinelInWords(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	hasWords := func(c repo.Constraint) bool { return c.Error() != "constraint "+string(c) }

	all := constraints(t, store)
	require.Greater(t, len(all), 30)
	for _, c := range all {
		require.True(t, strings.HasPrefix(c.Name, c.Table+"_"), "%s begins with its table's name", c.Name)
		if !hasGo(t, c.Table) {
			continue // its errors are Constraint("…"), by their names
		}
		require.True(t, hasWords(repo.Constraint(c.Name)), "%s has no words: run make generate", c.Name)
		if c.Type != "f" {
			continue
		}
		var cascades bool
		require.NoError(t, store.DB().QueryRow(t.Context(),
			`SELECT confdeltype = 'c' FROM pg_constraint WHERE conname = $1`, c.Name).Scan(&cascades))
		require.NotEqual(t, cascades, hasWords(repo.Constraint(c.Name).Referenced()),
			"%s: a foreign key has words for its other side when it can stop a DELETE", c.Name)
	}

	// The control: a constraint that nobody gave words is found.
	_, err := store.DB().Exec(t.Context(), `ALTER TABLE albums ADD CONSTRAINT albums_year_even_check CHECK (year % 2 = 0)`)
	require.NoError(t, err)
	missing := 0
	for _, c := range constraints(t, store) {
		if hasGo(t, c.Table) && !hasWords(repo.Constraint(c.Name)) {
			missing++
			require.Equal(t, "albums_year_even_check", c.Name)
		}
	}
	require.Equal(t, 1, missing)
}
