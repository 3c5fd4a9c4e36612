package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"RefusesAnImportOfNoFile":      {[]string{"import"}, "accepts 1 arg(s), received 0"},
		"RefusesAnImportOfTwoFiles":    {[]string{"import", "a", "b"}, "accepts 1 arg(s), received 2"},
		"RefusesAnUnknownCommand":      {[]string{"sell"}, `unknown command "sell" for "musicstore"`},
		"RefusesAWordAfterInit":        {[]string{"init", "all"}, `unknown command "all" for "musicstore init"`},
		"RefusesAWordAfterDemo":        {[]string{"demo", "all"}, `unknown command "all" for "musicstore demo"`},
		"RefusesGrantsToNobody":        {[]string{"grants"}, "accepts 1 arg(s), received 0"},
		"RefusesGrantsToTwo":           {[]string{"grants", "a", "b"}, "accepts 1 arg(s), received 2"},
		"RefusesGrantsToNoName":        {[]string{"grants", ""}, "a role and a schema have names that are not empty"},
		"RefusesGrantsInNoSchema":      {[]string{"grants", "a", "--schema="}, "a role and a schema have names that are not empty"},
		"RefusesAWordAfterCheck":       {[]string{"check", "all"}, `unknown command "all" for "musicstore check"`},
		"RefusesAnUnknownFlag":         {[]string{"import", "--force", "f"}, "unknown flag: --force"},
		"RefusesAFlagWithoutItsValue":  {[]string{"init", "--database-url"}, "flag needs an argument: --database-url"},
		"RefusesAFlagWithAnotherValue": {[]string{"init", "--echo=maybe"}, `invalid argument "maybe" for "--echo" flag`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := musicstore(t, test.args...)
			require.Equal(t, misuse, got.status)
			require.Empty(t, got.out)
			require.Contains(t, got.err, "musicstore: "+test.says)
			require.Contains(t, got.err, "\nSee 'musicstore help'.\n")
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	const commands, demos = "Available Commands:", "Examples:\n  musicstore demo\n"
	const inits, imports = "Examples:\n  musicstore init\n", "Examples:\n  musicstore import cmd/musicstore/catalog.jsonl\n"
	for name, test := range map[string]struct {
		args  []string
		shows string
	}{
		"IsWhatNoWordGives":      {[]string{}, commands},
		"IsACommand":             {[]string{"help"}, commands},
		"IsAFlag":                {[]string{"--help"}, commands},
		"ShowsExamplesOfADemo":   {[]string{"demo", "--help"}, demos},
		"ShowsExamplesOfAnInit":  {[]string{"init", "-h"}, inits},
		"ShowsExamplesOfImports": {[]string{"import", "--help"}, imports},
		"ShowsExamplesOfGrants":  {[]string{"grants", "--help"}, "Examples:\n  musicstore grants shop | psql"},
		"ShowsExamplesOfChecks":  {[]string{"check", "--help"}, "Examples:\n  musicstore check\n"},
		"KnowsTheCommands":       {[]string{"help", "import"}, imports},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := musicstore(t, test.args...)
			require.Equal(t, ok, got.status)
			require.Empty(t, got.err)
			require.Contains(t, got.out, test.shows)
			require.Contains(t, got.out, "--database-url string")
			require.Contains(t, got.out, "--echo")
		})
	}
}

func TestDatabaseURL(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://u:secretpw@127.0.0.1:1/x")
	for name, args := range map[string][]string{ //nolint:paralleltest // the environment is set
		"IsNotShownByHelp":         {"help"},
		"IsNotShownByTheHelpFlag":  {"--help"},
		"IsNotShownByHelpOfImport": {"import", "--help"},
		"IsNotShownByMisuse":       {"import"},
		"IsNotShownByAWrongFlag":   {"init", "--database"},
		"IsNotShownByCompletion":   {"__complete", "init", "--"},
		"IsNotShownByAFailure":     {"init", "--echo"},
	} {
		t.Run(name, func(t *testing.T) {
			got := musicstore(t, args...)
			require.NotEmpty(t, got.out+got.err)
			require.NotContains(t, got.out+got.err, "secretpw")
		})
	}
	t.Run("IsWhereTheCommandsGo", func(t *testing.T) { //nolint:paralleltest // the environment is set
		got := musicstore(t, "init")
		require.Equal(t, failed, got.status)
		require.Contains(t, got.err, "127.0.0.1:1")
	})
	t.Run("GivesWayToTheFlag", func(t *testing.T) { //nolint:paralleltest // the environment is set
		got := musicstore(t, "init", "--database-url", "postgres://127.0.0.1:2/x")
		require.Equal(t, failed, got.status)
		require.Contains(t, got.err, "127.0.0.1:2")
		require.NotContains(t, got.err, "127.0.0.1:1")
	})
}

// What the echo hides, TestDemo looks at: nothing else has a secret.
func TestEcho(t *testing.T) {
	t.Parallel()

	t.Run("PrintsTheSQLOnStandardErrorOnly", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		got := musicstore(t, "import", "catalog.jsonl", "--echo", "--database-url", url)
		require.Equal(t, ok, got.status)
		require.Equal(t, "imported 10 albums with 101 tracks\n", got.out)
		require.Regexp(t, `(?s)\ABEGIN \|.*\nCreateAlbums \| WITH listed AS .* \| names=\["Kind of Blue", .*\], `+
			`urls=\["kind-of-blue", .*\nCOMMIT \|[^\n]*\n\z`, got.err)
	})
	t.Run("ShowsHowAnImportIsUndone", func(t *testing.T) {
		t.Parallel()
		got := musicstoreFrom(t, lines(blueTrain, blueTrain), "import", "-", "--echo", "--database-url", dbtest.URL(t))
		require.Equal(t, failed, got.status)
		require.Regexp(t, `\nROLLBACK \|[^\n]*\nmusicstore: `, got.err)
		require.NotContains(t, got.err, "COMMIT")
	})
}
