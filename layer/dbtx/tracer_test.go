package dbtx_test

import (
	"context"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5"
)

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

func (s *sqlTracer) statements() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return append([]string(nil), s.sqls...)
}

func (s *sqlTracer) lastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) == 0 {
		return errors.New("no statement")
	}

	return s.errs[len(s.errs)-1]
}
