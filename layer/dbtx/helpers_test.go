package dbtx_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/private"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

var (
	hash  = private.NewPasswordHash("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo")
	hash2 = private.NewPasswordHash("$argon2id$v=19$m=19456,t=2,p=1$b3RoZXJzYWx0$b3RoZXJoYXNoZXM")
)

func newReader(tb testing.TB, store *testdb.Repo, email private.Email) testdb.Reader {
	tb.Helper()
	a, err := store.CreateReader(tb.Context(), testdb.CreateReaderParams{Email: email, PasswordHash: hash})
	require.NoError(tb, err)

	return a
}

// paper returns a paper to be, published, of the year 1991.
func paper(name string) testdb.CreatePaperParams {
	return testdb.CreatePaperParams{Name: name, Year: 1991, PriceCents: 999, IsPublished: true}
}

func newPaper(tb testing.TB, store *testdb.Repo, name string) testdb.Paper {
	tb.Helper()
	a, err := store.CreatePaper(tb.Context(), paper(name))
	require.NoError(tb, err)

	return a
}

// newArticles adds n articles to a paper, and returns them in order.
func newArticles(tb testing.TB, store *testdb.Repo, of testdb.Paper, n int) []testdb.Article {
	tb.Helper()
	var load []testdb.LoadArticlesParams
	for i := range n {
		load = append(load, testdb.LoadArticlesParams{PaperID: of.ID, Name: fmt.Sprintf("%s %d", of.Name, i+1), DisplayOrder: int32(i + 1)})
	}
	_, err := store.LoadArticles(tb.Context(), load)
	require.NoError(tb, err)
	articles, err := store.ListArticlesOfPapers(tb.Context(), []int64{of.ID})
	require.NoError(tb, err)

	return articles
}

// newInvitation invites a reader for an hour, with a token.
func newInvitation(tb testing.TB, store *testdb.Repo, of testdb.Reader, token string) testdb.Invitation {
	tb.Helper()
	made, err := store.CreateInvitation(tb.Context(), testdb.CreateInvitationParams{
		ReaderID: of.ID, TokenHash: private.DigestOf(token), ExpiresAt: time.Now().Add(time.Hour),
	})
	require.NoError(tb, err)

	return made
}

// queries are all queries of the tests' store.
var queries = &dbtxtest.Queries{Metadata: &dbgen.Metadata, On: testdb.Queries, Samples: map[string]string{
	"readers.email": "%@Example.com", "readers.password_hash": hash.Reveal(), "papers.year": "1991",
	"invitations.expires_at": "9000-01-01 00:00:00Z", "invitations.used_ip": "192.0.2.7",
}}

// everyQuery runs every query once, and returns the first error. It may run any number of times on one database, also at once.
func everyQuery(ctx context.Context, store *testdb.Repo) error {
	for _, ran := range queries.Every(ctx, testdb.Store(store)) {
		if ran.Err != nil {
			return fmt.Errorf("%s: %w", ran.Query, ran.Err)
		}
	}

	return nil
}

// everyQueryAtOnce is everyQuery on n stores at the same moment, or on one n times; it returns all errors.
func everyQueryAtOnce(ctx context.Context, n, rounds int, store func(i int) *testdb.Repo) error {
	return errors.Join(dbtxtest.AtOnce(n, func(i int) error {
		for round := range rounds {
			if err := everyQuery(ctx, store(i)); err != nil {
				return fmt.Errorf("client %d, round %d: %w", i, round, err)
			}
		}

		return nil
	})...)
}

// queryNames are the names of the queries. The statements that they make have the same names.
func queryNames() (names []string) {
	for _, q := range dbgen.Metadata.Queries {
		names = append(names, q.Name)
	}

	return names
}

// acquired is how many connections of the store's pool are in use.
func acquired(store *testdb.Repo) int32 { return store.DB().(*pgxpool.Pool).Stat().AcquiredConns() }

// open returns a store that is closed before its servers end.
func open(t *testing.T, url string, opts ...testdb.Option) *testdb.Repo {
	t.Helper()
	store, err := testdb.Open(t.Context(), url, opts...)
	require.NoError(t, err)
	t.Cleanup(store.Close)

	return store
}

// from is where a request came from.
var from = netip.MustParseAddr("192.0.2.7")

// names returns the names of articles.
func names(articles []testdb.Article) []string {
	names := make([]string, len(articles))
	for i, a := range articles {
		names[i] = a.Name
	}

	return names
}
