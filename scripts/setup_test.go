//go:build unix

package scripts_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// machine is a folder with a copy of the script that takes it for the root of the file system, and a folder of programs.
type machine struct {
	t    *testing.T
	root string
	env  []string
}

// newMachine returns a Debian with Go and a C compiler, on which nothing else is installed.
func newMachine(t *testing.T, user string) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir()}
	script, err := os.ReadFile("setup")
	require.NoError(t, err)
	text := regexp.MustCompile(`([\s='"])(/(?:usr|etc|opt|Library)/)`).ReplaceAllString(string(script), "${1}"+m.root+"${2}")
	m.write("project/scripts/setup", text)
	m.write("project/go.mod", "module x\n\ngo 1.26.0\n")
	for _, name := range []string{"dirname", "mkdir", "rm", "rmdir", "sed", "sh", "tr", "cat", "chmod"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(m.path("bin"), 0o700))
		require.NoError(t, os.Symlink(path, m.path("bin/"+name)))
	}
	m.write("uid", user)
	m.program("bin/id", "cat "+m.path("uid"))
	m.program("bin/go", `case "$*" in "env CC") echo cc ;; "env CGO_ENABLED") echo 1 ;; esac`)
	m.program("bin/cc", "exit 0")
	m.program("bin/apt-get", "echo apt-get $* >>"+m.path("log")+"\necho Unpacking\necho a warning >&2\n"+
		`case "$*" in *" install "* | install*) cat `+m.path("etc/postgresql-common/createcluster.d/*")+" >>"+m.path("log")+"\n"+
		"mkdir -p "+m.path("usr/lib/postgresql/15/bin")+"\ncd "+m.path("usr/lib/postgresql/15/bin")+"\n"+
		"echo '#!/bin/sh\necho \"postgres (PostgreSQL) 15.3\"' >postgres; echo >initdb; chmod +x initdb postgres ;; esac")

	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

func (m *machine) write(name, text string) {
	m.t.Helper()
	require.NoError(m.t, os.MkdirAll(filepath.Dir(m.path(name)), 0o700))
	require.NoError(m.t, os.WriteFile(m.path(name), []byte(text), 0o700))
}

func (m *machine) program(name, text string) {
	m.t.Helper()
	m.write(name, "#!/bin/sh\n"+text+"\n")
}

func (m *machine) postgresql(folder, version string) {
	m.t.Helper()
	m.program(folder+"/initdb", "")
	m.program(folder+"/postgres", "echo 'postgres (PostgreSQL) "+version+"'")
}

func (m *machine) without(program string) {
	m.t.Helper()
	require.NoError(m.t, os.Remove(m.path("bin/"+program)))
}

// log returns what was done to the machine.
func (m *machine) log() string {
	text, _ := os.ReadFile(m.path("log"))

	return string(text)
}

func (m *machine) environment() []string { return append([]string{"PATH=" + m.path("bin")}, m.env...) }

// setup runs the script without a terminal. It returns what it prints, and whether it succeeded.
func (m *machine) setup(needs ...string) (string, bool) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), m.path("project/scripts/setup"), needs...)
	cmd.Env = m.environment()
	out, err := cmd.CombinedOutput()
	m.t.Logf("%v: %v\n%s", cmd.Args, err, out)

	return string(out), err == nil
}

// onTerminal runs the script on a terminal, where somebody types the answer.
func (m *machine) onTerminal(answer string, needs ...string) (string, bool) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), m.path("project/scripts/setup"), needs...)
	cmd.Env = m.environment()
	terminal, err := pty.Start(cmd)
	require.NoError(m.t, err)
	defer terminal.Close()
	_, err = terminal.WriteString(answer)
	require.NoError(m.t, err)
	out, _ := io.ReadAll(terminal) // on Linux the end of the other side is an error
	err = cmd.Wait()
	m.t.Logf("%v on a terminal: %v\n%s", cmd.Args, err, out)

	return string(out), err == nil
}

const (
	root = "0"
	ada  = "1000"

	command   = "apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql"
	installed = "apt-get update -qq\napt-get install -y -qq --no-install-recommends postgresql\ncreate_main_cluster = false\n"
)

func TestSetup_ChangesNothingWherePostgreSQLIsInstalled(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"bin", "usr/lib/postgresql/14/bin", "usr/pgsql-17/bin"} {
		m := newMachine(t, root)
		m.postgresql("usr/lib/postgresql/9.6/bin", "9.6.24")
		m.postgresql(folder, "14.2 (Debian 14.2-1)")
		out, ok := m.setup("go", "postgresql")
		require.True(t, ok, folder)
		require.Empty(t, out+m.log())
	}
}

func TestSetup_PrintsTheCommandAndStops(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		user    string
		prepare func(m *machine)
		want    string
	}{
		"AsAUser":         {ada, func(*machine) {}, "Run this as root: " + command},
		"AsAUserWithSudo": {ada, func(m *machine) { m.program("bin/sudo", "exit 1") }, "Run this: sudo apt-get update -qq && sudo apt-get install"},
		"OnFedora": {root, func(m *machine) {
			m.without("apt-get")
			m.program("bin/dnf", "echo dnf >>"+m.path("log"))
		}, "Run this: dnf install postgresql-server"},
		"OnAnotherSystem":   {root, func(m *machine) { m.without("apt-get") }, "Install it, or set DATABASE_URL"},
		"WhereOneIsTooOld":  {root, func(m *machine) { m.postgresql("usr/lib/postgresql/13/bin", "13.22") }, "PostgreSQL 13 is too old"},
		"WhereOneIsBroken":  {ada, func(m *machine) { m.program("bin/initdb", ""); m.program("bin/postgres", "exit 127") }, command},
		"WhereOneIsNotFull": {ada, func(m *machine) { m.program("bin/initdb", "") }, command},
		"WithoutGo":         {root, func(m *machine) { m.without("go") }, "This project needs Go 1.26.0 or newer. https://go.dev/dl"},
		"WithAnOldGo":       {root, func(m *machine) { m.program("bin/go", "exit 1") }, "This project needs Go 1.26.0 or newer."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, test.user)
			test.prepare(m)
			out, ok := m.setup("go", "postgresql")
			require.False(t, ok)
			require.Contains(t, out, test.want)
			require.Empty(t, m.log())
		})
	}
}

func TestSetup_InstallsAsRootWithoutATerminal(t *testing.T) {
	t.Parallel()
	m := newMachine(t, root)
	out, ok := m.setup("go", "postgresql")
	require.True(t, ok)
	require.Equal(t, "Not installed: postgresql\nRunning: "+command+"\nThis takes a minute or two.\nInstalled: postgresql\n", out)
	require.Equal(t, installed, m.log())
	require.NoDirExists(t, m.path("etc/postgresql-common"))

	out, ok = m.setup("go", "postgresql")
	require.True(t, ok)
	require.Empty(t, out)
	require.Equal(t, installed, m.log())
}

func TestSetup_AFailedInstallationFails(t *testing.T) {
	t.Parallel()
	m := newMachine(t, root)
	m.program("bin/apt-get", "echo Reading lists; echo no network >&2; exit 100")
	out, ok := m.setup("postgresql")
	require.False(t, ok)
	require.Contains(t, out, "\nReading lists\nno network\nThe installation failed. Mend what it says above, then start again.\n")
	require.NoDirExists(t, m.path("etc/postgresql-common"))

	m.program("bin/apt-get", "exit 0")
	out, ok = m.setup("postgresql")
	require.False(t, ok)
	require.Contains(t, out, "The packages were installed, but postgresql is still missing")
}

func TestSetup_InstallsAVersionAndWhatTheTestsNeed(t *testing.T) {
	t.Parallel()
	m := newMachine(t, root)
	m.postgresql("usr/lib/postgresql/16/bin", "16.4")
	m.program("bin/cc", "exit 1")
	m.program("bin/service", "echo service $* >>"+m.path("log"))
	_, ok := m.setup("gcc", "postgresql-15", "pgbouncer")
	require.False(t, ok, "the control: apt-get has not installed gcc")
	require.Contains(t, m.log(), " gcc libc6-dev postgresql-15 pgbouncer\n")
	require.Contains(t, m.log(), "service pgbouncer stop\n")

	m.program("bin/cc", "")
	m.program("usr/sbin/pgbouncer", "")
	_, ok = m.setup("gcc", "postgresql-15", "postgresql-16", "pgbouncer")
	require.True(t, ok)
}

func TestSetup_AsksOnATerminal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		user, answer string
		want         string
	}{
		"RootSaysYes":     {root, "y\n", installed},
		"RootSaysNo":      {root, "n\n", ""},
		"RootSaysNothing": {root, "\n", ""},
		"UserSaysYes":     {ada, "yes\n", "sudo scripts/setup postgresql\n" + installed},
		"UserSaysNo":      {ada, "no\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, test.user)
			m.program("bin/sudo", "echo sudo $* >>"+m.path("log")+"\necho 0 >"+m.path("uid")+"\nexec \"$@\"")
			out, ok := m.onTerminal(test.answer, "postgresql")
			require.Contains(t, out, "apt-get install -y -qq --no-install-recommends postgresql\"? [y/N]")
			require.Equal(t, test.want != "", ok)
			require.Equal(t, test.want, m.log())
		})
	}
}

func TestSetup_RaceNeedsACompiler(t *testing.T) {
	t.Parallel()
	m := newMachine(t, ada)
	out, ok := m.setup("race")
	require.True(t, ok)
	require.Equal(t, "-race\n", out)

	m.without("cc")
	out, ok = m.setup("race")
	require.True(t, ok)
	require.Equal(t, "cgo is off, or there is no C compiler: the tests run without the race detector.\n-race=false\n", out)

	m.env = []string{"CI=true"}
	out, ok = m.setup("race")
	require.False(t, ok)
	require.NotContains(t, out, "-race")
}

// The script and localpg look for PostgreSQL in the same folders, and take the same versions.
func TestSetup_LooksWhereLocalpgLooks(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("setup")
	require.NoError(t, err)
	source, err := os.ReadFile("../layer/localpg/binaries.go")
	require.NoError(t, err)

	list := regexp.MustCompile(`(?s)distributions = .*?\n}`).FindString(string(source))
	var want []string
	for _, folder := range regexp.MustCompile(`"(/.*)",`).FindAllStringSubmatch(list, -1) {
		want = append(want, folder[1])
	}
	require.NotEmpty(t, want)
	got := regexp.MustCompile(`(?s)folders='(.*?)'`).FindSubmatch(script)
	require.Len(t, got, 2)
	require.Equal(t, want, strings.Fields(string(got[1])))

	oldest := regexp.MustCompile(`(?m)oldest += (\d+)$`).FindSubmatch(source)
	require.Len(t, oldest, 2)
	require.Contains(t, string(script), "\noldest="+string(oldest[1])+"\n")
}
