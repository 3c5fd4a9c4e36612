//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package localpg

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// helperEnv makes the test binary a process that starts a server. Its value is the cache folder, the folder for run
// folders, the name of the kept data (none for a throwaway server), and whether to forget the server.
const helperEnv = "LOCALPG_TEST_HELPER"

// sharedCache is the cache folder of the tests that do not need their own, so that a template is made once.
var sharedCache string

// names counts the names that newName has given.
var names atomic.Int64

func TestMain(m *testing.M) {
	if v, ok := os.LookupEnv(helperEnv); ok {
		if err := helper(strings.Split(v, ":")); err != nil {
			fmt.Fprintln(os.Stderr, "helper:", err)
			os.Exit(1)
		}

		return
	}

	dir, err := os.MkdirTemp(host{temp: "/tmp"}.inMemory().temp, "localpg-test-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}

	if err == nil {
		sharedCache, err = filepath.EvalSymlinks(dir)
	}

	if err != nil {
		panic(err)
	}

	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(sharedCache)
		os.Exit(code)
	}))
}

// helper starts a server, prints its process id and run folder, and stops it when the standard input ends.
func helper(args []string) error {
	h, err := newHost()
	if err != nil {
		return err
	}

	h.cache, h.temp, h.others = args[0], args[1], nil

	s, err := h.start(context.Background(), args[2])
	if err != nil {
		return err
	}

	pid, dir := serverPID(s), s.dir

	if args[3] == "forget" {
		s = nil

		runtime.GC()
		runtime.GC()
	}

	fmt.Println(pid, dir)

	_, _ = io.Copy(io.Discard, os.Stdin)

	if s == nil {
		return nil
	}

	return s.Stop()
}

// process is one that runs helper.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout io.Reader
	pid    int // of the server
	dir    string
}

func startHelper(t *testing.T, h host, name, forget string) *process {
	t.Helper()

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+strings.Join([]string{h.cache, h.temp, name, forget}, ":"))
	cmd.Stderr = os.Stderr

	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	p := &process{cmd: cmd, stdin: stdin, stdout: stdout}

	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()

		if p.pid != 0 {
			requireGone(t, p.pid, p.dir)
		}
	})

	return p
}

// waitServer returns when the process has its server.
func (p *process) waitServer(t *testing.T) *process {
	t.Helper()

	_, err := fmt.Fscanln(bufio.NewReader(p.stdout), &p.pid, &p.dir)
	require.NoError(t, err)

	return p
}

// kill ends the process by SIGKILL.
func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill())
	require.Error(t, p.cmd.Wait())
}

// killWatchdog kills both shells of a server's watchdog.
func killWatchdog(t *testing.T, server int) {
	t.Helper()

	out, err := exec.Command("ps", "-o", "ppid=", "-p", strconv.Itoa(server)).Output()
	require.NoError(t, err)

	watchdog, err := strconv.Atoi(strings.TrimSpace(string(out)))
	require.NoError(t, err)
	require.Contains(t, commandLine(watchdog), "watchdog")

	out, err = exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	require.NoError(t, err)

	require.NoError(t, syscall.Kill(watchdog, syscall.SIGKILL))

	for line := range strings.Lines(string(out)) {
		var pid, parent int

		_, err := fmt.Sscan(line, &pid, &parent)
		require.NoError(t, err)

		if parent == watchdog && pid != server {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
}

// testHost returns a host with the shared cache folder and a folder for run folders of its own.
func testHost(t *testing.T) host {
	t.Helper()

	h, err := newHost()
	require.NoError(t, err)

	h.cache, h.temp, h.others = sharedCache, folder(t), nil

	return h
}

// newName returns a name for kept data that no other test has, of this run or another.
func newName() string {
	return fmt.Sprintf("localpg-test-%d-%d", os.Getpid(), names.Add(1))
}

// soak skips a long test, unless MUSICSTORE_SOAK is set, as `make soak` does.
func soak(t *testing.T) {
	t.Helper()

	if value := os.Getenv("MUSICSTORE_SOAK"); value == "" || value == "parts" {
		t.Skip("a long one: make soak")
	}
}

// full skips what starts servers and is like another test that starts some, unless MUSICSTORE_SOAK is set: see dbtest.Full.
func full(t *testing.T) {
	t.Helper()

	if os.Getenv("MUSICSTORE_SOAK") == "" {
		t.Skip("starts a server: make soak")
	}
}

// some runs a test if it is one of these names.
func some(t *testing.T, names []string, name string, test func(*testing.T)) {
	t.Helper()

	if slices.Contains(names, name) {
		t.Run(name, test)
	}
}

// folder returns a new folder that is as /tmp is, which t.TempDir's are not, with a short path.
func folder(t *testing.T) string {
	t.Helper()

	dir, err := os.MkdirTemp(host{temp: "/tmp"}.inMemory().temp, "localpg-test-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777|os.ModeSticky))

	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)

	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })

	return dir
}

func entries(t *testing.T, dir string) []string {
	t.Helper()

	list, err := os.ReadDir(dir)
	require.NoError(t, err)

	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name()
	}

	return names
}

// start starts a server that is stopped with the test.
func start(t *testing.T, h host, name string) *Server {
	t.Helper()

	s, err := h.start(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })

	return s
}

// query runs a statement on a connection of its own and returns the text that it gives, if any.
func query(t *testing.T, s *Server, sql string) string {
	t.Helper()

	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	require.NoError(t, err)

	defer func() { require.NoError(t, conn.Close(t.Context())) }()

	rows, err := conn.Query(t.Context(), sql)
	require.NoError(t, err)

	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)

	return strings.Join(texts, " ")
}

// serverPID returns the process id of a server, or 0.
func serverPID(s *Server) int {
	text, _ := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	line, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(line)

	return pid
}

// dataFolder returns where the data of a server is.
func dataFolder(t *testing.T, s *Server) string {
	t.Helper()

	dir, err := filepath.EvalSymlinks(filepath.Join(s.dir, "data"))
	require.NoError(t, err)

	return dir
}

// requireGone waits until a server has ended and its run folder is removed.
func requireGone(t *testing.T, pid int, dir string) {
	t.Helper()
	require.NotZero(t, pid)
	require.Eventually(t, func() bool {
		_, err := os.Lstat(dir)
		return commandLine(pid) == "" && os.IsNotExist(err)
	}, 30*time.Second, 20*time.Millisecond)
}

// requireStays requires that a server does not end soon.
func requireStays(t *testing.T, pid int) {
	t.Helper()
	require.Never(t, func() bool { return commandLine(pid) == "" }, 300*time.Millisecond, 50*time.Millisecond)
}
