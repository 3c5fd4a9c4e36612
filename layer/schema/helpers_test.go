package schema_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/ddl"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/schema"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// databases are those of the tests' own schema.
var databases = dbtest.Of(&dbgen.Metadata)

// own is what is known of it.
var own = &dbgen.Metadata

// tables are its tables, in the order in which they are made.
var tables = func() (names []string) {
	for _, t := range dbgen.Metadata.Tables {
		names = append(names, t.Name)
	}

	return names
}()

// file is a file of a schema.
type file struct{ Name, SQL string }

// of returns what is known of a schema of these files.
func of(tb testing.TB, files []file) *dbtx.Metadata {
	tb.Helper()
	m := &dbtx.Metadata{}
	for _, f := range files {
		parsed, err := ddl.Read(f.Name, f.SQL)
		require.NoError(tb, err)
		m.Schema = append(m.Schema, parsed.Schema()...)
	}

	return m
}

// ownFiles are the files of the tests' own schema.
func ownFiles(tb testing.TB) []file {
	tb.Helper()
	names, err := filepath.Glob("../internal/testdb/schema/*.sql")
	require.NoError(tb, err)
	files := make([]file, len(names))
	for i, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(tb, err)
		files[i] = file{name, string(text)}
	}

	return files
}

// withoutLock gives a database the look of an engine that has no pg_advisory_xact_lock: the server is asked for a function
// that it does not have.
func withoutLock(db schema.DB) schema.DB {
	return hooked{db, func(tx pgx.Tx) pgx.Tx { return noLock{tx} }}
}

type noLock struct{ pgx.Tx }

func (n noLock) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return n.Tx.Exec(ctx, strings.Replace(sql, "pg_advisory_xact_lock", "pg_no_such_lock", 1), args...)
}

// atEnd runs statements as the server's administrator when the test has ended.
func atEnd(t *testing.T, statements ...string) {
	t.Helper()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		conn, err := pgx.Connect(ctx, dbtest.AdminURL(t))
		for i := 0; err == nil && i < len(statements); i++ {
			_, err = conn.Exec(ctx, statements[i])
		}
		if conn != nil {
			err = errors.Join(err, conn.Close(ctx))
		}
		if err != nil {
			t.Errorf("at the end of the test: %v", err) // after FailNow in a cleanup, the name of the test is not printed
		}
	})
}

func searchPath(path string) func(*pgx.ConnConfig) {
	return func(c *pgx.ConnConfig) { c.RuntimeParams["search_path"] = path }
}

// connect returns a connection that ends with the test.
func connect(tb testing.TB, url string, options ...func(*pgx.ConnConfig)) *pgx.Conn {
	tb.Helper()
	config, err := pgx.ParseConfig(url)
	require.NoError(tb, err)
	for _, option := range options {
		option(config)
	}
	conn, err := pgx.ConnectConfig(tb.Context(), config)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })

	return conn
}

// pool returns a pool of up to 50 connections that ends with the test.
func pool(tb testing.TB, url string, options ...func(*pgx.ConnConfig)) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(tb, err)
	config.MaxConns = 50
	for _, option := range options {
		option(config.ConnConfig)
	}
	p, err := pgxpool.NewWithConfig(tb.Context(), config)
	require.NoError(tb, err)
	tb.Cleanup(p.Close)

	return p
}

// soon bounds what must return at once.
func soon(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	tb.Cleanup(cancel)

	return ctx
}

type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func run(tb testing.TB, db execer, sql string) {
	tb.Helper()
	_, err := db.Exec(tb.Context(), sql)
	require.NoError(tb, err)
}

// list returns the one column that a query gives.
func list(tb testing.TB, db schema.DB, sql string) []string {
	tb.Helper()
	rows, err := db.Query(tb.Context(), sql)
	require.NoError(tb, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(tb, err)

	return got
}

// relations returns the names of what is in the current schema, less the indexes and sequences.
func relations(tb testing.TB, db schema.DB) []string {
	tb.Helper()

	return list(tb, db, `
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind NOT IN ('i', 'S')
ORDER BY oid`)
}

// lost returns the lines that are no more. Subset says the same in the square of the time.
func lost(before, after []string) []string {
	there := map[string]bool{}
	for _, line := range after {
		there[line] = true
	}

	return slices.DeleteFunc(slices.Clone(before), func(line string) bool { return there[line] })
}

// catalogue returns what the database says of its tables: what a bootstrap that changes nothing leaves as it is. The
// numbers show what was dropped and made again.
func catalogue(tb testing.TB, db schema.DB) []string {
	tb.Helper()

	return list(tb, db, `
SELECT format('relation %s.%s %s %s %s %s', nspname, relname, relkind, c.oid, relfilenode, relacl)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
UNION ALL
SELECT format('column %s.%s %s %s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod),
    attnotnull, attidentity, attcollation::regcollation, pg_get_expr(adbin, adrelid))
FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid JOIN pg_namespace AS n ON n.oid = relnamespace
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND attnum > 0
UNION ALL
SELECT format('constraint %s %s %s %s', oid, conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE conrelid <> 0
UNION ALL
SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1`)
}

// rows returns the rows of the tables as JSON, by table.
func rows(tb testing.TB, db schema.DB, names ...string) map[string][]string {
	tb.Helper()
	all := map[string][]string{}
	for _, name := range names {
		all[name] = list(tb, db, fmt.Sprintf("SELECT to_jsonb(t)::text FROM %s AS t ORDER BY 1", name))
	}

	return all
}

// atOnce runs fn n times at the same moment.
func atOnce(n int, fn func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

// naive is the bootstrap without the lock: the same files in a transaction.
func naive(ctx context.Context, db schema.DB, files []file) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		for _, f := range files {
			if _, err := tx.Exec(ctx, f.SQL); err != nil {
				return err
			}
		}

		return nil
	})
}

// counter counts what a connection sends through pgx.
type counter struct {
	mu   sync.Mutex
	sent []string
}

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	c.add(data.SQL)

	return ctx
}

func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *counter) TracePrepareStart(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	c.add("prepare " + data.SQL)

	return ctx
}

func (*counter) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {}

func (c *counter) add(sql string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, strings.TrimSpace(sql))
}

// take returns what was sent so far and forgets it.
func (c *counter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := c.sent
	c.sent = nil

	return sent
}

// hooked is a database that hands out its transactions through a function.
type hooked struct {
	schema.DB

	hook func(pgx.Tx) pgx.Tx
}

func (h hooked) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := h.DB.Begin(ctx)
	if err != nil {
		return nil, err
	}

	return h.hook(tx), nil
}

// rollbackHook is a transaction that calls a function when it has been rolled back.
type rollbackHook struct {
	pgx.Tx

	hook func()
}

func (r rollbackHook) Rollback(ctx context.Context) error {
	defer r.hook()

	return r.Tx.Rollback(ctx)
}

// queryHook is a transaction that calls a function before it looks for what is missing.
type queryHook struct {
	pgx.Tx

	hook func()
}

func (q queryHook) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	q.hook()

	return q.Tx.Query(ctx, sql, args...)
}

// commitHook is a transaction that calls a function before it commits.
type commitHook struct {
	pgx.Tx

	hook func()
}

func (c commitHook) Commit(ctx context.Context) error {
	c.hook()

	return c.Tx.Commit(ctx)
}
