package repo

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The errors of the server, without the values that they show.

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
	if refusedAsNotKept(pg) {
		return notKept(op)
	}
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
