package dbtxtest

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/sqlstate"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// AtOnce calls fn n times at the same moment, each time in a goroutine of its own, and returns their errors in the order of i.
func AtOnce(n int, fn func(i int) error) []error {
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

// EveryNth returns a function that returns true at every n-th call. It may be called by many goroutines.
func EveryNth(n int64) func() bool {
	var calls atomic.Int64

	return func() bool { return calls.Add(1)%n == 0 }
}

// Barrier lets n goroutines go on together, any number of times.
type Barrier struct {
	mu      sync.Mutex
	all     *sync.Cond
	n       int
	waiting int
	round   int
}

// NewBarrier returns a barrier for n goroutines.
func NewBarrier(n int) *Barrier {
	b := &Barrier{n: n}
	b.all = sync.NewCond(&b.mu)

	return b
}

// Wait returns when n goroutines have called it.
func (b *Barrier) Wait() {
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

// Echo is a writer for the echo of a store. Any number of statements may share it.
type Echo struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (e *Echo) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.buf.Write(p)
}

// String returns what was written since the last Take.
func (e *Echo) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.buf.String()
}

// Take returns the lines that were written since the last Take.
func (e *Echo) Take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	lines := strings.FieldsFunc(e.buf.String(), func(c rune) bool { return c == '\n' })
	e.buf.Reset()

	return lines
}

// Tracer keeps the statements that pgx sends, and how they ended.
type Tracer struct {
	mu   sync.Mutex
	sqls []string
	errs []error
}

// TraceQueryStart is for pgx.
func (s *Tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sqls = append(s.sqls, data.SQL)

	return ctx
}

// TraceQueryEnd is for pgx.
func (s *Tracer) TraceQueryEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, data.Err)
}

// Reset forgets all statements.
func (s *Tracer) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sqls, s.errs = nil, nil
}

// Statements returns the SQL of the statements since the last Reset.
func (s *Tracer) Statements() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return append([]string(nil), s.sqls...)
}

// Failures returns how many statements ended with an error of this SQLSTATE.
func (s *Tracer) Failures(state string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, err := range s.errs {
		if sqlstate.Of(err) == state {
			n++
		}
	}

	return n
}

// LastError returns the error of the statement that ended last, and an error of its own when there was no statement.
func (s *Tracer) LastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) == 0 {
		return errors.New("no statement")
	}

	return s.errs[len(s.errs)-1]
}

// IsAny reports whether an error is one of the targets.
func IsAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}

	return false
}

// SQLState returns the SQLSTATE of an error of PostgreSQL, and "" for another.
func SQLState(err error) string { return sqlstate.Of(err) }

// AwaitLock returns when a session of the database waits for a lock.
func AwaitLock(tb testing.TB, db dbtx.DB) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		var waits bool
		err := db.QueryRow(tb.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits)

		return err == nil && waits
	}, time.Minute, time.Millisecond)
}

// With returns a URL with a setting.
func With(tb testing.TB, base, setting, value string) string {
	tb.Helper()
	u, err := url.Parse(base)
	require.NoError(tb, err)
	query := u.Query()
	query.Set(setting, value)
	u.RawQuery = query.Encode()

	return u.String()
}
