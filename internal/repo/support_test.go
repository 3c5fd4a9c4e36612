package repo_test

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"testing"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

var errOwn = errors.New("the caller's own")

const cacheStatement = "cache_statement"

// with returns a URL with a setting.
func with(t *testing.T, base, setting, value string) string {
	t.Helper()
	u, err := url.Parse(base)
	require.NoError(t, err)
	query := u.Query()
	query.Set(setting, value)
	u.RawQuery = query.Encode()

	return u.String()
}

// openMode opens a store in a query mode.
func openMode(t *testing.T, url, mode string) *repo.Repo {
	t.Helper()
	store, err := repo.Open(t.Context(), with(t, url, "default_query_exec_mode", mode))
	require.NoError(t, err)
	t.Cleanup(store.Close)

	return store
}

// barrier lets n goroutines go on together, any number of times.
type barrier struct {
	mu      sync.Mutex
	all     *sync.Cond
	n       int
	waiting int
	round   int
}

func newBarrier(n int) *barrier {
	b := &barrier{n: n}
	b.all = sync.NewCond(&b.mu)

	return b
}

func (b *barrier) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	round := b.round
	if b.waiting++; b.waiting == b.n {
		b.waiting = 0
		b.round++
		b.all.Broadcast()
	}
	for round == b.round {
		b.all.Wait()
	}
}

// sqlTracer keeps the statements that pgx sends, and how they ended.
type sqlTracer struct {
	mu   sync.Mutex
	sqls []string
	errs []error
}

func (s *sqlTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sqls = append(s.sqls, data.SQL)

	return ctx
}

func (s *sqlTracer) TraceQueryEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, data.Err)
}

func (s *sqlTracer) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sqls, s.errs = nil, nil
}

func (s *sqlTracer) lastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) == 0 {
		return errors.New("no statement")
	}

	return s.errs[len(s.errs)-1]
}

func TestSoak_QueryModes(t *testing.T) { //nolint:paralleltest // each mode is a whole suite: one at a time
	dbtest.Soak(t)
	dbtest.InEachQueryMode(t, 100)
}
