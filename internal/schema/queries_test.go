package schema_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"musicstore/internal/dbgen"
	"musicstore/internal/dbtest"
	"musicstore/internal/schema"
	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/plans"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

func TestQueries_UseAnIndexEach(t *testing.T) {
	t.Parallel()
	report, err := plans.Check(t.Context(), dbtest.Pool(quiet{t}), &dbgen.Metadata)
	require.NoError(t, err)
	if os.Getenv(makePlans) != "" {
		_, _ = fmt.Fprint(os.Stdout, report)
		if len(report.Findings) > 0 {
			t.Fail() // the report has them
		}

		return
	}
	for _, f := range report.Findings {
		// A foreign key or an index of a table that somebody adds is for `make plans` alone to refuse.
		if table := tableOf(f.Of); table == "" || ours(table) {
			t.Error(f)
		}
	}
}

// makePlans is the variable that `make plans` sets. The test prints the report then, and nothing else.
const makePlans = "MUSICSTORE_PLANS"

// quiet is a test whose database is of no use after it.
type quiet struct{ testing.TB }

func (quiet) Logf(string, ...any) {}

func TestMakePlans_PrintsThePlansAlone(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestQueries_UseAnIndexEach$")
	cmd.Env = append(os.Environ(), makePlans+"=all")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Equal(t, "PASS", lines[len(lines)-1])
	require.Greater(t, len(lines), 20)
	require.Equal(t, []string{"query", "table", "index"}, strings.Fields(lines[0]))
	for _, line := range lines[1 : len(lines)-1] {
		require.Regexp(t, `^(?:[A-Z]\w+|foreign key \w+)? +\w+ +\w+$|^[A-Z]\w+ +- +-$`, line)
	}

	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	require.Contains(t, string(makefile), "cd internal/schema && "+makePlans+"=all $(GO) test -count=1 -run '^TestQueries_UseAnIndexEach$$'\n",
		"in the folder of one package, go test shows what a test prints")
}

// tableOf returns the table of a foreign key, an index or a table that a finding is about; "" when it is about a query.
func tableOf(of string) string {
	kind, name, _ := strings.Cut(of, " ")
	if kind == "foreign" {
		name = strings.TrimPrefix(name, "key ")
	}
	for _, t := range dbgen.Metadata.Tables {
		if kind == "table" && t.Name == name || slices.ContainsFunc(t.Constraints, func(c dbtx.Constraint) bool { return c.Name == name }) {
			return t.Name
		}
	}
	for _, s := range dbgen.Metadata.Schema {
		if kind == "index" && s.Name == name {
			return s.Table
		}
	}

	return ""
}

// changed is the report on a database after a change, which is undone.
func changed(t *testing.T, db *pgxpool.Pool, change string) plans.Report {
	t.Helper()
	tx, err := db.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context())
	_, err = tx.Exec(t.Context(), change)
	require.NoError(t, err)
	report, err := plans.Check(t.Context(), tx, &dbgen.Metadata)
	require.NoError(t, err)

	return report
}

func TestIndexes_AreMissed(t *testing.T) {
	t.Parallel()
	areMissed(t, 8)
}

func TestSoak_IndexesAreMissedEach(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	areMissed(t, 1)
}

// The control: without any one of its indexes the schema does not pass. areMissed drops every so many-th of them.
func areMissed(t *testing.T, every int) {
	t.Helper()
	db := dbtest.Pool(t)
	rows, err := db.Query(t.Context(), `
SELECT own.relname, tables.relname, indisunique, CASE
    WHEN conname IS NULL THEN format('DROP INDEX %I', own.relname)
    ELSE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', indrelid::regclass, conname)
END
FROM pg_index
JOIN pg_class AS own ON own.oid = indexrelid
JOIN pg_class AS tables ON tables.oid = indrelid
LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u', 'x')
WHERE own.relnamespace = current_schema()::regnamespace
ORDER BY 1`)
	require.NoError(t, err)
	indexes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		Name, Table string
		Unique      bool
		Drop        string
	}])
	require.NoError(t, err)
	require.NotEmpty(t, indexes)
	for i, index := range indexes {
		if i%every != 0 || !ours(index.Table) { // `make plans` is silent on some that a user may need
			continue
		}
		report := changed(t, db, index.Drop)
		if len(report.Findings) > 0 {
			continue
		}
		// It speeds up nothing, and is there for its rule: that it is gone, schema.Check says.
		require.True(t, index.Unique, "nothing misses %s", index.Name)
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), index.Drop)
		require.NoError(t, err)
		missing, err := schema.Check(t.Context(), tx)
		require.NoError(t, err)
		require.Len(t, missing, 1)
		require.Equal(t, index.Name, missing[0].Name)
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

func TestQueries_CanBePreparedAsSqlcVetSees(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	out, err := vet(t, url)
	require.NoError(t, err, out)

	// The control: it looks at this database.
	db, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(t.Context(), "ALTER TABLE albums DROP COLUMN image_url")
	require.NoError(t, err)
	out, err = vet(t, url)
	require.Error(t, err)
	require.Contains(t, out, "UpdateAlbum: sqlc/db-prepare: error preparing query: ")
}

// vet runs `sqlc vet` with the rules of sqlc.yaml on a database.
func vet(t *testing.T, url string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "sqlc", "vet")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "MUSICSTORE_VET_URL="+url)
	out, err := cmd.CombinedOutput()

	return string(out), err
}

// PostgreSQL itself says what each query does.
func TestUses_AreWhatPostgreSQLFindsOfEachQuery(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	held, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer held.Release()
	db := held.Conn()
	require.Greater(t, len(dbgen.Metadata.Queries), 30)
	dbtxtest.RequireUses(t, db, &dbgen.Metadata)

	// The control: what a query does and is not known to do is found.
	q := dbgen.Metadata.Find("UpdateAlbum")
	want, err := dbtxtest.Uses(t.Context(), db, q.SQL)
	require.NoError(t, err)
	less := slices.Clone(q.Uses)
	less[0].Update = less[0].Update[1:]
	require.ErrorContains(t, dbtxtest.Compare(want, less), "updates of albums")
}
