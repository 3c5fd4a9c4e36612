package repo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"musicstore/internal/repo"

	"github.com/stretchr/testify/require"
)

var (
	hash  = repo.NewPasswordHash("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo")
	hash2 = repo.NewPasswordHash("$argon2id$v=19$m=19456,t=2,p=1$b3RoZXJzYWx0$b3RoZXJoYXNoZXM")
)

func newAccount(tb testing.TB, store *repo.Repo, email repo.Email) repo.Account {
	tb.Helper()
	a, err := store.CreateAccount(tb.Context(), repo.NewAccount{Email: email, PasswordHash: hash})
	require.NoError(tb, err)

	return a
}

// album returns an album to be with n tracks, published, of the year 1991.
func album(name string, n int) repo.NewAlbum {
	a := repo.NewAlbum{Name: name, Year: 1991, PriceCents: 999, IsPublished: true}
	for i := range n {
		a.Tracks = append(a.Tracks, repo.NewTrack{Name: fmt.Sprintf("%s %d", name, i+1), LengthSeconds: int32(60 + i)})
	}

	return a
}

func newAlbum(tb testing.TB, store *repo.Repo, name string, n int) repo.AlbumWithTracks {
	tb.Helper()
	a, err := store.CreateAlbum(tb.Context(), album(name, n))
	require.NoError(tb, err)

	return a
}

// succeeded counts the nils.
func succeeded(errs []error) int {
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
		}
	}

	return n
}

// hasGo says whether a table has Go in this package, and is not of SQL alone.
func hasGo(tb testing.TB, table string) bool {
	tb.Helper()
	_, err := os.Stat(table + ".go")

	return err == nil
}

// queriesWithGo are the names of the queries of the tables that have Go. The statements that they make have the same names.
func queriesWithGo(tb testing.TB) (names []string) {
	tb.Helper()
	files, err := filepath.Glob("../../db/queries/*.sql")
	require.NoError(tb, err)
	for _, file := range files {
		if !hasGo(tb, strings.TrimSuffix(filepath.Base(file), ".sql")) {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(tb, err)
		for _, match := range regexp.MustCompile(`(?m)^-- name: (\w+)`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, match[1])
		}
	}
	require.NotEmpty(tb, names)

	return names
}

// open returns a store that is closed before its servers end.
func open(t *testing.T, url string, opts ...repo.Option) *repo.Repo {
	t.Helper()
	store, err := repo.Open(t.Context(), url, opts...)
	require.NoError(t, err)
	t.Cleanup(store.Close)

	return store
}
