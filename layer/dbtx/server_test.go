package dbtx_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/layer/localpg"
	"musicstore/layer/schema"
)

// janitor is run by /bin/sh with the folder of a test's servers. When its standard input ends without a line, the test
// binary has been killed, and the servers are ended for it. One that was only about to start has lost its data folder,
// and ends by itself.
const janitor = `
trap '' HUP INT TERM
read -r _ || for file in "$1"/*/data/postmaster.pid; do
	kill -s QUIT "$(head -n 1 "$file")"
done
until rm -rf "$1"; do sleep 0.1; done
`

// newFolder returns a folder for servers. It is removed with the test, or with the test binary when that is killed.
func newFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "musicstore-repo-") //nolint:usetesting // PostgreSQL's user can't enter t.TempDir
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	cmd := exec.Command("/bin/sh", "-c", janitor, "janitor", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of a terminal's Ctrl-C
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_, err := io.WriteString(stdin, "the test has ended its servers\n")
		require.NoError(t, err)
		require.NoError(t, cmd.Wait())
		require.NoDirExists(t, dir)
	})

	return dir
}

// server is a PostgreSQL server that a test stops, kills and starts again. It listens on a socket in its folder.
type server struct {
	dir     string
	process *os.Process
	done    chan struct{} // closed when it has ended; nil before its first start
}

// newServer starts a server that has the schema. It ends with the test.
func newServer(t *testing.T, dir string) *server {
	t.Helper()
	s := makeServer(t, dir)
	run(t, "initdb", "-D", s.data(), "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync",
		"--wal-segsize=1")
	s.start(t)
	conn, err := pgx.Connect(t.Context(), s.url())
	require.NoError(t, err)
	_, err = schema.Bootstrap(t.Context(), conn, &dbgen.Metadata)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))

	return s
}

// newPair starts a primary that has the schema, and a hot standby that follows it. Synchronous is a primary that
// acknowledges nothing which the standby does not have.
func newPair(t *testing.T, synchronous bool) (primary, standby *server) {
	t.Helper()
	dir := newFolder(t)
	primary = newServer(t, filepath.Join(dir, "a"))
	standby = makeServer(t, filepath.Join(dir, "b"))
	if os.Getenv("MUSICSTORE_SOAK") == "1" {
		run(t, "pg_basebackup", "-h", primary.dir, "-p", port, "-U", "postgres", "-D", standby.data(), "-R", "-c", "fast",
			"-X", "stream", "--no-sync")
	} else { // as good, and needs no program that an installation may lack
		primary.stop(t, syscall.SIGINT)
		require.NoError(t, os.CopyFS(standby.data(), os.DirFS(primary.data())))
		require.NoError(t, os.WriteFile(filepath.Join(standby.data(), "standby.signal"), nil, 0o600))
		follow := fmt.Sprintf("primary_conninfo = 'host=%s port=%s user=postgres'\n", primary.dir, port)
		require.NoError(t, os.WriteFile(filepath.Join(standby.data(), "postgresql.auto.conf"), []byte(follow), 0o600))
		standby.give(t)
		primary.start(t)
	}
	standby.start(t)
	state := "async"
	if synchronous {
		state = "sync"
		primary.exec(t, "ALTER SYSTEM SET synchronous_standby_names = '*'")
		primary.exec(t, "SELECT pg_reload_conf()")
	}
	primary.await(t, "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '"+state+"'")

	return primary, standby
}

const port = "5432" // only a part of the socket's name

// makeServer makes the folder of a server.
func makeServer(t *testing.T, dir string) *server {
	t.Helper()
	s := &server{dir: dir}
	require.NoError(t, os.Mkdir(dir, 0o755))
	s.give(t)
	t.Cleanup(func() {
		if s.done != nil {
			s.stop(t, syscall.SIGQUIT)
		}
	})

	return s
}

// give makes all that is in the server's folder its user's, with the modes that PostgreSQL insists on.
func (s *server) give(t *testing.T) {
	t.Helper()
	cmd, err := localpg.Command(t.Context(), "postgres")
	require.NoError(t, err)
	who := cmd.SysProcAttr.Credential
	require.NoError(t, filepath.WalkDir(s.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		if err == nil && who != nil {
			err = os.Chown(path, int(who.Uid), int(who.Gid))
		}

		return err
	}))
}

// run runs a program of PostgreSQL to its end.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd, err := localpg.Command(t.Context(), program, args...)
	require.NoError(t, err, "this test needs %s, which a minimal installation of PostgreSQL leaves out", program)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// url returns the URL of the server, or of several of which the one that takes writes is wanted.
func (s *server) url(others ...*server) string {
	wanted := "any"
	dirs := []string{s.dir}
	for _, other := range others {
		dirs, wanted = append(dirs, other.dir), "read-write"
	}

	return fmt.Sprintf("postgres://postgres@/postgres?port=%s&target_session_attrs=%s&host=%s",
		port, wanted, strings.Join(dirs, ","))
}

// start starts the server and returns when it answers.
func (s *server) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(s.dir+".log", os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	require.NoError(t, err)
	defer log.Close()
	// What only a crash of the machine would harm is given up, and nothing else.
	cmd, err := localpg.Command(context.WithoutCancel(t.Context()), "postgres", "-D", s.data(), "-k", s.dir,
		"-c", "port="+port, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "wal_keep_size=256MB")
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	done := make(chan struct{})
	s.process, s.done = cmd.Process, done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	answers := func() bool {
		conn, err := pgx.Connect(t.Context(), s.url())
		if err == nil {
			_ = conn.Close(t.Context())
		}

		return err == nil
	}
	for end := time.Now().Add(time.Minute); !answers(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			text, _ := os.ReadFile(s.dir + ".log")
			require.Fail(t, "the server does not answer", string(text))
		}
	}
}

// stop ends the server: SIGINT in order, SIGQUIT at once, SIGKILL without a word. It does nothing when it has ended.
func (s *server) stop(t *testing.T, signal syscall.Signal) {
	t.Helper()
	select {
	case <-s.done:
		return
	default:
	}
	require.NoError(t, s.process.Signal(signal))
	<-s.done
	if signal == syscall.SIGKILL { // which leaves its number, for others to get
		require.NoError(t, os.Remove(filepath.Join(s.data(), "postmaster.pid")))
	}
}

// promote makes a standby the primary and returns when it takes writes.
func (s *server) promote(t *testing.T) {
	t.Helper()
	s.exec(t, "SELECT pg_promote()")
	s.await(t, "SELECT NOT pg_is_in_recovery()")
}

// exec runs a statement on a connection of its own.
func (s *server) exec(t *testing.T, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url())
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// await returns when a query gives true.
func (s *server) await(t *testing.T, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url())
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.Eventually(t, func() bool {
		var yes bool
		err := conn.QueryRow(t.Context(), sql).Scan(&yes)

		return err == nil && yes
	}, time.Minute, 5*time.Millisecond, sql)
}

// refs returns how often each payment reference is in the table.
func (s *server) refs(t *testing.T) map[string]int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url())
	require.NoError(t, err)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), "SELECT payment_ref FROM sales")
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	counts := map[string]int{}
	for _, ref := range all {
		counts[ref]++
	}

	return counts
}
