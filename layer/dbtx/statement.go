package dbtx

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// What is known of a statement, by its text.

// StatementName returns the name of a statement for a trace. For a generated query it is the query's name, such as
// GetReaderByEmail. For any other statement it is the first word, such as BEGIN.
func StatementName(sql string) string {
	if name := Name(sql); name != "" {
		return name
	}

	return firstWord(sql)
}

// firstWord is the first word of a statement without a name, in upper case.
func firstWord(sql string) string {
	word, _, _ := strings.Cut(oneLine(commentLine.ReplaceAllString(sql, "")), " ")

	return strings.ToUpper(word)
}

// body returns the statement without its name line.
func body(sql string) string {
	if Name(sql) == "" {
		return sql
	}
	_, rest, _ := strings.Cut(sql, "\n")

	return rest
}

// oneLine returns the statement on one line.
func oneLine(sql string) string { return strings.Join(strings.Fields(body(sql)), " ") }

// operation returns the query's name in words, as errors begin with it: "create reader".
func (k *catalogue) operation(sql string) string {
	if q := k.Query(sql); q != nil {
		return q.Op
	}
	verb, _, _ := strings.Cut(oneLine(sql), " ")

	return strings.ToLower(verb)
}

// reads reports whether the statement changes nothing. Such a statement may run twice.
func (k *catalogue) reads(sql string) bool {
	if q := k.Query(sql); q != nil {
		return !q.Write
	}
	verb, _, _ := strings.Cut(oneLine(sql), " ")

	return slices.Contains([]string{"SELECT", "BEGIN", "SAVEPOINT"}, strings.ToUpper(verb))
}

// keyed reports whether the statement is a write that may be sent again when its reply is lost.
func (c *conn) keyed(sql string) bool {
	q := c.known.Query(sql)

	return q != nil && q.Keyed
}

// writesTo reports whether the statement inserts or updates rows of the table. If it does, a foreign key of the table that stops
// the statement means that the row it refers to is missing. If not, the statement deletes or changes a row that the foreign key
// refers to.
func (k *catalogue) writesTo(sql, table string) bool {
	q := k.Query(sql)
	if q == nil {
		verb, _, _ := strings.Cut(oneLine(sql), " ")

		return slices.Contains([]string{"COPY", "INSERT", "UPDATE"}, verb)
	}

	return slices.ContainsFunc(q.Uses, func(u Use) bool { return u.Table == table && len(u.Insert)+len(u.Update) > 0 })
}

// copySQL returns the text of a COPY for the echo and for errors. It has the query's name if there is a query.
func copySQL(q *Query, table pgx.Identifier, columns []string) string {
	name := ""
	if q != nil {
		name = "-- name: " + q.Name + " :copyfrom\n"
	}

	return name + "COPY " + table.Sanitize() + " (" + strings.Join(columns, ", ") + ") FROM STDIN BINARY"
}

// typesSQL returns a statement that is prepared but never run. Its description has the types of the columns.
func typesSQL(table pgx.Identifier, columns []string) string {
	return "-- name: Copy :many\nSELECT " + identifiers(columns) + " FROM " + table.Sanitize()
}

// insertSQL returns a statement that shows the plan of an INSERT of NULLs, with the types of the columns, and inserts nothing. It needs the
// rights of a COPY, and keeps the table as it is until the end of the transaction, as a COPY does.
// https://www.postgresql.org/docs/current/sql-explain.html
func insertSQL(table pgx.Identifier, columns []string) string {
	return "-- name: Copy :many\nEXPLAIN (VERBOSE, COSTS OFF) INSERT INTO " + table.Sanitize() + " (" + identifiers(columns) +
		") OVERRIDING SYSTEM VALUE VALUES (" + strings.TrimSuffix(strings.Repeat("NULL, ", len(columns)), ", ") + ")"
}

// isInsertInto says whether a plan is that of an INSERT into the table: a rule or an extension may have put another in its place.
func isInsertInto(plan string, table pgx.Identifier) bool {
	first, _, _ := strings.Cut(plan, "\n")
	name := table[len(table)-1]

	return strings.HasPrefix(first, "Insert on ") && (strings.HasSuffix(first, "."+name) || strings.HasSuffix(first, "."+pgx.Identifier{name}.Sanitize()))
}

func identifiers(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = pgx.Identifier{name}.Sanitize()
	}

	return strings.Join(quoted, ", ")
}

var (
	numberedParam = regexp.MustCompile(`\$(\d+)`)
	commentLine   = regexp.MustCompile(`(?m)^\s*--.*$`)
)

// param returns the name of the parameter of argument i. In a statement that is not a generated query it is "$1", "$2" and so on.
func (k *catalogue) param(sql string, i int) string {
	if q := k.Query(sql); q != nil && i < len(q.Params) {
		return q.Params[i].Name
	}

	return "$" + strconv.Itoa(i+1)
}
