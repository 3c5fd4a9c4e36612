package dbtx_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/schema"
	"musicstore/layer/wireproxy"
)

func TestOpen(t *testing.T) {
	t.Parallel()

	t.Run("MakesAPoolLargeEnough", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		size := func(url string) int32 {
			store, err := testdb.Open(t.Context(), url)
			require.NoError(t, err)
			defer store.Close()

			return store.DB().(*pgxpool.Pool).Config().MaxConns
		}
		require.GreaterOrEqual(t, size(url), int32(16))
		for _, n := range []int32{3, 4, 5} {
			require.Equal(t, n, size(fmt.Sprintf("%s&pool_max_conns=%d", url, n)), "unless the URL says otherwise")
		}
	})
	t.Run("ShowsNoPassword", func(t *testing.T) {
		t.Parallel()
		for _, url := range []string{
			"postgres://u:secretpw@127.0.0.1:1/x", "postgres://u:secretpw/x", "postgres://u:secret%pw@h/x",
			"host=/nowhere user=u password=secretpw", "host=h password='secretpw", "u:secretpw", "postgres://u:secretpw@h:x/y",
			"postgres://u:secretpw@h/x?sslmode=secretpw", "host=h port=secretpw",
			"postgres://u:secretpw@h/x?pool_max_conns=secretpw",
		} {
			_, err := testdb.Open(t.Context(), url)
			require.Error(t, err, url)
			require.NotContains(t, err.Error(), "secret", url)
			require.True(t, strings.HasPrefix(err.Error(), "open: "), err)
		}
	})
	t.Run("SaysWhatToDoWhenThereIsNoServer", func(t *testing.T) {
		t.Parallel()
		_, err := testdb.Open(t.Context(), "host=/nowhere user=u")
		require.ErrorIs(t, err, testdb.ErrUnavailable)
		require.ErrorContains(t, err, "open: the database is not available: is the server running, and does the URL name it? ")
	})
	t.Run("SaysWhatTheServerSays", func(t *testing.T) {
		t.Parallel()
		_, err := testdb.Open(t.Context(), dbtest.URL(t)+"&database=nowhere")
		require.EqualError(t, err, `open: FATAL: database "nowhere" does not exist (SQLSTATE 3D000)`)
		_, err = testdb.Open(t.Context(), "nonsense")
		require.ErrorIs(t, err, testdb.ErrInvalid)
	})
	t.Run("ClosesTwice", func(t *testing.T) {
		t.Parallel()
		store := dbtest.Open(t)
		store.Close()
		store.Close()
		_, err := store.GetPaper(t.Context(), 1)
		require.ErrorContains(t, err, "get paper: ")
	})
}

// trips counts the round trips on a link: how often the client speaks after the server has.
type trips struct {
	mu         sync.Mutex
	links      map[int]bool // whether the client spoke last
	login, all int          // how many, until the client is let in and in all
	in         bool
}

func (tr *trips) rule(m wireproxy.Message) wireproxy.Action {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if _, ends := m.Is.(*pgproto3.Terminate); ends {
		return wireproxy.Pass
	}
	if m.FromClient() && !tr.links[m.Link] {
		tr.all++
	}
	tr.links[m.Link] = m.FromClient()
	if _, ready := m.Is.(*pgproto3.ReadyForQuery); ready && !tr.in {
		tr.in, tr.login = true, tr.all
	}

	return wireproxy.Pass
}

func TestOpen_LosesNoTime(t *testing.T) {
	t.Parallel()
	proxy := wireproxy.New(t, dbtest.URL(t))
	start := func(open func(ctx context.Context, url string) (*testdb.Repo, error)) *trips {
		tr := &trips{links: map[int]bool{}}
		proxy.Set(tr.rule)
		store, err := open(t.Context(), proxy.URL(""))
		require.NoError(t, err)
		created, err := schema.Bootstrap(t.Context(), store.DB(), &dbgen.Metadata)
		require.NoError(t, err)
		require.Empty(t, created)
		store.Close()
		proxy.Settle(0)

		return tr
	}
	tr := start(func(ctx context.Context, url string) (*testdb.Repo, error) {
		return testdb.Open(ctx, url, testdb.WithPipelining())
	})
	t.Logf("%d round trips, of which the login is %d", tr.all, tr.login)
	require.Len(t, tr.links, 1, "on one connection")
	require.Equal(t, 1, tr.all-tr.login, "Open is the login, and Bootstrap is one query")
	require.LessOrEqual(t, tr.login, 3, "PostgreSQL's own way, SCRAM, takes three")
	require.LessOrEqual(t, tr.all, 4)

	// The control: a ping is seen.
	tr = start(func(ctx context.Context, url string) (*testdb.Repo, error) {
		store, err := testdb.Open(ctx, url)
		if err != nil {
			return nil, err
		}

		return store, store.DB().(*pgxpool.Pool).Ping(ctx)
	})
	require.Equal(t, 2, tr.all-tr.login)
}

func TestNew(t *testing.T) {
	t.Parallel()

	t.Run("LeavesThePoolToItsOwner", func(t *testing.T) {
		t.Parallel()
		pool := dbtest.Pool(t)
		store := testdb.New(pool)
		store.Close()
		newPaper(t, store, "A")
		require.Equal(t, testdb.DB(pool), store.DB())
	})
	t.Run("SeparatesDatabases", func(t *testing.T) {
		t.Parallel()
		a, b := dbtest.New(t), dbtest.New(t)
		newPaper(t, a, "A")
		require.Equal(t, 1, countPapers(t, a))
		require.Zero(t, countPapers(t, b))
	})
	t.Run("RefusesATracerThatItCannotInstall", func(t *testing.T) {
		t.Parallel()
		pool := dbtest.Pool(t)
		require.PanicsWithValue(t,
			"dbtx: WithTracer is for Open: set ConnConfig.Tracer of the pool or connection that New is given",
			func() { testdb.New(pool, testdb.WithTracer(&dbtxtest.Tracer{})) })
	})
}

func TestNewID(t *testing.T) {
	t.Parallel()
	v4 := regexp.MustCompile(`^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`)
	seen := map[string]bool{}
	for range 10_000 {
		id := testdb.NewID()
		require.Regexp(t, v4, id)
		require.False(t, seen[id])
		seen[id] = true
	}
}

func TestNewID_IsOneAllocation(t *testing.T) { //nolint:paralleltest // it counts allocations
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { testdb.NewID() }), 2.0)
}

func TestSQLInjection_IsText(t *testing.T) {
	t.Parallel()
	const evil = `x'; DROP TABLE papers; --`
	store := dbtest.New(t)
	a := paper(evil)
	a.URL = "evil"
	made, err := store.CreatePaper(t.Context(), a)
	require.NoError(t, err)
	read, err := store.GetPaper(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, evil, read.Name)
	_, err = store.GetPaperByURL(t.Context(), evil)
	require.ErrorIs(t, err, testdb.ErrNotFound)
	_, err = store.GetReaderByEmail(t.Context(), `'--@x`)
	require.ErrorIs(t, err, testdb.ErrNotFound)
	ids, err := store.ListPaperIDsOfReader(t.Context(), evil)
	require.NoError(t, err)
	require.Empty(t, ids)
	require.Equal(t, 1, countPapers(t, store))
	require.WithinDuration(t, time.Now(), newReader(t, store, `'drop'@x`).CreatedAt, time.Minute)
}

func TestOpen_NamesTheSettingWhoseFileIsBad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("no certificate"), 0o600))
	missing := filepath.Join(dir, "missing")
	for setting, want := range map[string]string{
		"sslrootcert=" + missing:                 `sslrootcert: its file "` + missing + `" can't be read: no such file or directory`,
		"sslrootcert=" + dir:                     `sslrootcert: its file "` + dir + `" can't be read: is a directory`,
		"sslrootcert=" + text:                    "sslrootcert: has no certificate in PEM format",
		"sslcert=" + text:                        "sslcert: needs sslkey, and sslkey needs sslcert",
		"sslcert=" + text + "&sslkey=" + missing: `sslkey: its file "` + missing + `" can't be read: no such file or directory`,
		"sslcert=" + text + "&sslkey=" + text:    "sslkey: has no key in PEM format",
		"service=x&servicefile=" + missing:       "servicefile: can't be read as a service file",
		"service=x&servicefile=/dev/null":        "service: is not in the service file",
	} {
		_, err := testdb.Open(t.Context(), "postgres://u:secret@127.0.0.1:1/x?sslmode=require&"+setting)
		require.ErrorIs(t, err, testdb.ErrInvalid)
		require.EqualError(t, err, "open: "+want)
	}
	_, err := testdb.Open(t.Context(), "host=127.0.0.1 secret")
	require.ErrorContains(t, err, "open: database URL: can't be read")
	require.NotContains(t, err.Error(), "secret")
}

// The error of pgx has the whole URL, and the value.
func TestOpen_NamesTheSettingWhoseValueIsBad(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"port", "connect_timeout", "sslmode", "sslcertmode", "target_session_attrs", "min_protocol_version", "max_protocol_version",
		"channel_binding", "require_auth", "default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity",
		"pool_max_conns", "pool_min_conns", "pool_max_conn_lifetime", "pool_health_check_period", "pool_ping_timeout",
	} {
		text := "host=127.0.0.1 user=u password=hidden " + setting + "=secret"
		_, err := testdb.Open(t.Context(), text)
		require.ErrorIs(t, err, testdb.ErrInvalid)
		require.ErrorContains(t, err, "open: "+setting+": has a value that is not allowed")
		require.NotContains(t, err.Error(), "secret")
		_, naive := pgxpool.ParseConfig(text)
		require.ErrorContains(t, naive, "secret", "the control: the driver's error shows the text")
	}
}

// A value of PGTZ is a setting of the URL, too.
func TestOpen_NamesTheSettingThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	for setting, want := range map[string][2]string{
		"timezone": {"Mars/Olympus", "open: TimeZone: the server refuses its value"},
		"work_mem": {"secret", "open: work_mem: the server refuses its value"},
		"no_such":  {"secret", "open: no_such: the server has no such setting"},
		"options":  {"--lc-time=secret", "open: lc_time: the server refuses its value"},
	} {
		_, err := testdb.Open(t.Context(), dbtxtest.With(t, url, setting, want[0]))
		require.ErrorIs(t, err, testdb.ErrInvalid)
		require.EqualError(t, err, want[1])
	}
}
