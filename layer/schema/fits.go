package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
)

// Fit says whether a schema is older or newer than a program. Its text is for a schema on which the program can work.
type Fit int

// The versions of a schema, seen from a program.
const (
	FitUnknown Fit = iota // the record of Migrate does not tell
	FitSame               // Migrate has brought the schema to the program's version, by all of its steps or by those of Expand
	FitOlder              // older than the program
	FitNewer              // newer than the program
)

func (f Fit) String() string {
	switch f {
	case FitSame:
		return "of this program's version, and compatible"
	case FitOlder:
		return "older than this program, and compatible: run migrate"
	case FitNewer:
		return "newer than this program, and compatible"
	default:
		return "compatible"
	}
}

// UnfitError says why a program can't work on a schema. errors.Is matches it with ErrUnfit.
type UnfitError struct {
	Fit     Fit
	Reasons []string // "column papers.year is missing"; all of them, in the order of the schema files
}

// shownReasons is how many reasons the text of an UnfitError has.
const shownReasons = 5

// Error says the first reasons, and what to do.
func (e *UnfitError) Error() string {
	reasons, more := e.Reasons, ""
	if n := len(reasons) - shownReasons; n > 0 {
		reasons, more = reasons[:shownReasons], fmt.Sprintf("; and %d more", n)
	}
	advice := map[Fit]string{
		FitSame:    "migrate has begun to bring the schema to this program's version, or somebody has changed it since: run migrate",
		FitOlder:   "the schema is older than this program: run migrate",
		FitNewer:   "the schema is newer than this program: start a newer program",
		FitUnknown: "the schema is older or newer than this program: if this is the newest program, run migrate; otherwise start the newest one",
	}[e.Fit]

	return ErrUnfit.Error() + ": " + strings.Join(reasons, "; ") + more + " (" + advice + ")"
}

// ErrUnfit matches every *UnfitError, by errors.Is.
var ErrUnfit = errors.New("this program can't work on the schema")

// Is reports whether target is ErrUnfit.
func (*UnfitError) Is(target error) bool { return target == ErrUnfit }

// Fits says whether the queries of m can work on the current schema. It is one query of the catalogue, which every role may read. It
// locks no table, and changes nothing. If the queries write through a view, it locks the view as a SELECT does. A second call asks again.
//
// If a query would always fail, or a Go type can't read a column, Fits returns a *UnfitError, and whether the schema is older or newer. These
// are the cases:
//
//   - A table, a view or a column that a query names is missing.
//   - A column of a table has a type that the Go type can't read and write. Any type of number may stand for another, but not money or oid. So
//     may texts and enums, and json and jsonb. A timestamp may stand for a timestamptz. A domain counts as its base type.
//   - An enum of a query's columns or parameters is missing, or lacks a label.
//   - A function of the schema files that a query calls is missing. Its arguments are not compared.
//   - A column is NOT NULL and has no default, and a query inserts rows without it. A table with a rule ON INSERT DO INSTEAD, or with a trigger
//     BEFORE INSERT for each row, is left out, because these may set the column.
//   - A query sets a generated column, an identity that is GENERATED ALWAYS, or a column of a view that can't be written. A view with a rule or
//     a trigger INSTEAD OF is left out.
//
// The schema may have more tables, columns and labels than the program knows, other constraints and indexes, and other lengths of texts. A
// column that the queries set may have become NOT NULL. These can refuse single rows only. Fits does not look at the types of a view's columns,
// at rights, at the operators that a query uses, at the unique index that ON CONFLICT names, and at the partitions of a table. Without these, a
// query can fail always. Check finds other differences.
//
// Fits reads the version from the record of Migrate: the comment on its table. Bootstrap makes the first version and records none, so the record
// may lack the program's version. If it then has two versions or more, the schema is older. If it has fewer, the columns decide:
//
//   - The schema is older if something is missing, and the tables have no column that the program does not know.
//   - It is newer if nothing is missing, the tables have such a column, and Migrate has recorded a version.
//   - Otherwise the answer is FitUnknown.
func Fits(ctx context.Context, db DB, m *dbtx.Metadata) (Fit, error) {
	need := needsOf(m)
	rows, err := db.Query(ctx, fitsSQL, pgx.QueryExecModeExec,
		recordTable(m), need.schemas, need.names, need.types, need.quotedTypes, need.functions, need.written)
	if err != nil {
		return FitUnknown, fmt.Errorf("fits: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[fact])
	if err != nil {
		return FitUnknown, fmt.Errorf("fits: %w", err)
	}
	have := known(found)
	reasons := need.lacks(have)
	fit := age(have.record, Version(m), len(reasons) > 0, need.meetsStrangers(have))
	if len(reasons) > 0 {
		return fit, &UnfitError{fit, reasons}
	}

	return fit, nil
}

// AtStart calls Fits and returns only its error, as dbtx.WithStartCheck needs it.
func AtStart(ctx context.Context, db DB, m *dbtx.Metadata) error {
	_, err := Fits(ctx, db, m)

	return err
}

// fitsSQL runs in the session's own search_path, like missingSQL, so every name and operator in it is qualified.
//
// A domain counts as what it is of. Of the columns of a view, only those are looked at for writing that a query writes: to ask that takes
// a lock on the view, if only for this query.
const fitsSQL = `
WITH RECURSIVE part AS ( -- what each domain is of, with the domains between
    SELECT d.oid AS domain, d.typbasetype AS of, d.typnotnull AS must
    FROM pg_catalog.pg_type AS d
    WHERE d.typtype OPERATOR(pg_catalog.=) 'd'
    UNION ALL
    SELECT p.domain, d.typbasetype, p.must OR d.typnotnull
    FROM part AS p
    JOIN pg_catalog.pg_type AS d ON d.oid OPERATOR(pg_catalog.=) p.of AND d.typtype OPERATOR(pg_catalog.=) 'd'
), whole AS (
    SELECT p.domain, p.of, p.must
    FROM part AS p
    WHERE NOT EXISTS (SELECT FROM part AS q WHERE q.domain OPERATOR(pg_catalog.=) p.of)
)
SELECT 'schema', coalesce(pg_catalog.current_schema()::pg_catalog.text, ''), coalesce((
    SELECT d.description
    FROM pg_catalog.pg_description AS d
    JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) d.objoid
    JOIN pg_catalog.pg_namespace AS s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE d.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
        AND d.objsubid OPERATOR(pg_catalog.=) 0
        AND c.relname OPERATOR(pg_catalog.=) $1::pg_catalog.text
        AND s.nspname OPERATOR(pg_catalog.=) pg_catalog.current_schema()
), ''), '', '', false, false, ''
UNION ALL
SELECT 'column', CASE WHEN w.schema OPERATOR(pg_catalog.=) '' THEN w.name ELSE pg_catalog.concat(w.schema, '.', w.name) END,
    coalesce(a.attname::pg_catalog.text, ''),
    CASE WHEN c.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}') THEN '' ELSE coalesce(flat.typname::pg_catalog.text, '') END,
    coalesce(flat.typcategory::pg_catalog.text, ''),
    e.oid IS NOT NULL,
    coalesce((a.attnotnull OR d.must) AND NOT a.atthasdef AND a.attidentity OPERATOR(pg_catalog.=) '' AND t.typdefault IS NULL
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_rewrite AS r
            WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid
                AND r.ev_type OPERATOR(pg_catalog.=) '3' -- INSERT
                AND r.is_instead
                AND r.ev_enabled OPERATOR(pg_catalog.=) ANY ('{O,A}')
        )
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_trigger AS g
            WHERE g.tgrelid OPERATOR(pg_catalog.=) c.oid
                AND NOT g.tgisinternal
                AND g.tgenabled OPERATOR(pg_catalog.=) ANY ('{O,A}')
                AND g.tgtype::pg_catalog.int4 OPERATOR(pg_catalog.&) 7 OPERATOR(pg_catalog.=) 7 -- FOR EACH ROW, BEFORE, INSERT
        ), false),
    CASE
        WHEN a.attnum IS NULL THEN ''
        WHEN a.attidentity OPERATOR(pg_catalog.=) 'a' THEN 'always'
        WHEN a.attgenerated OPERATOR(pg_catalog.<>) '' THEN 'computed'
        WHEN c.relkind OPERATOR(pg_catalog.=) 'm' THEN 'fixed'
        WHEN c.relkind OPERATOR(pg_catalog.=) 'v' AND w.written
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_trigger AS g
                WHERE g.tgrelid OPERATOR(pg_catalog.=) c.oid AND g.tgtype::pg_catalog.int4 OPERATOR(pg_catalog.&) 64 OPERATOR(pg_catalog.<>) 0 -- INSTEAD OF
            )
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_rewrite AS r
                WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid AND r.ev_type OPERATOR(pg_catalog.<>) '1' -- SELECT
            )
            AND NOT pg_catalog.pg_column_is_updatable(c.oid, a.attnum, false)
        THEN 'fixed'
        ELSE ''
    END
FROM ROWS FROM (
    pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[]), pg_catalog.unnest($7::pg_catalog.bool[])
) AS w (schema, name, written)
JOIN pg_catalog.pg_namespace AS s ON s.nspname OPERATOR(pg_catalog.=)
    CASE WHEN w.schema OPERATOR(pg_catalog.=) '' THEN pg_catalog.current_schema()::pg_catalog.text ELSE w.schema END
JOIN pg_catalog.pg_class AS c ON c.relnamespace OPERATOR(pg_catalog.=) s.oid AND c.relname OPERATOR(pg_catalog.=) w.name
    AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}')
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0
    AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
LEFT JOIN whole AS d ON d.domain OPERATOR(pg_catalog.=) t.oid
LEFT JOIN pg_catalog.pg_type AS b ON b.oid OPERATOR(pg_catalog.=) coalesce(d.of, t.oid)
LEFT JOIN pg_catalog.pg_type AS e ON b.typcategory OPERATOR(pg_catalog.=) 'A' AND e.oid OPERATOR(pg_catalog.=) b.typelem
LEFT JOIN whole AS f ON f.domain OPERATOR(pg_catalog.=) e.oid
LEFT JOIN pg_catalog.pg_type AS flat ON flat.oid OPERATOR(pg_catalog.=) coalesce(f.of, e.oid, b.oid)
UNION ALL
SELECT 'type', w.name, '', t.typname::pg_catalog.text, t.typcategory::pg_catalog.text, false, false, ''
FROM ROWS FROM (pg_catalog.unnest($4::pg_catalog.text[]), pg_catalog.unnest($5::pg_catalog.text[])) AS w (name, quoted)
JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) pg_catalog.to_regtype(w.quoted)::pg_catalog.oid
UNION ALL
SELECT 'label', w.name, l.enumlabel::pg_catalog.text, '', '', false, false, ''
FROM ROWS FROM (pg_catalog.unnest($4::pg_catalog.text[]), pg_catalog.unnest($5::pg_catalog.text[])) AS w (name, quoted)
JOIN pg_catalog.pg_enum AS l ON l.enumtypid OPERATOR(pg_catalog.=) pg_catalog.to_regtype(w.quoted)::pg_catalog.oid
UNION ALL
SELECT 'function', w.name, '', '', '', false, false, ''
FROM pg_catalog.unnest($6::pg_catalog.text[]) AS w (name)
WHERE EXISTS (
    SELECT FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS s ON s.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE p.proname OPERATOR(pg_catalog.=) w.name
        AND s.nspname OPERATOR(pg_catalog.=) pg_catalog.current_schema()
)`

// fact is a row of fitsSQL.
type fact struct {
	Kind, Of, Name string
	Type, Category string // of an array those of its elements; "" where they are not compared
	Array          bool
	Must           bool   // an INSERT must set the column
	Fixed          string // always, computed or fixed: why a query can't set the column; "" if it can
}

// facts are what the database has.
type facts struct {
	schema    string // "" where the search_path names none
	record    string
	columns   map[string]map[string]fact // by table, also of a table without columns
	types     map[string]fact
	labels    map[dbtx.ColumnOf]bool // an enum and its label
	functions map[string]bool
}

func known(found []fact) *facts {
	have := &facts{
		columns: map[string]map[string]fact{}, types: map[string]fact{}, labels: map[dbtx.ColumnOf]bool{}, functions: map[string]bool{},
	}
	for _, f := range found {
		switch f.Kind {
		case "schema":
			have.schema, have.record = f.Of, f.Name
		case "column":
			if have.columns[f.Of] == nil {
				have.columns[f.Of] = map[string]fact{}
			}
			have.columns[f.Of][f.Name] = f
		case "type":
			have.types[f.Of] = f
		case "label":
			have.labels[dbtx.ColumnOf{Table: f.Of, Column: f.Name}] = true
		case "function":
			have.functions[f.Of] = true
		}
	}

	return have
}

// needs are what the queries need.
type needs struct {
	m              *dbtx.Metadata
	tables         []*dbtx.Table
	columns        map[dbtx.ColumnOf]bool
	schemas, names []string // of the tables; the schema is "" where it is the current one
	written        []bool

	types, quotedTypes []string
	functions          []string
}

func needsOf(m *dbtx.Metadata) *needs {
	n := &needs{m: m, columns: map[dbtx.ColumnOf]bool{}, schemas: []string{}, names: []string{}, written: []bool{}, functions: []string{}}
	used, written, types := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, q := range m.Queries {
		for _, u := range q.Uses {
			used[u.Table] = true
			written[u.Table] = written[u.Table] || len(u.Insert)+len(u.Update) > 0
			for _, c := range slices.Concat(u.Select, u.Insert, u.Update) {
				n.columns[dbtx.ColumnOf{Table: u.Table, Column: c}] = true
			}
		}
		for i := range q.Params {
			if m.Enum(q.Params[i].Type) != nil {
				types[q.Params[i].Type] = true
			}
		}
		for _, f := range q.Calls {
			if !slices.Contains(n.functions, f) {
				n.functions = append(n.functions, f)
			}
		}
	}
	for _, t := range m.Tables {
		if !used[t.Name] {
			continue
		}
		n.tables = append(n.tables, t)
		name := named("", t.Name)
		n.schemas, n.names = append(n.schemas, name[0]), append(n.names, name[1])
		n.written = append(n.written, written[t.Name])
		for _, c := range t.Columns {
			if n.columns[dbtx.ColumnOf{Table: t.Name, Column: c.Name}] {
				types[c.Type] = true
			}
		}
	}
	n.types, n.quotedTypes = []string{}, []string{}
	for t := range types {
		n.types, n.quotedTypes = append(n.types, t), append(n.quotedTypes, pgx.Identifier(strings.Split(t, ".")).Sanitize())
	}

	return n
}

// lacks says why the queries can't work.
func (n *needs) lacks(have *facts) (reasons []string) {
	here := slices.Contains(n.schemas, "") // some table is in the current schema
	if have.schema == "" && (here || len(n.functions) > 0) {
		return []string{"the search_path names no schema that exists"}
	}
	if here && len(have.columns) == 0 {
		return []string{"schema " + have.schema + " has none of this program's tables"}
	}
	for _, t := range n.tables {
		columns, there := have.columns[t.Name]
		if !there {
			what := "table "
			if t.View {
				what = "view "
			}
			reasons = append(reasons, what+t.Name+" is missing")

			continue
		}
		for _, c := range t.Columns {
			if !n.columns[dbtx.ColumnOf{Table: t.Name, Column: c.Name}] {
				continue
			}
			of := "column " + t.Name + "." + c.Name
			if is, there := columns[c.Name]; !there {
				reasons = append(reasons, of+" is missing")
			} else if want, known := have.types[c.Type]; known && is.Type != "" && !sameKind(c, want, is) {
				reasons = append(reasons, of+" is "+typeText(is.Type, is.Array)+", not "+typeText(c.Type, c.Array))
			}
		}
		reasons = append(reasons, n.refused(t, columns)...)
	}
	for _, e := range n.m.Enums {
		if _, there := have.types[e.Name]; !slices.Contains(n.types, e.Name) {
			continue
		} else if !there {
			reasons = append(reasons, "enum "+e.Name+" is missing")

			continue
		}
		for _, label := range e.Labels {
			if !have.labels[dbtx.ColumnOf{Table: e.Name, Column: label}] {
				reasons = append(reasons, "label "+literal(label)+" of enum "+e.Name+" is missing")
			}
		}
	}
	for _, f := range n.functions {
		if !have.functions[f] {
			reasons = append(reasons, "function "+f+" is missing")
		}
	}

	return reasons
}

// refused says which columns the queries must set and do not, or set and must not.
func (n *needs) refused(t *dbtx.Table, columns map[string]fact) (reasons []string) {
	said := map[string]bool{}
	say := func(column, what string) {
		if !said[column] {
			said[column] = true
			reasons = append(reasons, "column "+t.Name+"."+column+what)
		}
	}
	for _, q := range n.m.Queries {
		for _, u := range q.Uses {
			if u.Table != t.Name || len(u.Insert) == 0 {
				continue
			}
			for name, c := range columns {
				if c.Must && !slices.Contains(u.Insert, name) {
					say(name, " must have a value, and "+q.Name+" sets none")
				}
			}
		}
		for _, name := range sets(q, t) {
			switch fixed := columns[name].Fixed; {
			case fixed == "computed":
				say(name, " is computed by the database, and "+q.Name+" sets it")
			case fixed == "always" && q.Command != dbtx.Copyfrom && !strings.Contains(strings.ToUpper(q.SQL), "OVERRIDING"):
				say(name, " is GENERATED ALWAYS AS IDENTITY, and "+q.Name+" sets it")
			case fixed == "fixed":
				say(name, " is of a view that can't set it, and "+q.Name+" sets it")
			}
		}
	}
	slices.Sort(reasons)

	return reasons
}

// sets returns the columns of a table that a query sets to a value. If its text has the word DEFAULT, only those are known that it sets to parameters.
func sets(q *dbtx.Query, t *dbtx.Table) (columns []string) {
	for _, p := range q.Params {
		for _, c := range p.Assigned {
			if c.Table == t.Name {
				columns = append(columns, c.Column)
			}
		}
	}
	for _, u := range q.Uses {
		if u.Table == t.Name && !strings.Contains(strings.ToUpper(q.SQL), "DEFAULT") {
			columns = slices.Concat(columns, u.Insert, u.Update)
		}
	}

	return columns
}

// meetsStrangers says whether the tables have columns that the program does not know.
func (n *needs) meetsStrangers(have *facts) bool {
	for _, t := range n.tables {
		for name := range have.columns[t.Name] {
			knows := func(c dbtx.Column) bool { return c.Name == name || c.Was == name }
			if name != "" && !slices.ContainsFunc(t.Columns, knows) {
				return true
			}
		}
	}

	return false
}

// sameKind says whether the Go type that a column has in the program reads and writes what the database has.
func sameKind(c dbtx.Column, want, have fact) bool {
	kind := func(of fact) string {
		switch {
		case slices.Contains([]string{"int2", "int4", "int8", "float4", "float8", "numeric"}, of.Type):
			return "number"
		case of.Category == "S", of.Category == "E": // https://www.postgresql.org/docs/current/catalog-pg-type.html#CATALOG-TYPCATEGORY-TABLE
			return "text"
		case of.Type == "jsonb":
			return "json"
		default:
			return of.Type
		}
	}

	return c.Array == have.Array && (kind(want) == kind(have) || want.Type == "timestamptz" && have.Type == "timestamp")
}

func typeText(name string, array bool) string {
	if array {
		return name + "[]"
	}

	return name
}

// age compares a version with those in the record: the versions in the order in which they first appeared, and then the present one. lacks says that
// something is missing for the program, and strangers that there is something that the program does not know.
func age(record, version string, lacks, strangers bool) Fit {
	versions := recorded(record)
	last := len(versions) - 1
	at := slices.Index(versions, version)
	switch {
	case at >= 0 && versions[last] == version:
		return FitSame
	case at >= 0 && at < slices.Index(versions, versions[last]):
		return FitNewer
	case at >= 0, last > 1, lacks && !strangers:
		return FitOlder
	case len(versions) > 0 && strangers && !lacks:
		return FitNewer
	default:
		return FitUnknown
	}
}
