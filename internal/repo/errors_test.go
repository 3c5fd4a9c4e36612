package repo_test

import (
	"strings"
	"testing"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"

	"github.com/stretchr/testify/require"
)

func TestConstraints_EachHasASentinelInWords(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	hasWords := func(c repo.Constraint) bool { return c.Error() != "constraint "+string(c) }

	all := dbtxtest.Refusers(t, store.DB())
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
	for _, c := range dbtxtest.Refusers(t, store.DB()) {
		if hasGo(t, c.Table) && !hasWords(repo.Constraint(c.Name)) {
			missing++
			require.Equal(t, "albums_year_even_check", c.Name)
		}
	}
	require.Equal(t, 1, missing)
}
