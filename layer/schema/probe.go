package schema

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/settings"
)

// probe asks the database what a plan needs to know beyond the catalogue, in the transaction that has both schemas.
type probe struct {
	ctx  context.Context //nolint:containedctx // a probe lives as long as the call that makes it
	tx   pgx.Tx
	site *site
	look bool // for rows in the tables, which needs the right to read them
	keep bool // what is not in the files stays: views and functions come back when they had to give way

	m       *dbtx.Metadata
	want    *catalogue   // of the files
	have    *catalogue   // of the database, with the new names of the files
	renames []Difference // the tables and columns that do not have those names yet
	future  *ahead       // nil until the two are compared
	err     error
}

// former returns a query of ours that can be run while tables and columns have their old names.
func (p *probe) former(query string) string {
	for _, table := range p.tables(query) {
		if now, columns, renamed := p.formerly(table); renamed {
			query = inPlace(query, table, "(SELECT "+strings.Join(columns, ", ")+" FROM "+quote(now)+")")
		} else if now != table {
			query = inPlace(query, table, quote(now))
		}
	}

	return query
}

// formerly returns the name that a table has now, and its columns by their new names, as a SELECT has them. renamed says that one has
// another name now.
func (p *probe) formerly(table string) (now string, columns []string, renamed bool) {
	now = p.called(table)
	for _, h := range p.columns(table) {
		columns = append(columns, quote(h.former())+" AS "+quote(h.Name))
		renamed = renamed || h.former() != h.Name
	}

	return now, columns, renamed
}

// columns are those that a table has now. A partition has those of its parent.
func (p *probe) columns(table string) (columns []object) {
	table = p.root(table)
	for _, h := range p.have.parts {
		if h.Kind == "column" && h.Table == table && h.Def != "" {
			columns = append(columns, h)
		}
	}

	return columns
}

// root is the table that has the columns of a partition.
func (p *probe) root(table string) string {
	for _, c := range []*catalogue{p.want, p.have} {
		for i := 0; c != nil && i < len(c.relations); i++ {
			if o := c.relations[i]; o.Name == table && o.Partition && o.Parent != "" {
				table, i = o.Parent, -1
			}
		}
	}

	return table
}

// tables returns those that a query of ours reads.
func (p *probe) tables(query string) (tables []string) {
	for _, h := range p.have.relations {
		if h.Kind == "table" && strings.Contains(query, " FROM "+quote(h.Name)) {
			tables = append(tables, h.Name)
		}
	}

	return tables
}

// inPlace puts something in the place of a table in a query of ours, which has a FROM for each table.
func inPlace(query, table, by string) string {
	from := " FROM " + quote(table)
	query = strings.ReplaceAll(query+" ", from+" AS ", " FROM "+by+" AS ")

	return strings.TrimSuffix(strings.ReplaceAll(query, from+" ", " FROM "+by+" AS "+quote(table)+" "), " ")
}

// rewrites says whether PostgreSQL writes a table anew for a statement. It tries it on an empty table of the same kind, and says
// yes where that fails. %s is the table.
func (p *probe) rewrites(create, alter string) (rewritten bool) {
	const name = "musicstore_probe"
	if p.err != nil {
		return true
	}
	nested, err := p.tx.Begin(p.ctx)
	if err != nil {
		p.err = err

		return true
	}
	defer func() {
		if err := settings.Rollback(p.ctx, nested); p.err == nil {
			p.err = err
		}
	}()
	of := p.site.schema + "." + name
	var before, after uint32
	file := func(to *uint32) error {
		return nested.QueryRow(p.ctx, "SELECT pg_catalog.pg_relation_filenode('"+of+"'::pg_catalog.regclass)",
			pgx.QueryExecModeExec).Scan(to)
	}
	err = settings.SetPath(p.ctx, nested, p.site.want)
	if err == nil {
		err = exec(p.ctx, nested, fmt.Sprintf(create, of))
	}
	if err == nil {
		err = file(&before)
	}
	if err == nil {
		err = exec(p.ctx, nested, fmt.Sprintf(alter, of))
	}
	if err == nil {
		err = file(&after)
	}
	if err != nil && !unreadable(err) {
		p.err = err
	}

	return err != nil || before != after
}

// takes tries to add a column to a table of one row. It returns false if PostgreSQL refuses the value for that row (SQLSTATE class 22 or 23).
func (p *probe) takes(column string) bool {
	of := p.site.schema + ".musicstore_probe"
	state := sqlstate.Of(p.nested(p.site.want, func(tx pgx.Tx) error {
		return exec(p.ctx, tx, "CREATE TABLE "+of+" AS SELECT 1 AS musicstore_probe; ALTER TABLE "+of+" ADD COLUMN "+column)
	}, false))

	return !strings.HasPrefix(state, "22") && !strings.HasPrefix(state, "23")
}

// reads says whether PostgreSQL reads every row of a table, or builds an index of it anew, for statements, and whether it writes the rows
// anew. It runs them on an empty copy of the table, and says yes where that fails.
func (p *probe) reads(table string, statements []string) (scans, rewritten bool) {
	if p.err != nil {
		return true, true
	}
	nested, err := p.tx.Begin(p.ctx)
	if err != nil {
		p.err = err

		return true, true
	}
	defer func() {
		if err := settings.Rollback(p.ctx, nested); p.err == nil {
			p.err = err
		}
	}()
	of := p.site.schema + "." + quote(table)
	alter := "ALTER TABLE " + quote(table) + " "
	var changes []string
	for _, d := range p.renames {
		if d.Kind == "column" && d.Table == table {
			renaming, _, _ := strings.Cut(d.Mend, "\nALTER SEQUENCE ")
			changes = append(changes, renaming)
		}
	}
	for _, sql := range statements { // the others are of sequences, which the copy does not own
		if strings.HasPrefix(sql, alter) {
			changes = append(changes, sql)
		}
	}
	var before, after [2]int64
	look := func(to *[2]int64) error {
		const sql = `
SELECT pg_catalog.pg_relation_filenode(c)::pg_catalog.int8, pg_catalog.pg_stat_get_xact_numscans(c) FROM (SELECT $1::pg_catalog.regclass) AS of (c)
WHERE pg_catalog.current_setting('track_counts')::pg_catalog.bool`

		return nested.QueryRow(p.ctx, sql, pgx.QueryExecModeExec, of).Scan(&to[0], &to[1])
	}
	err = settings.SetPath(p.ctx, nested, p.site.have)
	if err == nil {
		err = exec(p.ctx, nested, "ALTER TABLE IF EXISTS "+of+" RENAME TO musicstore_probe;\nCREATE TABLE "+of+" (LIKE "+quote(p.called(table))+" INCLUDING ALL)")
	}
	if err == nil {
		err = look(&before)
	}
	if err == nil {
		err = settings.SetPath(p.ctx, nested, p.site.want)
	}
	if err == nil {
		err = exec(p.ctx, nested, strings.Join(changes, "\n"))
	}
	if err == nil {
		err = look(&after)
	}
	if err != nil && !unreadable(err) && !errors.Is(err, pgx.ErrNoRows) {
		p.err = err
	}

	return err != nil || before != after, err != nil || before[0] != after[0]
}

// called is the name that a table has now.
func (p *probe) called(table string) string {
	for _, d := range p.renames {
		if d.Kind == "table" && d.Name == table {
			return d.Table
		}
	}

	return table
}

// large says whether one of some tables has so many rows that others notice when all are read under a lock which keeps them out:
// more than a megabyte.
func (p *probe) large(tables []string) (large bool) {
	names := make([]string, len(tables))
	for i, name := range tables {
		names[i] = quote(p.called(name))
	}
	known := p.inside(func(tx pgx.Tx) error {
		return tx.QueryRow(p.ctx, `
SELECT coalesce(sum(pg_catalog.pg_relation_size(relid)), 0) > 1000000
FROM unnest($1::text[]) AS t (name), LATERAL (
    SELECT relid FROM pg_catalog.pg_partition_tree(to_regclass(name)) UNION SELECT to_regclass(name)
) AS part (relid)`, pgx.QueryExecModeExec, names).Scan(&large)
	})

	return large || !known
}

// rows says whether a table may have rows.
func (p *probe) rows(table string) bool { return p.any("SELECT FROM " + quote(table)) }

// nulls says whether a column may be NULL in some row.
func (p *probe) nulls(column object) bool {
	if _, there := p.have.part("column", column.Table, column.Name); !there { // it comes with a parent's
		return p.rows(column.Table)
	}

	return p.any("SELECT FROM " + quote(column.Table) + " WHERE " + quote(column.Name) + " IS NULL")
}

// any says whether a query returns rows, or may, where the probe does not look.
func (p *probe) any(query string) (found bool) {
	if p.err != nil || !p.look {
		return true
	}
	if p.err = settings.SetPath(p.ctx, p.tx, p.site.have); p.err == nil {
		p.err = p.tx.QueryRow(p.ctx, "SELECT EXISTS ("+p.former(query)+" LIMIT 1)", pgx.QueryExecModeExec).Scan(&found)
	}

	return found || p.err != nil
}

// count returns what a query counts, and -1 where that can't be told.
func (p *probe) count(query string) (n int64) {
	if !p.inside(func(tx pgx.Tx) error { return tx.QueryRow(p.ctx, p.former(query), pgx.QueryExecModeExec).Scan(&n) }) {
		return -1
	}

	return n
}

// finds says whether a query returns rows when the tables are as they will be, and where that can't be told, whether it does now. One that can't
// run finds none: it may need what an earlier step makes.
func (p *probe) finds(query string) bool {
	if found, known := p.foresees(query); known {
		return found
	}

	return p.now(p.former(query))
}

// now says whether a query returns rows.
func (p *probe) now(query string) (found bool) {
	return p.inside(func(tx pgx.Tx) error {
		return tx.QueryRow(p.ctx, "SELECT EXISTS ("+query+")", pgx.QueryExecModeExec).Scan(&found)
	}) && found
}

// modern says whether the server is 16 or newer.
func (p *probe) modern() bool {
	var version int
	_, _ = fmt.Sscanf(p.tx.Conn().PgConn().ParameterStatus("server_version"), "%d", &version)

	return version >= 16
}

// inside runs fn in the database's own schema, and says whether that could be done.
func (p *probe) inside(fn func(tx pgx.Tx) error) bool {
	return p.nested(p.site.have, fn, false) == nil && p.err == nil
}
