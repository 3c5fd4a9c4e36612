package repo

import (
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"musicstore/db"

	"github.com/jackc/pgx/v5"
)

// What is known of a statement from its text. It is looked up for the echo and for errors only.

// queryName returns the name that sqlc put in the first line: "-- name: CreateAccount :one".
func queryName(sql string) string {
	rest, ok := strings.CutPrefix(sql, "-- name: ")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, " ")

	return name
}

// StatementName is what to call a statement in a trace: the query's name, such as GetAccountByEmail, or the first word
// of a statement that is none of db/queries, such as BEGIN.
func StatementName(sql string) string {
	if name := queryName(sql); name != "" {
		return name
	}
	word, _, _ := strings.Cut(oneLine(commentLine.ReplaceAllString(sql, "")), " ")

	return strings.ToUpper(word)
}

// body returns the statement without its name line.
func body(sql string) string {
	if queryName(sql) == "" {
		return sql
	}
	_, rest, _ := strings.Cut(sql, "\n")

	return rest
}

// oneLine returns the statement on one line.
func oneLine(sql string) string { return strings.Join(strings.Fields(body(sql)), " ") }

// operation returns the query's name in words, as errors begin with it: "create account".
func operation(sql string) string {
	name := queryName(sql)
	if name == "" {
		verb, _, _ := strings.Cut(oneLine(sql), " ")

		return strings.ToLower(verb)
	}
	words := nameWord.FindAllString(name, -1)
	for i, word := range words {
		if !initialism.MatchString(word) {
			words[i] = strings.ToLower(word)
		}
	}

	return strings.Join(words, " ")
}

// The words of a query's name, with the initialisms of sqlc.yaml.
var (
	initialism = regexp.MustCompile(`^(?:ID|IP|URL)s?$`)
	nameWord   = regexp.MustCompile(`(?:ID|IP|URL)s?|[A-Z][a-z0-9]*`)
)

var changes = regexp.MustCompile(`(?i)\b(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|COPY)\b`)

// reads reports that the statement changes nothing, so that running it twice is as good as once.
func reads(sql string) bool {
	fields := strings.Fields(body(sql))
	if len(fields) == 0 {
		return false
	}
	switch strings.ToUpper(fields[0]) {
	case "SELECT", "BEGIN", "SAVEPOINT":
		return true
	case "WITH":
		return !changes.MatchString(body(sql))
	default:
		return false
	}
}

// writesTo reports that the statement inserts rows into the table or updates them: a foreign key that stops it is the
// table's own then, and otherwise one that refers to a row which the statement deletes or changes.
func writesTo(sql, table string) bool {
	return regexp.MustCompile(`(?i)\b(?:INSERT\s+INTO|MERGE\s+INTO|UPDATE|COPY)\s+(?:ONLY\s+)?(?:\S+\.)?"?` + regexp.QuoteMeta(table) + `\b`).MatchString(sql)
}

// copySQL is what a COPY is called in the echo and in errors.
func copySQL(table pgx.Identifier, columns []string) string {
	return "COPY " + table.Sanitize() + " (" + strings.Join(columns, ", ") + ") FROM STDIN BINARY"
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
	namedParam    = regexp.MustCompile(`@(\w+)|sqlc\.n?arg\(\s*'?(\w+)'?\s*\)`)
	numberedParam = regexp.MustCompile(`\$(\d+)`)
	commentLine   = regexp.MustCompile(`(?m)^\s*--.*$`)
)

// sources has the text of each query as it was written, with named parameters, by the query's name.
var sources = sync.OnceValue(func() map[string]string {
	byName := map[string]string{}
	files, _ := fs.Glob(db.Queries, "queries/*.sql")
	for _, file := range files {
		text, _ := db.Queries.ReadFile(file)
		for _, query := range strings.Split(string(text), "-- name: ")[1:] {
			name, _, _ := strings.Cut(query, " ")
			_, query, _ = strings.Cut(query, "\n")
			byName[name] = commentLine.ReplaceAllString(query, "")
		}
	}

	return byName
})

// param returns the name of the parameter that argument i goes to: the one written where sqlc put the number. A
// statement that is none of ours has "$1", "$2" and so on.
func param(sql string, i int) string {
	number := strconv.Itoa(i + 1)
	named := namedParam.FindAllStringSubmatch(sources()[queryName(sql)], -1)
	numbered := numberedParam.FindAllStringSubmatch(sql, -1)
	if len(named) == len(numbered) {
		for n, match := range numbered {
			if match[1] == number {
				return named[n][1] + named[n][2]
			}
		}
	}

	return "$" + number
}
