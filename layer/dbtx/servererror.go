package dbtx

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"musicstore/layer/private"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The errors of the server and of the driver, without the values that they show.
//
// PostgreSQL puts values into messages, details and contexts, a function can put them into any field but the place in the
// source code, under any SQLSTATE, and the driver puts arguments and rows into its texts. So no text of theirs is shown.
// A server's error is said in words of our own for its SQLSTATE. A name is shown with them if it stands in the
// statement's own text, outside its literals, or if it is a name of the schema: what can be read in the source of the
// program is no value.

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
	codeInvalidParameter     = "22023"
	codeReadOnly             = "25006"
	codeIdleInTransaction    = "25P03" // the server ended a session that was idle in a transaction for too long,
	codeIdleSession          = "57P05" // or outside of one
	codeCompletionUnknown    = "40003" // of a statement
	codeResolutionUnknown    = "08007" // of a transaction
	codeSerializationFailure = "40001"
	codeDeadlockDetected     = "40P01"
	codeNoPrivilege          = "42501"
	codeUndefinedObject      = "42704" // such as a setting
	codeCanceled             = "57014"
	codeRaised               = "P0001" // RAISE EXCEPTION without a code of its own
	codeInternalError        = "XX000"
	classConnection          = "08"
	classDataException       = "22"
	classShutdown            = "57P"
)

// kinds has the kind of constraint that each code is about.
var kinds = map[string]error{
	codeRestrictViolation:   ErrReferenced,
	codeNotNullViolation:    ErrNotNull,
	codeForeignKeyViolation: ErrForeignKey,
	codeUniqueViolation:     ErrUnique,
	codeCheckViolation:      ErrCheck,
	codeExclusionViolation:  ErrExclusion,
}

// advised has the errors of the server about which something can be done, with what to do.
var advised = map[string]struct {
	is     error
	advice string
}{
	"53300":      {ErrUnavailable, "raise max_connections of the server, or lower pool_max_conns"},
	"55P03":      {ErrTimeout, "another transaction has held the lock for longer than lock_timeout"},
	codeCanceled: {ErrTimeout, "make the statement faster, or statement_timeout longer"},
}

// serverError gives an error of the server its type. err is what it came in.
func (k *catalogue) serverError(op string, pg *pgconn.PgError, err error, sql string) error {
	bare := k.withoutValues(pg, sql)
	if connect, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		bare.Message = refusedConnection(pg, connect, bare.Message)
	}
	if refusedAsNotKept(pg) {
		return Wrap(op, ErrRowsNotKept)
	}
	if pg.Code == codeReadOnly {
		return &opError{op: op, errs: []error{ErrReadOnly, bare}, text: ErrReadOnly.Error()}
	}
	if pg.Code == codeCanceled && pg.Routine == "CopyGetData" { // by the driver
		return &InvalidError{Op: op, Reason: "a value does not fit its column; the driver does not say which one", pg: bare}
	}
	if strings.HasPrefix(pg.Code, classDataException) {
		return k.dataError(op, pg, sql)
	}
	e := k.constraintIn(pg)
	if e.Kind == nil {
		e := &opError{op: op, errs: []error{bare}, text: bare.Error()}
		if known, ok := advised[pg.Code]; ok {
			e.errs, e.text = append(e.errs, known.is), e.text+": "+known.advice
		}

		return e
	}
	if errors.Is(e.Kind, ErrForeignKey) && sql != "" && !k.writesTo(sql, e.Table) {
		e.Kind = ErrReferenced
	}
	e.Op, e.words, e.pg = op, k.words[e.sentinel()], bare

	return &e
}

// raised is the error of a function that raised words for people, where these are to be shown; otherwise nil.
func (c *conn) raised(op string, err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || !c.userMessages || pg.Code != codeRaised || lost(err) {
		return nil
	}
	kept := c.known.withoutValues(pg, "")
	kept.Message = pg.Message

	return &opError{op: op, errs: []error{kept}, text: pg.Message}
}

// said has the words for a code or, where a code has none, for its class. Of those for a code the first are used, unless
// the server's message is another of them, letter by letter.
var said = map[string][]string{
	"08": {"connection failure"}, "08P01": {"protocol violation", "query_wait_timeout", "client_idle_timeout", "server conn crashed?"},
	"0A": {"feature not supported"},
	"21": {"cardinality violation"}, "21000": {"more than one row where one is wanted, or twice the same row"},
	"22": {"data exception"},
	"23": {"integrity constraint violation"},
	"24": {"invalid cursor state"},
	"25": {"invalid transaction state"}, codeReadOnly: {"cannot write in a read-only transaction"},
	"25P02":                  {"current transaction is aborted, commands ignored until end of transaction block"},
	"25P03":                  {"terminating connection due to idle-in-transaction timeout"},
	codeInvalidStatementName: {"prepared statement does not exist"},
	"28":                     {"the server does not accept this user"}, "28P01": {"password authentication failed"},
	"34": {"cursor does not exist"}, "3B": {"savepoint does not exist"},
	"3D": {"database does not exist"}, "3F": {"schema does not exist"},
	"40": {"transaction rollback"}, codeSerializationFailure: {"could not serialize access"},
	codeDeadlockDetected: {"deadlock detected"},
	"42":                 {"syntax error or access rule violation"}, "42601": {"syntax error"},
	codeNoPrivilege: {"permission denied"}, "42P01": {"relation does not exist"}, "42703": {"column does not exist"},
	"42883": {"function or operator does not exist"}, "42704": {"object does not exist"}, "42702": {"column reference is ambiguous"},
	"42725": {"function or operator is not unique"}, "42804": {"datatype mismatch"}, "42846": {"cannot coerce"},
	"42P02": {"parameter does not exist"}, "42P05": {"prepared statement already exists"}, "42P07": {"relation already exists"},
	"42P08": {"parameter has ambiguous type"}, "42P18": {"type of parameter cannot be determined"},
	"42P10": {"no unique or exclusion constraint matches the ON CONFLICT specification"}, "42803": {"grouping error"},
	"428C9": {"cannot write to a generated column"}, "42809": {"wrong object type"},
	"44": {"row violates the view's check option"},
	"53": {"insufficient resources"}, "53100": {"disk full"}, "53200": {"out of memory"}, "53300": {"too many connections"},
	"54": {"program limit exceeded"}, "55": {"object not in prerequisite state"}, "55006": {"object in use"},
	"55P03": {"canceling statement due to lock timeout", "could not obtain lock"},
	"57":    {"operator intervention"}, codeCanceled: {
		"canceling statement due to statement timeout", "canceling statement due to user request",
	},
	"57P01": {"terminating connection due to administrator command"}, "57P02": {"terminating connection because of a crash"},
	"57P03": {"the database system is not ready", "the database system is starting up", "the database system is shutting down"},
	"57P05": {"terminating connection due to idle-session timeout"},
	"58":    {"system error"}, "58030": {"input or output error"},
	"HV": {"foreign data wrapper error"},
	"P0": {"raised by a function"}, "P0002": {"a function found no row"}, "P0003": {"a function found too many rows"},
	"XX": {"internal error"}, "XX001": {"data corrupted"}, "XX002": {"index corrupted"},
}

// named has the words around the name of what the error is about.
var named = map[string]string{
	"42601": "syntax error at or near %q", "42P01": "relation %q does not exist", "42703": "column %q does not exist",
	"42883": "function %q does not exist", "42704": "object %q does not exist", "42702": "column reference %q is ambiguous",
	codeNoPrivilege:         "permission denied for %q",
	codeUniqueViolation:     "duplicate key value violates unique constraint %q",
	codeForeignKeyViolation: "violates foreign key constraint %q",
	codeRestrictViolation:   "violates foreign key constraint %q",
	codeCheckViolation:      "violates check constraint %q",
	codeNotNullViolation:    "violates not-null constraint %q",
	codeExclusionViolation:  "violates exclusion constraint %q",
}

// words says in words of our own what the server says of a statement. name is what the error is about, "" if it is not
// known.
func words(pg *pgconn.PgError, name string) string {
	if pg.Routine == "op_error" { // the place is where the operator is used, and that may be a function such as nullif
		return "operator does not exist"
	}
	if text, ok := named[pg.Code]; ok && name != "" {
		return fmt.Sprintf(text, name)
	}
	all, ok := said[pg.Code]
	if !ok {
		all, ok = said[pg.Code[:min(2, len(pg.Code))]]
	}
	if !ok {
		return "the server refused it"
	}
	for _, text := range all {
		if text == pg.Message {
			return text
		}
	}

	return all[0]
}

// withoutValues returns an error of the server as it may be shown: the code, the place, the names of the schema, and our
// own words.
func (k *catalogue) withoutValues(pg *pgconn.PgError, sql string) *pgconn.PgError {
	c := k.constraintIn(pg)
	name := c.Constraint
	if name == "" {
		name = k.nameAt(sql, pg)
	}
	kept := &pgconn.PgError{
		Severity: pg.Severity, SeverityUnlocalized: pg.SeverityUnlocalized, Code: pg.Code, Message: words(pg, name),
		Position: pg.Position, TableName: c.Table, ColumnName: c.Column, ConstraintName: c.Constraint,
		File: pg.File, Line: pg.Line, Routine: pg.Routine,
	}
	if ownRoutines[pg.Routine] {
		kept.SchemaName, kept.DataTypeName = pg.SchemaName, pg.DataTypeName
	}
	if kept.SeverityUnlocalized != "" {
		kept.Severity = kept.SeverityUnlocalized
	}

	return kept
}

var (
	notCode    = regexp.MustCompile(`(?s)[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$[A-Za-z_\d]*\$.*\$[A-Za-z_\d]*\$|--[^\n]*|/\*.*?\*/`)
	nameInCode = regexp.MustCompile(`^(?:"[^"]+"|[\pL_][\pL\d_$]*)(?:\.(?:"[^"]+"|[\pL_][\pL\d_$]*))*`)
)

// nameAt returns the name that an error of class 42 is about: the one at the place in the statement that the server
// points to or, where it points to none, the last word of its message, if that stands in the statement too. It is "" where
// it is not known.
func (k *catalogue) nameAt(sql string, pg *pgconn.PgError) string {
	if !strings.HasPrefix(pg.Code, "42") {
		return ""
	}
	hide := func(literal string) string { return strings.Repeat(" ", utf8.RuneCountInString(literal)) }
	sql = notCode.ReplaceAllStringFunc(sql, hide)
	if pg.Position > 0 {
		text := []rune(sql)
		at := string(text[min(int(pg.Position)-1, len(text)):]) // it counts characters, from 1

		return strings.ReplaceAll(nameInCode.FindString(at), `"`, "")
	}
	all := nameInText.FindAllString(pg.Message, -1)
	if len(all) == 0 {
		return ""
	}
	last := all[len(all)-1]
	if k.tables[last] || slices.Contains(nameInText.FindAllString(sql, -1), last) {
		return last
	}

	return ""
}

// reason is the text of an error of the server or the driver without any value of a row or an argument.
func (k *catalogue) reason(err error, sql string) string { return k.bare(err, sql).Error() }

// bare is err without values, also in its chain. Our own errors have none and stay as they are, and so do those of the
// context, of the network, and of the driver's state. Of any other error nothing is kept.
func (k *catalogue) bare(err error, sql string) error {
	connect, connecting := errors.AsType[*pgconn.ConnectError](err)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		kept := k.withoutValues(pg, sql)
		if connecting {
			kept.Message = refusedConnection(pg, connect, kept.Message)
		}

		return kept
	}
	var own interface{ ours() }
	var network net.Error
	var cannotScan pgx.ScanArgError
	switch text := err.Error(); {
	case errors.As(err, &own):
		return own.(error) //nolint:forcetypeassert // it is one
	case connecting: // its Config has the password; its text has not
		return &opError{errs: []error{connect.Unwrap()}, text: text}
	case errors.As(err, &cannotScan):
		return cannotRead(cannotScan)
	case harmless.MatchString(text), errors.Is(err, private.ErrNotPHC), contextError(err) != nil,
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.As(err, &network):
		return err
	}

	return &opError{text: fmt.Sprintf("the driver refused it (%T)", innermost(err))}
}

// refusedConnection says why the server, or a pooler before it, refused a connection: in its own words, as no statement
// has run by then whose values could be in them. It may be a trigger's words at login, and then it says otherwise.
func refusedConnection(pg *pgconn.PgError, connect *pgconn.ConnectError, otherwise string) string {
	if pg.Where != "" {
		return otherwise
	}
	if password := connect.Config.Password; password != "" {
		return strings.ReplaceAll(pg.Message, password, "[redacted]")
	}

	return pg.Message
}

// harmless matches those texts of pgx and pgxpool that tell of nothing but their own state.
var harmless = regexp.MustCompile(`^(?:conn (?:busy|closed)|closed pool|tx is closed|commit unexpectedly resulted in rollback|` +
	`no rows in result set|too many rows in result set|rows is closed|batch already closed|no more results in batch|` +
	`expected \d+ (?:arguments|values), got \d+(?: values)?|mismatched param and argument count|` +
	`number of field descriptions must equal number of (?:values|destinations), got \d+ and \d+|` +
	`extended protocol limited to \d+ parameters|` +
	`simple protocol queries must be run with (?:standard_conforming_strings=on|client_encoding=UTF8)|` +
	`cannot use QueryExecMode\w+ with disabled (?:statement|description) cache)$`)

func innermost(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}

	return err
}

// cannotRead says which column does not fit the Go value that it is read into.
func cannotRead(err pgx.ScanArgError) error {
	column := strconv.Quote(err.FieldName)
	if err.FieldName == "?column?" { // it has no name
		column = strconv.Itoa(err.ColumnIndex + 1)
	}
	kept := pgx.ScanArgError{ColumnIndex: err.ColumnIndex, FieldName: err.FieldName, Err: errNoFit}

	return &opError{errs: []error{kept}, text: "column " + column + ": " + errNoFit.Error()}
}

var errNoFit = errors.New("its value does not fit the Go value that it is read into")

// driverError is an error that the driver found by itself.
func (k *catalogue) driverError(op string, err error, sql string) error {
	if refused := k.encodeError(op, err, sql); refused != nil {
		return refused
	}
	kept := k.bare(err, sql)

	return &opError{op: op, errs: []error{kept}, text: kept.Error()}
}
