//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package localpg

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFind_ChoosesTheInstallation(t *testing.T) {
	t.Parallel()

	h := testHost(t)
	root := folder(t)

	fake(t, filepath.Join(root, "lib/9.6/bin"), "9.6.24")
	fake(t, filepath.Join(root, "lib/14/bin"), "14.19 (Debian 14.19-1)")
	fake(t, filepath.Join(root, "lib/18/bin"), "18.1")
	fake(t, filepath.Join(root, "old"), "13.22")
	fake(t, filepath.Join(root, "path"), "16beta2")
	fake(t, filepath.Join(root, "named"), "15.3")
	script(t, filepath.Join(root, "config/pg_config"), "echo "+filepath.Join(root, "named"))
	script(t, filepath.Join(root, "half/postgres"), "echo 'postgres (PostgreSQL) 17.0'")
	script(t, filepath.Join(root, "broken/initdb"), "exit 1")
	script(t, filepath.Join(root, "broken/postgres"), "echo 'error while loading shared libraries' >&2; exit 127")

	lib := filepath.Join(root, "lib/*/bin")

	for name, test := range map[string]struct {
		path, glob string
		major      int
		want       string
	}{
		"the newest by number":               {"", lib, anyVersion, "lib/18/bin 18.1"},
		"the version that is wanted":         {"", lib, 14, "lib/14/bin 14.19"},
		"PATH before a newer one":            {"path", lib, anyVersion, "path 16beta2"},
		"PATH only":                          {"path", "", anyVersion, "path 16beta2"},
		"PATH has another than is wanted":    {"path", lib, 18, "lib/18/bin 18.1"},
		"one on PATH that is too old":        {"old", lib, anyVersion, "lib/18/bin 18.1"},
		"what pg_config names":               {"config", lib, anyVersion, "named 15.3"},
		"a folder that misses a program":     {"half", "", anyVersion, ""},
		"a folder whose programs do not run": {"broken", "", anyVersion, ""},
		"a version that is not there":        {"path", lib, 17, ""},
		"nothing but one that is too old":    {"old", "", anyVersion, ""},
		"nothing":                            {"", "", anyVersion, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := h
			h.path, h.globs = "", []string{test.glob}

			if test.path != "" {
				h.path = "relative::/nonexistent:" + filepath.Join(root, test.path)
			}

			pg, err := h.find(t.Context(), test.major)
			if test.want == "" {
				require.ErrorIs(t, err, ErrNotInstalled)
				return
			}

			require.NoError(t, err)
			require.Equal(t, filepath.Join(root, test.want), pg.bin+" "+pg.version)
		})
	}

	t.Run("a cancelled context is not what is not installed", func(t *testing.T) {
		t.Parallel()

		ctx, cancel := context.WithCancel(t.Context())
		cancel()

		_, err := h.find(ctx, anyVersion)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, ErrNotInstalled)
	})
}

func TestStart_WithoutAnInstallationLeavesNothing(t *testing.T) {
	t.Parallel()

	h := testHost(t)
	h.path, h.globs = "", nil

	for _, name := range []string{"", "none"} {
		_, err := h.start(t.Context(), name)
		require.ErrorIs(t, err, ErrNotInstalled)
		require.Empty(t, entries(t, h.temp))
	}
}

func TestStart_AFailingInitdbGivesItsOutputAndLeavesNoTemplate(t *testing.T) {
	t.Parallel()

	h := testHost(t)
	h.cache, h.path, h.globs = folder(t), folder(t), nil
	fake(t, h.path, "17.1")
	script(t, filepath.Join(h.path, "initdb"), "echo no space left; exit 1")

	_, err := h.start(t.Context(), "")
	require.ErrorContains(t, err, "no space left")
	require.Equal(t, []string{"template.lock"}, entries(t, h.cache))
	require.Empty(t, entries(t, h.temp))

	// initdb prints the statement that failed behind the reason, and that can be longer than what is shown.
	statement := strings.Repeat("STATEMENT of many lines\n", 30)
	script(t, filepath.Join(h.path, "initdb"), "echo creating; echo 'x [1] FATAL:  disk full'; echo '"+statement+"'; exit 1")
	_, err = h.start(t.Context(), "")
	require.ErrorContains(t, err, "FATAL:  disk full")
	require.NotContains(t, err.Error(), "creating")
	require.LessOrEqual(t, strings.Count(err.Error(), "STATEMENT"), 10)
	require.NotContains(t, lastLines("FATAL:  disk full\n"+statement), "disk full", "the control: the last lines lack the reason")
}

func TestTempFolder_IsTmpWhereASocketOrTheServersUserCannotBe(t *testing.T) {
	t.Parallel()
	full(t)

	tmp, err := filepath.EvalSymlinks("/tmp")
	require.NoError(t, err)

	h := testHost(t)

	got, err := h.tempFolder(h.temp)
	require.NoError(t, err)
	require.Equal(t, h.temp, got)

	long := filepath.Join(h.temp, strings.Repeat("long", 20))
	require.NoError(t, os.Mkdir(long, 0o700))
	require.NoError(t, os.Chmod(long, 0o777))

	got, err = h.tempFolder(long)
	require.NoError(t, err)
	require.Equal(t, tmp, got)

	closed := filepath.Join(h.temp, "closed")
	inner := filepath.Join(closed, "open")
	require.NoError(t, os.MkdirAll(inner, 0o700))
	require.NoError(t, os.Chmod(inner, 0o777))

	for _, dir := range []string{closed, inner} {
		want := dir
		if h.as != nil {
			want = tmp
		}

		got, err = h.tempFolder(dir)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestCacheFolder_IsOneOfOurs(t *testing.T) {
	t.Parallel()

	t.Run("in the cache folder", func(t *testing.T) {
		t.Parallel()

		h := testHost(t)
		parent := filepath.Join(h.temp, "home", ".cache")

		dir, err := h.cacheFolder(parent)
		require.NoError(t, err)
		require.Equal(t, filepath.Join(parent, "musicstore"), dir)
		require.DirExists(t, dir)
	})

	for _, parent := range []string{"", "relative", "/dev/null"} {
		t.Run("among the temporary files, when there is no "+parent, func(t *testing.T) {
			t.Parallel()

			h := testHost(t)

			dir, err := h.cacheFolder(parent)
			require.NoError(t, err)
			require.Equal(t, h.temp, filepath.Dir(dir))
			require.DirExists(t, dir)

			again, err := h.cacheFolder(parent)
			require.NoError(t, err)
			require.Equal(t, dir, again)

			require.NoError(t, os.Chmod(dir, 0o777))

			_, err = h.cacheFolder(parent)
			require.ErrorContains(t, err, "not only ours")

			require.NoError(t, os.Remove(dir))
			require.NoError(t, os.Symlink(t.TempDir(), dir))

			_, err = h.cacheFolder(parent)
			require.ErrorContains(t, err, "not only ours")
		})
	}
}

func TestSweep_NeverTakesALiveRun(t *testing.T) {
	t.Parallel()
	full(t)

	h := testHost(t)
	stop := make(chan struct{})

	var sweepers, makers sync.WaitGroup

	for range 2 {
		sweepers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					h.sweep()
				}
			}
		})
		makers.Go(func() {
			for range 30 {
				s, err := h.newRun()
				if err == nil {
					time.Sleep(2 * time.Millisecond)

					_, err = os.Stat(filepath.Join(s.dir, "log"))
					_ = s.Stop()
				}

				if err != nil {
					t.Error(err)
				}
			}
		})
	}

	makers.Wait()
	close(stop)
	sweepers.Wait()

	h.sweep()
	require.Empty(t, entries(t, h.temp))
}

func TestSweep_LeavesAloneWhatIsNotARunOfOurs(t *testing.T) {
	t.Parallel()

	h := testHost(t)
	file := filepath.Join(h.temp, runPrefix+"file")
	link := filepath.Join(h.temp, runPrefix+"link")
	left := filepath.Join(h.temp, runPrefix+"1")
	target := t.TempDir()

	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.Symlink(target, link))
	require.NoError(t, os.Mkdir(left, 0o700)) // its process was killed before it had locked it

	h.sweep()
	require.FileExists(t, file)
	require.FileExists(t, link)
	require.Empty(t, entries(t, target))
	require.NoDirExists(t, left)

	if os.Geteuid() != 0 {
		return
	}

	require.NoError(t, os.Mkdir(left, 0o700))
	require.NoError(t, os.Chown(left, 12345, 12345))
	h.sweep()
	require.DirExists(t, left)
}

func TestEndServer_DoesNotEndAnotherProcessOfThatNumber(t *testing.T) {
	t.Parallel()
	full(t)

	data := t.TempDir()
	p := startHelper(t, testHost(t), "", "").waitServer(t) // a server, but of another folder
	pid, err := os.ReadFile(filepath.Join(p.dir, "data", "postmaster.pid"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(data, "postmaster.pid"), pid, 0o600))

	require.NoError(t, endServer(t.Context(), data, ""))
	require.NoError(t, endServer(t.Context(), filepath.Join(p.dir, "data"), "/another/run"))
	requireStays(t, p.pid)
	require.NoError(t, endServer(t.Context(), filepath.Join(p.dir, "data"), p.dir))
	requireGone(t, p.pid, p.dir)
}

// fake makes an installation that can only tell its version.
func fake(t *testing.T, dir, version string) {
	t.Helper()
	script(t, filepath.Join(dir, "postgres"), "echo 'postgres (PostgreSQL) "+version+"'")
	script(t, filepath.Join(dir, "initdb"), "exit 1")
}

func script(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755))
}

// A umask that leaves the owner nothing would make folders that the server can't enter.
func TestStart_WhateverTheUmask(t *testing.T) {
	t.Parallel()
	full(t)
	startWhateverTheUmask(t, "")
}

func TestSoak_KeepWhateverTheUmask(t *testing.T) {
	t.Parallel()
	soak(t)
	startWhateverTheUmask(t, newName())
}

// startWhateverTheUmask starts and stops servers in a process whose files nobody may use.
func startWhateverTheUmask(t *testing.T, names ...string) {
	t.Helper()
	h := testHost(t)

	for _, name := range names {
		cmd := exec.Command("/bin/sh", "-c", `umask 777 && exec "$0"`, os.Args[0])
		cmd.Env = append(os.Environ(), helperEnv+"="+strings.Join([]string{h.cache, h.temp, name, ""}, ":"))

		out, err := cmd.CombinedOutput() // standard input has ended, so the server starts and stops
		require.NoError(t, err, string(out))
	}

	dir := filepath.Join(folder(t), "a", "b")
	out, err := exec.Command("/bin/sh", "-c", `umask 777 && mkdir -p "$0"`, dir).CombinedOutput()
	require.NoError(t, err, string(out))

	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm(), "the control: a folder that is only made")
	for _, made := range []string{filepath.Dir(dir), dir} { // to be removed, which an ordinary user can't do otherwise
		require.NoError(t, os.Chmod(made, 0o700))
	}
}
