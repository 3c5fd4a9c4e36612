package repo_test

import (
	"errors"
	"testing"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"

	"github.com/stretchr/testify/require"
)

var errOwn = errors.New("the caller's own")

const cacheStatement = "cache_statement"

// openMode opens a store in a query mode.
func openMode(t *testing.T, url, mode string) *repo.Repo {
	t.Helper()
	store, err := repo.Open(t.Context(), dbtxtest.With(t, url, "default_query_exec_mode", mode))
	require.NoError(t, err)
	t.Cleanup(store.Close)

	return store
}

func TestSoak_QueryModes(t *testing.T) { //nolint:paralleltest // each mode is a whole suite: one at a time
	dbtest.Soak(t)
	dbtest.InEachQueryMode(t, 100)
}
