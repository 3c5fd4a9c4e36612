package repo_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

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

// recorder is a writer for the echo that concurrent statements may share.
type recorder struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.buf.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.buf.String()
}

// take returns the lines so far and forgets them.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := strings.FieldsFunc(r.buf.String(), func(c rune) bool { return c == '\n' })
	r.buf.Reset()

	return lines
}

// atOnce runs fn n times at the same moment and returns their errors.
func atOnce(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	wg.Wait()

	return errs
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

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}

	return false
}

// awaitLock returns when somebody in the store's database waits for a lock.
func awaitLock(tb testing.TB, store *repo.Repo) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		var waits bool
		err := store.DB().QueryRow(tb.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits)

		return err == nil && waits
	}, time.Minute, time.Millisecond)
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
