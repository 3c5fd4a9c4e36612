package dbtest_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/schema"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// databases are those of the layer's test schema.
var databases = dbtest.Of(&dbgen.Metadata)

func tableNames() (names []string) {
	for _, t := range dbgen.Metadata.Tables {
		names = append(names, t.Name)
	}

	return names
}

// inner is a test within a test, whose end can be seen from outside.
type inner struct {
	testing.TB

	failed   bool
	fatal    string
	ctx      context.Context //nolint:containedctx // a testing.TB has one
	cancel   context.CancelFunc
	mu       sync.Mutex
	cleanups []func()
	log      strings.Builder
}

func newInner(tb testing.TB) *inner {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())

	return &inner{TB: tb, ctx: ctx, cancel: cancel}
}

func (i *inner) Failed() bool             { return i.failed }
func (i *inner) Context() context.Context { return i.ctx }

func (i *inner) Cleanup(fn func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cleanups = append(i.cleanups, fn)
}

func (i *inner) Fatalf(format string, args ...any) { i.fatal = fmt.Sprintf(format, args...) }

func (i *inner) Logf(format string, args ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	fmt.Fprintf(&i.log, format+"\n", args...)
}

// end does what testing does when a test ends.
func (i *inner) end() {
	i.cancel()
	for _, fn := range slices.Backward(i.cleanups) {
		fn()
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })

	return conn
}

func database(t *testing.T, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)

	return config.Database
}

// exists reports whether the tests' server has a database.
func exists(t *testing.T, name string) bool {
	t.Helper()
	var found bool
	require.NoError(t, connect(t, dbtest.AdminURL(t)).QueryRow(t.Context(),
		"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&found))

	return found
}

func tables(t *testing.T, url string) []string {
	t.Helper()
	rows, err := connect(t, url).Query(t.Context(), "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)

	return names
}

func TestURL(t *testing.T) {
	t.Parallel()

	t.Run("IsOfADatabaseWithTheWholeSchema", func(t *testing.T) {
		t.Parallel()
		url := databases.URL(t)
		require.ElementsMatch(t, tableNames(), tables(t, url))
		created, err := schema.Bootstrap(t.Context(), connect(t, url), &dbgen.Metadata)
		require.NoError(t, err)
		require.Empty(t, created)
	})
	t.Run("IsAnotherEachTime", func(t *testing.T) {
		t.Parallel()
		one, two := databases.URL(t), databases.URL(t)
		require.NotEqual(t, one, two)
	})
	t.Run("IsOfARoleThatIsNoSuperuser", func(t *testing.T) {
		t.Parallel()
		const isSuper = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
		var super bool
		require.NoError(t, connect(t, databases.URL(t)).QueryRow(t.Context(), isSuper).Scan(&super))
		require.False(t, super)
	})
}

func TestEmptyURL_IsOfADatabaseWithoutTables(t *testing.T) {
	t.Parallel()
	require.Empty(t, tables(t, dbtest.EmptyURL(t)))
}

func TestExampleURL_IsOfAnEmptyDatabaseUntilItIsDropped(t *testing.T) {
	t.Parallel()
	url, drop := dbtest.ExampleURL()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&n))
	require.Zero(t, n)
	require.NoError(t, conn.Close(t.Context()))
	drop()
	require.False(t, exists(t, database(t, url)))
}

func TestAdminURL_IsOfARoleThatMayEndOtherSessions(t *testing.T) {
	t.Parallel()
	other := connect(t, databases.URL(t))
	var ended bool
	require.NoError(t, connect(t, dbtest.AdminURL(t)).QueryRow(t.Context(),
		"SELECT pg_terminate_backend($1, 5000)", other.PgConn().PID()).Scan(&ended))
	require.True(t, ended)
	require.Error(t, other.Ping(t.Context()))
}

func TestSessions_AreInATimeZoneThatIsHalfAnHourOff(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"URL": databases.URL(t), "EmptyURL": dbtest.EmptyURL(t)} {
		var zone string
		require.NoError(t, connect(t, url).QueryRow(t.Context(), "SHOW timezone").Scan(&zone), name)
		require.Equal(t, "America/St_Johns", zone, name)
	}
	var zone string
	require.NoError(t, databases.Pool(t).QueryRow(t.Context(), "SHOW timezone").Scan(&zone))
	require.Equal(t, "America/St_Johns", zone)
}

func TestPool(t *testing.T) {
	t.Parallel()
	test := newInner(t)
	pool := databases.Pool(test)
	var n int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM papers").Scan(&n))
	require.Zero(t, n)
	test.end()
	require.ErrorContains(t, pool.Ping(t.Context()), "closed pool")
}

func TestDatabase(t *testing.T) {
	t.Parallel()

	t.Run("GoesWithItsTestThatChangedIt", func(t *testing.T) {
		t.Parallel()
		for _, newURL := range []func(testing.TB) string{databases.URL, dbtest.EmptyURL} {
			test := newInner(t)
			url := newURL(test)
			once(t, url, "CREATE TABLE t ()")
			require.True(t, exists(t, database(t, url)))
			test.end()
			require.False(t, exists(t, database(t, url)))
		}
	})
	t.Run("GoesWithTheLastTest", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		out, err := again(t, "TestInner_HasADatabase", "DATABASE_URL="+dbtest.AdminURL(t))
		require.NoError(t, err, out)
		_, url, found := strings.Cut(out, "testdbconf: ")
		require.True(t, found, out)
		url, _, _ = strings.Cut(url, "\n")
		require.False(t, exists(t, database(t, url)))
	})
	t.Run("StaysWhenItsTestHasFailed", func(t *testing.T) {
		t.Parallel()
		test := newInner(t)
		pool := databases.Pool(test)
		_, err := pool.Exec(t.Context(), "INSERT INTO papers (name, url, year, price_cents, has_preview, is_published) "+
			"VALUES ('Daily', 'daily', 1999, 100, false, false)")
		require.NoError(t, err)
		test.failed = true
		test.end()

		_, printed, found := strings.Cut(strings.TrimSpace(test.log.String()), "testdbconf: ")
		require.True(t, found, "the test's log says how to open it")
		t.Cleanup(func() { drop(t, database(t, printed)) })
		require.Equal(t, "Daily", run(t, connect(t, printed), "SELECT name FROM papers"))
	})
}

// drop removes what a failed test has kept.
func drop(t *testing.T, name string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	admin, err := pgx.Connect(ctx, dbtest.AdminURL(t))
	require.NoError(t, err)
	defer admin.Close(ctx)
	_, err = admin.Exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize())
	require.NoError(t, err)
}

// again runs a test of this package in a process of its own and returns what it prints.
func again(t *testing.T, test string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), append(env, "DBTEST_INNER=1")...)
	out, err := cmd.CombinedOutput()

	return string(out), err
}

// onlyInner skips a test that is for again.
func onlyInner(t *testing.T) {
	t.Helper()
	if os.Getenv("DBTEST_INNER") == "" {
		t.Skip("is run by another test")
	}
}

func TestInner_PrintsItsServer(t *testing.T) {
	t.Parallel()
	onlyInner(t)
	var dir string
	require.NoError(t, connect(t, dbtest.AdminURL(t)).QueryRow(t.Context(), "SHOW data_directory").Scan(&dir))
	require.NotEmpty(t, tables(t, databases.URL(t)))
	fmt.Printf("server: %s.\n", dir) //nolint:forbidigo // for the test that runs this one
}

func TestInner_HasADatabase(t *testing.T) {
	t.Parallel()
	onlyInner(t)
	databases.URL(t)
}

func TestInner_UsesItsStore(t *testing.T) {
	t.Parallel()
	onlyInner(t)
	url := databases.URL(t)
	require.Equal(t, "pgtdbuser", run(t, connect(t, url), "SELECT current_user"))
	require.Equal(t, "America/St_Johns", run(t, connect(t, url), "SHOW timezone"))
	require.Equal(t, "0", run(t, connect(t, databases.URL(t)), "SELECT count(*)::text FROM readers"))
	run(t, connect(t, dbtest.EmptyURL(t)), "SELECT 1")
}

func TestInner_LeavesAGoroutine(t *testing.T) {
	t.Parallel()
	onlyInner(t)
	databases.Pool(t)
	go func() { select {} }()
}

func TestServer(t *testing.T) {
	t.Parallel()
	var dir string
	require.NoError(t, connect(t, dbtest.AdminURL(t)).QueryRow(t.Context(), "SHOW data_directory").Scan(&dir))

	t.Run("IsTheOneOfDATABASE_URL", func(t *testing.T) {
		t.Parallel()
		out, err := again(t, "TestInner_PrintsItsServer", "DATABASE_URL="+dbtest.AdminURL(t))
		require.NoError(t, err, out)
		require.Contains(t, out, "server: "+dir+".")
	})
	t.Run("IsAPrivateOneThatEndsWithTheTests", func(t *testing.T) {
		t.Parallel()
		out, err := again(t, "TestInner_PrintsItsServer", "DATABASE_URL=")
		require.NoError(t, err, out)
		_, rest, _ := strings.Cut(out, "server: ")
		own, _, found := strings.Cut(rest, ".\n")
		require.True(t, found, out)
		require.NotEqual(t, dir, own)
		require.NoDirExists(t, own)
	})
	t.Run("MustBeNamedInAFormThatIsKnown", func(t *testing.T) {
		t.Parallel()
		for _, text := range dbtest.Sample(2,
			"postgres://u:hunter2%@h/d", "password=hunter2 host", "password='hunter2", "hunter2", "mysql://u:hunter2@h/d",
			"postgres://u:hunter2@h:port/d", "postgres://u:hunter2@h/d?connect_timeout=hunter2",
		) {
			out, err := again(t, "TestInner_HasADatabase", "DATABASE_URL="+text)
			require.Error(t, err)
			require.Contains(t, out, "DATABASE_URL is neither a URL", text)
			require.NotContains(t, out, "hunter2")
		}
	})
	t.Run("IsNotReached", func(t *testing.T) {
		t.Parallel()
		out, err := again(t, "TestInner_HasADatabase", "DATABASE_URL=host=/nowhere password=hunter2")
		require.Error(t, err)
		require.Contains(t, out, "/nowhere")
		require.NotContains(t, out, "hunter2")
	})
}

// A template that one form of DATABASE_URL has made must serve tests under every other.
func TestServer_IsNamedInAnotherForm(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	namedInForms(t, func(forms []string) []string { return forms[:1] })
}

func TestSoak_ServerIsNamedInEveryForm(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	namedInForms(t, func(forms []string) []string { return forms[1:] })
}

func namedInForms(t *testing.T, some func(forms []string) []string) {
	t.Helper()
	config, err := pgx.ParseConfig(dbtest.AdminURL(t))
	require.NoError(t, err)
	name := "admin_" + strings.ToLower(rand.Text())
	once(t, databases.URL(t), "CREATE ROLE "+name+" SUPERUSER LOGIN PASSWORD $$a b+c%&='$$")
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), dbtest.AdminURL(t))
		require.NoError(t, err)
		_, err = conn.Exec(context.Background(), "DROP ROLE "+name)
		require.NoError(t, err)
		require.NoError(t, conn.Close(context.Background()))
	})
	at := fmt.Sprintf("host=%s&port=%d", url.QueryEscape(config.Host), config.Port)
	for _, form := range some([]string{
		"postgres:///postgres?user=" + name + "&password=a%20b%2Bc%25%26%3D%27&" + at,
		"postgres://" + name + ":a%20b%2Bc%25%26%3D%27@/postgres?" + at,
		fmt.Sprintf("host='%s' port=%d user=%s password='a b+c%%&=\\'' dbname=postgres", config.Host, config.Port, name),
	}) {
		out, err := again(t, "TestInner_UsesItsStore", "DATABASE_URL="+form)
		require.NoError(t, err, "%s\n%s", form, out)
	}
}

func TestConfig_IsTheSameOfEveryForm(t *testing.T) {
	t.Parallel()
	for _, forms := range [][]string{
		{
			"postgres://ada:a%20b%2Bc%27@h:1234/shop", "postgresql://h:1234/shop?user=ada&password=a%20b%2Bc%27",
			"postgres://h/?user=ada&password=a%20b%2Bc%27&port=1234&dbname=shop", "host=h port=1234 user=ada password='a b+c\\'' dbname=shop",
			"  host = h\tport= '1234' user=ada password=a\\ b+c\\'\ndatabase=shop ", "postgres://no:body@x:1/y?host=h&port=1234&" +
				"user=no&user=ada&password=a%20b%2Bc%27&database=shop",
		},
		{
			"postgres://ada@/shop?host=/a%20b&sslmode=disable", "host='/a b' user=ada dbname=shop sslmode=disable passfile=x",
			"user=ada host=/a\\ b dbname='shop' sslmode='disable'",
		},
		{"postgres://ada@h1:1,h2:2/shop?sslmode=require", "host=h1,h2 port=1,2 user=ada dbname=shop sslmode=require"},
		{"postgres://ada@[::1]:99/shop?options=-c%20a%3Db+c", "host=::1 port=99 user=ada dbname=shop options='-c a=b+c'"},
		{"postgres://ada:p?q@h/a%20shop%3F", "host=h user=ada password=p?q dbname='a shop?'"},
	} {
		for _, form := range forms {
			want, err := pgx.ParseConfig(form)
			require.NoError(t, err)
			conf, err := dbtest.ConfigOf(form, want)
			require.NoError(t, err)
			first, err := pgx.ParseConfig(forms[0])
			require.NoError(t, err)
			firstConf, err := dbtest.ConfigOf(forms[0], first)
			require.NoError(t, err)
			require.Equal(t, firstConf, conf, form)

			got, err := pgx.ParseConfig(conf.URL())
			require.NoError(t, err)
			delete(got.RuntimeParams, "timezone")
			require.Equal(t,
				[]any{want.User, want.Password, want.Host, want.Port, want.Database, want.RuntimeParams, len(want.Fallbacks)},
				[]any{got.User, got.Password, got.Host, got.Port, got.Database, got.RuntimeParams, len(got.Fallbacks)}, form)
			require.NotContains(t, conf.Options, "user=", "which the test's own role would not have")
			own := conf
			own.User = "own"
			got, err = pgx.ParseConfig(own.URL())
			require.NoError(t, err)
			require.Equal(t, "own", got.User)
			own.Options += "&user=ada" // the control: the user of DATABASE_URL left among the settings
			got, err = pgx.ParseConfig(own.URL())
			require.NoError(t, err)
			require.Equal(t, "ada", got.User)
		}
	}
}

func TestMain_FailsWhenAGoroutineIsLeft(t *testing.T) {
	t.Parallel()
	out, err := again(t, "TestInner_LeavesAGoroutine", "DATABASE_URL="+dbtest.AdminURL(t))
	require.Error(t, err)
	require.Contains(t, out, "found unexpected goroutines")
	require.Contains(t, out, "--- PASS: TestInner_LeavesAGoroutine")
}

func TestURL_HasTheSettingsOfTheEnvironment(t *testing.T) {
	t.Setenv(dbtest.URLParams, "default_query_exec_mode=exec&application_name=x")
	config := databases.Pool(t).Config().ConnConfig
	require.Equal(t, pgx.QueryExecModeExec, config.DefaultQueryExecMode)
	require.Equal(t, "x", config.RuntimeParams["application_name"])
}
