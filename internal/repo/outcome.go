package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"musicstore/internal/private"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What became of a statement: whether it may be sent again, and which error its last try gets.

// code returns the SQLSTATE in err, or "".
func code(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}

	return ""
}

// outdated reports that a cached statement no longer fits its tables, because somebody changed them: nothing of it ran,
// and the driver has forgotten it. PostgreSQL names the place that found out; of another engine the code must do.
func outdated(err error, try int) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)

	return ok && pg.Code == codeFeatureNotSupported && (try == 1 || pg.Routine == "RevalidateCachedQuery")
}

// conflicted reports that the server rolled a transaction back so that another could go on.
func conflicted(err error) bool {
	c := code(err)

	return c == codeSerializationFailure || c == codeDeadlockDetected
}

// unsent reports that nothing of the statement has left. A deadline's error that is not wrapped is the pool's, which had
// no connection to give by then; pgconn wraps that of a statement under way. It does not wrap a cancellation.
func unsent(err error) bool {
	var connect *pgconn.ConnectError
	pooled := err == context.DeadlineExceeded //nolint:errorlint // unwrapped is what matters

	return pooled || pgconn.SafeToRetry(err) || errors.As(err, &connect)
}

// lost reports that the connection ended, or could not be made.
func lost(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		ended := strings.HasPrefix(pg.Code, classConnection) || strings.HasPrefix(pg.Code, classShutdown)

		// A mere ERROR rolled the statement back and left the connection: bytes that are none of their type, or a lost
		// connection of the server's own, to a foreign server.
		return ended && pg.Severity != "ERROR" && pg.SeverityUnlocalized != "ERROR"
	}
	var network net.Error

	return unsent(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.As(err, &network)
}

// fail gives the error of a statement's last try its type.
func (cl *call) fail(err error) error {
	op := operation(cl.sql)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return &opError{op: op, errs: []error{ErrNotFound}, text: ErrNotFound.Error()}
	case errors.Is(err, private.ErrNotPHC):
		return &InvalidError{Op: op, Field: "password_hash", Reason: private.ErrNotPHC.Error()}
	}
	if raised := cl.c.raised(op, err); raised != nil {
		return raised
	}
	written := !cl.c.inTx && (cl.sent || !unsent(err)) && !reads(cl.sql) // and perhaps kept
	if size := cl.c.exhausted(err); size > 0 && !written {
		const advice = "%w: all %d connections of the pool are in use: raise pool_max_conns, or find what holds them"
		err = fmt.Errorf(advice, err, size)

		return &opError{op: op, errs: []error{err}, text: err.Error()}
	}

	return cl.named(typed(cl.ctx, op, err, cl.sql, written), err)
}

// exhausted returns the size of the pool when err is that the context ended while all its connections were in use.
func (c *conn) exhausted(err error) int32 {
	pool, ok := c.db.(*pgxpool.Pool)
	if !ok || err != context.DeadlineExceeded { //nolint:errorlint // the pool's own is not wrapped
		return 0
	}
	if s := pool.Stat(); s.AcquiredConns() == s.MaxConns() {
		return s.MaxConns()
	}

	return 0
}

// typed gives the error of a statement, or of none in particular, its type. written says that a write was under way which
// the server may have kept.
func typed(ctx context.Context, op string, err error, sql string, written bool) error {
	cause := context.Cause(ctx)
	if cause == nil || ctx.Err() == nil {
		cause = contextError(err)
	}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && !lost(err) && cause == nil:
		return serverError(op, pg, err, sql)
	case cause == nil && !lost(err):
		return driverError(op, err, sql)
	case cause != nil && written:
		text := ErrOutcomeUnknown.Error() + ": " + cause.Error()

		return &opError{op: op, errs: []error{ErrOutcomeUnknown, cause}, text: text}
	case cause != nil:
		return &opError{op: op, errs: []error{cause}, text: cause.Error()}
	case written:
		text := ErrOutcomeUnknown.Error() + ": " + reason(err, sql)

		return &opError{op: op, errs: []error{ErrOutcomeUnknown, bare(err, sql)}, text: text}
	default:
		text := ErrUnavailable.Error() + ": " + reason(err, sql)

		return &opError{op: op, errs: []error{ErrUnavailable, bare(err, sql)}, text: text}
	}
}

// contextError returns the error of a context that err is about, if it is about one.
func contextError(err error) error {
	for _, of := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, of) {
			return of
		}
	}

	return nil
}

// unreachable says what to do about a server that Open can't reach.
func unreachable(ctx context.Context, err error) error {
	if code(err) != "" || ctx.Err() != nil {
		return typed(ctx, "", err, "", false)
	}
	kept := bare(err, "")
	text := ErrUnavailable.Error() + ": is the server running, and does the URL name it? " + kept.Error()

	return &opError{errs: []error{ErrUnavailable, kept}, text: text}
}
