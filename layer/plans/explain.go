package plans

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Explain returns these errors before it sends anything. It can also return the errors that every statement can have.
var (
	// ErrNoPlan: the query has no plan. It is a COPY, a CALL or another statement that PostgreSQL does not plan.
	ErrNoPlan = errors.New("has no plan")

	// ErrWrites: the query writes, locks rows, or calls a function that may write, and the options do not allow it.
	ErrWrites = errors.New("writes or locks rows")
)

// ExplainOptions say how Explain runs a query.
type ExplainOptions struct {
	// Write allows a query that writes or locks rows. What it writes is rolled back.
	Write bool

	// Generic asks for the plan that PostgreSQL makes for any arguments, instead of the plan for the given ones.
	Generic bool

	// JSON asks for the plan as JSON, instead of lines of text.
	JSON bool
}

// Explained is what PostgreSQL did for a query.
type Explained struct {
	Query string
	Plan  string // as EXPLAIN (ANALYZE, BUFFERS) prints it: lines of text, or JSON. Times are in milliseconds, buffers in blocks of 8 KiB

	// Generic says that this is the plan for any arguments. It shows $1, $2 and so on in place of their values.
	Generic bool

	// Hidden has the names of the parameters whose values must not be shown. If there is any, the plan is generic.
	Hidden []string
}

// Explain runs a query of m and returns its plan, with the rows, the time and the buffers of each of its steps. Everything is rolled
// back. A second call runs the query again.
// https://www.postgresql.org/docs/current/sql-explain.html
//
// The arguments are texts in PostgreSQL's own form, as CheckArguments describes them. They are sent as bound parameters. The server reads each as a
// value of its parameter's type. The store's defaults are not filled in. For a batch query, Explain returns the plan of one statement.
//
// Unless the options allow writes, the transaction is READ ONLY, so PostgreSQL itself refuses a write: the error is dbtx.ErrReadOnly. A
// write holds its locks while it runs. The rollback does not undo the numbers that sequences have given, or what a function did outside the
// database. Dead rows take space until the next vacuum. A NOTIFY is not sent. Constraints that are checked at COMMIT are not checked.
//
// A plan that is not generic shows the arguments. So the plan is generic if a parameter belongs to a column that must not be shown, or may
// belong to one.
//
// The errors have the types of the store's own errors, and no value of an argument or a row. The errors of CheckArguments come before
// anything is sent. An argument that is no value of its type is a *dbtx.InvalidError. Explain refuses the settings and the search_path that a
// store refuses, with the same errors.
//
// Explain runs in one transaction, and leaves nothing in the session. So it works behind a pooler in transaction mode. If the context ends,
// the statement is cancelled and rolled back, and the error is the context's. The time limits are the session's own.
func Explain(
	ctx context.Context, db DB, m *dbtx.Metadata, query string, args []string, opts ExplainOptions,
) (Explained, error) {
	q, values, err := match(m, query, args, opts)
	if err != nil {
		return Explained{}, err
	}
	e := explainer{q: q, known: m, opts: opts}
	e.result.Query = q.Name
	for i := range q.Params {
		if p := &q.Params[i]; hidden(m, q, p) {
			e.result.Hidden = append(e.result.Hidden, p.Name)
		}
	}
	e.result.Generic = opts.Generic || len(e.result.Hidden) > 0
	tx, err := db.Begin(ctx)
	if err != nil {
		return Explained{}, e.typed(ctx, err)
	}
	defer settings.Rollback(ctx, tx) //nolint:errcheck // nothing is to be kept
	if err := e.run(ctx, tx, values); err != nil {
		return Explained{}, e.typed(ctx, err)
	}

	return e.result, nil
}

// hidden says whether the plan must not show the value of a parameter. Of some parameters it is not known to which columns they belong: of
// those in an expression, such as lower(email) = lower($1), and of those that are compared with a view's column. Such a text is hidden if
// the query uses a column that must not be shown, or a view, behind which such a column may be.
func hidden(m *dbtx.Metadata, q *dbtx.Query, p *dbtx.Param) bool {
	of := slices.Concat(p.Assigned, p.Compared)
	isView := func(c dbtx.ColumnOf) bool {
		return slices.ContainsFunc(m.Tables, func(t *dbtx.Table) bool { return t.View && t.Name == c.Table })
	}
	switch {
	case p.Sensitive:
		return true
	case len(of) > 0 && !slices.ContainsFunc(of, isView), slices.Contains(harmless, p.Type):
		return false
	}
	some, used := false, false
	for _, t := range m.Tables {
		for _, c := range t.Columns {
			some = some || c.Sensitive
			used = used || c.Sensitive && slices.ContainsFunc(q.Uses, func(u dbtx.Use) bool {
				return u.Table == t.Name && slices.Contains(slices.Concat(u.Select, u.Insert, u.Update), c.Name)
			})
		}
	}

	return used || some && slices.ContainsFunc(q.Uses, func(u dbtx.Use) bool { return isView(dbtx.ColumnOf{Table: u.Table}) })
}

// harmless are the types of parameters such as that of LIMIT $1, which have no secrets.
var harmless = []string{"bool", "int2", "int4", "int8", "float4", "float8", "numeric", "date", "timestamp", "timestamptz", "interval"}

type explainer struct {
	q      *dbtx.Query
	known  *dbtx.Metadata
	opts   ExplainOptions
	result Explained
}

// The prepared statement ends with the transaction's last statement, and the values of the arguments with the transaction.
const (
	explained = "plans_explained"
	prepare   = "PREPARE " + explained + " AS "
	argument  = "plans.argument_" // and its number: a setting
)

func (e *explainer) typed(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*dbtx.InvalidError](err); ok {
		return err
	}
	if errors.Is(err, dbtx.ErrSettings) || errors.Is(err, dbtx.ErrUntrusted) {
		return fmt.Errorf("%s: %w", op(e.q), err)
	}

	return e.known.Typed(ctx, op(e.q), err, e.q.SQL)
}

func (e *explainer) run(ctx context.Context, tx pgx.Tx, values []*string) error {
	if !e.opts.Write {
		if _, err := tx.Exec(ctx, "SET TRANSACTION READ ONLY"); err != nil {
			return err
		}
	}
	if err := fit(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, prepare+e.q.SQL); err != nil {
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Position > int32(len(prepare)) {
			pg.Position -= int32(len(prepare)) // the place in the query
		}

		return err
	}
	defer deallocate(ctx, tx)
	// An error inside ends with the savepoint, so that the prepared statement, which no rollback removes, can be removed.
	inner, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	defer settings.Rollback(ctx, inner) //nolint:errcheck // nothing is to be kept
	execute, err := e.bind(ctx, inner, values)
	if err != nil {
		return err
	}
	mode, format := "force_custom_plan", "text"
	if e.result.Generic {
		mode = "force_generic_plan"
	}
	if e.opts.JSON {
		format = "json"
	}
	if _, err := inner.Exec(ctx, "SET LOCAL plan_cache_mode = "+mode); err != nil {
		return err
	}
	rows, err := inner.Query(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT "+format+") "+execute, pgx.QueryExecModeExec)
	if err != nil {
		return err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	e.result.Plan = strings.Join(lines, "\n")

	return err
}

// fit returns an error if the session's settings or its search_path give SQL another meaning.
func fit(ctx context.Context, tx pgx.Tx) error {
	if err := settings.Check(tx.Conn().PgConn()); err != nil {
		return err
	}
	path, err := settings.Look(ctx, tx)
	if err != nil {
		return err
	}

	return path.Refuse()
}

// parameterTypes returns the types of the prepared statement $1. The -1 is that they have no length: character alone would be character(1).
const parameterTypes = `
SELECT ARRAY(
    SELECT pg_catalog.format_type(t.type, -1)
    FROM pg_catalog.unnest(s.parameter_types::pg_catalog.oid[]) WITH ORDINALITY AS t (type, n)
    ORDER BY t.n
)
FROM pg_catalog.pg_prepared_statements AS s
WHERE s.name OPERATOR(pg_catalog.=) $1::pg_catalog.text`

// bind sends the arguments and returns the EXECUTE that uses them. They are kept as settings until the end of the transaction: EXPLAIN EXECUTE takes
// expressions, but no parameters of its own.
func (e *explainer) bind(ctx context.Context, tx pgx.Tx, values []*string) (execute string, err error) {
	if len(values) == 0 {
		return "EXECUTE " + explained, nil
	}
	var types []string
	err = tx.QueryRow(ctx, parameterTypes, pgx.QueryExecModeExec, explained).Scan(&types)
	if err != nil {
		return "", err
	}
	if len(types) != len(values) {
		reason := fmt.Sprintf("the query has %d parameters, but the server finds %d in its text", len(values), len(types))

		return "", &dbtx.InvalidError{Op: op(e.q), Reason: reason}
	}
	expressions := make([]string, len(values))
	for i, value := range values {
		if value == nil {
			expressions[i] = "NULL::" + types[i]

			continue
		}
		name := argument + strconv.Itoa(i+1)
		expressions[i] = "pg_catalog.current_setting('" + name + "')::" + types[i]
		_, err := tx.Exec(ctx, "SELECT pg_catalog.set_config($1::pg_catalog.text, $2::pg_catalog.text, true), "+
			"($2::pg_catalog.text::"+types[i]+") IS NULL", pgx.QueryExecModeExec, name, *value)
		if notOfType(err) {
			return "", &dbtx.InvalidError{Op: op(e.q), Field: e.q.Params[i].Name, Reason: "is not a value of the type " + types[i]}
		}
		if err != nil {
			return "", err
		}
	}

	return "EXECUTE " + explained + " (" + strings.Join(expressions, ", ") + ")", nil
}

// notOfType says whether a cast has failed because of its value. A tsquery, a jsonpath and a regclass have errors of class 42. A domain's
// function may raise one of class P0.
func notOfType(err error) bool {
	const insufficientPrivilege = "42501" // on the type
	code := sqlstate.Of(err)

	return len(code) == 5 && slices.Contains([]string{"22", "23", "42", "P0"}, code[:2]) && code != insufficientPrivilege
}

// deallocate removes the prepared statement, also when ctx has ended. A connection that has ended has none.
func deallocate(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, _ = tx.Exec(ctx, "DEALLOCATE "+explained)
}
