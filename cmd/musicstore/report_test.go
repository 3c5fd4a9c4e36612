package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

// sold returns the URL of a store that had an account and two sales today, and one sale the day before yesterday.
func sold(t *testing.T) (url string, today time.Time) {
	t.Helper()
	url = dbtest.URL(t)
	store := open(t, url)
	ctx := t.Context()
	today = time.Now().UTC().Truncate(24 * time.Hour)
	ada, err := store.CreateAccount(ctx, repo.NewAccount{Email: "a@x", PasswordHash: repo.NewPasswordHash("$argon2id$c2FsdA$aGFzaA"), CreatedAt: today})
	require.NoError(t, err)
	for _, sale := range []struct {
		album string
		at    time.Time
		cents int64
	}{
		{"Kind of \x1b[31mBlue", today, 999}, {"", today, 1}, {"Homogenic", today.AddDate(0, 0, -2), 500},
	} {
		if sale.album != "" {
			_, err := store.CreateAlbum(ctx, repo.NewAlbum{Name: sale.album, Year: 1991})
			require.NoError(t, err)
		}
		albums, err := store.ListAlbums(ctx, repo.Page{})
		require.NoError(t, err)
		_, err = store.RecordPurchase(ctx, repo.NewPurchase{
			AccountID: ada.ID, AlbumID: albums[len(albums)-1].ID, PaymentRef: repo.NewID(), AmountPaidCents: sale.cents,
			CreatedAt: sale.at,
		})
		require.NoError(t, err)
	}

	return url, today
}

func TestReport(t *testing.T) {
	t.Parallel()
	url, today := sold(t)
	day := func(ago int) string { return today.AddDate(0, 0, -ago).Format(time.DateOnly) }

	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"OfAccountsIsATable": {
			[]string{"accounts", "--days", "2"},
			"day (UTC)   accounts\n" + day(1) + "         0\n" + day(0) + "         1\n",
		},
		"OfAccountsIsAnObjectALine": {
			[]string{"accounts", "--days=2", "--json"},
			fmt.Sprintf("{\"day\":%q,\"accounts\":0}\n{\"day\":%q,\"accounts\":1}\n", day(1), day(0)),
		},
		"OfSalesHasTheDaysWithoutAny": {
			[]string{"sales", "--days", "3"},
			"day (UTC)   purchases   paid\n" + day(2) + "          1   5.00\n" + day(1) + "          0   0.00\n" +
				day(0) + "          2  10.00\n",
		},
		"OfSalesIsAnObjectALine": {
			[]string{"sales", "--json", "--days", "1"},
			fmt.Sprintf("{\"day\":%q,\"purchases\":2,\"amount_paid_cents\":1000}\n", day(0)),
		},
		"OfAlbumsHasTheBestFirst": {
			[]string{"albums", "--days", "3"},
			"album              purchases   paid\nKind of \ufffd[31mBlue          2  10.00\nHomogenic                  1   5.00\n",
		},
		"OfAlbumsIsCutAtTheLimit": {
			[]string{"albums", "--limit", "1", "--json"},
			`{"album_id":1,"name":"Kind of \u001b[31mBlue","purchases":2,"amount_paid_cents":1000}` + "\n",
		},
		"OfAlbumsIsAHeadAloneWhereNoneWasSold": {
			[]string{"albums", "--days", "1", "--tz", "Etc/GMT-14"}, "album  purchases  paid\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(name, "WhereNoneWasSold") {
				test.args = append(test.args, "--database-url", dbtest.URL(t))
			}
			require.Equal(t, result{ok, test.want, ""},
				musicstore(t, append([]string{"report", "--database-url", url}, test.args...)...))
		})
	}

	t.Run("HasThirtyDaysOfAZone", func(t *testing.T) {
		t.Parallel()
		got := musicstore(t, "report", "sales", "--tz", "Pacific/Apia", "--database-url", url)
		require.Equal(t, ok, got.status, got.err)
		require.Equal(t, 31, strings.Count(got.out, "\n"))
		require.True(t, strings.HasPrefix(got.out, "day (Pacific/Apia)  purchases"))
	})
	t.Run("SaysWhatCreatesTheTables", func(t *testing.T) {
		t.Parallel()
		got := musicstore(t, "report", "sales", "--database-url", dbtest.EmptyURL(t))
		require.Equal(t, failed, got.status)
		require.Contains(t, got.err, "Some tables are missing: run 'musicstore init'")
	})
}

func TestTable_Print(t *testing.T) {
	t.Parallel()
	rows := table{{"album", "n"}, {"Ágætis byrjun", "10"}, {"Dummy", "0"}, {"OK Computer", "5"}}
	printed := func(columns int) string {
		var out strings.Builder
		require.NoError(t, rows.print(&out, columns, []int64{0, 10, 0, 5}))

		return out.String()
	}

	t.Run("IsTextWhereThereIsNoTerminal", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "album           n\nÁgætis byrjun  10\nDummy           0\nOK Computer     5\n", printed(0))
	})
	t.Run("HasBarsAsWideAsThereIsRoomFor", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "album           n\nÁgætis byrjun  10  ███████\nDummy           0\nOK Computer     5  ███▌\n", printed(26))
	})
	t.Run("LeavesTheBarsOutBeforeItWraps", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, printed(0), printed(17))
	})
	t.Run("CutsTheFirstColumnBeforeItWraps", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "album     n\nÁgætis…  10\nDummy     0\nOK Com…   5\n", printed(11))
	})
	t.Run("FitsEveryTerminalThatIsNotTiny", func(t *testing.T) {
		t.Parallel()
		for columns := 8; columns < 200; columns++ {
			for line := range strings.Lines(printed(columns)) {
				require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), columns)
			}
		}
	})
}

// onTerminal runs musicstore on a terminal of so many columns, and returns all that this shows.
func onTerminal(t *testing.T, columns uint16, env string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asMain+"=1", "TERM=xterm", env)
	screen, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: columns})
	require.NoError(t, err)
	defer screen.Close()
	text, _ := io.ReadAll(screen) // the end of a terminal is an error on Linux
	require.NoError(t, cmd.Wait(), "%s", text)

	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	url, today := sold(t)
	date := today.Format(time.DateOnly)
	report := []string{"report", "sales", "--days", "1", "--database-url", url}
	const head = "day (UTC)   purchases   paid\n"

	t.Run("HasBarsToItsEnd", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		require.Equal(t, head+date+"          2  10.00  "+strings.Repeat("█", 30)+"\n", onTerminal(t, 60, "X=", report...))
		require.Equal(t, head+date+"          2  10.00  "+strings.Repeat("█", 70)+"\n", onTerminal(t, 100, "X=", report...))
	})
	t.Run("HasNoneThatItCannotShow", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		require.Equal(t, head+date+"          2  10.00\n", onTerminal(t, 100, "TERM=dumb", report...))
	})
	t.Run("SaysHowWideItIsOrHas80Columns", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, head+date+"          2  10.00  "+strings.Repeat("█", 50)+"\n", onTerminal(t, 0, "X=", report...))
	})
	t.Run("ShowsABarWhileItImportsAndTakesItAway", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		file := filepath.Join(t.TempDir(), "long.jsonl")
		f, err := os.Create(file)
		require.NoError(t, err)
		require.NoError(t, longCatalog(f, 80, 100, 0))
		require.NoError(t, f.Close())
		url := dbtest.URL(t)
		trigger(t, url, "NOT DEFERRABLE", "PERFORM pg_sleep(0.01)") // two statements take longer than a tenth of a second
		require.Regexp(t, `\A(\r *\d+ %  \d+ albums with \d+00 tracks, \d+ tracks/s, 0:\d\d left  [█▏▎▍▌▋▊▉]+\x1b\[K)+`+
			`\r\x1b\[Kimported 80 albums with 8000 tracks\n\z`, onTerminal(t, 100, "X=", "import", file, "--database-url", url))
	})
	t.Run("ShowsNoColours", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		for _, args := range [][]string{report, {"help"}, {"report", "albums", "--database-url", url}} {
			require.NotContains(t, onTerminal(t, 80, "X=", args...), "\x1b")
		}
	})
}

// Go takes UTC for a zone of the environment that it can't read.
func TestReport_RefusesALocalZoneThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	url := dbtest.URL(t)
	report := func(tz string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"report", "sales", "--database-url", url}, args...)...)
		cmd.Env = append(os.Environ(), asMain+"=1", "TZ="+tz)
		out, err := cmd.CombinedOutput()

		return string(out), err
	}
	for _, tz := range dbtest.Sample(1, "Mars/Olympus", "CET-1CEST,M3.5.0,M10.5.0/3", "/nowhere/zone") {
		out, err := report(tz, "--tz", "Local")
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, out)
		require.Equal(t, misuse, exit.ExitCode())
		require.Contains(t, out, "--tz Local: the environment variable TZ is "+strconv.Quote(tz)+", which is no time zone: ")
	}
	out, err := report("Mars/Olympus", "--tz", "UTC")
	require.NoError(t, err, out)
	for _, tz := range dbtest.Sample(1, "Europe/Berlin", "UTC", ":Asia/Tokyo", "") {
		out, err := report(tz, "--tz", "Local")
		require.NoError(t, err, out)
	}
}
