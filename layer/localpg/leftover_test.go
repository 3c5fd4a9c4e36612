//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package localpg

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// killAll kills a process, its watchdog and its whole server, so that nothing can clean up.
func (p *process) killAll(t *testing.T) {
	t.Helper()

	data, err := filepath.EvalSymlinks(filepath.Join(p.dir, "data"))
	require.NoError(t, err)
	info, err := os.Stat(data)
	require.NoError(t, err)
	killWatchdog(t, p.pid)
	p.kill(t)

	server, children := serving(data, p.dir)
	require.Equal(t, []int{p.pid}, server)
	require.NotEmpty(t, children)
	signalAll(syscall.SIGKILL, server, children)
	require.Eventually(t, func() bool {
		server, children := serving(data, p.dir)
		return len(server)+len(children) == 0 && !inUse(info) // a process lets go of its memory after it has lost its name
	}, 10*time.Second, pollInterval)

	p.pid = 0 // nothing is to go by itself
}

// Each thing takes the place of the postmaster.pid of a server that was killed. The control starts PostgreSQL itself, which
// refuses or waits for some of them.
func TestKeep_StartsWhateverIsInThePlaceOfPostmasterPID(t *testing.T) {
	t.Parallel()
	full(t)

	h := testHost(t)
	name := newName()
	p := startHelper(t, h, name, "").waitServer(t)
	query(t, &Server{dir: p.dir}, "create table t as select 'kept' as name")
	p.killAll(t)

	data := filepath.Join(h.cache, "keep", name)
	file := filepath.Join(data, "postmaster.pid")
	left, err := os.ReadFile(file)
	require.NoError(t, err)

	_, rest, _ := strings.Cut(string(left), "\n")
	text := func(s string) func() error {
		return func() error { return os.WriteFile(file, []byte(s), 0o600) }
	}

	sleeper := exec.Command("/bin/sleep", "1000") // that the server's user may signal, as PostgreSQL wants to
	sleeper.SysProcAttr = &syscall.SysProcAttr{Credential: h.as}
	require.NoError(t, sleeper.Start())
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })

	zombie := exec.Command("/bin/true")
	require.NoError(t, zombie.Start())
	t.Cleanup(func() { _ = zombie.Wait() })

	for _, c := range []struct {
		name string
		make func() error
	}{
		{"as it was left", func() error { return nil }},
		{"another process's", text(fmt.Sprintf("%d\n%s", sleeper.Process.Pid, rest))},
		{"ours", text(fmt.Sprintf("%d\n%s", os.Getpid(), rest))},
		{"the first process's", text("1\n" + rest)},
		{"a zombie's", text(fmt.Sprintf("%d\n%s", zombie.Process.Pid, rest))},
		{"empty", text("")},
		{"garbage", text("\x00\xff garbage")},
		{"negative", text("-1\n" + rest)},
		{"huge", text("99999999999999999999\n" + rest)},
		{"a large file", func() error { return os.Truncate(file, 1<<30) }},
		{"unreadable", func() error { return os.Chmod(file, 0) }},
		{"a directory", func() error {
			_ = os.Remove(file)
			return os.MkdirAll(filepath.Join(file, "inner"), 0o700)
		}},
		{"a FIFO", func() error { _ = os.Remove(file); return syscall.Mkfifo(file, 0o600) }},
		{"a link to nothing", func() error { _ = os.Remove(file); return os.Symlink("/nonexistent/x", file) }},
		{"a link to itself", func() error { _ = os.Remove(file); return os.Symlink(file, file) }},
		{"beside a FIFO of options", func() error {
			_ = os.Remove(filepath.Join(data, "postmaster.opts"))
			return syscall.Mkfifo(filepath.Join(data, "postmaster.opts"), 0o600)
		}},
	} {
		require.NoError(t, os.RemoveAll(file))
		require.NoError(t, os.WriteFile(file, left, 0o600))
		require.NoError(t, os.Chown(file, h.uid, h.gid))
		require.NoError(t, c.make(), c.name)

		if c.name == "another process's" && h.as == nil {
			continue
		}

		if c.name == "another process's" { // the control
			pg, err := h.find(t.Context(), anyVersion)
			require.NoError(t, err)
			require.ErrorContains(t, h.run(t.Context(), filepath.Join(pg.bin, "postgres"), "-D", data, "-k", h.temp),
				`lock file "postmaster.pid" already exists`)
		}

		held, err := freeData(t.Context(), data)
		require.NoError(t, err, c.name)
		unlock(held)

		for _, name := range []string{"postmaster.pid", "postmaster.opts"} {
			_, err = os.Lstat(filepath.Join(data, name))
			require.ErrorIs(t, err, os.ErrNotExist, c.name)
		}
	}

	require.NoError(t, syscall.Mkfifo(file, 0o600))
	require.Equal(t, "kept", query(t, start(t, h, name), "select name from t"))
}

func TestKeep_StartsWhateverIsInThePlaceOfItsLocks(t *testing.T) {
	t.Parallel()
	full(t)
	startsOnLocks(t, 1, ".server.lock")
}

func TestSoak_KeepStartsWhateverIsInThePlaceOfItsLocks(t *testing.T) {
	t.Parallel()
	soak(t)
	startsOnLocks(t, 3, ".lock", ".server.lock")
}

// startsOnLocks puts the first so many things into the place of each lock.
func startsOnLocks(t *testing.T, things int, locks ...string) {
	t.Helper()

	h := testHost(t)
	for _, lock := range locks {
		name := newName()
		path := filepath.Join(h.cache, "keep", name) + lock
		require.NoError(t, h.mkdirShared(filepath.Dir(path)))

		for _, c := range []func() error{
			func() error { return syscall.Mkfifo(path, 0o600) },
			func() error { return os.Mkdir(path, 0o700) },
			func() error { return os.WriteFile(path, []byte("12345"), 0o400) },
		}[:things] {
			require.NoError(t, os.RemoveAll(path))
			require.NoError(t, c())

			s := start(t, h, name)
			_, err := h.start(t.Context(), name)
			require.ErrorIs(t, err, ErrInUse)
			require.NoError(t, s.Stop())
		}

		require.NoError(t, os.RemoveAll(path))
		require.NoError(t, os.Symlink("/nonexistent", path))

		_, err := h.start(t.Context(), name)
		require.ErrorContains(t, err, path)
	}
}

// A backend that is busy does not notice that the first process was killed, and PostgreSQL refuses to start beside it.
func TestKeep_EndsTheChildrenOfAKilledServer(t *testing.T) {
	t.Parallel()
	full(t)

	h := testHost(t)
	name := newName()
	p := startHelper(t, h, name, "").waitServer(t)
	conn, err := pgx.Connect(t.Context(), (&Server{dir: p.dir}).URL("postgres"))
	require.NoError(t, err)

	backend := int(conn.PgConn().PID())
	t.Cleanup(func() { _ = syscall.Kill(backend, syscall.SIGKILL) })
	require.NoError(t, syscall.Kill(backend, syscall.SIGSTOP)) // as busy as can be
	killWatchdog(t, p.pid)
	p.kill(t)
	require.NoError(t, syscall.Kill(p.pid, syscall.SIGKILL))
	require.Eventually(t, func() bool { return commandLine(p.pid) == "" }, 10*time.Second, pollInterval)

	// The control: PostgreSQL by itself. It does not even have a postmaster.pid to go by.
	file := filepath.Join(h.cache, "keep", name, "postmaster.pid")
	require.NoError(t, os.Rename(file, file+".away"))
	pg, err := h.find(t.Context(), anyVersion)
	require.NoError(t, err)
	require.ErrorContains(t, h.run(t.Context(), filepath.Join(pg.bin, "postgres"), "-D", filepath.Join(h.cache, "keep", name), "-k", h.temp,
		"-c", "listen_addresses="), "pre-existing shared memory block")
	require.NoError(t, os.Rename(file+".away", file))

	require.Equal(t, "1", query(t, start(t, h, name), "select '1'"))
	require.Empty(t, commandLine(backend))
	_ = conn.Close(t.Context())
}

func TestKeep_RefusesWhatSomebodyServesByHand(t *testing.T) {
	t.Parallel()
	full(t)

	h := testHost(t)
	name := newName()
	data := filepath.Join(h.cache, "keep", name)
	require.NoError(t, h.mkdirShared(filepath.Dir(data)))
	pg, err := h.find(t.Context(), anyVersion)
	require.NoError(t, err)
	require.NoError(t, h.build(data, func(dir string) error { return h.copyTemplate(t.Context(), pg, dir) }))

	cmd := h.command(t.Context(), filepath.Join(pg.bin, "postgres"), "-D", data, "-c", "listen_addresses=",
		"-c", "unix_socket_directories="+h.temp)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGQUIT); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		text, _ := readRegular(filepath.Join(data, "postmaster.pid"))
		return strings.Contains(string(text), "ready")
	}, 20*time.Second, pollInterval)

	// The number alone is no reason to start: it may be gone.
	require.NoError(t, os.WriteFile(filepath.Join(data, "postmaster.pid"), nil, 0o600))

	_, err = h.start(t.Context(), name)
	require.ErrorIs(t, err, ErrInUse)
	require.NotEmpty(t, commandLine(cmd.Process.Pid))
}

func TestKeep_OneOfTwoStartsAtOnceWins(t *testing.T) {
	t.Parallel()
	full(t)
	oneStartWins(t, 2)
}

func TestSoak_KeepOneOfManyStartsAtOnceWins(t *testing.T) {
	t.Parallel()
	soak(t)
	oneStartWins(t, 6)
}

// oneStartWins starts servers on one data folder at once: the others get ErrInUse. The control starts PostgreSQL on the
// folder without a lock, and gets something else.
func oneStartWins(t *testing.T, n int) {
	t.Helper()

	h := testHost(t)
	name := newName()
	results := make(chan error)

	pg, err := h.find(t.Context(), anyVersion)
	require.NoError(t, err)

	naive := make(chan error, n)

	for range n {
		go func() {
			s, err := h.start(t.Context(), name)
			if err == nil {
				defer func() { _ = s.Stop() }()
				naive <- h.run(t.Context(), filepath.Join(pg.bin, "postgres"), "-D", s.data, "-k", h.temp, "-c", "listen_addresses=")
			}
			results <- err
		}()
	}

	won := 0
	for range n {
		if err := <-results; err == nil {
			won++
			err := <-naive
			require.ErrorContains(t, err, "postmaster.pid", "the control")
			require.NotErrorIs(t, err, ErrInUse)
		} else {
			require.ErrorIs(t, err, ErrInUse)
		}
	}

	require.Positive(t, won)
	require.Eventually(t, func() bool { return len(entries(t, h.temp)) == 0 }, 20*time.Second, pollInterval)
}

func TestSoak_KeepAnEmptyFolder(t *testing.T) {
	t.Parallel()
	soak(t)

	h := testHost(t)
	name := newName()
	require.NoError(t, os.MkdirAll(filepath.Join(h.cache, "keep", name), 0o700))
	require.Equal(t, "1", query(t, start(t, h, name), "select '1'"))
}

func TestKeep_AnUnfinishedFolder(t *testing.T) {
	t.Parallel()
	full(t)

	h := testHost(t)
	half := newName()
	data := filepath.Join(h.cache, "keep", half)
	require.NoError(t, os.MkdirAll(filepath.Join(data, "base"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data, "rest"), nil, 0o600))
	require.Equal(t, "1", query(t, start(t, h, half), "select '1'"))
	aside, err := filepath.Glob(data + ".unfinished-*")
	require.NoError(t, err)
	require.Len(t, aside, 1)
	require.FileExists(t, filepath.Join(aside[0], "rest"))

	rows := newName()
	data = filepath.Join(h.cache, "keep", rows)
	require.NoError(t, os.MkdirAll(filepath.Join(data, "global"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data, "global", "pg_control"), nil, 0o600))
	_, err = h.start(t.Context(), rows)
	require.ErrorContains(t, err, "has no file PG_VERSION")
	require.FileExists(t, filepath.Join(data, "global", "pg_control"))
	require.NoError(t, syscall.Mkfifo(filepath.Join(data, "PG_VERSION"), 0o600))
	_, err = h.start(t.Context(), rows)
	require.ErrorContains(t, err, "PG_VERSION is not a file of PostgreSQL's")
}

func TestTemplate_IsMadeAgainWhenAPartIsDamaged(t *testing.T) {
	t.Parallel()
	full(t)

	h := testHost(t)
	pg, err := h.find(t.Context(), anyVersion)
	require.NoError(t, err)
	made, err := h.template(t.Context(), pg)
	require.NoError(t, err)
	h.cache = folder(t)
	for name, damage := range map[string]func(template string) error{
		"ControlFileMissing": func(dir string) error { return os.Remove(filepath.Join(dir, "global", "pg_control")) },
		"EmptyFolderRemoved": func(dir string) error { return os.Remove(filepath.Join(dir, "pg_notify")) },
		"ControlFileCut":     func(dir string) error { return os.Truncate(filepath.Join(dir, "global", "pg_control"), 100) },
		"TableEmptied":       func(dir string) error { return os.Truncate(filepath.Join(dir, "base", "1", "1259"), 0) },
	} {
		template := filepath.Join(h.cache, filepath.Base(made))
		require.NoError(t, os.RemoveAll(template))
		require.NoError(t, exec.Command("/bin/cp", "-a", made, template).Run(), name)
		require.True(t, isCluster(template), name) // the control
		require.NoError(t, damage(template), name)
		require.False(t, isCluster(template), name)
	}
	s := start(t, h, "")
	require.Equal(t, "1", query(t, s, "select '1'"))
	require.NoError(t, s.Stop())
}

func TestSoak_TemplateIsMadeAgainWhenAPartIsMissing(t *testing.T) {
	t.Parallel()
	soak(t)

	h := testHost(t)
	h.cache = folder(t)
	require.NoError(t, start(t, h, "").Stop())

	pg, err := h.find(t.Context(), anyVersion)
	require.NoError(t, err)
	template, err := h.template(t.Context(), pg)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(template, "global", "pg_control")))
	require.Equal(t, "1", query(t, start(t, h, ""), "select '1'"))
}

// segments returns how many segments of System V shared memory an inode's keys have.
func segments(t *testing.T, inode uint64) int {
	t.Helper()

	text, err := os.ReadFile("/proc/sysvipc/shm")
	require.NoError(t, err)

	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.Fields(line)[0] == strconv.Itoa(int(int32(inode))) {
			n++
		}
	}

	return n
}

func TestSweep_RemovesTheMemoryOfKilledServers(t *testing.T) {
	t.Parallel()
	full(t)

	if _, err := os.Stat("/proc/sysvipc/shm"); err != nil {
		t.Skip("there is no list of shared memory")
	}

	h := testHost(t)
	p := startHelper(t, h, "", "").waitServer(t)
	info, err := os.Stat(filepath.Join(p.dir, "data"))
	require.NoError(t, err)

	inode := info.Sys().(*syscall.Stat_t).Ino
	require.Equal(t, "mmap", query(t, &Server{dir: p.dir}, "select current_setting('dynamic_shared_memory_type')"))
	require.Equal(t, 1, segments(t, inode))
	require.True(t, inUse(info))
	removeSegments(info)
	require.Equal(t, 1, segments(t, inode), "a living server keeps it")
	p.killAll(t)
	require.Equal(t, 1, segments(t, inode), "the control: nobody removes it")
	require.DirExists(t, p.dir)
	require.False(t, inUse(info))

	other := h
	other.temp, other.others = folder(t), []string{h.temp} // TMPDIR is another by now
	start(t, other, "")
	require.Zero(t, segments(t, inode))
	require.NoDirExists(t, p.dir)
}

func TestStop_RemovesTheMemoryOfACrashedServer(t *testing.T) {
	t.Parallel()
	full(t)

	if _, err := os.Stat("/proc/sysvipc/shm"); err != nil {
		t.Skip("there is no list of shared memory")
	}

	s, err := testHost(t).start(t.Context(), "")
	require.NoError(t, err)

	info, err := os.Stat(s.data)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(serverPID(s), syscall.SIGKILL))
	<-s.done
	require.ErrorContains(t, s.Stop(), "ended before Stop")
	require.Zero(t, segments(t, info.Sys().(*syscall.Stat_t).Ino))
	require.NoDirExists(t, s.dir)
}

// Each variable would change or stop a connection, or a server's start, if it came through.
func TestServer_IsNotReachedByTheEnvironment(t *testing.T) { //nolint:paralleltest // the environment is set
	full(t)
	h := testHost(t)
	kept := newName()
	before := start(t, h, kept)
	fifo := filepath.Join(h.temp, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))

	for name, value := range map[string]string{
		"PGHOST": "/nowhere", "PGPORT": "1", "PGDATABASE": "none", "PGUSER": "nobody", "PGPASSWORD": "x",
		"PGPASSFILE": fifo, "PGAPPNAME": "theirs", "PGCONNECT_TIMEOUT": "x", "PGSSLMODE": "verify-full", "PGSSLKEY": "/none",
		"PGSSLCERT": "/none", "PGSSLCERTMODE": "", "PGSSLSNI": "x", "PGSSLROOTCERT": "/none", "PGSSLPASSWORD": "x",
		"PGSSLNEGOTIATION": "direct", "PGTARGETSESSIONATTRS": "standby", "PGSERVICE": "none", "PGSERVICEFILE": "/nowhere",
		"PGTZ": "Asia/Tokyo", "PGOPTIONS": "-c work_mem=nonsense", "PGMINPROTOCOLVERSION": "x", "PGMAXPROTOCOLVERSION": "x",
		"PGCHANNELBINDING": "require", "PGREQUIREAUTH": "scram-sha-256", "PGDATA": "/nowhere", "PGCLIENTENCODING": "LATIN1",
		"PGDATESTYLE": "German", "PGGEQO": "x", "PGSYSCONFDIR": "/nowhere", "PGLOCALEDIR": "/nowhere", "PG_COLOR": "always",
		"PG_OOM_ADJUST_FILE": "/nowhere", "PGSSLCRL": "/none", "PGKRBSRVNAME": "x", "PGGSSENCMODE": "require",
		"LC_ALL": "xx_XX.nonsense", "LANG": "xx_XX", "LC_MESSAGES": "xx_XX", "TZ": "nonsense", "SHELLOPTS": "noexec", "POSIXLY_CORRECT": "1",
		"ENV": "/nowhere", "BASH_ENV": "/nowhere", "CDPATH": "/tmp", "IFS": "/",
	} {
		t.Setenv(name, value)
	}

	_, err := pgx.ParseConfig("postgres://postgres@/postgres?host=" + before.dir + "&port=5432")
	require.Error(t, err, "the control: the plain URL")

	for _, s := range []*Server{before, start(t, h, "")} {
		require.Equal(t, "UTC /0/iso", query(t, s, `select current_setting('TimeZone') || ' ' || current_setting('application_name')
			|| '/' || inet_server_port_is_null || '/iso' from (select case when inet_server_port() is null then 0 end as
			inet_server_port_is_null) as p`))
		require.Equal(t, "UTF8 4MB postgres postgres", query(t, s,
			"select concat_ws(' ', current_setting('client_encoding'), current_setting('work_mem'), current_user, current_database())"))
	}
}

// Each variable alone, because one may hide another.
func TestURL_OverridesEachVariable(t *testing.T) {
	full(t)
	s := start(t, testHost(t), "")

	for name := range neutral {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "nonsense")
			require.Equal(t, "UTC 4MB", query(t, s,
				"select concat(current_setting('TimeZone'), ' ', current_setting('application_name'), current_setting('work_mem'))"))
		})
	}
}

func TestTempFolder_SaysWhatIsWrongWithTMPDIR(t *testing.T) { //nolint:paralleltest // the environment is set
	dir := folder(t)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))

	for _, given := range []string{"/nonexistent/tmp", file, filepath.Join(file, "x"), dir + "/new\nline"} {
		t.Setenv("TMPDIR", given)

		_, err := Temp(t.Context())
		require.ErrorContains(t, err, fmt.Sprintf("(TMPDIR) is %q: ", given))
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestTempFolder_IsTmpWhereAPathIsNotPlain(t *testing.T) {
	full(t)
	dir := folder(t)
	tmp, err := filepath.EvalSymlinks("/tmp")
	require.NoError(t, err)

	for _, name := range []string{"a,b", "a\nb", "a b", `a"b`, "a'b", `a\b`, "a$b", "a;b", "a*b", "ä", strings.Repeat("l", 100)} {
		odd := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(odd, 0o700))
		require.NoError(t, os.Chmod(odd, 0o777))
		t.Setenv("TMPDIR", odd)

		h, err := newHost()
		require.NoError(t, err)
		require.Equal(t, tmp, h.temp, name)
	}

	t.Setenv("TMPDIR", filepath.Join(dir, "a,b"))
	s, err := Temp(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1", query(t, s, "select '1'"))
	require.NoError(t, s.Stop())
}

func TestCacheFolder_MayHaveAnyNameWithoutALineBreak(t *testing.T) {
	t.Parallel()
	full(t)

	h := testHost(t)
	_, err := h.cacheFolder("/home/a\nb")
	require.ErrorContains(t, err, `"/home/a\nb" has a line break`)

	odd := filepath.Join(h.temp, `o'd "d, $x \ [*?]ä`)
	h.cache, err = h.cacheFolder(odd)
	require.NoError(t, err)

	name := newName()
	s := start(t, h, name)
	require.Equal(t, "1", query(t, s, "select '1'"))
	_, err = h.start(t.Context(), name)
	require.ErrorIs(t, err, ErrInUse)
}
