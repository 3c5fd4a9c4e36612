package repo

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"musicstore/internal/dbtx"

	"github.com/jackc/pgx/v5"
)

// What is known of a statement. It is looked up for the echo and for errors only.

// StatementName is what to call a statement in a trace: the query's name, such as GetAccountByEmail, or the first word
// of a statement that is none of db/queries, such as BEGIN.
func StatementName(sql string) string {
	if name := dbtx.Name(sql); name != "" {
		return name
	}
	word, _, _ := strings.Cut(oneLine(commentLine.ReplaceAllString(sql, "")), " ")

	return strings.ToUpper(word)
}

// body returns the statement without its name line.
func body(sql string) string {
	if dbtx.Name(sql) == "" {
		return sql
	}
	_, rest, _ := strings.Cut(sql, "\n")

	return rest
}

// oneLine returns the statement on one line.
func oneLine(sql string) string { return strings.Join(strings.Fields(body(sql)), " ") }

// operation returns the query's name in words, as errors begin with it: "create account".
func (k *catalogue) operation(sql string) string {
	if q := k.Query(sql); q != nil {
		return q.Op
	}
	verb, _, _ := strings.Cut(oneLine(sql), " ")

	return strings.ToLower(verb)
}

// reads reports that the statement changes nothing, so that running it twice is as good as once.
func (k *catalogue) reads(sql string) bool {
	if q := k.Query(sql); q != nil {
		return !q.Write
	}
	verb, _, _ := strings.Cut(oneLine(sql), " ")

	return slices.Contains([]string{"SELECT", "BEGIN", "SAVEPOINT"}, strings.ToUpper(verb))
}

// keyed reports that the statement may be sent again when its reply is lost, though it writes.
func (c *conn) keyed(sql string) bool {
	q := c.known.Query(sql)

	return q != nil && q.Keyed
}

// writesTo reports that the statement inserts rows into the table or updates them: a foreign key that stops it is the
// table's own then, and otherwise one that refers to a row which the statement deletes or changes.
func (k *catalogue) writesTo(sql, table string) bool {
	q := k.Query(sql)
	if q == nil {
		verb, _, _ := strings.Cut(oneLine(sql), " ")

		return slices.Contains([]string{"COPY", "INSERT", "UPDATE"}, verb)
	}

	return slices.ContainsFunc(q.Uses, func(u dbtx.Use) bool { return u.Table == table && len(u.Insert)+len(u.Update) > 0 })
}

// copySQL is what a COPY is called in the echo and in errors: it has the name of its query, if it is one.
func copySQL(q *dbtx.Query, table pgx.Identifier, columns []string) string {
	name := ""
	if q != nil {
		name = "-- name: " + q.Name + " :copyfrom\n"
	}

	return name + "COPY " + table.Sanitize() + " (" + strings.Join(columns, ", ") + ") FROM STDIN BINARY"
}

// typesSQL is never run: its description has the types of the columns.
func typesSQL(table pgx.Identifier, columns []string) string {
	quoted := make([]string, len(columns))
	for i, column := range columns {
		quoted[i] = pgx.Identifier{column}.Sanitize()
	}

	return "-- name: Copy :many\nSELECT " + strings.Join(quoted, ", ") + " FROM " + table.Sanitize()
}

var (
	numberedParam = regexp.MustCompile(`\$(\d+)`)
	commentLine   = regexp.MustCompile(`(?m)^\s*--.*$`)
)

// param returns the name of the parameter that argument i goes to. A statement that is none of ours has "$1", "$2" and
// so on.
func (k *catalogue) param(sql string, i int) string {
	if q := k.Query(sql); q != nil && i < len(q.Params) {
		return q.Params[i].Name
	}

	return "$" + strconv.Itoa(i+1)
}
