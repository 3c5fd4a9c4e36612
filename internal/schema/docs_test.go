package schema_test

import (
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/ddl"
	layer "musicstore/layer/schema"
)

// The SQL of docs/migrate.md that splits a table, run as the page says, while a program of each version writes.
func TestDocs_SplitATable(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	ctx := t.Context()
	page, err := os.ReadFile("../../docs/migrate.md")
	require.NoError(t, err)
	_, page2, found := strings.Cut(string(page), "### A rename or a split without a stop")
	require.True(t, found)
	var blocks []string
	for _, block := range strings.Split(page2, "```sql\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		blocks = append(blocks, block)
	}
	require.Len(t, blocks, 2)
	copyRows, _, _ := strings.Cut(blocks[1], ";")

	db, err := pgx.Connect(ctx, dbtest.EmptyURL(t))
	require.NoError(t, err)
	defer db.Close(ctx)
	const people = "CREATE TABLE people (id bigint PRIMARY KEY, name text NOT NULL%s);\n"
	of := func(sql string) dbtx.SQL {
		parsed, err := ddl.Read("people.sql", sql)
		require.NoError(t, err)

		return dbtx.SQL{Metadata: &dbtx.Metadata{Schema: parsed.Schema()}}
	}
	migrate := func(sql string, opts layer.MigrateOptions) {
		to := of(sql)
		_, err := layer.Migrate(ctx, db, to, opts)
		require.NoError(t, err)
		differences, err := layer.Check(ctx, db, to.Metadata)
		require.NoError(t, err)
		require.Empty(t, differences)
	}
	run := func(sql string) int64 {
		tag, err := db.Exec(ctx, sql)
		require.NoError(t, err)

		return tag.RowsAffected()
	}
	old := strings.Replace(people, "%s", ", street text", 1)
	migrate(old, layer.MigrateOptions{})
	run("INSERT INTO people SELECT i, 'p', 'street ' || i FROM generate_series(1, 12000) AS i")
	run("INSERT INTO people VALUES (12001, 'p', NULL)")

	migrate(old+blocks[0], layer.MigrateOptions{Expand: true})
	run("UPDATE people SET street = 'moved' WHERE id = 7") // by the old program
	run("INSERT INTO people VALUES (12002, 'p', 'new')")
	run("UPDATE people SET street = NULL WHERE id = 7")
	passes := 0
	for run(copyRows) > 0 {
		passes++
	}
	require.Equal(t, 3, passes)
	const differ = "SELECT FROM people FULL JOIN addresses ON person_id = people.id WHERE people.street IS DISTINCT FROM addresses.street"
	require.Zero(t, run(differ))
	run("UPDATE people SET street = 'moved again' WHERE id = 8") // by the program between
	require.Zero(t, run(differ))

	table, _, found := strings.Cut(blocks[0], "CREATE FUNCTION")
	require.True(t, found)
	migrate(strings.Replace(people, "%s", "", 1)+table, layer.MigrateOptions{AllowLoss: true, Prune: true})
	require.EqualValues(t, 12000, run("SELECT FROM addresses"))
	require.EqualValues(t, 12002, run("SELECT FROM people"))
}
