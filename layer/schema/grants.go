package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
)

// Grants returns the statements that let a role run every query that is known on the tables of the schema of that name, and
// nothing else: not Bootstrap, which needs CREATE on the schema, where something is missing. The
// tables' owner runs them, as often as wanted. The role must exist, and be able to connect to the database.
//
// A view is granted by its own name: it reads its tables with the rights of its owner. So is a partitioned table: its
// partitions need no grant. Functions and types need none, because PostgreSQL lets everybody use them, unless somebody has
// taken that away (ALTER DEFAULT PRIVILEGES, REVOKE … FROM PUBLIC): then grant it by hand. The same goes for what a function
// does that runs with the rights of its caller, what a view with security_invoker reads, the sequences behind a view that
// is inserted into, a sequence that only a query names, and REFRESH MATERIALIZED VIEW, which only the owner may run.
// https://www.postgresql.org/docs/current/ddl-priv.html
//
// The rights are by column: what no query reads, inserts or updates, the role cannot. They add to what the role has. It
// is an error when the role is "public" or another name that stands for more than a role, and when a name is empty, longer
// than 63 bytes, or has a character that cannot be printed.
func Grants(role, schema string, m *dbtx.Metadata) ([]string, error) {
	if err := checkNames(role, schema); err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}

	return grants(role, schema, m), nil
}

// grants returns the statements that grant what the queries do. Foreign keys need no grant on the table that they refer
// to, because the server looks there as its owner. The sequence of an identity column needs none on PostgreSQL, but it
// does on Citus.
func grants(role, schema string, m *dbtx.Metadata) []string {
	to := " TO " + quote(role) + ";"
	usage := []string{"GRANT USAGE ON SCHEMA " + quote(schema) + to}
	var tables, sequences []string
	for _, t := range m.Tables {
		all := usesOf(m, t)
		var granted []string
		for _, privilege := range []struct {
			name    string
			columns []string
		}{{"SELECT", all.Select}, {"INSERT", all.Insert}, {"UPDATE", all.Update}} {
			if len(privilege.columns) > 0 {
				granted = append(granted, privilege.name+" ("+columnList(t, privilege.columns)+")")
			}
		}
		if all.Delete {
			granted = append(granted, "DELETE")
		}
		if all.Empty {
			granted = append(granted, "TRUNCATE")
		}
		if len(granted) == 0 {
			continue
		}
		on := named(schema, t.Name)
		tables = append(tables, "GRANT "+strings.Join(granted, ", ")+" ON TABLE "+on.Sanitize()+to)
		if grant := "GRANT USAGE ON SCHEMA " + quote(on[0]) + to; !slices.Contains(usage, grant) {
			usage = append(usage, grant)
		}
		for _, c := range t.Columns {
			if c.Sequence != "" && len(all.Insert) > 0 {
				sequences = append(sequences, "GRANT USAGE ON SEQUENCE "+named(schema, c.Sequence).Sanitize()+to)
			}
		}
	}

	return slices.Concat(usage, tables, sequences)
}

// usesOf returns what all queries together do with a table.
func usesOf(m *dbtx.Metadata, t *dbtx.Table) dbtx.Use {
	all := dbtx.Use{Table: t.Name}
	for _, q := range m.Queries {
		for _, u := range q.Uses {
			if u.Table != t.Name {
				continue
			}
			all.Select, all.Insert = append(all.Select, u.Select...), append(all.Insert, u.Insert...)
			all.Update = append(all.Update, u.Update...)
			all.Read, all.Delete, all.Lock = all.Read || u.Read, all.Delete || u.Delete, all.Lock || u.Lock
			all.Empty = all.Empty || u.Empty
		}
	}
	if all.Read && len(all.Select) == 0 && len(t.Columns) > 0 { // to count rows is to have the right to read some column
		all.Select = []string{t.Columns[0].Name}
	}
	if all.Lock && len(all.Update) == 0 && len(t.Columns) > 0 { // to lock a row is to have the right to update some column
		all.Update = []string{t.Columns[0].Name}
	}

	return all
}

// named returns the name of a table or a sequence of the metadata, which has its schema where that is not the default
// one.
func named(schema, name string) pgx.Identifier {
	if of, bare, ok := strings.Cut(name, "."); ok {
		return pgx.Identifier{of, bare}
	}

	return pgx.Identifier{schema, name}
}

// columnList returns names of columns in the order of the table, and behind them those that every table has.
func columnList(t *dbtx.Table, columns []string) string {
	var names []string
	for _, c := range t.Columns {
		if slices.Contains(columns, c.Name) {
			names = append(names, quote(c.Name))
		}
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(columns))) {
		if !slices.ContainsFunc(t.Columns, func(c dbtx.Column) bool { return c.Name == name }) {
			names = append(names, quote(name))
		}
	}

	return strings.Join(names, ", ")
}

// checkNames refuses names that would grant to somebody else than was meant.
func checkNames(role, schema string) error {
	if role == "" || schema == "" {
		return errors.New("a role and a schema have names that are not empty")
	}
	for what, name := range map[string]string{"role": role, "schema": schema} {
		switch {
		case len(name) > dbtx.LongestName:
			return fmt.Errorf("%s: is longer than %d bytes, the most that a name in PostgreSQL can have", what, dbtx.LongestName)
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
