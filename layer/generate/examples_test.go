package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtest"
)

// exampleYAML is the configuration of sqlc's examples, which they have for several drivers.
const exampleYAML = `version: "2"
sql:
  - engine: postgresql
    schema: schema.sql
    queries: query.sql
    gen: { go: { package: dbgen, out: internal/dbgen, sql_package: pgx/v5, emit_interface: true } }
`

// runAll is a program that runs every query of what was generated, with some values or other.
const runAll = `package main

import (
	"context"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"

	"example.com/example/internal/dbgen"
	"musicstore/layer/dbtx"
	layerschema "musicstore/layer/schema"
)

func main() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Args[1])
	check(err)
	schema, err := os.ReadFile("schema.sql")
	check(err)
	_, err = conn.PgConn().Exec(ctx, string(schema)).ReadAll()
	check(err)
	_, err = layerschema.Fits(ctx, conn, &dbgen.Metadata)
	check(err)
	for _, q := range dbgen.Metadata.Queries {
		if q.Command == dbtx.Copyfrom {
			continue
		}
		if dbgen.Metadata.Query(q.SQL) != q {
			panic(q.Name + " is not found")
		}
		described, err := conn.Prepare(ctx, q.Name, q.SQL)
		check(err)
		if len(described.ParamOIDs) != len(q.Params) {
			panic(q.Name + " has other parameters")
		}
		values := make([][]byte, len(described.ParamOIDs))
		for i, oid := range described.ParamOIDs {
			var value string
			check(conn.QueryRow(ctx, ` + "`" + `SELECT CASE typcategory
				WHEN 'N' THEN '1' WHEN 'S' THEN 'x' WHEN 'B' THEN 'true' WHEN 'D' THEN '2020-01-01' WHEN 'R' THEN 'empty' WHEN 'A' THEN '{}'
				WHEN 'E' THEN (SELECT enumlabel::text FROM pg_enum WHERE enumtypid = pg_type.oid LIMIT 1) ELSE '{}' END
				FROM pg_type WHERE oid = $1` + "`" + `, oid).Scan(&value))
			values[i] = []byte(value)
		}
		check(conn.PgConn().ExecParams(ctx, q.SQL, values, described.ParamOIDs, nil, nil).Read().Err)
		fmt.Println(q.Name, q.Write)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
`

// printed is what runAll prints of each example.
var printed = map[string]string{
	"authors":  "CreateAuthor true\nDeleteAuthor true\nGetAuthor false\nListAuthors false\n",
	"batch":    "BooksByYear false\nCreateAuthor true\nCreateBook true\nDeleteBook true\nDeleteBookExecResult true\nDeleteBookNamedFunc true\nDeleteBookNamedSign true\nGetAuthor false\nGetBiography false\nUpdateBook true\n",
	"booktest": "BooksByTags false\nBooksByTitleYear false\nCreateAuthor true\nCreateBook true\nDeleteBook true\nGetAuthor false\nGetBook false\nSayHello true\nUpdateBook true\nUpdateBookISBN true\n",
}

// TestExamples_OfSQLC generates sqlc's own examples, as they are in the module cache, compiles them, and runs each of
// their queries.
func TestExamples_OfSQLC(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	examples(t, "authors")
}

func TestSoak_ExamplesOfSQLC(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	examples(t, "batch", "booktest")
}

func examples(t *testing.T, names ...string) {
	t.Helper()
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/sqlc-dev/sqlc").Output()
	require.NoError(t, err)
	for _, name := range names {
		want, known := printed[name]
		require.True(t, known)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sql := map[string]string{}
			for _, file := range []string{"schema.sql", "query.sql"} {
				text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(folder)), "examples", name, "postgresql", file))
				require.NoError(t, err)
				sql[file] = string(text)
			}
			out, _ := runs(t, sql["schema.sql"], sql["query.sql"])
			require.Equal(t, want, out)
		})
	}
}

// runs generates the code of a schema and of queries, compiles it, and returns what runAll prints of it, and the metadata.
func runs(t *testing.T, schema, queries string) (printed, metadata string) {
	t.Helper()
	root := t.TempDir()
	here, err := filepath.Abs("../..")
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(here, "go.mod"))
	require.NoError(t, err)
	write(t, filepath.Join(root, "go.mod"), strings.Replace(string(mod), "module musicstore\n", "module example.com/example\n", 1)+
		"\nrequire musicstore v0.0.0\n\nreplace musicstore => "+strconv.Quote(here)+"\n")
	sum, err := os.ReadFile(filepath.Join(here, "go.sum"))
	require.NoError(t, err)
	write(t, filepath.Join(root, "go.sum"), string(sum))
	write(t, filepath.Join(root, "schema.sql"), schema)
	write(t, filepath.Join(root, "query.sql"), queries)
	write(t, filepath.Join(root, "sqlc.yaml"), exampleYAML)
	write(t, filepath.Join(root, "main.go"), runAll)
	require.NoError(t, generate(t.Context(), root, t.Output()))

	cmd := exec.CommandContext(t.Context(), "go", "run", "-ldflags=-s -w", ".", newDatabase(t))
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))

	text, err := os.ReadFile(filepath.Join(root, "internal/dbgen/metadata.go"))
	require.NoError(t, err)

	return string(out), string(text)
}
