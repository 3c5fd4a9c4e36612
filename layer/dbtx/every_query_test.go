package dbtx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
)

// What dbtxtest guesses is good enough for every query to do what it is for: so every test that runs everyQuery runs them all.
func TestQueries_AllRunWithGuessedValues(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	for range 2 {
		var names []string
		for _, ran := range queries.Every(t.Context(), testdb.Store(store)) {
			require.NoError(t, ran.Err, ran.Query)
			names = append(names, ran.Query)
		}
		require.ElementsMatch(t, queryNames(), names, "each once")
	}
	// The control: an error that is not of a value is returned.
	_, err := store.DB().Exec(t.Context(), "ALTER TABLE sales RENAME TO bought")
	require.NoError(t, err)
	failed := queries.EveryOrError(t.Context(), testdb.Store(store))
	require.ErrorContains(t, failed, `relation "sales" does not exist`)
}
