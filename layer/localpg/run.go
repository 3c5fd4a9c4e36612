//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package localpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// newRun makes a run folder and returns it as a Server that is not started. The folder is locked as long as this
// process lives. Between its making and its locking another process may take it for left over; then it makes a next.
func (h host) newRun() (*Server, error) {
	for {
		dir, err := mkdirTemp(h.temp, runPrefix)
		if dir != "" && errors.Is(err, os.ErrNotExist) {
			continue
		}

		if err != nil {
			return nil, fmt.Errorf("make a folder among the temporary files (TMPDIR): %w", err)
		}

		lock, err := tryLock(filepath.Join(dir, "lock"))
		if errors.Is(err, ErrInUse) || errors.Is(err, os.ErrNotExist) {
			continue // whoever took it removes it
		}

		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}

		log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600)
		if err == nil {
			err = log.Chmod(0o600) // whatever the umask
		}

		if err == nil {
			err = writeFile(filepath.Join(dir, serviceFile), service(), 0o600)
		}

		if err == nil {
			err = h.give(dir)
		}

		if err != nil {
			_ = log.Close()
			return nil, errors.Join(err, removeRun(dir, lock))
		}

		return &Server{dir: dir, lock: lock, log: log}, nil
	}
}

// sweep removes the run folders whose processes were killed together with their watchdogs, and ends their servers. What
// it cannot remove, it leaves to the next one.
func (h host) sweep() {
	for _, temp := range append([]string{h.temp}, h.others...) {
		entries, _ := os.ReadDir(temp)
		for _, entry := range entries {
			if entry.IsDir() && strings.HasPrefix(entry.Name(), runPrefix) {
				h.sweepRun(filepath.Join(temp, entry.Name()))
			}
		}
	}
}

// sweepRun removes a run folder if it is ours and nobody holds its lock.
func (h host) sweepRun(dir string) {
	info, err := os.Lstat(dir)
	if err != nil || !ownedBy(info, h.uid) && !ownedBy(info, os.Geteuid()) {
		return
	}

	if lock, err := tryLock(filepath.Join(dir, "lock")); err == nil {
		_ = removeRun(dir, lock)
	}
}

// removeRun ends the server of a run folder if it lives, removes the folder and a throwaway server's shared memory, and
// gives up the folder's lock.
func removeRun(dir string, lock *os.File) error {
	defer unlock(lock)

	data := filepath.Join(dir, "data")
	if err := endServer(context.Background(), data, dir); err != nil {
		return err
	}

	// A link is to kept data, whose next server finds the shared memory by itself.
	if info, err := os.Lstat(data); err == nil && info.IsDir() {
		// The processes of a server that was killed let go of it within moments.
		for end := time.Now().Add(time.Second); inUse(info) && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}

		removeSegments(info)
	}

	return os.RemoveAll(dir)
}

// freeData makes a kept data folder free for a server to be started. The caller holds the folder's process lock. It ends
// a server of ours that has outlived its process, and removes what such a server left that would stop the next one. It
// returns the lock for the next server to hold. The error is ErrInUse when something else serves the folder.
func freeData(ctx context.Context, data string) (*os.File, error) {
	// Its process is gone, so nobody needs the server. To end it at once harms no committed data.
	if err := endServer(ctx, data, ""); err != nil {
		return nil, err
	}

	wait, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()

	// The server of a process that we cannot see, as of another container, holds it too.
	held, err := waitLock(wait, data+".server.lock")
	if err != nil {
		if wait.Err() != nil && ctx.Err() == nil {
			err = ErrInUse
		}

		return nil, err
	}

	info, err := os.Stat(data)
	if err != nil {
		return held, nil // there is no data yet, or what uses it says what is wrong
	}

	if inUse(info) { // by a server that somebody started by hand
		_ = held.Close()

		return nil, ErrInUse
	}

	// PostgreSQL would refuse to start when the number in postmaster.pid is any living process's, and would wait for a
	// writer when one of the two is a FIFO.
	for _, name := range []string{"postmaster.pid", "postmaster.opts"} {
		if err := os.RemoveAll(filepath.Join(data, name)); err != nil {
			_ = held.Close()

			return nil, err
		}
	}

	return held, nil
}

// setAside renames what is in the place of a kept data folder without being one, so that a new one can be made. The error
// says so when it may hold rows.
func setAside(data string) error {
	entries, err := os.ReadDir(data)

	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) == 0:
		return os.Remove(data)
	}

	if _, err := os.Lstat(filepath.Join(data, "global", "pg_control")); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s has no file PG_VERSION, but other files of a database", data)
	}

	return os.Rename(data, data+time.Now().UTC().Format(".unfinished-20060102150405.000000000"))
}

// clusterName returns a name that PostgreSQL shows in the title of every process but the first: of this run folder and
// this data folder.
func clusterName(data, run string) string { return filepath.Base(run) + "-" + dataName(data) }

func dataName(data string) string {
	sum := sha256.Sum256([]byte(data))

	return hex.EncodeToString(sum[:4])
}

// endServer ends the server of ours that lives on a data folder, if there is one, and returns when all its processes have
// ended. With a run folder it must be that one's server: a kept data folder may meanwhile be served from another.
func endServer(ctx context.Context, data, run string) error {
	data, err := filepath.EvalSymlinks(data) // a run folder has a link to kept data
	if err != nil {
		return nil //nolint:nilerr // there is no data, so there is no server
	}

	for began := time.Now(); ; {
		server, children := serving(data, run)
		waited := time.Since(began)

		switch {
		case len(server)+len(children) == 0:
			return nil
		case waited > startTimeout:
			return fmt.Errorf("the processes %v that serve %s do not end", append(server, children...), data)
		case waited > endTimeout: // one that is stopped, or waits for a disk
			signalAll(syscall.SIGKILL, server, children)
		case len(server) > 0:
			signalAll(syscall.SIGQUIT, server)
		default: // the first process was killed, and these did not notice
			signalAll(syscall.SIGQUIT, children)
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("end the server of %s: %w", data, ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

func signalAll(signal syscall.Signal, pids ...[]int) {
	for _, pid := range slices.Concat(pids...) {
		_ = syscall.Kill(pid, signal)
	}
}

// serving returns the processes of the server that serve has started on a data folder, and in a run folder unless that is
// empty: the first process, and its children. Their command lines tell. A number in a file says nothing: the system gives
// it to another process one day.
func serving(data, run string) (server, children []int) {
	for pid, line := range commandLines() {
		before, _, isServer := strings.Cut(line, "/postgres -D "+data+" -k ")
		title, isChild := strings.CutPrefix(line, "postgres: "+runPrefix)

		switch {
		case isServer && !strings.Contains(before, " -c "): // which is the watchdog's
			if run == "" || strings.Contains(line, " -k "+run+" ") {
				server = append(server, pid)
			}
		case isChild:
			title = runPrefix + title
			if run == "" && strings.Contains(title, "-"+dataName(data)+": ") ||
				run != "" && strings.HasPrefix(title, clusterName(data, run)+": ") {
				children = append(children, pid)
			}
		}
	}

	return server, children
}

// commandLines returns the command lines of all processes that have one.
func commandLines() map[int]string {
	lines := map[int]string{}

	if runtime.GOOS == "linux" { // where ps is not always installed
		entries, _ := os.ReadDir("/proc")
		for _, entry := range entries {
			if pid, err := strconv.Atoi(entry.Name()); err == nil {
				lines[pid] = commandLine(pid)
			}
		}

		return lines
	}

	text, _ := exec.Command("ps", "-A", "-ww", "-o", "pid=,args=").Output() //nolint:noctx // it ends at once
	for line := range strings.Lines(string(text)) {
		number, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if pid, err := strconv.Atoi(number); err == nil {
			lines[pid] = args
		}
	}

	return lines
}

// commandLine returns the command line of a process, or nothing if it has ended, also when nobody has waited for it.
func commandLine(pid int) string {
	if runtime.GOOS == "linux" { // where ps is not always installed
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return strings.ReplaceAll(string(text), "\x00", " ")
	}

	text, _ := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output() //nolint:noctx // it ends at once

	return string(text)
}

// tryLock makes and locks a file; the lock ends with unlock or with this process. It is ErrInUse when it is locked
// already, also by this process, and os.ErrNotExist when it was removed meanwhile, and locks nothing. Something else than
// a file in its place is locked as well, except for a symbolic link and a socket.
func tryLock(path string) (*os.File, error) {
	const flags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|flags, 0o600)
	if errors.Is(err, syscall.EISDIR) {
		f, err = os.OpenFile(path, os.O_RDONLY|flags, 0)
	}

	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}

	// The umask may have left its owner no right, and the next process could not open it.
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Mode()&0o600 != 0o600 {
		_ = f.Chmod(0o600)
	}

	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}

	if err == nil {
		ours, _ := f.Stat()
		if there, err2 := os.Lstat(path); err2 != nil || !os.SameFile(ours, there) {
			err = os.ErrNotExist
		}
	}

	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}

	return f, nil
}

// waitLock is tryLock that waits while the file is locked, until the context ends.
func waitLock(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := tryLock(path)
		if !errors.Is(err, ErrInUse) {
			return f, err
		}

		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", path, ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

// readRegular returns what a file holds that is a regular one and not large. It never waits for a writer, as of a FIFO.
func readRegular(path string) ([]byte, error) {
	const large = 1 << 16

	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()

	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > large {
		return nil, fmt.Errorf("%s is not a file of PostgreSQL's", path)
	}

	return io.ReadAll(io.LimitReader(f, large))
}

// unlock gives up a lock. To close the file would not do: a process that is being started has it open for a moment.
func unlock(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}
