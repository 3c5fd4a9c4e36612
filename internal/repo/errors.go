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

// What the methods of a Repo return beside the errors of the context, which stay themselves: errors.Is tells these
// apart. Constraints have sentinels of their own, in constraints.go.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")

	// ErrInvalid: something that the caller gave can't be; an *InvalidError or a *ConstraintError says what and why.
	ErrInvalid = errors.New("invalid")

	// ErrResetInvalid: the reset token is unknown, used, expired or superseded. Which one it is, is not said.
	ErrResetInvalid = errors.New("reset token is not valid")

	// ErrResetTooSoon: the account's last reset was asked for less than the reset interval ago.
	ErrResetTooSoon = errors.New("a reset was asked for a moment ago")

	// ErrOutcomeUnknown: the connection was lost, or the context ended, while a write was on its way. It may have
	// happened or not, and it was not sent again, because twice could be wrong: look before you repeat it.
	ErrOutcomeUnknown = errors.New("the outcome is unknown")

	// ErrTimeout: a time limit of the server, statement_timeout or lock_timeout, ended the statement.
	ErrTimeout = errors.New("the server's time limit ended the statement")

	// ErrUnavailable: the server could not be reached, or ended the connection. Nothing was written.
	ErrUnavailable = errors.New("the database is not available")

	// ErrReadOnly: the server is a standby, or the transaction or session was begun to read only. Nothing was written.
	ErrReadOnly = errors.New("the server or the transaction takes no writes")
)

// The kinds of constraints, each an error that every *ConstraintError of that kind is.
var (
	ErrUnique     = errors.New("unique constraint")      // such a row is there already
	ErrForeignKey = errors.New("foreign key")            // the row that is referred to is not there
	ErrReferenced = errors.New("foreign key from a row") // another row refers to this one
	ErrCheck      = errors.New("check constraint")       // the value can't be
	ErrNotNull    = errors.New("not-null constraint")    // the value is missing
	ErrExclusion  = errors.New("exclusion constraint")   // the row conflicts with another
)

// InvalidError is input that was refused before it was sent. It is ErrInvalid.
type InvalidError struct {
	Op     string // the operation, in words
	Field  string // the column or parameter
	Reason string // what is wrong with it; never the value
}

func (e *InvalidError) Error() string { return prefixed(e.Op, e.Field+": "+e.Reason) }

// Is reports that e is ErrInvalid.
func (*InvalidError) Is(target error) bool { return target == ErrInvalid }

// ConstraintError is a write that a constraint of the database refused; nothing of it was kept. It is its Kind (say
// ErrUnique), its constraint's sentinel (say ErrEmailTaken) and, when the value itself can't be, ErrInvalid.
type ConstraintError struct {
	Op         string // the operation, in words
	Kind       error  // ErrUnique, ErrForeignKey, ErrReferenced, ErrCheck, ErrNotNull or ErrExclusion
	Table      string // the constraint's table
	Column     string // the column that the constraint is about, as its name has it
	Constraint string // the constraint's name

	pg *pgconn.PgError
}

func (e *ConstraintError) Error() string {
	if _, ok := refusals[e.sentinel()]; !ok {
		return prefixed(e.Op, e.Kind.Error()+" "+e.Constraint)
	}

	return prefixed(e.Op, e.sentinel().Error())
}

// Is reports whether target is the kind or the sentinel of e.
func (e *ConstraintError) Is(target error) bool {
	switch target {
	case e.Kind, e.sentinel():
		return true
	case ErrInvalid:
		return errors.Is(e.Kind, ErrCheck) || errors.Is(e.Kind, ErrNotNull)
	default:
		return false
	}
}

// Unwrap gives the server's error, for its code; what it holds of the row is left out.
func (e *ConstraintError) Unwrap() error {
	if e.pg == nil {
		return nil
	}

	return e.pg
}

func (e *ConstraintError) sentinel() Constraint {
	if errors.Is(e.Kind, ErrReferenced) {
		return Constraint(e.Constraint).Referenced()
	}

	return Constraint(e.Constraint)
}

// opError is any other error of an operation.
type opError struct {
	op   string
	errs []error // the kind first
	text string
}

func (e *opError) Error() string { return prefixed(e.op, e.text) }

func (e *opError) Unwrap() []error { return e.errs }

func prefixed(op, text string) string {
	if op == "" {
		return text
	}

	return op + ": " + text
}

// The codes that something is done about. https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	codeFeatureNotSupported  = "0A000" // of a cached statement: its result type has changed
	codeInvalidStatementName = "26000" // the prepared statement is gone
	codeRestrictViolation    = "23001" // ON DELETE RESTRICT, since PostgreSQL 18
	codeNotNullViolation     = "23502"
	codeForeignKeyViolation  = "23503"
	codeUniqueViolation      = "23505"
	codeCheckViolation       = "23514"
	codeExclusionViolation   = "23P01"
	codeReadOnly             = "25006"
	codeSerializationFailure = "40001"
	codeDeadlockDetected     = "40P01"
	classConnection          = "08"
	classDataException       = "22"
	classShutdown            = "57P"
)

// advised has the errors of the server about which something can be done, with what to do.
var advised = map[string]struct {
	is     error
	advice string
}{
	"53300": {ErrUnavailable, "raise max_connections of the server, or lower pool_max_conns"},
	"55P03": {ErrTimeout, "another transaction has held the lock for longer than lock_timeout"},
	"57014": {ErrTimeout, "make the statement faster, or statement_timeout longer"},
}

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
	written := !cl.c.inTx && (cl.sent || !unsent(err)) && !reads(cl.sql) // and perhaps kept
	if size := cl.c.exhausted(err); size > 0 && !written {
		const advice = "%w: all %d connections of the pool are in use: raise pool_max_conns, or find what holds them"
		err = fmt.Errorf(advice, err, size)

		return &opError{op: op, errs: []error{err}, text: err.Error()}
	}

	return typed(cl.ctx, op, err, cl.sql, written)
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
		return serverError(op, pg, sql)
	case cause == nil && !lost(err):
		return &opError{op: op, errs: []error{err}, text: err.Error()}
	case cause != nil && written:
		text := ErrOutcomeUnknown.Error() + ": " + cause.Error()

		return &opError{op: op, errs: []error{ErrOutcomeUnknown, cause}, text: text}
	case cause != nil:
		return &opError{op: op, errs: []error{cause}, text: cause.Error()}
	case written:
		text := ErrOutcomeUnknown.Error() + ": " + reason(err)

		return &opError{op: op, errs: []error{ErrOutcomeUnknown, bare(err)}, text: text}
	default:
		text := ErrUnavailable.Error() + ": " + reason(err)

		return &opError{op: op, errs: []error{ErrUnavailable, bare(err)}, text: text}
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

func serverError(op string, pg *pgconn.PgError, sql string) error {
	kinds := map[string]error{
		codeRestrictViolation:   ErrReferenced,
		codeNotNullViolation:    ErrNotNull,
		codeForeignKeyViolation: ErrForeignKey,
		codeUniqueViolation:     ErrUnique,
		codeCheckViolation:      ErrCheck,
		codeExclusionViolation:  ErrExclusion,
	}
	kind := kinds[pg.Code]
	if pg.Code == codeReadOnly {
		return &opError{op: op, errs: []error{ErrReadOnly, withoutValues(pg)}, text: ErrReadOnly.Error()}
	}
	if kind == nil {
		e := &opError{op: op, errs: []error{withoutValues(pg)}, text: reason(pg)}
		if known, ok := advised[pg.Code]; ok {
			e.errs, e.text = append(e.errs, known.is), e.text+": "+known.advice
		}

		return e
	}
	if pg.Code == codeForeignKeyViolation && sql != "" && !writesTo(sql, pg.TableName) {
		kind = ErrReferenced
	}
	e := &ConstraintError{
		Op: op, Kind: kind, Table: pg.TableName, Column: pg.ColumnName, Constraint: pg.ConstraintName, pg: withoutValues(pg),
	}
	if e.Constraint == "" && kind == ErrNotNull { //nolint:errorlint // it was set above
		e.Constraint = pg.TableName + "_" + pg.ColumnName + "_not_null" // as PostgreSQL 18 names them
	}
	if e.Column == "" {
		e.Column = columnOf(e.Table, e.Constraint)
	}

	return e
}

// reason is the text of an error of the driver or the server without any value of a row. PostgreSQL puts values into
// the detail of an error, and into the message of a data exception.
func reason(err error) string {
	return bare(err).Error()
}

func withoutValues(pg *pgconn.PgError) *pgconn.PgError {
	kept := &pgconn.PgError{
		Severity: pg.Severity, SeverityUnlocalized: pg.SeverityUnlocalized, Code: pg.Code, Message: pg.Message,
		Position: pg.Position, SchemaName: pg.SchemaName, TableName: pg.TableName, ColumnName: pg.ColumnName,
		DataTypeName: pg.DataTypeName, ConstraintName: pg.ConstraintName, File: pg.File, Line: pg.Line, Routine: pg.Routine,
	}
	switch {
	case strings.HasPrefix(pg.Code, classDataException):
		kept.Message = "data exception"
	case strings.HasPrefix(pg.Code, "P0"), strings.HasPrefix(pg.Code, "XX"):
		kept.Message = "the server refused it" // a message that somebody's code made of anything
	}

	return kept
}

// bare is err with its server error, if it has one, replaced by one without values.
func bare(err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return withoutValues(pg)
	}

	return err
}

// unreachable says what to do about a server that Open can't reach.
func unreachable(ctx context.Context, err error) error {
	if code(err) != "" || ctx.Err() != nil {
		return typed(ctx, "", err, "", false)
	}
	text := ErrUnavailable.Error() + ": is the server running, and does the URL name it? " + err.Error()

	return &opError{errs: []error{ErrUnavailable, err}, text: text}
}
