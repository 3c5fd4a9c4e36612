package library_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/plans"
	"musicstore/layer/private"
	"musicstore/layer/schema"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"example.com/library"
	"example.com/library/dbgen"
)

func connect(t *testing.T, config *pgx.ConnConfig) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })

	return conn
}

func configOf(t *testing.T, url string) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)

	return config
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	db := connect(t, configOf(t, dbtest.EmptyURL(t)))
	ctx := t.Context()
	created, err := schema.Bootstrap(ctx, db, &dbgen.Metadata)
	require.NoError(t, err)
	require.Subset(t, created, []string{"enum copy_condition", "books", "loans", "view overdue_loans", "events"})
	created, err = schema.Bootstrap(ctx, db, &dbgen.Metadata)
	require.NoError(t, err)
	require.Empty(t, created, "all is there")

	// What is missing is made, and what is there stays as it is.
	_, err = db.Exec(ctx, "DROP TABLE fines; INSERT INTO members VALUES (repeat('a', 32), 'a', 'a@b', 'a@b', '1', now())")
	require.NoError(t, err)
	created, err = schema.Bootstrap(ctx, db, &dbgen.Metadata)
	require.NoError(t, err)
	require.Equal(t, []string{"fines"}, created)
	var members int
	require.NoError(t, db.QueryRow(ctx, "SELECT count(*) FROM members").Scan(&members))
	require.Equal(t, 1, members)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	db := connect(t, configOf(t, databases.URL(t)))
	ctx := t.Context()
	differences, err := schema.Check(ctx, db, &dbgen.Metadata)
	require.NoError(t, err)
	require.Empty(t, differences)

	// Somebody changes the database by hand.
	tx, err := db.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, `
		ALTER TABLE books ALTER COLUMN title DROP NOT NULL;
		ALTER TABLE loans DROP CONSTRAINT loans_copy_id_excl;
		ALTER TYPE copy_condition ADD VALUE 'lost';
		DROP VIEW overdue_loans;
		DROP TABLE events_2026_12;
		DROP INDEX holds_queue_idx`)
	require.NoError(t, err)
	differences, err = schema.Check(ctx, tx, &dbgen.Metadata)
	require.NoError(t, err)
	var found []string
	for _, d := range differences {
		found = append(found, d.Kind+" "+d.Name)
	}
	require.ElementsMatch(t, []string{
		"column title", "constraint loans_copy_id_excl", "enum copy_condition", "view overdue_loans", "partition events_2026_12", "index holds_queue_idx",
	}, found)
	require.NoError(t, tx.Rollback(ctx))
}

// docs/start.md shows it.
func start(ctx context.Context, url string) (*library.Repo, error) {
	store, err := library.Open(ctx, url, library.WithSchemaCheck())
	if errors.Is(err, schema.ErrUnfit) {
		fmt.Fprintln(os.Stderr, "not started:", err)
	}

	return store, err
}

func TestStart(t *testing.T) {
	t.Parallel()
	url := databases.URL(t)
	ctx := t.Context()
	store, err := start(ctx, url)
	require.NoError(t, err)
	store.Close()

	// Each of these would be an error in the middle of a request.
	db := connect(t, configOf(t, url))
	for sql, missing := range map[string]string{
		"ALTER TABLE books RENAME title TO name":                  "column books.title is missing",
		"ALTER TYPE copy_condition RENAME VALUE 'worn' TO 'used'": "label 'worn' of enum copy_condition is missing",
		"DROP VIEW overdue_loans":                                 "view overdue_loans is missing",
		"ALTER TABLE members ADD COLUMN phone text NOT NULL":      "column members.phone must have a value, and CreateMember sets none",
		"ALTER TABLE books DROP CONSTRAINT books_details_check; DROP INDEX books_details_idx; ALTER TABLE books ALTER COLUMN details TYPE text": "column books.details is text, not jsonb",
		"ALTER TABLE fines RENAME TO penalties":                            "table fines is missing",
		"ALTER TABLE books ADD COLUMN shelf text; CREATE TABLE shelves ()": "",
	} {
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, sql)
		require.NoError(t, err, sql)
		_, err = schema.Fits(ctx, tx, &dbgen.Metadata)
		if missing == "" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, schema.ErrUnfit)
			require.ErrorContains(t, err, missing)
		}
		require.NoError(t, tx.Rollback(ctx))
	}
	_, err = start(ctx, dbtest.EmptyURL(t))
	require.ErrorIs(t, err, schema.ErrUnfit)
}

// docs/migrate.md shows it.
func migrate(ctx context.Context, store *library.Repo) error {
	plan, err := schema.PlanOf(ctx, store.DB(), library.SQL().Metadata, schema.MigrateOptions{})
	if err != nil {
		return err
	}
	for _, step := range plan.Steps {
		fmt.Println(step)
	}
	_, err = schema.Migrate(ctx, store.DB(), library.SQL(), schema.MigrateOptions{})

	return err
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	db := connect(t, configOf(t, databases.URL(t)))
	ctx := t.Context()
	store := library.New(db)
	member, err := store.CreateMember(ctx, library.CreateMemberParams{Name: "Ada", Email: "Ada@Example.com", CardNumber: private.NewSecret("1")})
	require.NoError(t, err)
	for _, sql := range []string{ // as an older version had it
		"ALTER TABLE members DROP COLUMN email_key, DROP COLUMN created_at", "DROP INDEX holds_queue_idx", "DROP VIEW overdue_loans",
		"DROP TABLE events_2026_12", "CREATE TABLE mine (id bigint)",
	} {
		_, err := db.Exec(ctx, sql)
		require.NoError(t, err)
	}
	require.NoError(t, migrate(ctx, store))
	differences, err := schema.Check(ctx, db, &dbgen.Metadata)
	require.NoError(t, err)
	require.Len(t, differences, 1, "the record is the store's own table, and mine is somebody else's")
	require.Equal(t, "mine", differences[0].Name)
	var key string
	require.NoError(t, db.QueryRow(ctx, "SELECT email_key FROM members WHERE id = $1 AND created_at IS NOT NULL", member.ID).Scan(&key))
	require.Equal(t, "ada@example.com", key)
	done, err := schema.Log(ctx, db, &dbgen.Metadata)
	require.NoError(t, err)
	require.NotEmpty(t, done)
	var n int
	require.NoError(t, db.QueryRow(ctx, "SELECT count(*) FROM library_migrations").Scan(&n))
	require.Len(t, done, n)
	again, err := schema.Migrate(ctx, db, library.SQL(), schema.MigrateOptions{})
	require.NoError(t, err)
	require.Empty(t, again)
}

func TestPlans(t *testing.T) {
	t.Parallel()
	db := connect(t, configOf(t, databases.URL(t)))
	ctx := t.Context()
	report, err := plans.Check(ctx, db, &dbgen.Metadata)
	require.NoError(t, err)
	fmt.Fprintln(t.Output(), report)
	require.Empty(t, report.Findings)

	// The control: an index is missing.
	tx, err := db.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "DROP INDEX loans_due_at_id_idx")
	require.NoError(t, err)
	report, err = plans.Check(ctx, tx, &dbgen.Metadata)
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(ctx))
	require.NotEmpty(t, report.Findings)
	require.Equal(t, "ListOverdueLoans", report.Findings[0].Of)
}

// The plan of a query on a database with rows. It shows no address.
func TestExplain(t *testing.T) {
	t.Parallel()
	db := connect(t, configOf(t, databases.URL(t)))
	ctx := t.Context()
	explained, err := plans.Explain(ctx, db, &dbgen.Metadata, "GetMemberByEmail", []string{"email_key=ada@example.com"}, plans.ExplainOptions{})
	require.NoError(t, err)
	require.Contains(t, explained.Plan, "Index Cond: (email_key = $1)")
	require.Contains(t, explained.Plan, "Execution Time: ")
	require.NotContains(t, explained.Plan, "ada")
	_, err = plans.Explain(ctx, db, &dbgen.Metadata, "DeleteMember", []string{"x"}, plans.ExplainOptions{})
	require.ErrorIs(t, err, plans.ErrWrites)

	planned := 0
	for _, q := range dbgen.Metadata.Queries {
		args := make([]string, len(q.Params))
		for i := range args {
			args[i] = "NULL"
		}
		_, err := plans.Explain(ctx, db, &dbgen.Metadata, q.Name, args, plans.ExplainOptions{Write: true})
		switch {
		case q.Command == dbtx.Copyfrom:
			require.ErrorIs(t, err, plans.ErrNoPlan)
		case !errors.Is(err, library.ErrNotNull): // NULL in a column that takes none
			require.NoError(t, err, q.Name)
			planned++
		}
	}
	require.Greater(t, planned, 15)
}

// A role that has the grants and nothing else can run each query. Without one of them it can't.
func TestGrants(t *testing.T) {
	t.Parallel()
	config := configOf(t, dbtest.AdminURL(t))
	config.Database = configOf(t, databases.URL(t)).Database
	db := connect(t, config)
	ctx := t.Context()
	grants, err := schema.Grants("desk", "public", &dbgen.Metadata)
	require.NoError(t, err)

	denied := func(grants []string) (queries []string) {
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		defer tx.Rollback(ctx) // and the role is gone
		_, err = tx.Exec(ctx, "CREATE ROLE desk; REVOKE ALL ON SCHEMA public FROM public;"+strings.Join(grants, "\n")+"SET LOCAL ROLE desk")
		require.NoError(t, err)
		for _, q := range dbgen.Metadata.Queries {
			_, err := tx.Exec(ctx, "SAVEPOINT query")
			require.NoError(t, err)
			if err := explain(ctx, tx, q); err != nil {
				var refused *pgconn.PgError
				require.ErrorAs(t, err, &refused)
				require.Equal(t, "42501", refused.Code, "%s: %s", q.Name, refused.Message) // insufficient_privilege
				queries = append(queries, q.Name)
			}
			_, err = tx.Exec(ctx, "ROLLBACK TO query")
			require.NoError(t, err)
		}

		return queries
	}
	require.Empty(t, denied(grants))
	for i, grant := range grants {
		if strings.Contains(grant, " ON TABLE ") {
			require.NotEmpty(t, denied(append(append([]string{}, grants[:i]...), grants[i+1:]...)), grant)
		}
	}
}

// explain has the server look whether it may run a query, without running it.
func explain(ctx context.Context, tx pgx.Tx, q *dbtx.Query) error {
	sql := q.SQL
	if q.Command == dbtx.Copyfrom {
		columns := strings.Join(q.Uses[0].Insert, ", ")
		sql = fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM (VALUES (1)) AS one WHERE false", q.Uses[0].Table, columns,
			strings.TrimSuffix(strings.Repeat("NULL, ", len(q.Uses[0].Insert)), ", "))
	}
	if _, err := tx.Prepare(ctx, q.Name, sql); err != nil {
		return err
	}
	arguments := ""
	if len(q.Params) > 0 && q.Command != dbtx.Copyfrom {
		arguments = "(" + strings.TrimSuffix(strings.Repeat("NULL, ", len(q.Params)), ", ") + ")"
	}
	_, err := tx.Exec(ctx, fmt.Sprintf(`EXPLAIN EXECUTE %q%s`, q.Name, arguments))

	return err
}

func TestGraph(t *testing.T) {
	t.Parallel()
	graph, err := schema.Graph(t.Context(), connect(t, configOf(t, databases.URL(t))))
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```mermaid\n"+graph+"```\n", "README.md has another picture")
}

// README.md shows all Go that is written by hand.
func TestREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, file := range []string{"derive.go", "cmd/library/main.go", "sqlc.yaml", "defaults.yaml"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(readme), string(text), file)
	}
}

func TestDatabases_AreApart(t *testing.T) {
	t.Parallel()
	one, other := newStore(t), newStore(t)
	_, err := one.CreateBook(t.Context(), trial)
	require.NoError(t, err)
	var n int
	require.NoError(t, other.DB().QueryRow(t.Context(), "SELECT count(*) FROM books").Scan(&n))
	require.Zero(t, n)
}
