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

// Many runs work on one database at once: an open invitation that a run makes for another's reader is one that the other can't make.
func TestQueries_ARunKeepsToItsOwnRows(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	first, err := store.CreateReader(t.Context(), testdb.CreateReaderParams{Email: "first@x", PasswordHash: hash})
	require.NoError(t, err)
	require.NoError(t, everyQuery(t.Context(), store), "ListReaders returns the first reader")
	var others int
	require.NoError(t, store.DB().QueryRow(t.Context(), "SELECT count(*) FROM invitations WHERE reader_id = $1", first.ID).Scan(&others))
	require.Zero(t, others)
	after, err := store.GetReader(t.Context(), first.ID)
	require.NoError(t, err)
	require.Equal(t, first, after)
}
