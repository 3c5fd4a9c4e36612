package schema

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"musicstore/db"

	"github.com/jackc/pgx/v5"
)

// Grants returns the statements that let a role run every query of db/queries on the tables of db/schema in the schema
// of that name, and nothing else: not Bootstrap, which needs CREATE on the schema, where something is missing. The
// tables' owner runs them, as often as wanted. The role must exist, and be able to connect to the database.
func Grants(role, schema string) ([]string, error) {
	files, err := Files()
	if err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}
	queries, err := Queries()
	if err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}

	return grants(role, schema, files, queries), nil
}

// Queries returns the text of each query of db/queries, from its name on: "GetAlbum :one", comments, SQL.
func Queries() ([]string, error) {
	names, err := fs.Glob(db.Queries, "queries/*.sql")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range names {
		text, err := db.Queries.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, strings.Split(string(text), "-- name: ")[1:]...)
	}

	return all, nil
}

// Identity columns need no grant on their sequence, and foreign keys none on the table they refer to: the server looks
// there as the tables' owner.
func grants(role, schema string, files []File, queries []string) []string {
	privileges := map[string]map[string]bool{}
	for _, query := range queries {
		for _, use := range uses(query) {
			if privileges[use.table] == nil {
				privileges[use.table] = map[string]bool{}
			}
			privileges[use.table][use.privilege] = true
		}
	}
	to := " TO " + quote(role) + ";"
	statements := []string{"GRANT USAGE ON SCHEMA " + quote(schema) + to}
	names, tableOf := creations(files)
	for _, table := range names {
		granted := slices.DeleteFunc([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, func(privilege string) bool {
			return !privileges[table][privilege]
		})
		if tableOf[table] == "" && len(granted) > 0 {
			on := pgx.Identifier{schema, table}.Sanitize()
			statements = append(statements, "GRANT "+strings.Join(granted, ", ")+" ON TABLE "+on+to)
		}
	}

	return statements
}

// use is a privilege that a query needs.
type use struct{ table, privilege string }

// How a query names the tables it uses. What a WITH calls a table is found too, and is none of db/schema. That nothing
// is found too much or too little for the queries there are, a test shows: it takes the grants away one by one.
var (
	comment    = regexp.MustCompile(`(?m)--.*$`)
	tableUsed  = regexp.MustCompile(`\b(INSERT INTO|DELETE FROM|UPDATE|FROM|JOIN|USING) (\w+)`)
	upsert     = regexp.MustCompile(`\bDO UPDATE\b`)
	readsBack  = regexp.MustCompile(`\b(?:RETURNING|ON CONFLICT)\b`)
	locking    = regexp.MustCompile(`\bFOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\b`)
	whitespace = regexp.MustCompile(`\s+`)
)

func uses(query string) []use {
	query = whitespace.ReplaceAllString(comment.ReplaceAllString(query, ""), " ")
	var all []use
	for _, match := range tableUsed.FindAllStringSubmatch(query, -1) {
		verb, table := match[1], match[2]
		switch verb {
		case "INSERT INTO":
			all = append(all, use{table, "INSERT"})
			if upsert.MatchString(query) {
				all = append(all, use{table, "UPDATE"})
			}
			if readsBack.MatchString(query) {
				all = append(all, use{table, "SELECT"})
			}
		case "UPDATE":
			all = append(all, use{table, "UPDATE"}, use{table, "SELECT"}) // which rows, is read
		case "DELETE FROM":
			all = append(all, use{table, "DELETE"}, use{table, "SELECT"})
		default:
			all = append(all, use{table, "SELECT"})
			if locking.MatchString(query) {
				all = append(all, use{table, "UPDATE"})
			}
		}
	}

	return all
}
