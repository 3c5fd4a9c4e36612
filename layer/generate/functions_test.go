package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write stable_functions.txt anew from the server's catalogue")

// TestStableFunctions compares the committed list with the catalogue of the server at hand, which may be older or newer
// than the one that the list was made from: what the list has is never volatile there.
func TestStableFunctions(t *testing.T) {
	t.Parallel()
	conn := connect(t, newDatabase(t))
	names := func(having string) []string {
		rows, err := conn.Query(t.Context(), `SELECT proname::text FROM pg_catalog.pg_proc
			WHERE pronamespace = 'pg_catalog'::regnamespace AND prorettype <> 'trigger'::regtype
			GROUP BY proname HAVING `+having+` ORDER BY proname COLLATE "C"`)
		require.NoError(t, err)
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)

		return all
	}
	if *update {
		text := strings.Join(names("bool_and(provolatile <> 'v')"), "\n") + "\n"
		require.NoError(t, os.WriteFile("stable_functions.txt", []byte(text), 0o644))
		stableFunctions = text
	}
	for _, name := range names("bool_or(provolatile = 'v')") {
		if name == "timezone" { // PostgreSQL 14 has it wrong of timetz, and later versions call it stable
			continue
		}
		require.False(t, stable(name), "%s is volatile: make the list again", name)
	}
	for _, name := range []string{"lower", "count", "now", "jsonb_build_object", "row_number"} {
		require.True(t, stable(name), name)
	}
	for _, name := range []string{"nextval", "random", "pg_advisory_lock", "gen_random_uuid", "setval", "dblink", "nosuch"} {
		require.False(t, stable(name), name)
	}
}

// TestReturnsSet compares the functions that return sets with the catalogue of the server at hand, but those that tell of the server.
func TestReturnsSet(t *testing.T) {
	t.Parallel()
	conn := connect(t, newDatabase(t))
	rows, err := conn.Query(t.Context(), `SELECT DISTINCT proname::text FROM pg_catalog.pg_proc
		WHERE pronamespace = 'pg_catalog'::regnamespace AND proretset AND proname !~ '^pg_|^(acl|query_to|cursor_to|table_to|schema_to|database_to)'`)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Subset(t, setNames, all)
	require.False(t, (&schema{}).returnsSet("lower"))
}
