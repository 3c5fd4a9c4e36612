package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What the rows of a table will be is asked before anything is changed: in the transaction that has both schemas, a view with the columns that
// the table will have takes the place of the empty table of the files. It has the columns by their new names and of their new types, and
// what fills those that are new. All of it is rolled back.

// ahead has those views.
type ahead struct {
	views  map[string]string // their queries, by table; "" where there is none
	errors map[string]string // why PostgreSQL does not read one
	schema string            // of the tables that are there
}

// ahead returns the query that has the rows of a table as they will be, once a view of it has taken the table's place among the files. It returns
// "" where that can't be told.
func (p *probe) ahead(table string) string {
	if sql, made := p.future.views[table]; made {
		return sql
	}
	if p.future.views == nil {
		p.future.views, p.future.errors = map[string]string{}, map[string]string{}
		if !p.begin() {
			return ""
		}
	}
	sql, omitted := p.foreseen(table)
	p.future.views[table] = ""
	if sql == "" {
		return ""
	}
	made := p.nested(p.site.want, func(tx pgx.Tx) error {
		return exec(p.ctx, tx, fmt.Sprintf("ALTER TABLE IF EXISTS %[1]s.%[2]s RENAME TO %[3]s;\nCREATE VIEW %[1]s.%[2]s AS %[4]s",
			p.site.schema, quote(table), quote(fmt.Sprintf("musicstore_ahead_%d", len(p.future.views))), sql))
	}, true)
	if pg, is := errors.AsType[*pgconn.PgError](made); made == nil {
		p.future.views[table] = sql
	} else if is && strings.HasPrefix(pg.Code, "42") && !omitted {
		p.future.errors[table] = pg.Message
	}

	return p.future.views[table]
}

// begin looks where the tables are, and replaces the functions that the database has with those of the files.
func (p *probe) begin() bool {
	if p.nested(p.site.have, func(tx pgx.Tx) error {
		return tx.QueryRow(p.ctx, "SELECT pg_catalog.quote_ident(current_schema())", pgx.QueryExecModeExec).Scan(&p.future.schema)
	}, true) != nil {
		return false
	}
	for _, w := range p.want.relations {
		if w.isFunction() && w.Kind != "aggregate" && slices.ContainsFunc(p.have.relations, func(h object) bool {
			return h.Name == w.Name && h.Def != w.Def && h.Result == w.Result && h.Arguments == w.Arguments
		}) {
			_ = p.nested(p.site.have, func(tx pgx.Tx) error { return exec(p.ctx, tx, "SET LOCAL check_function_bodies = off;"+w.replace()) }, true)
		}
	}

	return p.err == nil
}

// nested runs fn by a search_path in a savepoint, which stays where it succeeds and is to stay. It returns an error that is about the
// statements; another is kept in p.err.
func (p *probe) nested(path string, fn func(tx pgx.Tx) error, stays bool) error {
	if p.err != nil {
		return p.err
	}
	nested, err := p.tx.Begin(p.ctx)
	if err != nil {
		p.err = err

		return err
	}
	if err = settings.SetPath(p.ctx, nested, path); err == nil {
		err = fn(nested)
	}
	if err != nil && !unreadable(err) {
		p.err = err
	}
	if stays && err == nil {
		p.err = nested.Commit(p.ctx)
	} else if failure := settings.Rollback(p.ctx, nested); p.err == nil {
		p.err = failure
	}

	return err
}

// foreseen is the query of ahead. omitted says that it does not have all columns.
func (p *probe) foreseen(table string) (sql string, omitted bool) {
	now, list, _ := p.formerly(table)
	if list == nil {
		return "", false
	}
	var names []string
	had := map[string]object{}
	for _, h := range p.columns(table) {
		names, had[h.Name] = append(names, h.Name), h
	}
	sql = "SELECT " + strings.Join(list, ", ") + " FROM " + p.future.schema + "." + quote(now)
	set := func(name, expression string) {
		list = nil
		for _, other := range names {
			if other != name {
				list = append(list, quote(other))
			}
		}
		if list = append(list, expression+" AS "+quote(name)); !slices.Contains(names, name) {
			names = append(names, name)
		}
		sql = "SELECT " + strings.Join(list, ", ") + " FROM (" + sql + ") AS " + quote(table)
	}
	columns := p.root(table)
	for _, w := range p.want.parts {
		if w.Kind == "column" && w.Table == columns && w.Generated == "" {
			if expression := p.becomes(w, had[w.Name]); expression != "" {
				set(w.Name, expression)
			}
			omitted = omitted || !slices.Contains(names, w.Name)
		}
	}
	for _, w := range p.want.parts {
		if w.Kind == "column" && w.Table == columns && w.Generated != "" {
			set(w.Name, "("+w.Generated+")::"+w.Def)
		}
	}

	return sql, omitted
}

// becomes is the expression for what a column will be; "" where it stays as it is, or can't be told. h is the column that is there.
func (p *probe) becomes(w, h object) string {
	there, meta := h.Def != "", p.meta(w.Table, w.Name)
	notNull := w.NotNull && (!h.NotNull || h.NotValid)
	fill := p.fillOf(w)
	if fill == "" && !there {
		fill = w.Default
	}
	if fill == "" && w.Default == "" && (!there || notNull) {
		fill = meanwhile(meta)
	}
	as := func(expression string) string {
		expression += "::" + w.Def
		if w.Collation != "" {
			expression += " COLLATE " + w.Collation
		}

		return expression
	}
	own := func(o object) bool { // its type is not the same one on both sides
		return slices.ContainsFunc(slices.Concat(p.want.relations, p.have.relations), func(r object) bool {
			return (r.Kind == "enum" || r.Kind == "domain" || r.Kind == "type") && quoteIfNeeded(r.Name) == strings.TrimRight(o.Def, "[]")
		})
	}
	expression := ""
	switch {
	case !there && (w.Identity != "" || w.Serial != "" || strings.Contains(fill, "nextval(")), !there && fill == "" && w.NotNull:
		return ""
	case !there && fill == "":
		return as("NULL")
	case !there:
		return as(fits("("+fill+")", w.Def))
	case own(w) || own(h):
		expression = as(quote(w.Name) + "::text")
	case w.Def != h.Def || w.Collation != h.Collation:
		expression = as(quote(w.Name))
	}
	if fill != "" && (notNull || p.have.filling(w)) {
		if expression == "" {
			expression = quote(w.Name)
		}

		return "coalesce(" + expression + ", " + as(fits("("+fill+")", w.Def)) + ")"
	}

	return expression
}

// fits is an expression that fails where its value is too long for a type, as an assignment does. A cast cuts.
func fits(expression, typ string) string {
	base, modifier := typeAndModifier(typ)
	if modifier == nil || base != "character varying" && base != "character" {
		return expression
	}

	return fmt.Sprintf("(CASE WHEN substr(%[1]s::text, %[2]d) ~ '[^ ]' THEN (2147483647 + length(%[1]s::text))::text ELSE %[1]s::text END)",
		expression, modifier[0]+1)
}

// unreadable returns what PostgreSQL says of the expressions that fill the new columns of a table, where it can't read them: it says nothing
// of rows.
func (p *probe) unreadable(table string) string {
	if p.future == nil {
		return ""
	}
	p.ahead(table)

	return p.future.errors[table]
}

// over returns the tables that a query of ours reads, and whether all of them have their rows ahead.
func (p *probe) over(query string) (tables []string, known bool) {
	if p.future == nil {
		return nil, false
	}
	tables = p.tables(query)
	for _, name := range tables {
		if p.ahead(name) == "" {
			return nil, false
		}
	}

	return tables, tables != nil
}

// foresees says whether a query returns rows, when the tables are as they will be. known is false where that can't be told.
func (p *probe) foresees(query string) (found, known bool) {
	if _, known = p.over(query); !known {
		return false, false
	}
	err := p.nested(p.site.want, func(tx pgx.Tx) error {
		return tx.QueryRow(p.ctx, "SELECT EXISTS ("+query+")", pgx.QueryExecModeExec).Scan(&found)
	}, false)

	return found, err == nil
}

// fails returns the SQLSTATE with which the values of a column can't become what they are to be; "" where they can, or it can't be told.
func (p *probe) fails(table, column string) string {
	query := "SELECT count(" + quote(column) + ") FROM " + quote(table)
	if _, known := p.over(query); !known {
		return ""
	}
	err := p.nested(p.site.want, func(tx pgx.Tx) error {
		_, err := tx.Exec(p.ctx, query, pgx.QueryExecModeExec)

		return err
	}, false)
	if state := sqlstate.Of(err); strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23") {
		return state
	}

	return ""
}

// listing is a query of ours as it can be run before anything is changed.
func (p *probe) listing(query string) string {
	former := p.former(query)
	if p.now(former) {
		return former
	}
	tables, known := p.over(query)
	if !known {
		return query
	}
	for _, name := range tables {
		query = inPlace(query, name, "("+p.future.views[name]+")")
	}

	return query
}

// fitsAll says whether each value of a type is one of another.
func fitsAll(from, to string) bool {
	from, fromMod := typeAndModifier(from)
	to, toMod := typeAndModifier(to)
	whole := []string{"smallint", "integer", "bigint"}
	number := slices.Index(whole, from)
	switch {
	case toMod == nil && (to == "text" || to == "character varying"):
		return true
	case number >= 0:
		return slices.Index(whole, to) >= number || toMod == nil && slices.Contains([]string{"numeric", "real", "double precision"}, to)
	case strings.HasPrefix(from, "timestamp") || from == "date":
		return strings.HasPrefix(to, "timestamp") || to == "date"
	case from == "numeric" && to == from:
		return toMod == nil || fromMod != nil && toMod[0]-toMod[1] >= fromMod[0]-fromMod[1] && toMod[1] >= fromMod[1]
	default:
		return from == to && (toMod == nil || fromMod != nil && toMod[0] >= fromMod[0])
	}
}

// misfits is a query for the rows whose value does not fit another type of its column; "" where we know none. labels are those of an enum, and
// modern says that the server is 16 or newer.
func misfits(w, h object, labels []string, modern bool) string {
	from, _ := typeAndModifier(h.Def)
	to, modifier := typeAndModifier(w.Def)
	value, where := quote(h.Name), ""
	isText := slices.Contains([]string{"text", "character varying", "character", "citext"}, from)
	number := isText || slices.Contains([]string{"smallint", "integer", "bigint", "numeric", "real", "double precision"}, from)
	bounds := map[string]string{
		"smallint": "-32768 AND 32767", "integer": "-2147483648 AND 2147483647", "bigint": "-9223372036854775808 AND 9223372036854775807",
	}
	switch {
	case strings.HasSuffix(w.Def, "[]") || strings.HasSuffix(h.Def, "[]"):
	case isText && modifier != nil && (to == "character varying" || to == "character"):
		where = fmt.Sprintf("substr(%s, %d) ~ '[^ ]'", value, modifier[0]+1)
	case labels != nil:
		where = value + "::text NOT IN " + object{Labels: labels}.labels()
	case isText && to == "uuid":
		where = value + ` !~* '^\{?([0-9a-f]{4}-?){8}\}?$'`
	case isText && slices.Contains([]string{"smallint", "integer", "bigint"}, to):
		where = "CASE WHEN " + value + ` ~ '^\s*[-+]?[0-9]+\s*$' THEN ` + value + "::numeric NOT BETWEEN " + bounds[to] + " ELSE " + value + " IS NOT NULL END"
	case isText && modern && w.Category != "C" && !strings.Contains(w.Def, "("):
		where = "NOT pg_input_is_valid(" + value + "::text, " + literal(w.Def) + ")"
	case number && !isText && bounds[to] != "":
		where = value + "::numeric NOT BETWEEN " + bounds[to]
	case number && !isText && to == "numeric" && modifier != nil:
		where = fmt.Sprintf("abs(round(%s::numeric, %d)) >= 1e%d", value, modifier[1], modifier[0]-modifier[1])
	}
	if where == "" {
		return ""
	}

	return "SELECT * FROM " + quote(h.Table) + " WHERE " + where //nolint:unqueryvet // the rows as they are
}
