package repo_test

import (
	"context"
	"testing"

	"musicstore/internal/dbgen"
	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"

	"github.com/stretchr/testify/require"
)

// queries are all queries of db/queries. A new table needs no line here: where a guessed value is refused, that is an error that a
// query may end with.
var queries = &dbtxtest.Queries{
	Metadata: &dbgen.Metadata,
	On:       func(store *dbtx.Store) any { return dbgen.New(store.DBTX()) },
	Samples: map[string]string{
		"accounts.email": "%@Example.com", "accounts.password_hash": hash.Reveal(),
		"albums.year": "1991", "CreateAlbums.years": "1991", "LoadTracks.display_order": "9",
		"CreatePasswordReset.lifetime_seconds": "3600", "CreatePasswordReset.interval_seconds": "0",
		"RedeemPasswordReset.used_ip": "192.0.2.7",
	},
}

// everyQuery runs every query once, and returns the first error that is no answer to a value. It may run any number of times on one
// database, also at once.
func everyQuery(ctx context.Context, store *repo.Repo) error {
	return queries.EveryOrError(ctx, repo.Store(store))
}

func TestQueries_AllRunWithGuessedValues(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	own := queriesWithGo(t)
	for _, ran := range queries.Every(t.Context(), repo.Store(store)) {
		require.True(t, dbtxtest.Typed(ran.Err), "%s: %v", ran.Query, ran.Err)
		for _, name := range own {
			if name == ran.Query {
				require.NoError(t, ran.Err, ran.Query)
			}
		}
	}
}
