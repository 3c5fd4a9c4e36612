package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// newRun makes a run folder and returns it as a Server that is not started. The folder is locked as long as this
// process lives. Between its making and its locking another process may take it for left over; then it makes a next.
func (h host) newRun() (*Server, error) {
	for {
		dir, err := os.MkdirTemp(h.temp, runPrefix)
		if err != nil {
			return nil, err
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
	entries, _ := os.ReadDir(h.temp)
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), runPrefix) {
			continue
		}

		info, err := entry.Info()
		if err != nil || !ownedBy(info, h.uid) && !ownedBy(info, os.Geteuid()) {
			continue
		}

		dir := filepath.Join(h.temp, entry.Name())
		if lock, err := tryLock(filepath.Join(dir, "lock")); err == nil {
			_ = removeRun(dir, lock)
		}
	}
}

// removeRun ends the server of a run folder if it lives, removes the folder, and gives up its lock.
func removeRun(dir string, lock *os.File) error {
	defer unlock(lock)

	if err := endServer(filepath.Join(dir, "data"), dir); err != nil {
		return err
	}

	return os.RemoveAll(dir)
}

// endServer ends the server that lives on a data folder, if there is one, and returns when it has ended. With a run
// folder it must be that one's server: a kept data folder may meanwhile be served from another.
func endServer(data, run string) error {
	data, err := filepath.EvalSymlinks(data) // a run folder has a link to kept data
	if err != nil {
		return nil //nolint:nilerr // there is no data, so there is no server
	}

	for end := time.Now().Add(startTimeout); ; time.Sleep(pollInterval) {
		text, _ := os.ReadFile(filepath.Join(data, "postmaster.pid"))
		line, _, _ := strings.Cut(string(text), "\n")

		pid, err := strconv.Atoi(line)
		if err != nil || !isServer(pid, data, run) {
			return nil //nolint:nilerr // there is no server
		}

		if time.Now().After(end) {
			return fmt.Errorf("server %d of %s does not end", pid, data)
		}

		_ = syscall.Kill(pid, syscall.SIGQUIT)
	}
}

// isServer reports whether a process is a server that serve has started on a data folder, and in a run folder unless
// that is empty. The number alone says nothing: the system gives it to another process one day.
func isServer(pid int, data, run string) bool {
	line := commandLine(pid)

	return strings.Contains(line, "/postgres -D "+data+" -k ") && (run == "" || strings.Contains(line, " -k "+run+" "))
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
// already, also by this process, and os.ErrNotExist when it was removed meanwhile, and locks nothing.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
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

// unlock gives up a lock. To close the file would not do: a process that is being started has it open for a moment.
func unlock(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}
