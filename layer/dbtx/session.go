package dbtx

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// session is the one connection that a transaction runs on, or that New was given. It lets one statement through at a
// time, and remembers what ended it. All Repos on the connection share it.
type session struct {
	conn   *pgx.Conn
	single bool // it is not in a transaction
	busy   atomic.Bool
	ended  atomic.Pointer[endedError] // how our own side ended it; nil when the link or the server did
	depth  int                        // how many savepoints are open
}

// enter admits a statement until leave. It fails with ErrConcurrentUse while another is under way, and with an endedError
// once our own side has ended the session.
func (s *session) enter() error {
	if !s.busy.CompareAndSwap(false, true) {
		return ErrConcurrentUse
	}
	if ended := s.ended.Load(); ended != nil {
		s.busy.Store(false)

		return ended
	}

	return nil
}

// inStep returns an outOfStepError when the connection of a transaction has read something after the last reply, and closes
// it. Outside of a transaction the server may send notifications there.
func (s *session) inStep(ctx context.Context) error {
	if s.single || !leftOver(s.conn) {
		return nil
	}
	_ = s.conn.Close(ctx)

	return outOfStepError{unsent: true}
}

// leave ends what enter admitted; err is how it ended. When the context of a statement ends, pgx closes the connection.
func (s *session) leave(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil && !errors.Is(err, pgx.ErrTxClosed) && s.conn.IsClosed() {
		s.end(context.Cause(ctx))
	}
	s.busy.Store(false)
}

// end has all later statements fail for what our own side did.
func (s *session) end(cause error) {
	s.ended.CompareAndSwap(nil, &endedError{cause: cause, single: s.single})
}

// await is enter for what has to come in, such as a rollback. A statement that is still under way after a moment loses its
// connection, if cut says so. It reports whether it came in.
func (s *session) await(cut bool) bool {
	for range 2 {
		for end := time.Now().Add(moment); ; time.Sleep(time.Millisecond) {
			if s.busy.CompareAndSwap(false, true) {
				return true
			}
			if time.Now().After(end) {
				break
			}
		}
		if !cut {
			return false
		}
		_ = s.conn.PgConn().Conn().Close() // net.Conn says that several goroutines may call it
	}

	return false
}

// moment is by how much a call may outlast its deadline, to roll back.
const moment = 100 * time.Millisecond

// endedError is the error of a statement on a connection that our own side made unusable before.
type endedError struct {
	cause  error // a context's error, or ErrConcurrentUse
	single bool
}

func (e *endedError) Error() string {
	what := "the transaction has ended"
	if e.single {
		what = "the connection is closed"
	}
	if errors.Is(e.cause, ErrConcurrentUse) {
		return what + ": " + e.cause.Error()
	}

	return what + ", because the context of an earlier call ended: " + e.cause.Error()
}

func (e *endedError) Unwrap() error { return e.cause }

// sessionTx is the transaction that a closure of InTx gets as its DB. It keeps to the session's rules, and returns pgx's
// own errors.
type sessionTx struct {
	tx   pgx.Tx
	s    *session
	held *pgxpool.Conn // to be given back at the end; nil if that is somebody else's to do
}

var _ pgx.Tx = (*sessionTx)(nil)

func (t *sessionTx) Begin(ctx context.Context) (tx pgx.Tx, err error) {
	if err := t.s.enter(); err != nil {
		return nil, err
	}
	defer func() { t.s.leave(ctx, err) }()
	if tx, err = t.tx.Begin(ctx); err != nil {
		return nil, err
	}

	return &sessionTx{tx: tx, s: t.s}, nil
}

func (t *sessionTx) Commit(ctx context.Context) error   { return t.finish(ctx, t.tx.Commit) }
func (t *sessionTx) Rollback(ctx context.Context) error { return t.finish(ctx, t.tx.Rollback) }

func (t *sessionTx) finish(ctx context.Context, by func(context.Context) error) (err error) {
	if err := t.s.enter(); err != nil {
		return err
	}
	defer func() {
		t.s.leave(ctx, err)
		if t.held != nil {
			t.held.Release()
			t.held = nil
		}
	}()

	return by(ctx)
}

func (t *sessionTx) CopyFrom(
	ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource,
) (n int64, err error) {
	if err := t.s.enter(); err != nil {
		return 0, err
	}
	defer func() { t.s.leave(ctx, err) }()

	return t.tx.CopyFrom(ctx, table, columns, src)
}

func (t *sessionTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if err := t.s.enter(); err != nil {
		return pgx.FailedBatchResults(b, err)
	}

	return &sessionBatch{BatchResults: t.tx.SendBatch(ctx, b), visit: visit{s: t.s, ctx: ctx}}
}

func (t *sessionTx) LargeObjects() pgx.LargeObjects { return t.tx.LargeObjects() }

func (t *sessionTx) Prepare(ctx context.Context, name, sql string) (sd *pgconn.StatementDescription, err error) {
	if err := t.s.enter(); err != nil {
		return nil, err
	}
	defer func() { t.s.leave(ctx, err) }()

	return t.tx.Prepare(ctx, name, sql)
}

func (t *sessionTx) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if err := t.s.enter(); err != nil {
		return tag, err
	}
	defer func() { t.s.leave(ctx, err) }()

	return t.tx.Exec(ctx, sql, args...)
}

func (t *sessionTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.s.enter(); err != nil {
		return pgx.FailedBatchResults(&pgx.Batch{}, err).Query()
	}
	rs, err := t.tx.Query(ctx, sql, args...)
	r := &sessionRows{Rows: rs, visit: visit{s: t.s, ctx: ctx}}
	if err != nil {
		r.end(err)
	}

	return r, err
}

func (t *sessionTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.s.enter(); err != nil {
		return pgx.FailedBatchResults(&pgx.Batch{}, err).QueryRow()
	}

	return &sessionRow{Row: t.tx.QueryRow(ctx, sql, args...), visit: visit{s: t.s, ctx: ctx}}
}

func (t *sessionTx) Conn() *pgx.Conn { return t.tx.Conn() }

// visit is a statement that has been let into a session. Its end comes once.
type visit struct {
	s   *session
	ctx context.Context //nolint:containedctx // as pgx's own rows do
}

func (v *visit) end(err error) {
	if v.s != nil {
		v.s.leave(v.ctx, err)
		v.s = nil
	}
}

type sessionRow struct {
	pgx.Row
	visit
}

func (r *sessionRow) Scan(dest ...any) (err error) {
	defer func() { r.end(err) }()

	return r.Row.Scan(dest...)
}

type sessionRows struct {
	pgx.Rows
	visit
}

func (r *sessionRows) Next() bool {
	next := r.Rows.Next()
	if !next {
		r.end(r.Err())
	}

	return next
}

func (r *sessionRows) Close() {
	r.Rows.Close()
	r.end(r.Err())
}

func (r *sessionRows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}

	return err
}

func (r *sessionRows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}

	return values, err
}

type sessionBatch struct {
	pgx.BatchResults
	visit
}

func (b *sessionBatch) Close() error {
	err := b.BatchResults.Close()
	b.end(err)

	return err
}
