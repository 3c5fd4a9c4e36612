// Package dbtest gives every test a store of its own.
package dbtest

import (
	"context"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// databases are those that have the schema of the tests.
var databases = dbtest.Of(&dbgen.Metadata)

// New returns an empty store on a database of its own, until the end of the test. Earlier tests may have used its connections, which are
// as new; closing it leaves them open.
func New(tb testing.TB, opts ...testdb.Option) *testdb.Repo {
	tb.Helper()
	pool := databases.Shared(tb, func(url string) (*pgxpool.Pool, func(), error) {
		r, err := testdb.Open(context.Background(), url)
		if err != nil {
			return nil, nil, err
		}

		return r.DB().(*pgxpool.Pool), r.Close, nil //nolint:forcetypeassert // as Open has made it
	})

	return testdb.New(pool, opts...)
}

// Open is New for a test of connections: the store has a pool of its own, which has just been opened.
func Open(tb testing.TB, opts ...testdb.Option) *testdb.Repo {
	tb.Helper()
	r, err := testdb.Open(tb.Context(), databases.StoreURL(tb), opts...)
	require.NoError(tb, err)
	tb.Cleanup(r.Close)

	return r
}

// URL returns the URL of a database that has the schema and no rows, for this test alone until it ends. Connections to it
// must be closed by then.
func URL(tb testing.TB) string {
	tb.Helper()

	return databases.URL(tb)
}

// Pool returns a pool on a database of its own that has the schema and no rows, until the end of the test.
func Pool(tb testing.TB) *pgxpool.Pool {
	tb.Helper()

	return databases.Pool(tb)
}

// ExampleStoreURL is URL for an example, which is no test: done ends what would be its test.
func ExampleStoreURL() (url string, done func()) { return databases.ExampleURL() }

// What has nothing to do with the schema is the layer's.
var (
	EmptyURL   = dbtest.EmptyURL
	ExampleURL = dbtest.ExampleURL
	AdminURL   = dbtest.AdminURL
	Main       = dbtest.Main
	Soak       = dbtest.Soak
	Full       = dbtest.Full

	InEachQueryMode = dbtest.InEachQueryMode
)

// URLParams is the layer's.
const URLParams = dbtest.URLParams

// Tables returns the names of the tables of the tests, in the order in which they are made.
func Tables() []string {
	names := make([]string, len(dbgen.Metadata.Tables))
	for i, t := range dbgen.Metadata.Tables {
		names[i] = t.Name
	}

	return names
}

// Sample is the layer's.
func Sample[T any](n int, all ...T) []T { return dbtest.Sample(n, all...) }
