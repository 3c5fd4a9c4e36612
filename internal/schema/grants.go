package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"musicstore/db"
	"musicstore/internal/dbgen"
	"musicstore/internal/dbtx"

	"github.com/jackc/pgx/v5"
)

// Grants returns the statements that let a role run every query of db/queries on the tables of db/schema in the schema
// of that name, and nothing else: not Bootstrap, which needs CREATE on the schema, where something is missing. The
// tables' owner runs them, as often as wanted. The role must exist, and be able to connect to the database.
//
// The rights are by column: what no query reads, inserts or updates, the role cannot. They add to what the role has. It
// is an error when the role is "public" or another name that stands for more than a role, and when a name is empty, longer
// than 63 bytes, or has a character that cannot be printed.
func Grants(role, schema string) ([]string, error) {
	if err := checkNames(role, schema); err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}
	files, err := Files()
	if err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}
	var did []Access
	for _, q := range dbgen.Metadata.Queries {
		did = append(did, known(q))
	}

	return grantsOf(role, schema, tablesOf(files), did), nil
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

// known returns what a generated query does.
func known(q *dbtx.Query) Access {
	a := Access{}
	for _, use := range q.Uses {
		t := a.of(use.Table)
		t.Deletes, t.Locks = use.Delete, use.Lock
		for to, columns := range map[*Columns][]string{&t.Reads: use.Select, &t.Inserts: use.Insert, &t.Updates: use.Update} {
			for _, column := range columns {
				(*to)[column] = true
			}
		}
		if of := dbgen.Metadata.Table(use.Table); use.Read && len(t.Reads) == 0 && len(of.Columns) > 0 {
			t.Reads[of.Columns[0].Name] = true // to count rows is to have the right to read some column
		}
	}

	return a
}

// grantsOf returns the statements that grant what the queries do. Foreign keys need no grant on the table that they refer
// to, because the server looks there as its owner. The sequence of an identity column needs none on PostgreSQL, but it
// does on Citus.
func grantsOf(role, schema string, tables []table, did []Access) []string {
	to := " TO " + quote(role) + ";"
	statements := []string{"GRANT USAGE ON SCHEMA " + quote(schema) + to}
	var sequences []string
	for _, t := range tables {
		all := Access{}.of(t.name)
		for _, access := range did {
			if a := access[t.name]; a != nil {
				maps.Copy(all.Reads, a.Reads)
				maps.Copy(all.Inserts, a.Inserts)
				maps.Copy(all.Updates, a.Updates)
				all.Deletes, all.Locks = all.Deletes || a.Deletes, all.Locks || a.Locks
			}
		}
		if all.Locks && len(all.Updates) == 0 && len(t.columns) > 0 {
			all.Updates[t.columns[0]] = true // to lock a row is to have the right to update some column
		}
		var granted []string
		for _, privilege := range []struct {
			name    string
			columns Columns
		}{{"SELECT", all.Reads}, {"INSERT", all.Inserts}, {"UPDATE", all.Updates}} {
			if len(privilege.columns) > 0 {
				granted = append(granted, privilege.name+" ("+t.list(privilege.columns)+")")
			}
		}
		if all.Deletes {
			granted = append(granted, "DELETE")
		}
		if len(granted) > 0 {
			on := pgx.Identifier{schema, t.name}.Sanitize()
			statements = append(statements, "GRANT "+strings.Join(granted, ", ")+" ON TABLE "+on+to)
		}
		if len(all.Inserts) > 0 {
			for _, name := range t.sequences {
				sequences = append(sequences, "GRANT USAGE ON SEQUENCE "+pgx.Identifier{schema, name}.Sanitize()+to)
			}
		}
	}

	return append(statements, sequences...)
}

// list returns names of columns in the order of the table.
func (t table) list(columns Columns) string {
	var names []string
	for _, name := range slices.Concat(t.columns, systemColumns) {
		if columns[name] {
			names = append(names, quote(name))
		}
	}

	return strings.Join(names, ", ")
}

// longestName is how many bytes of a name PostgreSQL takes. It cuts the rest off, and says so in a notice alone.
const longestName = 63

// checkNames refuses names that would grant to somebody else than was meant.
func checkNames(role, schema string) error {
	if role == "" || schema == "" {
		return errors.New("a role and a schema have names that are not empty")
	}
	for what, name := range map[string]string{"role": role, "schema": schema} {
		switch {
		case len(name) > longestName:
			return fmt.Errorf("%s: is longer than %d bytes, of which PostgreSQL would cut the rest off", what, longestName)
		case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }):
			return fmt.Errorf("%s: has a character that cannot be printed", what)
		}
	}
	lower := strings.ToLower(role)
	switch { // https://www.postgresql.org/docs/current/sql-grant.html; quotes change nothing of public and none
	case lower == "public":
		return errors.New("role: public is everybody: name the role that the store runs as")
	case slices.Contains([]string{"none", "current_role", "current_user", "session_user", "user"}, lower):
		return fmt.Errorf("role: %s is a word of SQL: name the role that the store runs as", lower)
	case strings.HasPrefix(lower, "pg_"):
		return errors.New("role: names that begin with pg_ are PostgreSQL's own: name the role that the store runs as")
	}

	return nil
}
