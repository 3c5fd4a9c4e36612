package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/internal/schema"
	"musicstore/layer/localpg"
)

// every returns a command and all that are below it, also those that cobra adds.
func every(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, every(sub)...)
	}

	return all
}

func TestCommands(t *testing.T) {
	t.Parallel()
	newRoot := func() *cobra.Command { // one for each part, because to list the commands sorts them
		root := (&app{out: io.Discard, err: io.Discard}).rootCommand()
		root.InitDefaultHelpCmd()
		root.InitDefaultCompletionCmd()

		return root
	}

	t.Run("AreEachInAGroup", func(t *testing.T) {
		t.Parallel()
		groups, root := map[string][]string{}, newRoot()
		for _, cmd := range root.Commands() {
			require.True(t, root.ContainsGroup(cmd.GroupID), cmd.Name())
			groups[cmd.GroupID] = append(groups[cmd.GroupID], cmd.Name())
		}
		require.Equal(t, map[string][]string{
			"start":   {"demo", "init"},
			"data":    {"export", "import", "search"},
			"schema":  {"check", "grants", "graph", "migrate"},
			"reports": {"explain", "report", "slow"},
			"other":   {"completion", "help"},
		}, groups)
	})
	t.Run("AreEachDescribedByOneShortSentence", func(t *testing.T) {
		t.Parallel()
		commands := every(newRoot())
		require.Greater(t, len(commands), 15)
		for _, cmd := range commands {
			require.NotEmpty(t, cmd.Short, cmd.CommandPath())
			require.LessOrEqual(t, utf8.RuneCountInString(cmd.Short), 80, cmd.CommandPath())
			require.NotRegexp(t, `;|\. |\.\z|\n`, cmd.Short, cmd.CommandPath())
		}
	})
	t.Run("HaveHelpThatFitsATerminal", func(t *testing.T) {
		t.Parallel()
		for _, cmd := range all(newRoot()) {
			for line := range strings.Lines(cmd.Long) {
				require.LessOrEqual(t, utf8.RuneCountInString(line), 120, line)
			}
		}
	})
	t.Run("AreShownInTheirGroups", func(t *testing.T) {
		t.Parallel()
		got := musicstore(t, "help")
		require.Equal(t, ok, got.status)
		at := 0
		for _, title := range []string{
			"\nStart:\n  demo ", "\nData:\n  export ", "\nSchema:\n  check ", "\nReports:\n  explain ", "\nOther:\n  completion ",
		} {
			next := strings.Index(got.out, title)
			require.Greater(t, next, at, title)
			at = next
		}
		require.NotContains(t, got.out, "Additional Commands")
	})
}

// all are the commands of the store itself.
func all(root *cobra.Command) (own []*cobra.Command) {
	for _, cmd := range every(root) {
		if !strings.Contains(cmd.CommandPath(), " completion") && cmd.Name() != "help" {
			own = append(own, cmd)
		}
	}

	return own
}

// A user meets these errors on a server. Each ends with what to do next, on a line of its own.
func TestErrors_SayWhatToDoNext(t *testing.T) {
	t.Parallel()
	dsn, empty, old := dbtest.URL(t), dbtest.EmptyURL(t), dbtest.URL(t)
	change(t, old, "DROP FUNCTION fold_name CASCADE", "ALTER TABLE purchases DROP COLUMN payment_ref CASCADE",
		"CREATE TABLE mine (id bigint)", "INSERT INTO mine VALUES (1)")
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	require.NoError(t, os.WriteFile(bad, []byte("{}\n"), 0o600))
	const dead = "postgres://u:secretpw@127.0.0.1:1/x"
	for name, test := range map[string]struct {
		args       []string
		url        string
		says, next string
	}{
		"NoServer":               {[]string{"search", "a"}, dead, "open: the database is not available: ", checkServer},
		"NoURL":                  {[]string{"check"}, "u:secretpw@h/x", "open: database URL: can't be read: ", checkURL},
		"NoPort":                 {[]string{"check"}, "postgres://u:secretpw@h:port/x", "open: port: ", checkURL},
		"NoSuchSetting":          {[]string{"init"}, empty + "&no_such_setting=secretpw", "open: no_such_setting: ", checkURL},
		"NoDatabase":             {[]string{"export"}, ofNoDatabase(t, dsn), `(SQLSTATE 3D000)`, checkDatabase},
		"NoRole":                 {[]string{"export"}, dsn + "&user=nobody_at_all", `(SQLSTATE 28000)`, checkLogin},
		"NoTables":               {[]string{"report", "sales"}, empty, `relation "purchases" does not exist`, runInit},
		"NoTablesToSearch":       {[]string{"search", "a"}, empty, `relation "albums" does not exist`, runInit},
		"NoFunctionOfToday":      {[]string{"search", "a"}, old, `function "fold_name" does not exist`, runCheck},
		"NoSchema":               {[]string{"init"}, empty + "&search_path=nowhere", "the search_path names no schema", checkSchemaName},
		"NoSchemaToCheck":        {[]string{"check"}, empty + "&search_path=nowhere", ": create one, or set another search_path", ""},
		"NoSchemaToMigrate":      {[]string{"migrate"}, empty + "&search_path=nowhere", ": create one, or set another search_path", ""},
		"ReadOnlyInit":           {[]string{"init"}, empty + "&default_transaction_read_only=on", "(SQLSTATE 25006)", askPrimary},
		"ReadOnlyImport":         {[]string{"import", "catalog.jsonl"}, dsn + "&default_transaction_read_only=on", "takes no writes\n", askPrimary},
		"Differences":            {[]string{"check"}, old, "differences from db/schema", runPlan},
		"RefusedMigration":       {[]string{"migrate", "--prune"}, old, "--allow-loss", resolveRefusals},
		"NoFile":                 {[]string{"import", "no-such-file"}, dsn, "no such file or directory\nNothing was imported", checkFile},
		"AFolder":                {[]string{"import", "."}, dsn, "is a directory\nNothing was imported", checkFile},
		"ABadLine":               {[]string{"import", bad}, dsn, "line 1: name: is missing\nNothing was imported", correctFile},
		"TooManyWords":           {[]string{"search", strings.Repeat("a", 201)}, dsn, "text: has more than 200 characters", correctWords},
		"APlaceOfNothing":        {[]string{"search", "a", "--after", "x"}, dsn, "after: ", startOver},
		"ARangeFromTheEnd":       {[]string{"search", "a", "--price", "9-1"}, dsn, "price_cents_from: ", swapBounds},
		"TheServersTimeLimit":    {[]string{"init"}, empty + "&statement_timeout=1", "(SQLSTATE 57014)", raiseLimit},
		"ASettingThatChangesSQL": {[]string{"search", "a"}, dsn + "&standard_conforming_strings=off", "open: standard_conforming_strings: ", checkURL},
		"AReadOnlySessionsOwn":   {[]string{"check"}, dsn + "&default_transaction_read_only=on", "ask the primary", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := musicstore(t, append(test.args, "--database-url", test.url)...)
			require.Equal(t, failed, got.status)
			require.Contains(t, got.err, test.says)
			require.NotContains(t, got.err, "secretpw")
			if test.next == "" {
				require.Equal(t, 1, strings.Count(got.err, "\n"), got.err)

				return
			}
			require.True(t, strings.HasSuffix(got.err, "\n"+test.next+"\n"), got.err)
		})
	}
}

// ofNoDatabase returns the URL of a database that does not exist, on the same server.
func ofNoDatabase(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	u.Path = "/no_such_database"

	return u.String()
}

// A role without rights is told who can give them.
func TestErrors_OfARoleWithoutRights(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	dsn, empty := dbtest.URL(t), dbtest.EmptyURL(t)
	config, err := pgx.ParseConfig(empty)
	require.NoError(t, err)
	admin, err := pgx.ParseConfig(dbtest.AdminURL(t))
	require.NoError(t, err)
	admin.Database = config.Database
	asAdmin := func(statements string) error {
		conn, err := pgx.ConnectConfig(context.WithoutCancel(t.Context()), admin)
		if err != nil {
			return err
		}
		_, err = conn.Exec(context.WithoutCancel(t.Context()), statements)

		return errors.Join(err, conn.Close(context.WithoutCancel(t.Context())))
	}
	role := "guest_" + config.Database[len(config.Database)-8:]
	require.NoError(t, asAdmin("CREATE ROLE "+role+" LOGIN PASSWORD 'guest'; REVOKE CREATE ON SCHEMA public FROM PUBLIC")) // which PostgreSQL 14 grants
	t.Cleanup(func() {
		if err := asAdmin("DROP ROLE " + role); err != nil {
			t.Errorf("drop the role: %v", err)
		}
	})
	for name, test := range map[string]struct {
		args []string
		url  string
		next string
	}{
		"Import": {[]string{"import", "catalog.jsonl"}, dsn, askForGrants},
		"Search": {[]string{"search", "a"}, dsn, askForGrants},
		"Init":   {[]string{"init"}, empty, askOwner},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := musicstore(t, append(test.args, "--database-url", test.url+"&user="+role+"&password=guest")...)
			require.Equal(t, failed, got.status)
			require.Contains(t, got.err, "SQLSTATE 42501")
			require.True(t, strings.HasSuffix(got.err, "\n"+test.next+"\n"), got.err)
		})
	}
}

// A locked table is told at the end of the time limit, with the session that has it.
func TestErrors_OfALockedTable(t *testing.T) {
	t.Parallel()
	dsn := dbtest.URL(t)
	holder, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer holder.Close(context.WithoutCancel(t.Context()))
	_, err = holder.Exec(t.Context(), "BEGIN; LOCK TABLE albums")
	require.NoError(t, err)
	got := musicstore(t, "search", "a", "--timeout", "3s", "--database-url", dsn)
	require.Equal(t, failed, got.status)
	require.Regexp(t, `it waits for a lock of the session \d+\n`+
		`Wait until that session ends, or end it with: SELECT pg_terminate_backend\(\d+\)\n\z`, got.err)
	got = musicstore(t, "search", "a", "--database-url", dsn+"&lock_timeout=100")
	require.Equal(t, failed, got.status)
	require.True(t, strings.HasSuffix(got.err, "\n"+waitForLock+"\n"), got.err)
}

// These are errors that a test can't bring about without much ado.
func TestNextStep(t *testing.T) {
	t.Parallel()
	code := func(code string) error { return &pgconn.PgError{Code: code} }
	for name, test := range map[string]struct {
		command string
		err     error
		next    string
	}{
		"OfAnInterruptIsNone":           {"import", context.Canceled, ""},
		"OfAnUnknownErrorIsNone":        {"export", errors.New("what"), ""},
		"OfAWrongPassword":              {"search", code("28P01"), checkLogin},
		"OfARoleThatMayNotConnect":      {opening, code("42501"), askToConnect},
		"OfARenamedTable":               {"init", schema.ErrRenamed, runMigrate},
		"OfADeadlock":                   {"import", code("40P01"), runAgain},
		"OfTooManyConnectionsIsInIt":    {"search", errors.Join(code("53300"), repo.ErrUnavailable), ""},
		"OfALostConnection":             {"export", errors.Join(code("57P01"), repo.ErrUnavailable), checkServer},
		"OfACommitInDoubt":              {"demo", errors.Join(repo.ErrOutcomeUnknown, repo.ErrUnavailable), lookFirst},
		"OfATimeLimitInACommit":         {"import", errors.Join(repo.ErrOutcomeUnknown, noConnection(1)), lookFirst},
		"OfAnAdvisedErrorIsItsOwn":      {"import", errors.Join(code("42P01"), &advisedError{repo.ErrUnique, "x"}), "x"},
		"OfAPrivateServerInUse":         {"demo", localpg.ErrInUse, waitForOther},
		"OfNoPostgreSQLIsInIt":          {"demo", localpg.ErrNotInstalled, ""},
		"OfAMissingConstraint":          {"import", code("42P10"), runCheck},
		"OfAKnownAlbumIsOfImportsAlone": {"demo", repo.ErrUnique, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.next, nextStep(test.command, test.err))
		})
	}
	require.ErrorContains(t, localpg.ErrNotInstalled, "install it")
	require.ErrorContains(t, localpg.ErrNotInstalled, "or set DATABASE_URL")
	for _, next := range nextByCode {
		require.NotRegexp(t, `\.\z|\n`, next)
	}
}
