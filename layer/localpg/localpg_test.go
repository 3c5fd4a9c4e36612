//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package localpg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestTemp_ServesQueriesAndStopLeavesNothing(t *testing.T) {
	t.Parallel()

	s, err := Temp(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop() })

	for setting, want := range map[string]string{
		"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "listen_addresses": "",
		"TimeZone": "UTC", "log_timezone": "UTC", "server_encoding": "UTF8", "max_connections": "300",
	} {
		require.Equal(t, want, query(t, s, "select current_setting('"+setting+"')"), setting)
	}

	require.Equal(t, query(t, s, "select split_part(current_setting('server_version'), ' ', 1)"), s.Version())
	require.Equal(t, "C", query(t, s, "select datcollate::text from pg_database where datname = 'postgres'"))

	info, err := os.Stat(s.dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	pid := serverPID(s)

	require.NoError(t, s.Stop())
	requireGone(t, pid, s.dir)
	require.NoError(t, s.Stop(), "a second call")
}

func TestTempInMemory_ServesQueriesAndStopLeavesNothing(t *testing.T) {
	t.Parallel()
	full(t)

	s, err := TempInMemory(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop() })

	h, err := newHost()
	require.NoError(t, err)
	require.Contains(t, []string{h.temp, memory}, filepath.Dir(s.dir))
	require.Equal(t, s.dir+"/data", query(t, s, "select current_setting('data_directory')"))

	pid := serverPID(s)

	require.NoError(t, s.Stop())
	requireGone(t, pid, s.dir)
}

func TestTemp_HasTheSettingsThatItIsGiven(t *testing.T) {
	t.Parallel()
	full(t)

	s, err := Temp(t.Context(), "work_mem=5MB", "max_wal_size=2GB")
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop() })
	require.Equal(t, "5MB", query(t, s, "select current_setting('work_mem')"))
	require.Equal(t, "2GB", query(t, s, "select current_setting('max_wal_size')"), "over our own")

	_, err = Temp(t.Context(), "work_memory=5MB")
	require.ErrorContains(t, err, "work_memory")
}

func TestCommand_RunsWhatTheServerCameWith(t *testing.T) {
	t.Parallel()

	cmd, err := Command(t.Context(), "postgres", "--version")
	require.NoError(t, err)

	out, err := cmd.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "postgres (PostgreSQL) ")

	_, err = Command(t.Context(), "pg_nothing")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "pg_nothing")
}

func TestCommand_LooksBehindLinks(t *testing.T) {
	installed, links := folder(t), folder(t)
	for _, name := range []string{"initdb", "postgres", "pg_extra"} {
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) 15.1'\n"
		require.NoError(t, os.WriteFile(filepath.Join(installed, name), []byte(script), 0o755))
	}

	for _, name := range []string{"initdb", "postgres"} {
		require.NoError(t, os.Symlink(filepath.Join(installed, name), filepath.Join(links, name)))
	}

	t.Setenv("PATH", links)

	cmd, err := Command(t.Context(), "pg_extra")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(installed, "pg_extra"), cmd.Path)
}

func TestSoak_TempTwoAtOnceDoNotMeet(t *testing.T) {
	t.Parallel()
	soak(t)

	h := testHost(t)
	one, two := start(t, h, ""), start(t, h, "")

	query(t, one, "create table t (n int)")
	require.Equal(t, "true", query(t, two, "select (to_regclass('t') is null)::text"))

	require.NoError(t, one.Stop())
	require.Equal(t, "1", query(t, two, "select '1'"))
}

func TestTemp_LivesOnAfterItsContext(t *testing.T) {
	t.Parallel()
	full(t)

	ctx, cancel := context.WithCancel(t.Context())

	s, err := testHost(t).start(ctx, "")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })

	cancel()
	requireStays(t, serverPID(s))
	require.Equal(t, "1", query(t, s, "select '1'"))
}

func TestSoak_TempLivesOnWhenItsServerIsForgotten(t *testing.T) {
	t.Parallel()
	soak(t)

	requireStays(t, startHelper(t, testHost(t), "", "forget").waitServer(t).pid)
}

func TestTemp_ACancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	full(t)
	cancelStarts(t, 400*time.Millisecond)
}

func TestSoak_ACancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()

	soak(t)
	cancelStarts(t, 10*time.Millisecond)
}

// cancelStarts cancels a start at once, and later and later by a step, until it has started.
func cancelStarts(t *testing.T, step time.Duration) {
	t.Helper()

	h := testHost(t)
	require.NoError(t, start(t, h, "").Stop()) // makes the template, so that the times below are those of a start

	for after := time.Duration(0); ; after += step {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()

		began := time.Now()
		s, err := h.start(ctx, "")

		if err == nil {
			require.NoError(t, s.Stop())
			return
		}

		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(began)-after, 20*time.Second)
		require.Empty(t, entries(t, h.temp))
	}
}

func TestKeep_KeepsRowsOverStopAndASecondStart(t *testing.T) {
	t.Parallel()
	full(t)

	name := newName()

	s, err := Keep(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop() })

	data := dataFolder(t, s)
	t.Cleanup(func() {
		require.NoError(t, os.RemoveAll(data))
		require.NoError(t, os.Remove(data+".lock"))
		require.NoError(t, os.Remove(data+".server.lock"))
	})

	require.Equal(t, "on", query(t, s, "select current_setting('fsync')"))
	query(t, s, "create table t as select 'kept' as name")

	pid := serverPID(s)

	require.NoError(t, s.Stop())
	requireGone(t, pid, s.dir)

	again, err := Keep(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = again.Stop() })
	require.Equal(t, "kept", query(t, again, "select name from t"))
	require.NoError(t, again.Stop())
}

// To remove the folder is how somebody starts anew, and nobody has to know whether it is served.
func TestKeep_StartsAnewWhenItsFolderWasRemovedWhileServed(t *testing.T) {
	t.Parallel()
	full(t)

	h := testHost(t)
	name := newName()
	s := start(t, h, name)
	query(t, s, "create table t as select 'gone' as name")
	require.NoError(t, os.RemoveAll(s.Dir()))

	_, err := h.start(t.Context(), name)
	require.ErrorIs(t, err, ErrInUse)

	_ = s.Stop() // it may have ended, because its files are gone
	require.NoDirExists(t, s.dir)
	again := start(t, h, name)
	require.Equal(t, "0", query(t, again, "select count(*)::text from pg_class where relname = 't'"))
}

func TestKeep_ServedAlreadyIsErrInUse(t *testing.T) {
	t.Parallel()
	full(t)
	isInUse(t, "by another process, until it stops")
}

func TestSoak_KeepServedAlreadyIsErrInUse(t *testing.T) {
	t.Parallel()
	soak(t)
	isInUse(t, "by this process")
}

func isInUse(t *testing.T, names ...string) {
	t.Helper()
	some(t, names, "by this process", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		h := testHost(t)
		name := newName()
		s := start(t, h, name)

		_, err := h.start(t.Context(), name)
		require.ErrorIs(t, err, ErrInUse)
		require.Equal(t, "1", query(t, s, "select '1'"))
		require.Len(t, entries(t, h.temp), 1)
	})

	some(t, names, "by another process, until it stops", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		h := testHost(t)
		name := newName()
		p := startHelper(t, h, name, "").waitServer(t)

		_, err := h.start(t.Context(), name)
		require.ErrorIs(t, err, ErrInUse)

		require.NoError(t, p.stdin.Close())
		require.NoError(t, p.cmd.Wait())
		start(t, h, name)
	})
}

func TestKeep_RefusesWhatIsNoName(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"", ".", "..", "a/b", "A", "-a", "a.lock", strings.Repeat("a", 64)} {
		_, err := Keep(t.Context(), name)
		require.ErrorContains(t, err, "is no name", name)
	}
}

func TestKeep_DataThatCannotBeServedGivesTheReasonAndStays(t *testing.T) {
	t.Parallel()
	full(t)
	givesTheReason(t, "a server that ends at once")
}

func TestSoak_KeepDataThatCannotBeServedGivesTheReasonAndStays(t *testing.T) {
	t.Parallel()
	soak(t)
	givesTheReason(t, "a version that is not installed")
}

func givesTheReason(t *testing.T, names ...string) {
	t.Helper()
	some(t, names, "a server that ends at once", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		h := testHost(t)
		name := newName()
		s := start(t, h, name)
		control := filepath.Join(dataFolder(t, s), "global", "pg_control")
		query(t, s, "create table t as select 'kept' as name")
		require.NoError(t, s.Stop())
		require.NoError(t, os.Rename(control, control+".away"))

		began := time.Now()
		_, err := h.start(t.Context(), name)
		require.ErrorContains(t, err, "pg_control")
		require.Less(t, time.Since(began), 20*time.Second)
		require.Empty(t, entries(t, h.temp))

		require.NoError(t, os.Rename(control+".away", control))
		require.Equal(t, "kept", query(t, start(t, h, name), "select name from t"))
	})

	some(t, names, "a version that is not installed", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		h := testHost(t)
		name := newName()
		s := start(t, h, name)
		version := filepath.Join(dataFolder(t, s), "PG_VERSION")
		require.NoError(t, s.Stop())
		require.NoError(t, os.WriteFile(version, []byte("99\n"), 0o600))

		_, err := h.start(t.Context(), name)
		require.ErrorIs(t, err, ErrNotInstalled)
		require.ErrorContains(t, err, "the data was made by PostgreSQL 99, which is not installed: install version 99")
		require.ErrorContains(t, err, ", or remove "+filepath.Dir(version)+" to begin without the data")
		require.FileExists(t, version)
	})
}

func TestURL_IsReadByPgx(t *testing.T) {
	t.Parallel()

	s := &Server{dir: "/tmp/a b+c&d/musicstore-pg-1"}

	for _, database := range []string{"shop", "a shop", "50% & more?", "été"} {
		config, err := pgx.ParseConfig(s.URL(database))
		require.NoError(t, err)
		require.Equal(t, database, config.Database)
		require.Equal(t, "postgres", config.User)
		require.Equal(t, s.dir, config.Host)
		require.Equal(t, uint16(5432), config.Port)
	}

	require.Equal(t, "postgres://postgres@/shop?host=/tmp/musicstore-pg-1&port=5432",
		(&Server{dir: "/tmp/musicstore-pg-1"}).URL("shop"))
}

func TestServer_EndsWithTheProcessThatAskedForIt(t *testing.T) {
	t.Parallel()
	endsWithItsProcess(t, "throwaway", "kept, and is taken over while it still ends")
}

func TestSoak_ServerEndsWithTheProcessThatAskedForIt(t *testing.T) {
	t.Parallel()
	soak(t)
	endsWithItsProcess(t, "kept")
}

func endsWithItsProcess(t *testing.T, names ...string) {
	t.Helper()
	some(t, names, "throwaway", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		p := startHelper(t, testHost(t), "", "").waitServer(t)
		p.kill(t)
		requireGone(t, p.pid, p.dir)
	})

	some(t, names, "kept", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		h := testHost(t)
		name := newName()
		p := startHelper(t, h, name, "").waitServer(t)
		query(t, &Server{dir: p.dir}, "create table t as select 'kept' as name")
		p.kill(t)
		requireGone(t, p.pid, p.dir)
		require.Equal(t, "kept", query(t, start(t, h, name), "select name from t"))
	})

	some(t, names, "kept, and is taken over while it still ends", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		h := testHost(t)
		name := newName()
		p := startHelper(t, h, name, "").waitServer(t)
		query(t, &Server{dir: p.dir}, "create table t as select 'kept' as name")
		p.kill(t)
		require.Equal(t, "kept", query(t, start(t, h, name), "select name from t"))
		requireGone(t, p.pid, p.dir)
	})
}

func TestStart_RemovesWhatAKilledProcessAndWatchdogLeft(t *testing.T) {
	t.Parallel()
	full(t)
	removesWhatIsLeft(t, "kept, with a run folder elsewhere")
}

func TestSoak_StartRemovesWhatAKilledProcessAndWatchdogLeft(t *testing.T) {
	t.Parallel()
	soak(t)
	removesWhatIsLeft(t, "throwaway", "kept")
}

func removesWhatIsLeft(t *testing.T, names ...string) {
	t.Helper()
	some(t, names, "throwaway", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		h := testHost(t)
		p := startHelper(t, h, "", "").waitServer(t)
		killWatchdog(t, p.pid)
		p.kill(t)
		requireStays(t, p.pid)

		start(t, h, "")
		requireGone(t, p.pid, p.dir)
	})

	some(t, names, "kept", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		h := testHost(t)
		name := newName()
		p := startHelper(t, h, name, "").waitServer(t)
		query(t, &Server{dir: p.dir}, "create table t as select 'kept' as name")
		killWatchdog(t, p.pid)
		p.kill(t)

		require.Equal(t, "kept", query(t, start(t, h, name), "select name from t"))
		requireGone(t, p.pid, p.dir)
	})

	some(t, names, "kept, with a run folder elsewhere", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		h := testHost(t)
		name := newName()
		p := startHelper(t, h, name, "").waitServer(t)
		query(t, &Server{dir: p.dir}, "create table t as select 'kept' as name")
		killWatchdog(t, p.pid)
		p.kill(t)

		elsewhere := h
		elsewhere.temp = folder(t)
		s := start(t, elsewhere, name)
		require.Equal(t, "kept", query(t, s, "select name from t"))

		h.sweep() // the old run folder has a link to the data, but the server is another's
		requireGone(t, p.pid, p.dir)
		require.Equal(t, "kept", query(t, s, "select name from t"))
	})
}

func TestStop_CleansUpAfterWhatEndedByItself(t *testing.T) {
	t.Parallel()
	full(t)
	cleansUp(t, "the watchdog")
}

func TestSoak_StopCleansUpAfterWhatEndedByItself(t *testing.T) {
	t.Parallel()
	soak(t)
	cleansUp(t, "the server")
}

func cleansUp(t *testing.T, names ...string) {
	t.Helper()
	some(t, names, "the watchdog", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		s, err := testHost(t).start(t.Context(), "")
		require.NoError(t, err)

		pid := serverPID(s)
		killWatchdog(t, pid)
		<-s.done
		require.ErrorContains(t, s.Stop(), "ended before Stop")
		requireGone(t, pid, s.dir)
	})

	some(t, names, "the server", func(t *testing.T) {
		t.Helper()
		t.Parallel()

		s, err := testHost(t).start(t.Context(), "")
		require.NoError(t, err)

		pid := serverPID(s)
		require.NoError(t, syscall.Kill(pid, syscall.SIGQUIT))
		<-s.done
		require.ErrorContains(t, s.Stop(), "immediate shutdown")
		requireGone(t, pid, s.dir)
	})
}

func TestStart_TwoProcessesMakeOneTemplate(t *testing.T) {
	t.Parallel()
	full(t)
	processesMakeOneTemplate(t, 2)
}

func TestSoak_StartSeveralProcessesMakeOneTemplate(t *testing.T) {
	t.Parallel()
	soak(t)
	processesMakeOneTemplate(t, 6)
}

func processesMakeOneTemplate(t *testing.T, n int) {
	t.Helper()

	h := testHost(t)
	h.cache = folder(t)

	processes := make([]*process, n)
	for i := range processes {
		processes[i] = startHelper(t, h, "", "")
	}

	for _, p := range processes {
		p.waitServer(t)
		require.NoError(t, p.stdin.Close())
		require.NoError(t, p.cmd.Wait())
	}

	left := entries(t, h.cache)
	require.Len(t, left, 2)
	require.Contains(t, left[0], "template-1")
	require.Equal(t, "template.lock", left[1])
	require.Empty(t, entries(t, h.temp))
}

func TestStart_AsRoot(t *testing.T) {
	t.Parallel()
	full(t)

	if os.Geteuid() != 0 {
		t.Skip("is not root")
	}

	h := testHost(t)

	for kind, name := range map[string]string{"throwaway": "", "kept": newName()} {
		t.Run("the data and the run folder are not root's, "+kind, func(t *testing.T) {
			t.Parallel()

			s := start(t, h, name)
			require.NotZero(t, h.uid)

			for _, dir := range []string{s.dir, dataFolder(t, s), filepath.Join(dataFolder(t, s), "base")} {
				info, err := os.Stat(dir)
				require.NoError(t, err)
				require.True(t, ownedBy(info, h.uid), dir)
				require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), dir)
			}
		})
	}

	t.Run("the server has no supplementary groups and a folder of its own", func(t *testing.T) {
		t.Parallel()

		out, err := h.command(t.Context(), "/bin/sh", "-c", "id -G; cd; pwd").Output()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%d\n/\n", h.gid), string(out))
	})
}
