package dbtx

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// What a store's methods return beside the errors of the context, which stay themselves: errors.Is tells these apart. Each
// constraint has a Sentinel of its own.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")

	// ErrInvalid: a value that the caller gave is not allowed; an *InvalidError or a *ConstraintError says which and
	// why.
	ErrInvalid = errors.New("invalid")

	// ErrOutcomeUnknown: a write may have happened or not. While it was on its way, the connection was lost, the
	// context ended, or the server ended the session (FATAL or PANIC) or said that it does not know the outcome
	// (SQLSTATE 40003 and 08007). The write was not sent again, because that could do it twice: look before you repeat
	// it.
	ErrOutcomeUnknown = errors.New("the outcome is unknown")

	// ErrTimeout: a time limit of the server, statement_timeout or lock_timeout, ended the statement.
	ErrTimeout = errors.New("the server's time limit ended the statement")

	// ErrUnavailable: the server could not be reached, or ended the connection. Nothing was written.
	ErrUnavailable = errors.New("the database is not available")

	// ErrConcurrentUse: a transaction, or a store on a single connection, was used while another of its statements was
	// under way, by another goroutine or before all rows were read. The later statement was not sent.
	ErrConcurrentUse = errors.New("another statement is under way on the same transaction or connection")

	// ErrRowsNotKept: a trigger or a rule of the database dropped a row of the write, or moved it. Nothing was written.
	ErrRowsNotKept = errors.New("the database did not keep every row: a trigger or a rule dropped one")

	// ErrReadOnly: the server is a standby, or the transaction or session was begun to read only. Nothing was written.
	ErrReadOnly = errors.New("the server or the transaction takes no writes")
)

// The kinds of constraints, each an error that every *ConstraintError of that kind is.
var (
	ErrUnique     = errors.New("unique constraint")      // such a row is there already
	ErrForeignKey = errors.New("foreign key")            // the row that is referred to is not there
	ErrReferenced = errors.New("foreign key from a row") // another row refers to this one
	ErrCheck      = errors.New("check constraint")       // the value is not allowed
	ErrNotNull    = errors.New("not-null constraint")    // the value is missing
	ErrExclusion  = errors.New("exclusion constraint")   // the row conflicts with another
)

// InvalidError is input that was refused. The store refused it before it was sent, or the driver could not send it as
// the type that the statement wants, or the server refused it (SQLSTATE class 22: too long, out of range, malformed and
// the like). It is ErrInvalid.
type InvalidError struct {
	Op     string // the operation, in words
	Field  string // the column or parameter; "" when the server does not say which, and then Reason says so
	Reason string // what is wrong with it; never the value

	pg *pgconn.PgError
}

func (e *InvalidError) Error() string {
	if e.Field == "" {
		return prefixed(e.Op, e.Reason)
	}

	return prefixed(e.Op, e.Field+": "+e.Reason)
}

// Is reports that e is ErrInvalid.
func (*InvalidError) Is(target error) bool { return target == ErrInvalid }

// Unwrap gives the server's error, if it was the server that refused, for its code; it holds no value.
func (e *InvalidError) Unwrap() error {
	if e.pg == nil {
		return nil
	}

	return e.pg
}

func (*InvalidError) ours() {}

// ConstraintError is a write that a constraint of the database refused; nothing of it was kept. It is its Kind (say
// ErrUnique), its constraint's sentinel (say ErrEmailTaken) and, when the value is not allowed, ErrInvalid.
type ConstraintError struct {
	Op         string // the operation, in words
	Kind       error  // ErrUnique, ErrForeignKey, ErrReferenced, ErrCheck, ErrNotNull or ErrExclusion
	Table      string // the constraint's table
	Column     string // the column that the constraint is about, as its name has it
	Constraint string // the constraint's name

	words string // "" when the schema has no such constraint
	pg    *pgconn.PgError
}

func (e *ConstraintError) Error() string {
	if e.words == "" {
		return prefixed(e.Op, strings.TrimSpace(e.Kind.Error()+" "+e.Constraint)) // a fork may not say which it was
	}

	return prefixed(e.Op, e.words)
}

// Is reports whether target is the kind or the sentinel of e.
func (e *ConstraintError) Is(target error) bool {
	switch target {
	case e.Kind:
		return true
	case ErrInvalid:
		return errors.Is(e.Kind, ErrCheck) || errors.Is(e.Kind, ErrNotNull)
	}
	s, ok := target.(Sentinel)

	return ok && s.Sentinel() == e.sentinel()
}

// Unwrap gives the server's error, for its code; what it holds of the row is left out.
func (e *ConstraintError) Unwrap() error {
	if e.pg == nil {
		return nil
	}

	return e.pg
}

func (*ConstraintError) ours() {}

func (e *ConstraintError) sentinel() string {
	if errors.Is(e.Kind, ErrReferenced) {
		return e.Constraint + Referenced
	}

	return e.Constraint
}

// Wrap returns err as the error of an operation, which is named in words: "create reader".
func Wrap(op string, err error) error { return &opError{op: op, errs: []error{err}, text: err.Error()} }

// opError is any other error of an operation.
type opError struct {
	op   string
	errs []error // the kind first
	text string
}

func (e *opError) Error() string { return prefixed(e.op, e.text) }

func (e *opError) Unwrap() []error { return e.errs }

func (*opError) ours() {}

func prefixed(op, text string) string {
	if op == "" {
		return text
	}

	return op + ": " + text
}
