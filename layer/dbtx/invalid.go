package dbtx

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

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
func (k *catalogue) dataError(op string, pg *pgconn.PgError, sql string) *InvalidError {
	e := &InvalidError{Op: op, Field: k.wrongField(pg, sql), Reason: fault(pg.Code), pg: k.withoutValues(pg, sql)}
	if e.Field == "" {
		e.Reason = "a value " + e.Reason + "; the server does not say which one"
	}

	return e
}

func fault(code string) string {
	if why, ok := faults[code]; ok {
		return why
	}

	return "is no value that can be used here (SQLSTATE " + code + ")"
}

var (
	numberInContext = regexp.MustCompile(`(?m)^[^"'\n:=]*\$(\d+)(?: =.*)?$`)
	copiedColumns   = regexp.MustCompile(`^COPY .* \((.*)\) FROM STDIN BINARY$`)
	limitParam      = regexp.MustCompile(`(?i)\bLIMIT\s+\(*\$(\d+)`)
	offsetParam     = regexp.MustCompile(`(?i)\bOFFSET\s+\(*\$(\d+)`)
)

// wrongField returns the name of the parameter or column that an error of class 22 is about, or "". The server says it in
// the context, in its own language: `unnamed portal parameter $1 = '…'`, or `COPY articles, line 1, column name: "…"`.
func (k *catalogue) wrongField(pg *pgconn.PgError, sql string) string {
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
	m := numberInContext.FindStringSubmatch(pg.Where)
	if in := map[string]*regexp.Regexp{"2201W": limitParam, "2201X": offsetParam}[pg.Code]; in != nil {
		m = in.FindStringSubmatch(sql)
	}
	if m == nil || !slices.Contains(numberedParam.FindAllString(sql, -1), "$"+m[1]) {
		return ""
	}
	number, err := strconv.Atoi(m[1])
	if err != nil {
		return ""
	}

	return k.param(sql, number-1)
}

// named gives the error of a value its field where the server did not say it, but only one argument can be meant: the
// only text that is longer than the limit, the only number of an INSERT that sends its values, or its only argument.
func (cl *call) named(typed, err error) error {
	e, ok := typed.(*InvalidError) //nolint:errorlint // it is not wrapped
	pg, fromServer := errors.AsType[*pgconn.PgError](err)
	if !ok || !fromServer || e.Field != "" || pg.Where != "" || cl.c.known.reads(cl.sql) {
		return typed
	}
	canBe := func(any) bool { return true }
	values := insertsValues.MatchString(body(cl.sql)) && !selects.MatchString(cl.sql)
	switch pg.Code {
	case "22001":
		limit := numberInBrackets.FindStringSubmatch(pg.Message)
		if limit == nil {
			break
		}
		most, _ := strconv.Atoi(limit[1])
		canBe, values = func(arg any) bool { return longest(arg) > most }, true
	case "22003":
		canBe = isNumber
	}
	field, found := "", 0
	for i, arg := range cl.args {
		if canBe(arg) {
			field = cl.c.known.param(cl.sql, i)
			found++
		}
	}
	if !values || found != 1 {
		return typed
	}

	return &InvalidError{Op: e.Op, Field: field, Reason: fault(pg.Code), pg: e.pg}
}

var (
	insertsValues    = regexp.MustCompile(`(?i)^\s*INSERT\b`)
	selects          = regexp.MustCompile(`(?i)\bSELECT\b`)
	numberInBrackets = regexp.MustCompile(`\((\d+)\)`)
)

// longest returns how many characters the longest text in an argument has.
func longest(arg any) (n int) {
	switch v := reflect.Indirect(reflect.ValueOf(arg)); v.Kind() {
	case reflect.String:
		return utf8.RuneCountInString(v.String())
	case reflect.Slice:
		for i := range v.Len() {
			if item := v.Index(i); item.Kind() == reflect.String {
				n = max(n, utf8.RuneCountInString(item.String()))
			}
		}
	default: // no other kind has text
	}

	return n
}

func isNumber(arg any) bool {
	if v := reflect.Indirect(reflect.ValueOf(arg)); v.IsValid() && (v.CanInt() || v.CanUint() || v.CanFloat()) {
		return true
	}
	_, isNumeric := arg.(pgtype.NumericValuer)
	_, isInt := arg.(pgtype.Int64Valuer)
	_, isFloat := arg.(pgtype.Float64Valuer)

	return isNumeric || isInt || isFloat
}

var (
	encoding = regexp.MustCompile(`^(?:error preprocessing batch \(build\): )?failed to encode args\[(\d+)\]: |^unable to encode `)
	typeOID  = regexp.MustCompile(`\(OID (\d+)\)`)
)

// encodeError is the error of an argument that the driver can't send as the type of its parameter; nil when err is
// another.
func (k *catalogue) encodeError(op string, err error, sql string) error {
	if _, ok := errors.AsType[*pgconn.PgError](err); ok {
		return nil
	}
	m := encoding.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	if batch, ok := errors.AsType[pgx.ErrPreprocessingBatch](err); ok { // which of its statements it was
		sql = batch.SQL()
		op = k.operation(sql)
	}
	e := &InvalidError{Op: op, Reason: "does not fit " + typeIn(err)}
	if i, err := strconv.Atoi(m[1]); err == nil {
		e.Field = k.param(sql, i)
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
