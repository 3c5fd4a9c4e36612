// Package dbtest gives every test a store of its own.
package dbtest

import (
	"context"
	"testing"

	"musicstore/internal/dbgen"
	"musicstore/internal/repo"
	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// databases are those that have the schema of db/schema.
var databases = dbtest.Of(&dbgen.Metadata)

// New returns an empty store on a database of its own, until the end of the test. Earlier tests may have used its connections, which are
// as new; closing it leaves them open.
func New(tb testing.TB, opts ...repo.Option) *repo.Repo {
	tb.Helper()
	pool := databases.Shared(tb, func(url string) (*pgxpool.Pool, func(), error) {
		r, err := repo.Open(context.Background(), url)
		if err != nil {
			return nil, nil, err
		}

		return r.DB().(*pgxpool.Pool), r.Close, nil //nolint:forcetypeassert // as Open has made it
	})

	return repo.New(pool, opts...)
}

// Open is New for a test of connections: the store has a pool of its own, which has just been opened.
func Open(tb testing.TB, opts ...repo.Option) *repo.Repo {
	tb.Helper()
	r, err := repo.Open(tb.Context(), databases.StoreURL(tb), opts...)
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

// Tables returns the names of the tables of db/schema, in the order in which they are made.
func Tables() []string {
	names := make([]string, len(dbgen.Metadata.Tables))
	for i, t := range dbgen.Metadata.Tables {
		names[i] = t.Name
	}

	return names
}

// Created returns what Bootstrap creates in an empty database: the objects of db/schema that belong to no other.
func Created() []string {
	var names []string
	for _, st := range dbgen.Metadata.Schema {
		switch {
		case st.Key() == "" || len(st.Owners()) > 0 || st.Kind == dbtx.KindTable && st.Table != "":
		case st.Kind == dbtx.KindTable:
			names = append(names, st.Name)
		default:
			names = append(names, st.Kind+" "+st.Name)
		}
	}

	return names
}

// Sample is the layer's.
func Sample[T any](n int, all ...T) []T { return dbtest.Sample(n, all...) }
