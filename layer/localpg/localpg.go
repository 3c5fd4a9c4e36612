//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package localpg runs a private PostgreSQL server from the binaries that are installed on this machine: a throwaway
// one for tests (Temp, TempInMemory), or one whose data stays, for a command line tool (Keep). It needs no service, port
// or password: a server is reached through a Unix socket in a folder that only its user can enter.
//
// A server never outlives the process that asked for it. A shell, the watchdog, holds the server as its child and reads
// a pipe whose other end only this process has: when this process ends, however it ends, the pipe ends, and the
// watchdog stops the server and removes its run folder. What is left when the watchdog was killed too, the next start
// removes.
//
// A kept data folder is refused only while a living process serves it. Three things tell, and none of them is the number
// in postmaster.pid, which may be any process's by now: the lock of the process that asked for the server, the lock that
// the server's own processes hold, and the server's shared memory.
//
// PG* variables of the environment reach neither the server nor who connects by its URL.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNotInstalled is what Temp and Keep return when no suitable PostgreSQL is found.
var ErrNotInstalled = errors.New("PostgreSQL 14 or newer is not installed: install it (Debian/Ubuntu: " +
	"apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql@17) " +
	"or set DATABASE_URL")

// ErrInUse is what Keep returns when the data folder is held by another process, or by another Server of this one: a
// kept store can be served by one process at a time.
var ErrInUse = errors.New("in use by another process")

const (
	port         = "5432" // is only a part of the socket's name: nothing listens on TCP
	serviceFile  = "pg_service.conf"
	startTimeout = 30 * time.Second
	endTimeout   = 5 * time.Second
	pollInterval = 10 * time.Millisecond
)

// fast gives up what a throwaway server does not need: to survive a crash of the machine.
var fast = []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off"}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// onlyFiles keeps the dynamic shared memory in the data folder: in /dev/shm it would outlive a server that is killed.
// https://www.postgresql.org/docs/current/runtime-config-resource.html#GUC-DYNAMIC-SHARED-MEMORY-TYPE
const onlyFiles = "dynamic_shared_memory_type=mmap"

// watchdog is run by /bin/sh with the signal that stops the server, the run folder and the server's command line. Its
// file 3 is the pipe (not its standard input, which a shell replaces by /dev/null for what it runs in the background).
//
// A subshell waits for the pipe's end while the shell waits for the server, so either event leads on. The signal is
// repeated, because a server that has just been started ignores it until it has set its handlers; a server that does
// not stop is told to stop at once (QUIT), which it always obeys.
//
// File 4 is the lock of a kept data folder, if it has one. Only the server and its children are to hold it.
//
// A server that crashed has left postmaster.pid and shared memory behind. Its run folder stays then, because Stop or the
// next start finds the shared memory by it.
const watchdog = `
trap '' HUP INT TERM
signal=$1 dir=$2
shift 2
"$@" 3<&- &
server=$!
exec 4<&-
{
	read -r _ <&3
	tries=0
	while kill -s "$signal" "$server"; do
		sleep 0.1 || sleep 1
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || signal=QUIT
	done
} 2>/dev/null &
reader=$!
wait "$server"
kill -s KILL "$reader"
[ -e "$dir/data/postmaster.pid" ] || rm -rf "$dir"
`

// Server is a running PostgreSQL server. Its methods are safe for concurrent use.
type Server struct {
	dir     string   // the run folder: socket, log, lock, and the data or a link to it
	data    string   // the data folder
	version string   // of PostgreSQL
	lock    *os.File // says that the run folder is alive
	kept    *os.File // says that this process has the kept data folder; nil for a throwaway server
	held    *os.File // is locked while a process of the kept data's server lives; nil for a throwaway server
	log     *os.File // open for reading, because the watchdog removes the folder before the log's last lines are wanted

	pipe *os.File      // its closing tells the watchdog to stop the server
	done chan struct{} // closed when the watchdog has ended; nil until it was started
	once sync.Once
}

// Temp starts a throwaway server, with the fastest settings; Stop removes its data. It returns when the server answers.
// The context bounds the start, not the server's life. The error is ErrNotInstalled, the context's, or says what failed
// with the last lines of the server's log; nothing is left running then. Every call starts another server. Settings, such
// as "shared_buffers=1GB", are PostgreSQL's own; one that it does not take fails the start.
func Temp(ctx context.Context, settings ...string) (*Server, error) {
	h, err := newHost()
	if err != nil {
		return nil, err
	}

	return h.start(ctx, "", settings...)
}

// TempInMemory is Temp for little data, as of tests: it is in memory where the system has a folder for that with room to
// spare, where to make and drop a database is less work.
func TempInMemory(ctx context.Context, settings ...string) (*Server, error) {
	h, err := newHost()
	if err != nil {
		return nil, err
	}

	return h.inMemory().start(ctx, "", settings...)
}

// Keep starts a server on the named data folder in the user's cache folder, made on the first call; what is committed
// survives Stop and crashes. The name is of a-z, 0-9, "-" and "_". A data folder is served by the PostgreSQL version
// that made it. It is ErrInUse, at once, when the folder is served already; the rest is as for Temp.
func Keep(ctx context.Context, name string) (*Server, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("%q is no name for kept data: want a-z, 0-9, - and _", name)
	}

	h, err := newHost()
	if err != nil {
		return nil, err
	}

	return h.start(ctx, name)
}

// Command returns a command that runs a program, such as pg_basebackup, of the PostgreSQL that Temp would start, as the
// user that it would run as: SysProcAttr.Credential says who that is, nil is who we are. The end of the context kills
// it and what it has started. The error is ErrNotInstalled, or os.ErrNotExist when that PostgreSQL came without the
// program.
func Command(ctx context.Context, program string, args ...string) (*exec.Cmd, error) {
	h, err := newHost()
	if err != nil {
		return nil, err
	}

	pg, err := h.find(ctx, anyVersion)
	if err != nil {
		return nil, err
	}

	path := filepath.Join(pg.bin, program)
	if target, err := filepath.EvalSymlinks(filepath.Join(pg.bin, "postgres")); err == nil && !isExecutable(path) {
		path = filepath.Join(filepath.Dir(target), program) // a folder on PATH may have links to a few programs only
	}

	if !isExecutable(path) {
		return nil, fmt.Errorf("PostgreSQL %s: %s: %w", pg.version, path, os.ErrNotExist)
	}

	return h.command(ctx, path, args...), nil
}

// URL returns the connection URL of a database of the server, for pgx and libpq. It does not look whether there is such
// a database; "postgres" always is.
//
// The port is there because PGPORT would be used otherwise. Where another PG* variable of this process would reach pgx,
// the URL names a service that sets it back to its default. Other programs than pgx may not know the parameter servicefile.
func (s *Server) URL(database string) string {
	dir := strings.NewReplacer("%2F", "/", "+", "%20").Replace(url.QueryEscape(s.dir))
	u := url.URL{
		Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: "host=" + dir + "&port=" + port,
	}

	if readsEnvironment() {
		u.RawQuery += "&service=" + serviceName + "&servicefile=" + dir + "/" + serviceFile
	}

	return u.String()
}

// Dir returns the server's data folder. It belongs to the user that PostgreSQL runs as.
func (s *Server) Dir() string { return s.data }

// Version returns the version of PostgreSQL that serves the data, such as 17.6.
func (s *Server) Version() string { return s.version }

// Stop ends the server, its connections included, and removes what a throwaway one left; kept data stays. It returns
// when the server has ended. The error says what could not be ended or removed, or that the server ended by itself,
// with the last lines of its log. A second call does nothing and returns nil.
func (s *Server) Stop() error {
	var err error
	s.once.Do(func() { err = s.stop() })

	return err
}

func (s *Server) stop() error {
	var ended error

	if s.done != nil {
		select {
		case <-s.done:
			ended = fmt.Errorf("PostgreSQL or its watchdog ended before Stop; the log ends:\n%s", s.logTail())
		default:
		}

		_ = s.pipe.Close()
		<-s.done
	}

	err := removeRun(s.dir, s.lock) // the watchdog did that, unless it was killed or the server crashed
	_ = s.log.Close()

	if s.held != nil {
		_ = s.held.Close() // not unlocked: a process of the server that still lives keeps it
	}

	if s.kept != nil {
		unlock(s.kept)
	}

	return errors.Join(ended, err)
}

// start starts a throwaway server with some settings, or with a name the one of that kept data.
func (h host) start(ctx context.Context, name string, settings ...string) (_ *Server, err error) {
	h.sweep()

	s, err := h.newRun()
	if err != nil {
		return nil, err
	}

	defer func() {
		if err != nil {
			_ = s.Stop() // what it could not remove, the next start does
		}
	}()

	if name != "" {
		pg, data, err := h.keptData(ctx, s, name)
		if err != nil {
			return nil, err
		}

		return h.serve(ctx, s, "INT", pg, data)
	}

	pg, err := h.find(ctx, anyVersion)
	if err != nil {
		return nil, err
	}

	data := filepath.Join(s.dir, "data")
	if err := h.copyTemplate(ctx, pg, data); err != nil {
		return nil, err
	}

	return h.serve(ctx, s, "QUIT", pg, data, append(fast, settings...)...)
}

// keptData locks the named data folder for the server s, makes it if there is none yet, and links it into the run
// folder. It returns the folder and the installation that can serve it.
func (h host) keptData(ctx context.Context, s *Server, name string) (pg installation, data string, err error) {
	data = filepath.Join(h.cache, "keep", name)
	if err := h.mkdirShared(filepath.Dir(data)); err != nil {
		return pg, "", err
	}

	if s.kept, err = tryLock(data + ".lock"); err != nil {
		return pg, "", fmt.Errorf("kept data %q: %w", name, err)
	}

	if target, err := filepath.EvalSymlinks(data); err == nil {
		data = target // the user has moved it
	}

	if s.held, err = freeData(ctx, data); err != nil {
		return pg, "", fmt.Errorf("kept data %q: %w", name, err)
	}

	version, err := readRegular(filepath.Join(data, "PG_VERSION"))
	isNew := errors.Is(err, os.ErrNotExist)

	major := anyVersion
	if err == nil {
		if major, err = strconv.Atoi(strings.TrimSpace(string(version))); err != nil {
			err = fmt.Errorf("%s has no version of PostgreSQL in it", filepath.Join(data, "PG_VERSION"))
		}
	}

	if err != nil && !isNew {
		return pg, "", fmt.Errorf("kept data %q: %w", name, err)
	}

	pg, err = h.find(ctx, major)
	if errors.Is(err, ErrNotInstalled) && !isNew {
		return pg, "", fmt.Errorf("kept data %q: %w, or remove %s to begin without the data", name, err, data)
	}
	if err != nil {
		return pg, "", fmt.Errorf("kept data %q: %w", name, err)
	}

	if isNew {
		if err := setAside(data); err != nil {
			return pg, "", fmt.Errorf("kept data %q: %w", name, err)
		}

		err := h.build(data, func(dir string) error {
			if err := h.copyTemplate(ctx, pg, dir); err != nil {
				return err
			}

			return h.run(ctx, filepath.Join(pg.bin, "initdb"), "--sync-only", "-D", dir) // neither initdb nor cp did
		})
		if err != nil {
			return pg, "", err
		}
	}

	return pg, data, os.Symlink(data, filepath.Join(s.dir, "data"))
}

// serve starts PostgreSQL under the watchdog and returns s when it answers. The caller stops s on an error.
func (h host) serve(
	ctx context.Context, s *Server, signal string, pg installation, data string, settings ...string,
) (*Server, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()

	// The order of -D and -k is what isServer looks for. The limit of the log is PostgreSQL's default, which initdb
	// reduces with the size of its segments.
	args := append([]string{
		"-c", watchdog, "watchdog", signal, s.dir,
		filepath.Join(pg.bin, "postgres"), "-D", data, "-k", s.dir,
	}, flags(append([]string{
		"port=" + port, "listen_addresses=", "max_connections=300", "max_wal_size=1GB", "timezone=UTC", "log_timezone=UTC",
		onlyFiles, "cluster_name=" + clusterName(data, s.dir),
	}, settings...))...)

	cmd := h.command(context.WithoutCancel(ctx), "/bin/sh", args...)
	cmd.ExtraFiles = []*os.File{r}
	if s.held != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, s.held)
	}
	cmd.Stdout, cmd.Stderr = s.log, s.log

	if err := cmd.Start(); err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}

	s.pipe, s.done, s.data, s.version = w, make(chan struct{}), data, pg.version

	// This goroutine also keeps s reachable: were it collected, its pipe would be closed and the server would end.
	go func() {
		_ = cmd.Wait()
		close(s.done)
	}()

	if err := s.waitReady(ctx); err != nil {
		return nil, fmt.Errorf("start PostgreSQL %s: %w; its log ends:\n%s", pg.version, err, s.logTail())
	}

	return s, nil
}

// flags are settings as postgres takes them on its command line; of two of one name the later holds.
func flags(settings []string) []string {
	args := make([]string, 0, 2*len(settings))
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}

	return args
}

// waitReady returns when the server answers, has ended, or has had its time.
func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	config, err := pgx.ParseConfig(s.URL("postgres"))
	if err != nil {
		return err
	}

	for {
		conn, err := pgx.ConnectConfig(ctx, config)
		if err == nil {
			_ = conn.Close(ctx)
			return nil
		}

		select {
		case <-s.done:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", ctx.Err(), err)
		case <-time.After(pollInterval):
		}
	}
}

// logTail returns the last lines of the server's log, or nothing.
func (s *Server) logTail() string {
	text := make([]byte, 2048)

	info, err := s.log.Stat()
	if err != nil {
		return ""
	}

	n, _ := s.log.ReadAt(text, max(0, info.Size()-int64(len(text))))

	return lastLines(string(text[:n]))
}

// lastLines returns the last ten lines of a text.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")

	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
