package library_test

import (
	"encoding/json"
	"testing"
	"time"

	"musicstore/layer/dbtest"
	"musicstore/layer/private"

	"github.com/stretchr/testify/require"

	"example.com/library"
	"example.com/library/dbgen"
)

// The tests start a PostgreSQL server of their own, and stop it. With DATABASE_URL set they use that one.
func TestMain(m *testing.M) { dbtest.Main(m) }

// databases gives each test an empty database that has the tables.
var databases = dbtest.Of(&dbgen.Metadata)

// newStore returns an empty library until the end of the test.
func newStore(t *testing.T, opts ...library.Option) *library.Repo {
	t.Helper()

	return open(t, databases.StoreURL(t), opts...)
}

func open(t *testing.T, url string, opts ...library.Option) *library.Repo {
	t.Helper()
	store, err := library.Open(t.Context(), url, opts...)
	require.NoError(t, err)
	t.Cleanup(store.Close)

	return store
}

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

var trial = library.CreateBookParams{
	Title: "The Trial", Authors: []string{"Franz Kafka"}, Details: json.RawMessage(`{"language": "de", "pages": 304}`),
}

var ada = library.CreateMemberParams{Name: "Ada", Email: "Ada@Example.com", CardNumber: private.NewSecret("C-1815")}

// stock adds a book with one copy, and a member.
func stock(t *testing.T, store *library.Repo) (library.Book, library.Copy, library.Member) {
	t.Helper()
	book, err := store.CreateBook(t.Context(), trial)
	require.NoError(t, err)
	item, err := store.CreateCopy(t.Context(), library.CreateCopyParams{BookID: book.ID, Shelf: "K3", Condition: library.CopyConditionNew})
	require.NoError(t, err)
	member, err := store.CreateMember(t.Context(), ada)
	require.NoError(t, err)

	return book, item, member
}
