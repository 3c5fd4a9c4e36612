package repo

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Values that the server or the driver can't take, as an *InvalidError that names the parameter or column where that is
// known.

// faults says what is wrong with a value, by the code of class 22.
var faults = map[string]string{
	"22001": "is too long",
	"22003": "is out of range",
	"22004": "must not be NULL",
	"22007": "is not in the format of a date or time",
	"22008": "is out of the range of dates and times",
	"22009": "is no time zone displacement",
	"2200H": "is beyond the sequence's limit",
	"2200M": "is not an XML document",
	"2200N": "is not XML content",
	"22012": "makes the statement divide by zero",
	"22015": "is out of the range of intervals",
	"22018": "is not of the type it is cast to",
	"22019": "has an escape character that is invalid",
	"2201B": "is not a regular expression",
	"2201E": "has no logarithm",
	"2201F": "can't be raised to that power",
	"2201W": "must not be negative", // LIMIT
	"2201X": "must not be negative", // OFFSET
	"22021": "has characters that the database can't hold",
	"22023": "is not a value that this parameter takes",
	"22025": "ends within an escape sequence",
	"22026": "has the wrong length",
	"2202E": "is out of the array's bounds",
	"22030": "has a key twice",
	"22032": "is not JSON",
	"22P02": "is malformed",
	"22P03": "is malformed",
	"22P05": "has characters that have no equivalent",
}

// dataError is an error of class 22.
func dataError(op string, pg *pgconn.PgError, sql string) *InvalidError {
	e := &InvalidError{Op: op, Field: wrongField(pg, sql), Reason: faults[pg.Code], pg: withoutValues(pg, sql)}
	if e.Reason == "" {
		e.Reason = "is no value that can be used here (SQLSTATE " + pg.Code + ")"
	}
	if e.Field == "" {
		e.Reason = "a value " + e.Reason + "; the server does not say which one"
	}

	return e
}

var (
	numberInContext = regexp.MustCompile(`(?m)^[^"'\n:=]*\$(\d+)(?: =.*)?$`)
	copiedColumns   = regexp.MustCompile(`^COPY .* \((.*)\) FROM STDIN BINARY$`)
	limitParam      = regexp.MustCompile(`(?i)\bLIMIT\s+\(*\$(\d+)`)
	offsetParam     = regexp.MustCompile(`(?i)\bOFFSET\s+\(*\$(\d+)`)
)

// wrongField returns the name of the parameter or column that an error of class 22 is about, or "". The server says it in
// the context, in its own language: `unnamed portal parameter $1 = '…'`, or `COPY tracks, line 1, column name: "…"`.
func wrongField(pg *pgconn.PgError, sql string) string {
	if m := copiedColumns.FindStringSubmatch(sql); m != nil {
		columns := strings.Split(m[1], ", ")
		before, _, _ := strings.Cut(pg.Where, ":")
		for _, word := range slices.Backward(nameInText.FindAllString(before, -1)) {
			if slices.Contains(columns, word) {
				return word
			}
		}

		return ""
	}
	params := numberedParam.FindAllStringSubmatch(sql, -1)
	numbers := make([]string, len(params))
	for i, m := range params {
		numbers[i] = m[1]
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	inSQL := map[string]*regexp.Regexp{"2201W": limitParam, "2201X": offsetParam}[pg.Code]
	var m []string
	if inSQL != nil {
		m = inSQL.FindStringSubmatch(sql)
	}
	if m == nil {
		m = numberInContext.FindStringSubmatch(pg.Where)
	}
	if m == nil && len(numbers) == 1 && pg.Where == "" { // there is no other, and no function between
		m = []string{"", numbers[0]}
	}
	if m == nil || !slices.Contains(numbers, m[1]) {
		return ""
	}
	number, err := strconv.Atoi(m[1])
	if err != nil {
		return ""
	}

	return param(sql, number-1)
}

var (
	encoding = regexp.MustCompile(`^(?:error preprocessing batch \(build\): )?failed to encode args\[(\d+)\]: |^unable to encode `)
	typeOID  = regexp.MustCompile(`\(OID (\d+)\)`)
)

// encodeError is the error of an argument that the driver can't send as the type of its parameter; nil when err is
// another.
func encodeError(op string, err error, sql string) error {
	if _, ok := errors.AsType[*pgconn.PgError](err); ok {
		return nil
	}
	m := encoding.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	if batch, ok := errors.AsType[pgx.ErrPreprocessingBatch](err); ok { // which of its statements it was
		sql = batch.SQL()
		op = operation(sql)
	}
	e := &InvalidError{Op: op, Reason: "does not fit " + typeIn(err)}
	if i, err := strconv.Atoi(m[1]); err == nil {
		e.Field = param(sql, i)
	} else {
		e.Reason = "an argument " + e.Reason + "; the driver does not say which one"
	}

	return e
}

// typeIn returns the type that the driver's error is about, as words. Only the name of one of PostgreSQL's own types is
// ever in them.
func typeIn(err error) string {
	if m := typeOID.FindStringSubmatch(err.Error()); m != nil {
		if oid, err := strconv.ParseUint(m[1], 10, 32); err == nil {
			return typeName(uint32(oid))
		}
	}

	return "its type"
}

// typeName returns what to call a type: by its name, if it is one of PostgreSQL's own.
func typeName(oid uint32) string {
	if of, ok := builtIn().TypeForOID(oid); ok {
		return "the type " + of.Name
	}

	return "its type"
}

var builtIn = sync.OnceValue(pgtype.NewMap)
