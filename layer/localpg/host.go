//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package localpg

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
)

const (
	runPrefix     = "musicstore-pg-"
	memory        = "/dev/shm" // of Linux: a folder whose files are in memory
	memoryRoom    = 2 << 30    // bytes to be free there: a container often has 64 MB
	maxSocketPath = 103        // of macOS; Linux has 107
)

// initdbOptions make a template. initdb syncs it, because a template that a power cut left half written would fail every
// later start. Small segments of the write-ahead log halve what is copied.
var initdbOptions = []string{
	"--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--wal-segsize=1",
}

// plainPath matches what is the same in a URL, in a list of folders (unix_socket_directories) and in a file of lines
// (postmaster.pid).
var plainPath = regexp.MustCompile(`^[\w/.+@=~:-]+$`)

// passedOn are the variables that a command gets from our environment: where its libraries are. All others, such as PG*,
// LC_* and what a shell takes functions and options from, are kept back.
var passedOn = []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "HOME"}

// host is where servers run and as whom. PostgreSQL refuses to run as root, so root lets another user run it, who owns
// the data and the run folders; the folders above them stay root's.
type host struct {
	uid, gid int                 // who runs PostgreSQL
	as       *syscall.Credential // nil if that is who we are
	cache    string              // the templates and the kept data
	temp     string              // the run folders
	others   []string            // more folders in which runs may have been left over
	path     string              // PATH
	globs    []string            // the distributions' folders
}

// newHost returns the host of this process and makes its cache folder.
func newHost() (h host, err error) {
	h = host{uid: os.Geteuid(), gid: os.Getegid(), path: os.Getenv("PATH"), globs: distributions}
	caches, _ := os.UserCacheDir()

	if h.uid == 0 {
		caches = "/var/cache" // because the server's user cannot enter root's home

		if h.uid, h.gid, err = serverUser("postgres", "nobody"); err != nil {
			return host{}, err
		}

		h.as = &syscall.Credential{Uid: uint32(h.uid), Gid: uint32(h.gid)} //nolint:gosec // ids; no supplementary groups
	}

	if h.temp, err = h.tempFolder(os.TempDir()); err != nil {
		return host{}, err
	}

	h.others = []string{"/tmp", memory}

	if h.cache, err = h.cacheFolder(caches); err != nil {
		return host{}, fmt.Errorf("cache folder: %w", err)
	}

	return h, nil
}

// serverUser returns the first of the named users that there is.
func serverUser(names ...string) (uid, gid int, err error) {
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}

		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)

		return uid, gid, errors.Join(err1, err2)
	}

	return 0, 0, fmt.Errorf("PostgreSQL does not run as root, and there is no user %s", strings.Join(names, " or "))
}

// cacheFolder makes and returns the folder for what is kept between runs, without symbolic links in its path: in the
// parent or, where there is none or it cannot be made, as without a home, in the folder for temporary files.
func (h host) cacheFolder(parent string) (string, error) {
	if strings.ContainsFunc(parent, unicode.IsControl) {
		return "", fmt.Errorf("%q has a line break or another control character, which initdb refuses", parent)
	}

	if dir := filepath.Join(parent, "musicstore"); filepath.IsAbs(dir) && h.mkdirShared(dir) == nil {
		return filepath.EvalSymlinks(dir)
	}

	dir := filepath.Join(h.temp, fmt.Sprintf("musicstore-%d", os.Geteuid()))
	if os.Mkdir(dir, 0o700) == nil {
		_ = os.Chmod(dir, 0o700) //nolint:gosec // whatever the umask
	}

	// Anybody can make a folder of that name there, and would then own what is in it.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}

	if !info.IsDir() || !ownedBy(info, os.Geteuid()) || info.Mode()&0o022 != 0 {
		return "", fmt.Errorf("%s is not only ours", dir)
	}

	return dir, h.mkdirShared(dir)
}

// tempFolder returns the folder to make run folders in, without symbolic links in its path. That is the given one, or /tmp
// in three cases: a socket's path would be too long there, the path has a character such as a comma or a space that
// separates folders in some place, or the server's user could not remove a run folder from it.
func (h host) tempFolder(given string) (string, error) {
	dir, err := filepath.EvalSymlinks(given)
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(dir); err == nil && !info.IsDir() {
			err = syscall.ENOTDIR
		}
	}

	if err != nil {
		if e := (*os.PathError)(nil); errors.As(err, &e) {
			err = e.Err
		}

		return "", fmt.Errorf("the folder for temporary files (TMPDIR) is %q: %w", given, err)
	}

	socket := filepath.Join(dir, runPrefix+"4294967295", ".s.PGSQL."+port)
	if len(socket) > maxSocketPath || !filepath.IsAbs(dir) || !plainPath.MatchString(dir) || h.as != nil && !openToAll(dir) {
		return filepath.EvalSymlinks("/tmp")
	}

	return dir, nil
}

// inMemory returns the host with its run folders in memory, if there is room; what killed runs left there goes first.
func (h host) inMemory() host {
	m := h
	m.temp = memory
	m.sweep()

	if dir, err := h.tempFolder(memory); err != nil || dir != memory || freeRoom(dir) < memoryRoom {
		return h
	}

	return m
}

// openToAll reports whether every user can enter a folder and change it.
func openToAll(dir string) bool {
	for want := os.FileMode(0o003); ; want = 0o001 {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&want != want {
			return false
		}

		if dir == "/" {
			return true
		}

		dir = filepath.Dir(dir)
	}
}

func ownedBy(info os.FileInfo, uid int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)

	return ok && int(stat.Uid) == uid
}

// mkdirShared makes a folder of ours, with its parents. The server's user, if another, can enter but not change it.
func (h host) mkdirShared(dir string) error {
	if h.as == nil {
		return mkdirAll(dir, 0o700)
	}

	if err := mkdirAll(dir, 0o755); err != nil {
		return err
	}

	return os.Chmod(dir, 0o755) //nolint:gosec // others enter it on purpose
}

// mkdirAll is os.MkdirAll that gives the folders it makes their mode, whatever the umask.
func mkdirAll(dir string, mode os.FileMode) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return &os.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}

		return nil
	}

	if parent := filepath.Dir(dir); parent != dir {
		if err := mkdirAll(parent, mode); err != nil {
			return err
		}
	}

	if err := os.Mkdir(dir, mode); err != nil {
		if errors.Is(err, os.ErrExist) { // another process was faster
			return nil
		}

		return err
	}

	return os.Chmod(dir, mode)
}

// mkdirTemp is os.MkdirTemp whose folder its owner can use, whatever the umask. A folder that somebody has removed meanwhile
// is returned with os.ErrNotExist.
func mkdirTemp(dir, pattern string) (string, error) {
	made, err := os.MkdirTemp(dir, pattern)
	if err != nil {
		return "", err
	}

	return made, os.Chmod(made, 0o700) //nolint:gosec // a folder
}

// writeFile is os.WriteFile whose file has its mode, whatever the umask.
func writeFile(path string, text []byte, mode os.FileMode) error {
	if err := os.WriteFile(path, text, mode); err != nil {
		return err
	}

	return os.Chmod(path, mode)
}

// give makes a folder the server's user's.
func (h host) give(dir string) error {
	if h.as == nil {
		return nil
	}

	return os.Chown(dir, h.uid, h.gid)
}

// command returns a command to be run as the server's user, in a folder that every user can enter, with a session of
// its own so that a terminal's Ctrl-C does not reach it. The end of the context kills it and what it has started.
func (h host) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: h.as}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second

	// With LD_BIND_NOW the server finds the functions of its libraries once. Otherwise each of its sessions, a process of
	// its own, would find them again.
	cmd.Env = []string{"LC_ALL=C", "LD_BIND_NOW=1", "PATH=" + h.path + ":/usr/bin:/bin"}
	for _, name := range passedOn {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}

	if h.as != nil {
		cmd.Env = append(cmd.Env, "HOME=/")
	}

	return cmd
}

// run runs a command to its end. The error is the context's, or has what the command printed: ten lines from the first error on,
// or the last ten.
func (h host) run(ctx context.Context, name string, args ...string) error {
	out, err := h.command(ctx, name, args...).CombinedOutput()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), ctx.Err())
	}

	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, reasonIn(string(out)))
	}

	return nil
}

// firstError matches the first line in which PostgreSQL or one of its programs says what is wrong. A statement of many lines may
// follow it.
var firstError = regexp.MustCompile(`(?m)^.*\b(?:PANIC|FATAL|ERROR|error): .*$`)

// reasonIn returns ten lines of what a command printed: from the first error on, or the last ones where it names none.
func reasonIn(output string) string {
	const most = 10
	at := firstError.FindStringIndex(output)
	if at == nil {
		return lastLines(output)
	}
	lines := strings.Split(strings.TrimSpace(output[at[0]:]), "\n")

	return strings.Join(lines[:min(len(lines), most)], "\n")
}

// copyTemplate makes a folder that holds a new database cluster. It copies one, which is faster than to make one.
func (h host) copyTemplate(ctx context.Context, pg installation, dir string) error {
	template, err := h.template(ctx, pg)
	if err != nil {
		return err
	}

	// cp takes from the modes what the umask says, and PostgreSQL refuses a folder of which that is too much.
	return h.run(ctx, "/bin/sh", "-c", `umask 077 && exec cp -R "$1" "$2"`, "cp", template, dir)
}

// template returns the cluster to copy. The first call for an installation makes it; others, of whatever process, wait.
func (h host) template(ctx context.Context, pg installation) (string, error) {
	sum := sha256.Sum256(fmt.Append(nil, h.uid, initdbOptions))
	dir := filepath.Join(h.cache, fmt.Sprintf("template-%s-%x", pg.version, sum[:4]))

	if isCluster(dir) {
		return dir, nil
	}

	lock, err := waitLock(ctx, filepath.Join(h.cache, "template.lock"))
	if err != nil {
		return "", err
	}
	defer unlock(lock)

	if isCluster(dir) {
		return dir, nil
	}

	if err := os.RemoveAll(dir); err != nil { // something has removed a part of it, as cleaners of old files do
		return "", err
	}

	return dir, h.build(dir, func(dir string) error {
		if err := h.run(ctx, filepath.Join(pg.bin, "initdb"), append(slices.Clone(initdbOptions), "-D", dir)...); err != nil {
			return err
		}
		files, err := filesOf(dir)
		if err != nil {
			return err
		}

		return writeFile(filepath.Join(dir, filesList), []byte(files), 0o644) // the server's user copies it
	})
}

// filesList is the file in a template that says which files it had when it was made.
const filesList = "musicstore.files"

// isCluster reports whether a template has all its files and folders as they were when it was made. A cluster that lacks
// one, or of which one was cut, may start and fail later.
func isCluster(dir string) bool {
	made, err := os.ReadFile(filepath.Join(dir, filesList))
	if err != nil {
		return false
	}
	files, err := filesOf(dir)

	return err == nil && files == string(made)
}

// filesOf lists the folders and files of a cluster, with the mode of each, and the size and time of each file.
func filesOf(dir string) (string, error) {
	var list strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == filepath.Join(dir, filesList) {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%q %v", strings.TrimPrefix(path, dir), info.Mode())
		if !info.IsDir() {
			fmt.Fprintf(&list, " %d %d", info.Size(), info.ModTime().UnixNano())
		}
		list.WriteByte('\n')

		return nil
	})

	return list.String(), err
}

// build makes a folder that is there in full or not at all: create makes it under another name. The caller holds a lock
// for the path, so that what else was begun for it is left over.
func (h host) build(path string, create func(dir string) error) error {
	prefix := filepath.Base(path) + ".new-"

	left, _ := os.ReadDir(filepath.Dir(path))
	for _, entry := range left {
		if strings.HasPrefix(entry.Name(), prefix) {
			_ = os.RemoveAll(filepath.Join(filepath.Dir(path), entry.Name()))
		}
	}

	// Every time another name, because an initdb or cp whose process was killed may still write to the last.
	parent, err := mkdirTemp(filepath.Dir(path), prefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(parent)

	if err := h.give(parent); err != nil {
		return err
	}

	dir := filepath.Join(parent, "data")
	if err := create(dir); err != nil {
		return err
	}

	return os.Rename(dir, path)
}
