package dbtx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"musicstore/layer/dbtx"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/plans"
	"musicstore/layer/schema"
)

// serverConns is how many connections the pooler has to the server, for any number of clients.
const serverConns = 4

// behindPgBouncer starts a PgBouncer in transaction mode before a database, and returns the URL through it.
func behindPgBouncer(t *testing.T, direct string) string {
	t.Helper()
	binary := pgBouncer(t)
	config, err := pgx.ParseConfig(direct)
	require.NoError(t, err)

	dir, err := os.MkdirTemp("/tmp", "pgbouncer-") //nolint:usetesting // another user must enter it, and a socket's path is short
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	text := fmt.Sprintf(`[databases]
store = host=%s port=%d dbname=%s user=%s password=%s

[pgbouncer]
pool_mode = transaction
default_pool_size = %d
auth_type = any
unix_socket_dir = %s
listen_port = 6432
`, config.Host, config.Port, config.Database, config.User, config.Password, serverConns, dir)
	if hasPreparedStatements(t, binary) {
		text += "max_prepared_statements = 0\n" // as before 1.21: the URL's settings are what is tested
	}
	ini := filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(ini, []byte(text), 0o644))

	var log bytes.Buffer
	pooler := exec.CommandContext(t.Context(), binary, ini)
	pooler.Stdout, pooler.Stderr = &log, &log
	pooler.Cancel = func() error { return pooler.Process.Signal(syscall.SIGINT) }
	pooler.WaitDelay = 5 * time.Second
	pooler.Dir = "/"
	if os.Geteuid() == 0 { // as root it does not run: as the user whose socket it has to reach
		id := serverUser(t)
		require.NoError(t, os.Chown(dir, int(id.Uid), int(id.Gid)))
		pooler.SysProcAttr = &syscall.SysProcAttr{Credential: id}
	}
	require.NoError(t, pooler.Start())
	t.Cleanup(func() {
		_ = pooler.Process.Signal(syscall.SIGTERM) // at once
		_ = pooler.Wait()
		if t.Failed() {
			t.Logf("pgbouncer said:\n%s", log.String())
		}
	})
	socket := filepath.Join(dir, ".s.PGSQL.6432")
	require.Eventually(t, func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}

		return err == nil
	}, time.Minute, 10*time.Millisecond)

	return "postgres://shop@/store?host=" + dir + "&port=6432&timezone=America/St_Johns"
}

// pgBouncer returns the program. Where it is not installed the test is skipped, but not in CI: .ci/run installs it.
func pgBouncer(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "PgBouncer is not installed (Debian, Ubuntu: apt-get install pgbouncer)"
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)

	return ""
}

// hasPreparedStatements says whether this PgBouncer can keep prepared statements in transaction mode: from 1.21.
func hasPreparedStatements(t *testing.T, binary string) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "--version").Output()
	require.NoError(t, err)
	version := regexp.MustCompile(`(\d+)\.(\d+)`).FindStringSubmatch(string(out))
	require.Len(t, version, 3, "%s", out)
	t.Logf("PgBouncer %s", version[0])
	major, err := strconv.Atoi(version[1])
	require.NoError(t, err)
	minor, err := strconv.Atoi(version[2])
	require.NoError(t, err)

	return major > 1 || minor >= 21
}

// serverUser is the user that localpg runs PostgreSQL as when the tests run as root.
func serverUser(t *testing.T) *syscall.Credential {
	t.Helper()
	who, err := user.Lookup("postgres")
	if err != nil {
		who, err = user.Lookup("nobody")
	}
	require.NoError(t, err)
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	require.NoError(t, err)

	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// clientsOf opens n stores with a connection each, as n processes would.
func clientsOf(t *testing.T, url, mode string, n int) []*testdb.Repo {
	t.Helper()
	clients := make([]*testdb.Repo, n)
	for i := range clients {
		clients[i] = openMode(t, dbtxtest.With(t, url, "pool_max_conns", "1"), mode)
	}

	return clients
}

func TestSoak_PgBouncer(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	const clients = 40

	modes := []string{"exec", "cache_describe", "simple_protocol"}
	for _, mode := range modes {
		t.Run("FortyClientsShareFourConnectionsIn_"+mode, func(t *testing.T) {
			t.Parallel()
			direct := dbtest.URL(t)
			most := mostSessions(t, direct)
			stores := clientsOf(t, behindPgBouncer(t, direct), mode, clients)
			require.NoError(t, everyQueryAtOnce(t.Context(), clients, 2, func(i int) *testdb.Repo { return stores[i] }))
			require.NoError(t, everyInTx(t.Context(), stores))
			require.Equal(t, serverConns, most(), "that many connections to the server, and no more")

			var papers, gaps int
			require.NoError(t, stores[0].DB().QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE
				(SELECT count(*) FROM articles WHERE paper_id = papers.id) <>
				(SELECT coalesce(max(display_order), 0) FROM articles WHERE paper_id = papers.id)) FROM papers`).Scan(&papers, &gaps))
			require.Equal(t, clients*2*2+clients, papers, "two by everyQuery, one by everyInTx")
			require.Zero(t, gaps, "the articles are numbered without holes")
		})
	}
	t.Run("DoesNotKeepThePlansOfTheDefaultMode", func(t *testing.T) { // the control
		t.Parallel()
		stores := clientsOf(t, behindPgBouncer(t, dbtest.URL(t)), cacheStatement, clients)
		err := everyQueryAtOnce(t.Context(), clients, 2, func(i int) *testdb.Repo { return stores[i] })
		require.Error(t, err)
		require.Regexp(t, `SQLSTATE (26000|42P05|08P01)`, err.Error())
	})
	t.Run("BootstrapsOnceForAll", func(t *testing.T) {
		t.Parallel()
		stores := clientsOf(t, behindPgBouncer(t, dbtest.EmptyURL(t)), "exec", clients)
		made := make([][]string, clients)
		errs := dbtxtest.AtOnce(clients, func(i int) (err error) {
			made[i], err = schema.Bootstrap(t.Context(), stores[i].DB(), &dbgen.Metadata)

			return err
		})
		require.Equal(t, make([]error, clients), errs)
		creators := 0
		for _, names := range made {
			if len(names) > 0 {
				creators++
			}
		}
		require.Equal(t, 1, creators)
		require.NoError(t, everyQuery(t.Context(), stores[0]))
	})
	t.Run("GivesEachClientItsTimeZoneAndRefusesOtherSettings", func(t *testing.T) {
		t.Parallel()
		url := behindPgBouncer(t, dbtest.URL(t))
		zones := []string{"Asia/Kathmandu", "America/St_Johns", "UTC"}
		stores := make([]*testdb.Repo, len(zones))
		for i, zone := range zones {
			stores[i] = openMode(t, dbtxtest.With(t, url, "timezone", zone), "exec")
		}
		for range 20 {
			require.Equal(t, make([]error, len(zones)), dbtxtest.AtOnce(len(zones), func(i int) error {
				var zone string
				if err := stores[i].DB().QueryRow(t.Context(), "SHOW timezone").Scan(&zone); err != nil || zone == zones[i] {
					return err
				}

				return fmt.Errorf("%s, and not %s", zone, zones[i])
			}))
		}
		_, err := testdb.Open(t.Context(), dbtxtest.With(t, url, "search_path", "news"))
		require.ErrorContains(t, err, "unsupported startup parameter: search_path")
	})
	t.Run("GivesBackACleanConnectionWhenAContextEnds", func(t *testing.T) {
		t.Parallel()
		stores := clientsOf(t, behindPgBouncer(t, dbtest.URL(t)), "exec", clients)
		errs := dbtxtest.AtOnce(clients, func(i int) error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()

			return stores[i].InTx(ctx, func(tx *testdb.Repo) error {
				if _, err := tx.CreatePaper(ctx, paper(testdb.NewID())); err != nil {
					return err
				}
				cancel()
				_, err := tx.ListPapers(ctx, 50)

				return err
			})
		})
		for _, err := range errs {
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Zero(t, countPapers(t, stores[0]))
		require.NoError(t, everyQueryAtOnce(t.Context(), clients, 1, func(i int) *testdb.Repo { return stores[i] }))
	})
	t.Run("ASchemaMayChangeMeanwhile", func(t *testing.T) {
		t.Parallel()
		direct := dbtest.URL(t)
		stores := clientsOf(t, behindPgBouncer(t, direct), "exec", 8)
		admin, err := pgx.Connect(t.Context(), direct)
		require.NoError(t, err)
		defer admin.Close(context.WithoutCancel(t.Context()))
		changed := make(chan error, 1)
		go func() {
			var err error
			for _, sql := range []string{ // of a table each, so that they can't deadlock with a statement
				"ALTER TABLE readers ADD COLUMN note text", "ALTER TABLE articles ALTER COLUMN length_seconds TYPE bigint",
				"ALTER TABLE papers ADD COLUMN note text", "ALTER TABLE papers ALTER COLUMN year TYPE bigint",
				"ALTER TABLE sales ALTER COLUMN amount_paid_cents TYPE numeric",
			} {
				if err == nil {
					_, err = admin.Exec(t.Context(), sql)
				}
			}
			changed <- err
		}()
		own := *queries
		own.On = func(store *dbtx.Store) any { return copiesInTx{dbgen.New(store.DBTX()), store} }
		err = errors.Join(dbtxtest.AtOnce(8, func(i int) error {
			for range 4 {
				if err := own.EveryOrError(t.Context(), testdb.Store(stores[i])); err != nil {
					return err
				}
			}

			return nil
		})...)
		require.NoError(t, <-changed)
		require.NoError(t, err)
	})
}

// everyInTx has all stores add a paper of their own and an article to a common one, each in a transaction.
func everyInTx(ctx context.Context, stores []*testdb.Repo) error {
	common, err := stores[0].CreatePaper(ctx, paper("common"))
	if err != nil {
		return err
	}
	for _, err := range dbtxtest.AtOnce(len(stores), func(i int) error {
		return stores[i].InTx(ctx, func(tx *testdb.Repo) error {
			if i > 0 { // the common one is the first's
				if _, err := tx.CreatePaper(ctx, paper(testdb.NewID())); err != nil {
					return err
				}
			}
			if _, err := tx.LockPaper(ctx, common.ID); err != nil {
				return err
			}
			articles, err := tx.ListArticlesOfPapers(ctx, []int64{common.ID})
			if err != nil {
				return err
			}
			_, err = tx.LoadArticles(ctx, []testdb.LoadArticlesParams{{PaperID: common.ID, Name: "T", DisplayOrder: int32(len(articles) + 1)}})

			return err
		})
	}) {
		if err != nil {
			return err
		}
	}

	return nil
}

// mostSessions watches a database, and returns what ends that and tells how many sessions that began since were on it at the most.
func mostSessions(t *testing.T, direct string) func() int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), direct)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan int, 1)
	go func() {
		most := 0
		for ctx.Err() == nil {
			var n int
			if conn.QueryRow(context.WithoutCancel(ctx), `SELECT count(*) FROM pg_stat_activity
				WHERE datname = current_database() AND backend_type = 'client backend'
					AND backend_start > (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())`).Scan(&n) == nil {
				most = max(most, n)
			}
			time.Sleep(5 * time.Millisecond)
		}
		_ = conn.Close(context.WithoutCancel(ctx))
		result <- most
	}()
	t.Cleanup(stop)

	return func() int {
		stop()

		return <-result
	}
}

func TestPgBouncer_ReportsTheSettings(t *testing.T) {
	t.Parallel()
	direct := dbtest.URL(t)
	setForDatabase(t, direct, "client_encoding", "LATIN1")
	url := dbtxtest.With(t, behindPgBouncer(t, direct), "default_query_exec_mode", "exec")
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	_, err = testdb.New(pool).CreatePaper(t.Context(), paper(accented))
	refused(t, err, "client_encoding", "a pool of the caller's")

	store, err := testdb.Open(t.Context(), url)
	require.NoError(t, err)
	defer store.Close()
	made := newPaper(t, store, accented)
	read, err := store.GetPaper(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, made, read)
}

func TestPgBouncer_ChecksTheSchemaAtStart(t *testing.T) {
	t.Parallel()
	direct := dbtest.URL(t)
	url := behindPgBouncer(t, direct)
	open := func() error {
		store, err := testdb.Open(t.Context(), url, testdb.WithSchemaCheck()) // with pgx's own query mode, which is not for a pooler
		if err == nil {
			store.Close()
		}

		return err
	}
	for range 2 * serverConns {
		require.NoError(t, open())
	}
	conn, err := pgx.Connect(t.Context(), direct)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "ALTER TABLE sales DROP COLUMN description")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	require.ErrorIs(t, open(), schema.ErrUnfit)
}

// copiesInTx has the COPY in a transaction. A pooler may give it another server connection otherwise than the look at the types of its
// columns had.
type copiesInTx struct {
	dbgen.Querier

	store *dbtx.Store
}

func (c copiesInTx) LoadArticles(ctx context.Context, articles []dbgen.LoadArticlesParams) (n int64, err error) {
	err = c.store.InTx(ctx, func(tx *dbtx.Store) error {
		n, err = dbgen.New(tx.DBTX()).LoadArticles(ctx, articles)

		return err
	})

	return n, err
}

// Explain prepares a statement. Sixteen clients do so at once on the four sessions of the pooler, every second one with an error.
func TestPgBouncer_ExplainLeavesNothingInTheSession(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := behindPgBouncer(t, dbtest.URL(t))
	clients := clientsOf(t, url, "exec", 16)
	left := func() (all []string) {
		for _, client := range clients {
			var one string
			require.NoError(t, client.DB().QueryRow(ctx, "SELECT coalesce(string_agg(name, ' '), '') || "+
				"coalesce(current_setting('plans.argument_1', true), '') FROM pg_prepared_statements WHERE name LIKE 'plans%'").Scan(&one))
			if one != "" {
				all = append(all, one)
			}
		}

		return all
	}
	errs := dbtxtest.AtOnce(len(clients), func(i int) error {
		id := strconv.Itoa(i)
		if i%2 == 1 {
			id = "none"
		}
		_, err := plans.Explain(ctx, clients[i].DB(), &dbgen.Metadata, "GetPaper", []string{id}, plans.ExplainOptions{})

		return err
	})
	for i, err := range errs {
		require.Equal(t, i%2 == 1, errors.Is(err, dbtx.ErrInvalid), "%v", err)
	}
	require.Empty(t, left())
	_, err := clients[0].DB().Exec(ctx, "PREPARE plans_control AS SELECT 1")
	require.NoError(t, err)
	require.Contains(t, left(), "plans_control", "the control")
}
