package main

import (
	"context"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/layer/localpg"
	"musicstore/layer/wireproxy"
)

// shadows are what a role makes that may create in public: functions whose arguments fit better than those of
// PostgreSQL's own. Each makes the role a superuser when a superuser runs it.
const shadows = `
SET ROLE mallory;
CREATE FUNCTION public.rise() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('is_superuser') = 'on' THEN
        ALTER ROLE mallory SUPERUSER;
    END IF;
    RETURN true;
END $$;
CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS
    'SELECT pg_catalog.unnest($1) WHERE public.rise()';
CREATE FUNCTION public.unnest(bigint[]) RETURNS SETOF bigint LANGUAGE sql AS
    'SELECT pg_catalog.unnest($1) WHERE public.rise()';
CREATE FUNCTION public.unnest(name[]) RETURNS SETOF name LANGUAGE sql AS
    'SELECT pg_catalog.unnest($1) WHERE public.rise()';
CREATE FUNCTION public.plainto_tsquery(text, text) RETURNS tsquery LANGUAGE sql AS
    'SELECT pg_catalog.plainto_tsquery($2) WHERE public.rise()';
CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE sql AS
    'SELECT pg_catalog.quote_ident($1::text) WHERE public.rise()';
CREATE FUNCTION public.format(text, name) RETURNS text LANGUAGE sql AS 'SELECT $1 WHERE public.rise()';
CREATE FUNCTION public.count(text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint WHERE public.rise()';
CREATE FUNCTION public.coincide(name, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.rise()';
CREATE OPERATOR public.|| (leftarg = text, rightarg = name, function = public.format);
RESET ROLE`

// TestSoak_Shadowing also runs the demo, which is the slowest, where nothing is wrong.
func TestSoak_Shadowing(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	shadowing(t)
}

func TestShadowing(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	shadowing(t)
}

func shadowing(t *testing.T) {
	t.Helper()
	server, err := localpg.TempInMemory(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	url := server.URL("postgres")
	admin, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer admin.Close(context.WithoutCancel(t.Context()))
	run := func(sql string) {
		_, err := admin.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	hasRisen := func() (super bool) {
		require.NoError(t, admin.QueryRow(t.Context(), "SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'").Scan(&super))

		return super
	}
	require.Equal(t, ok, musicstore(t, "init", "--database-url", url).status, "nobody else can log in")
	require.Equal(t, ok, musicstore(t, "import", "catalog.jsonl", "--database-url", url).status)
	run("CREATE ROLE mallory LOGIN; GRANT CREATE ON SCHEMA public TO mallory; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	run(shadows)

	run("BEGIN; SELECT x FROM unnest(ARRAY['x']) AS x")
	require.True(t, hasRisen(), "the control")
	run("ROLLBACK")
	require.False(t, hasRisen())

	asked := [][]string{
		{"init"},
		{"import", "catalog.jsonl"},
		{"export"},
		{"search", "blue"},
		{"check"},
		{"report", "sales"},
		{"explain", "GetAlbum", "1"},
		{"demo"},
		{"graph"},
		{"grants", "shop"},
	}
	const revoke = "REVOKE CREATE ON SCHEMA public FROM mallory;"
	run("DROP TABLE password_resets") // init has something to make
	for _, args := range asked {
		got := musicstore(t, append(args, "--database-url", url)...)
		require.False(t, hasRisen(), args)
		if args[0] == "graph" || args[0] == "grants" { // which run nothing of db/
			require.Equal(t, ok, got.status, "%s: %s", args, got.err)

			continue
		}
		require.Equal(t, failed, got.status, args)
		require.Contains(t, got.err, "refused for a superuser: role mallory can make functions in schema public", args)
		require.Contains(t, got.err, revoke, args)
	}

	run(revoke)
	got := musicstore(t, "search", "blue", "--database-url", url)
	require.Equal(t, failed, got.status, "what was made before is still there")
	require.NotContains(t, got.err, revoke)
	remedies := regexp.MustCompile(`DROP [^;]*;`).FindAllString(got.err, -1)
	require.Contains(t, remedies, "DROP ROUTINE public.plainto_tsquery(text, text);")
	require.Contains(t, remedies, "DROP OPERATOR public.||(text, name);")
	require.Contains(t, remedies, "DROP ROUTINE public.unnest(text[]);")
	run("DROP OPERATOR public.||(text, name)") // which uses one of the functions
	for _, remedy := range remedies {
		if !strings.HasPrefix(remedy, "DROP OPERATOR") {
			run(remedy)
		}
	}
	run("DROP FUNCTION public.coincide(name, text), public.rise()") // check would say that they are extra
	for _, args := range asked {
		if args[0] != "import" && (args[0] != "demo" || os.Getenv("MUSICSTORE_SOAK") != "") { // all of it is there
			got := musicstore(t, append(args, "--database-url", url)...)
			require.Equal(t, ok, got.status, "%s: %s", args, got.err)
			require.NotContains(t, got.err, "mallory")
		}
	}
	require.False(t, hasRisen())

	// Any other session is warned, and works.
	run("GRANT CREATE ON SCHEMA public TO mallory; CREATE ROLE shop LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO shop")
	got = musicstore(t, "export", "--database-url", url+"&user=shop")
	require.Equal(t, ok, got.status)
	require.Equal(t, "musicstore: warning: role mallory can make functions in schema public of the search_path, which run "+
		"with your rights: "+revoke+"\n", got.err)
}

// silent are the commands that ask a server which stops to answer at some message.
var silent = map[string][]string{
	"init": {"init"}, "check": {"check"}, "import": {"import", "catalog.jsonl"}, "export": {"export"}, "graph": {"graph"},
	"report": {"report", "sales"}, "search": {"search", "blue"}, "demo": {"demo"},
	"explain": {"explain", "GetAlbum", "1"}, "slow": {"slow"},
}

// bound is far more than a command may take whose --timeout is a second or less, and less than the time limits of its parts
// together.
const bound = 12 * time.Second

func TestTimeout_BoundsASilentServer(t *testing.T) {
	t.Parallel()
	boundsSilence(t, []int{30}, "import")
}

func TestSoak_TimeoutBoundsASilentServer(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	boundsSilence(t, []int{12, 30}, slices.Collect(maps.Keys(silent))...)
}

// boundsSilence runs commands on a server that falls silent at a message: in the first look, or in the work.
func boundsSilence(t *testing.T, messages []int, names ...string) {
	t.Helper()
	for _, name := range names {
		args := silent[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, at := range messages {
				url := dbtest.EmptyURL(t)
				if name != "init" && name != "demo" {
					require.Equal(t, ok, musicstore(t, "init", "--database-url", url).status)
				}
				proxy := wireproxy.New(t, url)
				proxy.Set(wireproxy.Nth[pgproto3.Message](at, wireproxy.Stall))
				start := time.Now()
				got := musicstore(t, append(args, "--timeout=300ms", "--database-url", proxy.URL(""))...)
				require.Less(t, time.Since(start), bound, at)
				if got.status != ok { // it had fewer messages
					require.Contains(t, got.err, "within 300ms (--timeout)", at)
				}
			}
		})
	}
}

func TestInterrupt_EndsACommandOnASilentServer(t *testing.T) {
	t.Parallel()
	endsInSilence(t, "init")
}

func TestSoak_InterruptEndsACommandOnASilentServer(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	endsInSilence(t, "check", "import")
}

func endsInSilence(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		args := silent[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.EmptyURL(t)
			if name != "init" && name != "demo" {
				require.Equal(t, ok, musicstore(t, "init", "--database-url", url).status)
			}
			proxy := wireproxy.New(t, url)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			stall := wireproxy.Nth[pgproto3.Message](16, wireproxy.Stall)
			stalled := make(chan struct{}, 1)
			proxy.Set(func(m wireproxy.Message) wireproxy.Action {
				do := stall(m)
				if do == wireproxy.Stall {
					stalled <- struct{}{}
				}

				return do
			})
			done := make(chan int, 1)
			go func() {
				done <- run(ctx, append(args, "--database-url", proxy.URL("")), strings.NewReader(""), io.Discard, io.Discard)
			}()
			<-stalled
			interrupt()
			select {
			case status := <-done:
				require.Equal(t, failed, status)
			case <-time.After(bound):
				t.Fatal("it does not end")
			}
		})
	}
}

func TestTimeout_BoundsAStoppedBackend(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	boundsAStoppedBackend(t, false)
}

func TestSoak_InterruptEndsWhereABackendIsStopped(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	boundsAStoppedBackend(t, true)
}

func boundsAStoppedBackend(t *testing.T, interruptions ...bool) {
	t.Helper()
	for _, interrupted := range interruptions {
		url := dbtest.URL(t)
		watch, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		defer watch.Close(context.WithoutCancel(t.Context()))
		in, feed := io.Pipe()
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		args := []string{"import", "-", "--database-url", url}
		if !interrupted {
			args = append(args, "--timeout=1s")
		}
		done := make(chan int, 1)
		go func() { done <- run(ctx, args, in, io.Discard, io.Discard) }()
		_, err = io.WriteString(feed, blueTrain+strings.Repeat(" ", batchBytes)+"\n") // a statement's worth
		require.NoError(t, err)
		var pid int
		require.Eventually(t, func() bool {
			return watch.QueryRow(t.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
				AND state = 'idle in transaction' AND query LIKE 'release%'`).Scan(&pid) == nil
		}, time.Minute, 10*time.Millisecond)
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Skipf("the server is another user's or on another machine: %v", err)
		}
		defer syscall.Kill(pid, syscall.SIGCONT)
		line := strings.Replace(blueTrain, "Blue", "Red", 1) + strings.Repeat(" ", batchBytes) + "\n"
		go func() {
			_, _ = io.WriteString(feed, line)
			_ = feed.Close()
		}()
		if interrupted {
			time.Sleep(100 * time.Millisecond) // it may be anywhere: each place has to end
			interrupt()
		}
		select {
		case status := <-done:
			require.Equal(t, failed, status)
		case <-time.After(bound):
			t.Fatal("it does not end")
		}
		require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
		require.Eventually(t, func() bool { // it finds that its client has gone
			var n int
			err := watch.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid).Scan(&n)

			return err == nil && n == 0
		}, time.Minute, 10*time.Millisecond)
		require.Empty(t, albums(t, url), "interrupted: %t", interrupted)
	}
}
