// Package dbtest gives every test a database of its own on a real PostgreSQL: the server that DATABASE_URL names, or a
// private one that lives as long as the test binary.
//
// A store's schema is bootstrapped once into a template, of which each test gets a clone. The next test gets it emptied, if it
// is as new then; whatever else its test has left behind, it is dropped. A test that failed keeps its database (on a
// server of the user's) and prints how to open it; one that leaves a connection open fails.
package dbtest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/localpg"
	"musicstore/layer/schema"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver that pgtestdb opens
	"github.com/peterldowns/pgtestdb"
	"github.com/stretchr/testify/require"
)

// timeZone is the time zone of every test's sessions: half an hour off, so that a bug that depends on it shows.
const timeZone = "America/St_Johns"

// URLParams is the environment variable whose settings every test's URL gets, so that a whole suite can run in another
// query mode: default_query_exec_mode=exec.
const URLParams = "MUSICSTORE_TEST_URL_PARAMS"

// forTests are settings of a server that has no standby and lives for minutes. The pages of a new database are not written to its
// write-ahead log, and no process looks through each database for what to clean up.
// https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-WAL-LEVEL
var forTests = []string{"wal_level=minimal", "max_wal_senders=0", "autovacuum=off"}

// Databases gives tests databases that have a schema.
type Databases struct{ recycled *recycler }

// Of returns the databases of a schema. A package's tests need one value of it: its databases wait for the next test.
func Of(m *dbtx.Metadata) *Databases {
	d := &Databases{&recycler{template: bootstrapped{m}, patience: 20 * time.Second}} // pgx takes up to 15 s to close a connection whose statement was cancelled
	all.Lock()
	defer all.Unlock()
	all.databases = append(all.databases, d)

	return d
}

// all are the databases that Main drops at the end.
var all struct {
	sync.Mutex

	databases []*Databases
}

// URL returns the URL of a database that has the schema and no rows, for this test alone until it ends. Connections to it
// must be closed by then.
func (d *Databases) URL(tb testing.TB) string {
	tb.Helper()
	taken, err := d.recycled.take(tb)
	require.NoError(tb, err)

	return withParams(taken.url)
}

// Shared returns a pool on a database that has the schema and no rows, for this test alone until it ends. The database keeps the pool for
// the next test, because a session costs the server more than most tests do with it; its sessions are as new then. The first test of a
// database has open open the pool, by a URL as StoreURL's, and say how it is closed. A package's tests give it the same open
// each time. The test must have released all connections when it ends.
func (d *Databases) Shared(
	tb testing.TB, open func(url string) (pool *pgxpool.Pool, closePool func(), err error),
) *pgxpool.Pool {
	tb.Helper()
	taken, err := d.recycled.take(tb)
	require.NoError(tb, err)
	if taken.pool == nil {
		taken.pool, taken.close, err = open(storeURL(taken.url))
		require.NoError(tb, err)
	}

	return taken.pool
}

// StoreURL is URL for a store whose pool the test opens. It bounds the pool at eight connections, half of the default, because to
// make one costs more than most tests do with it. In `make soak` it has the default.
func (d *Databases) StoreURL(tb testing.TB) string {
	tb.Helper()
	taken, err := d.recycled.take(tb)
	require.NoError(tb, err)

	return storeURL(taken.url)
}

func storeURL(url string) string {
	url = withParams(url)
	if !soaking() {
		url += "&pool_max_conns=8"
	}

	return url
}

// Pool returns a pool on a database of its own that has the schema and no rows, until the end of the test.
func (d *Databases) Pool(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool, err := pgxpool.New(tb.Context(), d.URL(tb))
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)

	return pool
}

// ExampleURL is URL for an example, which is no test: done ends what would be its test.
func (d *Databases) ExampleURL() (url string, done func()) {
	e := &example{}
	taken, err := d.recycled.take(e)
	if err != nil {
		panic(err)
	}

	return withParams(taken.url), e.drop
}

// EmptyURL returns the URL of a database with nothing in it, for this test alone.
func EmptyURL(tb testing.TB) string {
	tb.Helper()
	url, err := clone(tb, empty{})
	require.NoError(tb, err)

	return withParams(url)
}

// ExampleURL is EmptyURL for an example: drop drops the database.
func ExampleURL() (url string, drop func()) {
	e := &example{}
	url, err := clone(e, empty{})
	if err != nil {
		panic(err)
	}

	return withParams(url), e.drop
}

// example is as much of a test as pgtestdb needs.
type example struct{ cleanups []func() }

func (*example) Helper()                           {}
func (*example) Logf(string, ...any)               {}
func (*example) Failed() bool                      { return false }
func (*example) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (e *example) Cleanup(fn func())               { e.cleanups = append(e.cleanups, fn) }

func (e *example) drop() {
	for _, fn := range e.cleanups {
		fn()
	}
}

// AdminURL returns the URL of a database on the tests' server as a role that may end other sessions.
func AdminURL(tb testing.TB) string {
	tb.Helper()
	base, err := server()
	require.NoError(tb, err)

	return base
}

// withParams adds the settings of the environment to a URL. They are this test's, and not its database's.
func withParams(url string) string {
	if params := os.Getenv(URLParams); params != "" {
		url += "&" + params
	}

	return url
}

// admin returns the URL of the tests' server, and what it says.
func admin() (string, *pgx.ConnConfig, error) {
	base, err := server()
	if err != nil {
		return "", nil, err
	}
	config, err := pgx.ParseConfig(base)
	if err != nil { // whose text may show a part of the password
		return "", nil, errDatabaseURL
	}

	return base, config, nil
}

var errDatabaseURL = errors.New("DATABASE_URL is neither a URL (postgres://user:password@host:port/database) " +
	"nor a string of key=value pairs")

// clone makes a database from a template, which ends with the test.
func clone(tb pgtestdb.TB, m pgtestdb.Migrator) (string, error) {
	tb.Helper()
	base, config, err := admin()
	if err != nil {
		return "", err
	}
	conf, err := testConfig(base, config)
	if err != nil {
		return "", err
	}

	return clones.clone(tb, conf, forSettings{m, conf.Options})
}

// Soak skips a long test, unless MUSICSTORE_SOAK is set, as `make soak` does.
func Soak(tb testing.TB) {
	tb.Helper()
	if !soaking() {
		tb.Skip("a long one: make soak")
	}
}

// Full skips a part of a test of which `make test` runs a sample. `make soak` runs it all.
func Full(tb testing.TB) {
	tb.Helper()
	if !full() {
		tb.Skip("a part of which there is a sample: make soak")
	}
}

// Sample returns the first n of the cases of a test. In `make soak` it returns them all.
func Sample[T any](n int, all ...T) []T {
	if full() {
		return all
	}

	return all[:min(n, len(all))]
}

// Parts is the value of MUSICSTORE_SOAK for a suite that is run by a long test: all parts of its tests, but no long test.
const Parts = "parts"

func full() bool    { return os.Getenv("MUSICSTORE_SOAK") != "" }
func soaking() bool { return full() && os.Getenv("MUSICSTORE_SOAK") != Parts }

// private is the server that the tests started, if they did.
var private *localpg.Server

// server returns the URL of the tests' server, which it starts if there is none.
var server = sync.OnceValues(func() (string, error) {
	if u := os.Getenv("DATABASE_URL"); u != "" {
		return u, nil
	}
	var err error
	start := localpg.TempInMemory
	if soaking() { // which may take more room than there is
		start = localpg.Temp
	}
	if private, err = start(context.Background(), forTests...); err != nil {
		return "", err
	}

	return private.URL("postgres"), nil
})

// bootstrapped is the template with the schema in it.
type bootstrapped struct{ schema *dbtx.Metadata }

// Hash names the template. It is made of the SQL and of the code that applies it: a template from before either changed
// is never used, so that a broken bootstrap cannot hide behind it.
func (b bootstrapped) Hash() (string, error) { return schema.Version(b.schema), nil }

func (b bootstrapped) Migrate(ctx context.Context, db *sql.DB, c pgtestdb.Config) error {
	if err := (empty{}).Migrate(ctx, db, c); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, c.URL())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = schema.Bootstrap(ctx, conn, b.schema)

	return err
}

// forSettings is a migrator whose template is only used again under the same settings: they may decide who owns its tables
// or in which schema they are.
type forSettings struct {
	pgtestdb.Migrator

	settings string
}

func (m forSettings) Hash() (string, error) {
	hash, err := m.Migrator.Hash()

	return fmt.Sprintf("%s %x", hash, sha256.Sum256([]byte(m.settings))), err
}

type empty struct{}

func (empty) Hash() (string, error) { return "empty, with public its owner's", nil }

// Migrate gives the schema public to the database's owner, who alone may create in it, as from PostgreSQL 15 on. Before,
// every role may, and a role that one test makes would be a danger in the database of another.
func (empty) Migrate(ctx context.Context, _ *sql.DB, c pgtestdb.Config) error {
	_, config, err := admin()
	if err != nil {
		return err
	}
	config.Database = c.Database
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, "REVOKE CREATE ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO "+
		pgx.Identifier{c.User}.Sanitize())

	return err
}
