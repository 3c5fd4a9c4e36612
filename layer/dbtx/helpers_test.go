package dbtx_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

var (
	hash  = testdb.NewPasswordHash("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo")
	hash2 = testdb.NewPasswordHash("$argon2id$v=19$m=19456,t=2,p=1$b3RoZXJzYWx0$b3RoZXJoYXNoZXM")
)

func newReader(tb testing.TB, store *testdb.Repo, email testdb.Email) testdb.Reader {
	tb.Helper()
	a, err := store.CreateReader(tb.Context(), testdb.NewReader{Email: email, PasswordHash: hash})
	require.NoError(tb, err)

	return a
}

// paper returns a paper to be with n articles, published, of the year 1991.
func paper(name string, n int) testdb.NewPaper {
	a := testdb.NewPaper{Name: name, Year: 1991, PriceCents: 999, IsPublished: true}
	for i := range n {
		a.Articles = append(a.Articles, testdb.NewArticle{Name: fmt.Sprintf("%s %d", name, i+1), LengthSeconds: int32(60 + i)})
	}

	return a
}

func newPaper(tb testing.TB, store *testdb.Repo, name string, n int) testdb.PaperWithArticles {
	tb.Helper()
	a, err := store.CreatePaper(tb.Context(), paper(name, n))
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

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}

	return false
}

// awaitLock returns when somebody in the store's database waits for a lock.
func awaitLock(tb testing.TB, store *testdb.Repo) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		var waits bool
		err := store.DB().QueryRow(tb.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits)

		return err == nil && waits
	}, time.Minute, time.Millisecond)
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

func sqlState(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}

	return ""
}
