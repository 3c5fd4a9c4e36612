package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
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
		"RefusesAnImportOfNoFile":     {[]string{"import"}, "import needs a FILE"},
		"RefusesAnImportOfTwoFiles":   {[]string{"import", "a", "b"}, "import takes one FILE, but got 2"},
		"RefusesAnUnknownCommand":     {[]string{"sell"}, `unknown command "sell" for "musicstore"`},
		"RefusesAWordAfterInit":       {[]string{"init", "all"}, `init takes no arguments, but got "all"`},
		"RefusesAWordAfterDemo":       {[]string{"demo", "all"}, `demo takes no arguments, but got "all"`},
		"RefusesGrantsToNobody":       {[]string{"grants"}, "grants needs a ROLE"},
		"RefusesGrantsToTwo":          {[]string{"grants", "a", "b"}, "grants takes one ROLE, but got 2"},
		"RefusesGrantsToNoName":       {[]string{"grants", ""}, "grants: a role and a schema have names that are not empty"},
		"RefusesGrantsInNoSchema":     {[]string{"grants", "a", "--schema="}, "grants: a role and a schema have names that are not empty"},
		"RefusesAWordAfterExport":     {[]string{"export", "f"}, `export takes no arguments, but got "f"`},
		"RefusesAWordAfterGraph":      {[]string{"graph", "f"}, `graph takes no arguments, but got "f"`},
		"RefusesAnUnknownReport":      {[]string{"report", "cash"}, `report "cash": must be one of accounts, albums, sales`},
		"RefusesAWordAfterAReport":    {[]string{"report", "sales", "x"}, `sales takes no arguments, but got "x"`},
		"RefusesAReportOfNoDay":       {[]string{"report", "sales", "--days", "0"}, "--days 0: must be from 1 to 3660"},
		"RefusesAReportOfTooManyDays": {[]string{"report", "accounts", "--days=3661"}, "--days 3661: must be from 1 to 3660"},
		"RefusesAReportOfDaysInWords": {[]string{"report", "accounts", "--days=ten"}, `--days "ten": must be a whole number`},
		"RefusesAReportOfNoAlbum":     {[]string{"report", "albums", "--limit", "0"}, "--limit 0: must be from 1 to 1000"},
		"RefusesAZoneThatThereIsNot": {
			[]string{"report", "sales", "--tz", "Mars/Olympus"},
			`--tz "Mars/Olympus": must be UTC, Local or a time zone such as Europe/Berlin`,
		},
		"RefusesAZoneOutsideItsFolder": {[]string{"report", "albums", "--tz", "../etc/passwd"}, `--tz "../etc/passwd": must be `},
		"RefusesNoZone":                {[]string{"report", "albums", "--tz="}, `--tz "": must be `},
		"RefusesATimeoutWithoutUnit":   {[]string{"init", "--timeout", "5"}, `--timeout "5": must be a duration such as 500ms, 30s or 5m`},
		"RefusesATimeoutBelowZero":     {[]string{"init", "--timeout", "-5s"}, "--timeout -5s: must be 0 or more"},
		"RefusesHelpForNoCommand":      {[]string{"help", "sell"}, `there is no command "sell"`},
		"RefusesHelpForNoReport":       {[]string{"help", "report", "cash"}, `there is no command "report cash"`},
		"RefusesAnUnknownShell":        {[]string{"completion", "tcsh"}, `completion "tcsh": must be one of bash, fish, powershell, zsh`},
		"RefusesAnExplainOfNothing":    {[]string{"explain"}, "explain needs a QUERY of db/queries, such as ListAlbums"},
		"RefusesAnExplainOfNoQuery":    {[]string{"explain", "listalbums"}, "explain: listalbums: no query has this name, but there is ListAlbums"},
		"RefusesAnExplainWithoutAll":   {[]string{"explain", "ListAlbums", "20"}, "explain ListAlbums: missing: page_size int4"},
		"RefusesAnExplainWithMore":     {[]string{"explain", "GetAlbum", "1", "2"}, "explain GetAlbum: 2 arguments are too many: it has the parameters id int8"},
		"RefusesAnExplainOfAWrite":     {[]string{"explain", "PublishAlbum", "1"}, "explain PublishAlbum: it writes or locks rows: with --write it is run and rolled back"},
		"RefusesAnExplainOfACopy":      {[]string{"explain", "LoadTracks", "--write"}, "explain LoadTracks: a COPY has no plan"},
		"RefusesAWordAfterSlow":        {[]string{"slow", "x"}, `slow takes no arguments, but got "x"`},
		"RefusesASlowOfNoQuery":        {[]string{"slow", "--limit", "0"}, "--limit 0: must be from 1 to 1000"},
		"RefusesAWordAfterCheck":       {[]string{"check", "all"}, `check takes no arguments, but got "all"`},
		"RefusesAnUnknownFlag":         {[]string{"import", "--force", "f"}, "unknown flag: --force"},
		"RefusesAFlagWithoutItsValue":  {[]string{"init", "--database-url"}, "flag needs an argument: --database-url"},
		"RefusesAFlagWithAnotherValue": {[]string{"init", "--echo=maybe"}, `--echo "maybe": must be true or false`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := musicstore(t, test.args...)
			require.Equal(t, misuse, got.status)
			require.Empty(t, got.out)
			require.Contains(t, got.err, "musicstore: "+test.says)
			require.Regexp(t, `\nSee 'musicstore help(?: [a-z]+)*'\.\n\z`, got.err)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	const commands, demos = "\nStart:\n  demo  ", "Examples:\n  musicstore demo\n"
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
		"ShowsExamplesOfExports": {[]string{"export", "--help"}, "Examples:\n  musicstore export > catalog.jsonl\n"},
		"ShowsExamplesOfGraphs":  {[]string{"graph", "--help"}, "Examples:\n  musicstore graph\n"},
		"ShowsExamplesOfReports": {[]string{"report", "--help"}, "Examples:\n  musicstore report sales\n"},
		"ShowsExamplesOfAReport": {[]string{"report", "albums", "-h"}, "Examples:\n  musicstore report albums\n"},
		"IsWhatReportAloneGives": {[]string{"report"}, "Available Commands:"},
		"ShowsExamplesOfChecks":  {[]string{"check", "--help"}, "Examples:\n  musicstore check\n"},
		"ShowsExamplesOfExplain": {[]string{"explain", "--help"}, "Examples:\n  musicstore explain ListAlbums "},
		"ShowsExamplesOfSlow":    {[]string{"slow", "--help"}, "Examples:\n  musicstore slow\n"},
		"ShowsExamplesOfMigrate": {[]string{"migrate", "--help"}, "Examples:\n  musicstore migrate --plan\n"},
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

func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		got := musicstore(t, "completion", shell)
		require.Equal(t, ok, got.status)
		require.Contains(t, got.out, "musicstore")
	}
	require.Contains(t, musicstore(t, "__complete", "report", "").out, "albums\tShow the albums that sold best\n")
	require.Contains(t, musicstore(t, "__complete", "report", "sales", "--t").out, "--tz\t")
	require.Contains(t, musicstore(t, "__complete", "explain", "").out, "\nListAlbums\n")
	require.Contains(t, musicstore(t, "__complete", "explain", "ListAlbums", "").out, "page_size=\n")
}

// Programs get an object where people get a sentence.
func TestJSON(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"init"}, `{"created":["` + strings.Join(dbtest.Created(), `","`) + `"]}`},
		{[]string{"init"}, `{"created":[]}`},
		{[]string{"import", "catalog.jsonl"}, `{"albums":10,"tracks":101}`},
	} {
		require.Equal(t, result{ok, test.want + "\n", ""}, musicstore(t, append(test.args, "--json", "--database-url", url)...))
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

// full is a device without room.
type full struct{ left int }

var errNoSpace = errors.New("no space left on device")

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	if f.left -= n; n < len(p) {
		return n, errNoSpace
	}

	return n, nil
}

func TestEveryCommandFailsWhenItsOutputIsLost(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	url := dbtest.URL(t)
	require.Equal(t, ok, musicstore(t, "import", "catalog.jsonl", "--database-url", url).status)
	for _, args := range [][]string{
		{},
		{"help"},
		{"--help"},
		{"help", "import"},
		{"report"},
		{"completion", "bash"},
		{"grants", "shop"},
		{"demo"},
		{"init"},
		{"init", "--json"},
		{"check"},
		{"migrate"},
		{"migrate", "--plan"},
		{"migrate", "--log"},
		{"graph"},
		{"export"},
		{"search", "a"},
		{"explain", "GetAlbum", "1"},
		{"report", "sales"},
		{"report", "sales", "--json"},
		{"import", "/dev/null"},
	} {
		var errs bytes.Buffer
		status := run(t.Context(), append([]string{"--database-url", url}, args...), nil, &full{len(args)}, &errs)
		require.Equal(t, failed, status, "%v", args)
		require.Contains(t, errs.String(), errNoSpace.Error(), "%v", args)
		next := checkOutput
		if len(args) > 0 && slices.Contains([]string{"demo", "import", "init", "migrate"}, args[0]) {
			next = checkWork
		}
		require.True(t, strings.HasSuffix(errs.String(), "\n"+next+"\n"), "%v: %s", args, errs.String())
	}
}
