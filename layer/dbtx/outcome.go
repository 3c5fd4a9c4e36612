package dbtx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/private"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// What became of a statement: whether it may be sent again, and which error its last try gets.

// outdated reports that a cached statement no longer fits its tables, because somebody changed them: nothing of it ran,
// and the driver has forgotten it. PostgreSQL names the place that found out; of another engine the code must do.
func outdated(err error, try int) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)

	return ok && !endsSession(pg) && pg.Code == codeFeatureNotSupported && (try == 1 || pg.Routine == "RevalidateCachedQuery")
}

// forgotten reports that the server does not know a prepared statement: nothing of it ran.
func forgotten(err error) bool { return refusedAs(err, codeInvalidStatementName) }

// conflicted reports that the server rolled a transaction back so that another could go on.
func conflicted(err error) bool {
	return refusedAs(err, codeSerializationFailure, codeDeadlockDetected)
}

// refusedAs reports that the server refused a statement with one of these codes, and the session goes on. With the same codes
// it can end a session, as a standby does whose query is in the way of its recovery; then a write may have been kept.
func refusedAs(err error, codes ...string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)

	return ok && !endsSession(pg) && slices.Contains(codes, pg.Code)
}

// unsent reports that nothing of this try was run: it got no connection, or the server had ended the session before.
func (cl *call) unsent(err error) bool {
	if cl.db == nil || cl.unread || idled(err) {
		return true
	}
	var connect *pgconn.ConnectError
	// Of a statement that left on a good connection, too, pgx may say "conn closed", and that it is safe to try again.
	safe := pgconn.SafeToRetry(err) && (cl.dead || !errors.Is(err, pgconn.ErrConnClosed))

	return safe || errors.As(err, &connect)
}

// idled reports that the server ended the session while it waited for a statement.
func idled(err error) bool {
	c := sqlstate.Of(err)

	return c == codeIdleInTransaction || c == codeIdleSession
}

// lost reports that the connection ended, or could not be made, or that the server does not know what became of a
// statement.
func lost(err error) bool {
	var connect *pgconn.ConnectError
	unconnected := errors.As(err, &connect)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case pg.Code == codeCompletionUnknown, pg.Code == codeResolutionUnknown:
			return true
		case severity(pg) == "ERROR":
			// It rolled the statement back and left the connection: bytes that are none of their type, or a lost connection
			// of the server's own, to a foreign server.
			return false
		case endsSession(pg) && (!unconnected || unfitServer(pg)): // one that is refused for its password had not begun
			return true
		}

		return strings.HasPrefix(pg.Code, classConnection) || strings.HasPrefix(pg.Code, classShutdown)
	}
	var network net.Error
	var step outOfStepError

	return unconnected || errors.As(err, &step) || pgconn.SafeToRetry(err) && !concurrent(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.As(err, &network)
}

// unfitServer reports that a server could not begin a session for a reason of its own: its disk is full, a file can't be
// read or written, or its memory is used up.
func unfitServer(pg *pgconn.PgError) bool {
	return pg.Code == "53100" || pg.Code == "53200" || strings.HasPrefix(pg.Code, "58") || strings.HasPrefix(pg.Code, "XX")
}

// endsSession reports that the server ended the session, whatever for. After a PANIC all sessions end, and the server starts
// again; a COMMIT that it came from may be kept.
func endsSession(pg *pgconn.PgError) bool {
	s := severity(pg)

	return s == "FATAL" || s == "PANIC"
}

// severity returns the severity of an error of the server, in English where the server says it so.
// https://www.postgresql.org/docs/current/protocol-error-fields.html
func severity(pg *pgconn.PgError) string {
	if pg.SeverityUnlocalized != "" {
		return pg.SeverityUnlocalized
	}

	return pg.Severity
}

// concurrent reports that the connection was in use by another statement.
func concurrent(err error) bool {
	var lock interface {
		SafeToRetry() bool
		error
	}

	return errors.Is(err, ErrConcurrentUse) || errors.As(err, &lock) && lock.Error() == "conn busy" // which pgx does not export
}

// fail gives the error of a statement's last try its type.
func (cl *call) fail(err error) error {
	k := cl.c.known
	op := k.operation(cl.sql)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		if q := cl.c.known.Query(cl.sql); q != nil && q.Taken != "" {
			return k.refused(op, q.Taken)
		}

		return &opError{op: op, errs: []error{ErrNotFound}, text: ErrNotFound.Error()}
	case errors.Is(err, private.ErrNotPHC):
		return &InvalidError{Op: op, Field: cl.notPHC(), Reason: private.ErrNotPHC.Error()}
	}
	if raised := cl.c.raised(op, err); raised != nil {
		return raised
	}
	written := !cl.c.inTx && (cl.sent || !cl.unsent(err)) && cl.changes() // and perhaps kept
	if size := cl.c.exhausted(err); size > 0 && !written && cl.db == nil {
		const advice = "%w: all %d connections of the pool are in use: raise pool_max_conns, or find what holds them"
		err = fmt.Errorf(advice, err, size)

		return &opError{op: op, errs: []error{err}, text: err.Error()}
	}

	if cl.db == nil && unfit(err) {
		// No connection was fit for the statement, or a hook of the pool, which is the caller's code, gave none.
		return &opError{op: op, errs: []error{err}, text: err.Error()}
	}

	return cl.named(cl.c.session.typed(cl.ctx, k, op, err, cl.sql, written), err)
}

// notPHC returns the name of the parameter that is no PHC string.
func (cl *call) notPHC() string {
	at := slices.IndexFunc(cl.args, func(arg any) bool {
		hash, ok := arg.(pgtype.TextValuer)
		if !ok {
			return false
		}
		_, err := hash.TextValue()

		return errors.Is(err, private.ErrNotPHC)
	})

	return cl.c.known.param(cl.sql, max(at, 0))
}

// refused is the error of a write that the statement itself refused, for the sake of a constraint: another row has its key,
// say.
func (k *catalogue) refused(op, c string) error {
	of := k.rules[c]

	return &ConstraintError{
		Op: op, Kind: of.kind, Table: of.table, Column: columnOf(of.table, c), Constraint: c, words: k.words[c],
	}
}

// unfit reports that a statement got no connection for a reason that is neither the server's, nor the link's, nor the
// caller's context.
func unfit(err error) bool {
	var ended *endedError

	return sqlstate.Of(err) == "" && !lost(err) && !concurrent(err) && contextError(err) == nil && !errors.As(err, &ended)
}

// changes reports whether what the statement is part of changes anything.
func (cl *call) changes() bool {
	if cl.batch {
		return cl.writes
	}

	return !cl.c.known.reads(cl.sql)
}

// exhausted returns the size of the pool when err is that the context ended while all its connections were in use.
func (c *conn) exhausted(err error) int32 {
	if c.pool == nil || err != context.DeadlineExceeded { //nolint:errorlint // the pool's own is not wrapped
		return 0
	}
	if s := c.pool.Stat(); s.AcquiredConns() == s.MaxConns() {
		return s.MaxConns()
	}

	return 0
}

// typed is typed of a statement on a session that may have ended by it.
func (s *session) typed(ctx context.Context, k *catalogue, op string, err error, sql string, written bool) error {
	err = k.typed(ctx, op, err, sql, written)
	e, ours := err.(*opError) //nolint:errorlint // it was made just now
	if !ours || s == nil || written || ctx.Err() == nil || s.ended.Load() == nil {
		return err
	}
	if s.single {
		e.text += ", and so the connection is closed"
	} else {
		e.text += ", and so the transaction has ended"
	}

	return e
}

// typed gives the error of a statement, or of none in particular, its type. written says that a write was under way which
// the server may have kept.
func (k *catalogue) typed(ctx context.Context, op string, err error, sql string, written bool) error {
	var ended *endedError
	var refused settingError
	switch {
	case errors.As(err, &refused):
		return refused.InvalidError
	case errors.As(err, &ended):
		return &opError{op: op, errs: []error{ended.cause}, text: ended.Error()}
	case concurrent(err):
		return &opError{op: op, errs: []error{ErrConcurrentUse}, text: ErrConcurrentUse.Error()}
	}
	cause := context.Cause(ctx)
	if cause == nil || ctx.Err() == nil {
		cause = contextError(err)
	}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && !lost(err) && cause == nil:
		return k.serverError(op, pg, err, sql)
	case cause == nil && !lost(err):
		return k.driverError(op, err, sql)
	case cause != nil && written:
		text := ErrOutcomeUnknown.Error() + ": " + cause.Error()

		return &opError{op: op, errs: []error{ErrOutcomeUnknown, cause}, text: text}
	case cause != nil:
		return &opError{op: op, errs: []error{cause}, text: cause.Error()}
	case written:
		text := ErrOutcomeUnknown.Error() + ": " + k.reason(err, sql)

		return &opError{op: op, errs: []error{ErrOutcomeUnknown, own(k.bare(err, sql))}, text: text}
	default:
		text := ErrUnavailable.Error() + ": " + k.reason(err, sql)

		return &opError{op: op, errs: []error{ErrUnavailable, own(k.bare(err, sql))}, text: text}
	}
}

// Typed returns the error of a statement of this store that the caller has sent by itself, as a store's methods return it: with its type,
// and without any value. op is the operation in words. sql is the text of the query; "" means none in particular. The statement must not have kept
// anything, so that ErrOutcomeUnknown is not returned.
func (m *Metadata) Typed(ctx context.Context, op string, err error, sql string) error {
	return m.known().typed(ctx, op, err, sql, false)
}

// contextError returns the error of the caller's context that err is about, if it is about one. The time limit of an
// attempt to connect is not the caller's.
func contextError(err error) error {
	if connect := (*pgconn.ConnectError)(nil); errors.As(err, &connect) {
		return nil
	}
	for _, of := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, of) {
			return of
		}
	}

	return nil
}

// own returns err, without the error of a context in it that was the driver's own: the caller's has not ended.
func own(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.New(err.Error())
	}

	return err
}

// unreachable says what to do about a server that Open can't reach.
func (k *catalogue) unreachable(ctx context.Context, err error) error {
	if sqlstate.Of(err) != "" || ctx.Err() != nil {
		return k.typed(ctx, "", err, "", false)
	}
	kept := k.bare(err, "")
	text := ErrUnavailable.Error() + ": is the server running, and does the URL name it? " + kept.Error()

	return &opError{errs: []error{ErrUnavailable, own(kept)}, text: text}
}
