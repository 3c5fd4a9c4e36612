package dbtx

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"musicstore/layer/internal/sqlstate"

	"github.com/jackc/pgx/v5"
)

// observer is told of each statement: the echo, the logger and the metrics are. A nil *observer is told nothing, and costs nothing.
type observer struct {
	known   *catalogue
	echo    *echo
	log     *slog.Logger
	slow    time.Duration // from which on a statement is logged as slow; 0 is never
	metrics recorder
}

// defaultSlow is from which duration on a statement is slow, unless WithSlowStatements says otherwise.
const defaultSlow = time.Second

// WithLogger logs every statement to l, with these attributes:
//
//   - query: the name of the query, or the first word of a statement that has no name, such as COMMIT;
//   - duration: from the start of the try to its last row, as a time.Duration;
//   - rows: how many were read or written;
//   - error: what went wrong, if something did. Its text has no value.
//
// The arguments are not logged.
//
// The level is Debug for a statement that succeeded, and for one that failed because of its values or its caller: a constraint, a value of
// the wrong form, an error that a function raised, the end of the context. It is Warn for a serialization failure, a deadlock, and a slow
// statement, unless that is an Error. It is Error for any other error. The record has the statement's context. A nil l is no logger.
//
// A statement waits for the handler of l. If the handler panics, the record is lost, and the statement goes on.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.observer.log = l } }

// WithSlowStatements sets the least duration of a statement that WithLogger logs as slow. The default is one second. With 0, no statement is
// slow.
func WithSlowStatements(least time.Duration) Option {
	return func(o *options) { o.observer.slow = least }
}

func (o *observer) start() time.Time {
	if o == nil {
		return time.Time{}
	}

	return time.Now()
}

// row is statement for one row or, with an error, none.
func (o *observer) row(ctx context.Context, start time.Time, sql string, args []any, err error) {
	n := int64(1)
	if err != nil {
		n = 0
	}
	o.statement(ctx, start, sql, args, n, err)
}

// statement tells of one try of a statement, which has ended.
func (o *observer) statement(ctx context.Context, start time.Time, sql string, args []any, n int64, err error) {
	if o == nil {
		return
	}
	took := time.Since(start)
	o.metrics.statement(sql, took, err)
	o.record(ctx, took, sql, n, err)
	o.echo.statement(ctx, took, sql, args, n, err)
}

func (o *observer) record(ctx context.Context, took time.Duration, sql string, n int64, err error) {
	if o.log == nil {
		return
	}
	defer func() { _ = recover() }() // of the handler
	level, message := slog.LevelDebug, "statement"
	if o.slow > 0 && took >= o.slow {
		level, message = slog.LevelWarn, "slow statement"
	}
	if failed(err) {
		level, message = max(level, levelOf(ctx, err)), "statement failed"
	}
	if !o.log.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 4),
		slog.String("query", StatementName(sql)), slog.Duration("duration", took), slog.Int64("rows", n))
	if failed(err) {
		attrs = append(attrs, slog.String("error", o.known.reason(err, sql)))
	}
	o.log.LogAttrs(ctx, level, message, attrs...)
}

// failed says whether err is an error of the statement. That there is no row is QueryRow's.
func failed(err error) bool { return err != nil && !errors.Is(err, pgx.ErrNoRows) }

// levelOf is the level of a statement that failed.
func levelOf(ctx context.Context, err error) slog.Level {
	code := sqlstate.Of(err)
	switch {
	case ctx.Err() != nil, code == codeRaised, strings.HasPrefix(code, classDataException), kinds[code] != nil:
		return slog.LevelDebug
	case conflicted(err):
		return slog.LevelWarn
	}
	var own interface{ ours() } // refused before it was sent
	if errors.As(err, &own) && errors.Is(err, ErrInvalid) {
		return slog.LevelDebug
	}

	return slog.LevelError
}
