package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

// shop returns the URL of a database with a few albums.
func shop(t *testing.T) string {
	t.Helper()
	url := dbtest.URL(t)
	got := musicstoreFrom(t, lines(
		`{"name":"Blue Train","year":1958,"price_cents":999,"is_published":true,"tracks":[{"name":"Blue Train","length_seconds":643}]}`,
		`{"name":"Kind of Blue","year":1959,"price_cents":1099,"is_published":true,"tracks":[{"name":"Blue in Green","length_seconds":337}]}`,
		`{"name":"Blue","year":1971,"price_cents":500,"is_published":false,"tracks":[]}`,
		`{"name":"Rèd\u001b[31m\n","url":"red","year":1974,"price_cents":1000,"is_published":true,"tracks":[]}`,
	), "import", "-", "--database-url", url)
	require.Equal(t, ok, got.status, got.err)

	return url
}

func TestSearch(t *testing.T) {
	t.Parallel()
	url := shop(t)
	search := func(args ...string) result {
		return musicstore(t, append([]string{"search", "--database-url", url}, args...)...)
	}

	t.Run("PrintsATable", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, result{ok, `KIND   NAME           ALBUM         YEAR  PRICE
album  Blue Train     Blue Train    1958  9.99
track  Blue Train     Blue Train    1958  9.99
album  Kind of Blue   Kind of Blue  1959  10.99
track  Blue in Green  Kind of Blue  1959  10.99
`, ""}, search("blue"))
	})
	t.Run("TakesWordsInAnyOrderAndTheBeginningOfTheLast", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		require.Equal(t, search("kind", "blue"), search("blue", "KI"))
		require.Contains(t, search("blue ki").out, "Kind of Blue")
	})
	t.Run("KeepsToTheBoundsAndTheOrder", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		for args, want := range map[string]string{
			"--year 1959":                   "Kind of Blue, Blue in Green",
			"--year 1959-":                  "Kind of Blue, Blue in Green",
			"--year -1958":                  "Blue Train, Blue Train",
			"--year 1950-1958":              "Blue Train, Blue Train",
			"--price 9.99":                  "Blue Train, Blue Train",
			"--price 10-":                   "Kind of Blue, Blue in Green",
			"--price=-10":                   "Blue Train, Blue Train",
			"--price 0-5 --all":             "Blue",
			"--all --limit 1":               "Blue",
			"--sort year --limit 3":         "Kind of Blue, Blue in Green, Blue Train",
			"--sort price --limit 3":        "Blue Train, Blue Train, Kind of Blue",
			"--sort name --year 1959 --all": "Blue in Green, Kind of Blue",
		} {
			got := search(append([]string{"blue", "--json"}, strings.Fields(args)...)...)
			require.Equal(t, ok, got.status, got.err)
			var names []string
			for line := range strings.Lines(got.out) {
				var h repo.CatalogHit
				require.NoError(t, json.Unmarshal([]byte(line), &h))
				names = append(names, h.Name)
			}
			require.Equal(t, want, strings.Join(names, ", "), args)
		}
	})
	t.Run("PrintsJSON", func(t *testing.T) {
		t.Parallel()
		got := search("kind", "--json")
		require.Equal(t, ok, got.status)
		require.Empty(t, got.err)
		require.Regexp(t, `^\{"kind":"album","id":\d+,"name":"Kind of Blue","album_id":\d+,"album_name":"Kind of Blue",`+
			`"album_url":"kind-of-blue","year":1959,"price_cents":1099,"is_published":true\}\n$`, got.out)
	})
	t.Run("GoesOnBehindAPage", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		first := search("blue", "--limit", "2")
		place := regexp.MustCompile(`^For the next page: --after (\S+)\n$`).FindStringSubmatch(first.err)
		require.Len(t, place, 2, first.err)
		second := search("blue", "--limit", "3", "--after", place[1])
		require.Equal(t, ok, second.status)
		require.Empty(t, second.err)
		require.Equal(t, 3, strings.Count(second.out, "\n"))
		require.Contains(t, second.out, "Kind of Blue")
		require.NotContains(t, second.out, "Blue Train")
		other := search("train", "--after", place[1])
		require.Equal(t, result{failed, "", "musicstore: search catalog: after: is a place in another list\n" + startOver + "\n"}, other)
	})
	t.Run("SaysWhenThereIsNothing", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, result{ok, "", "Nothing found\n"}, search("green train"))
		require.Equal(t, result{ok, "", "Nothing found\n"}, search("!", "--json"))
	})
	t.Run("LetsNoNameControlTheTerminal", func(t *testing.T) {
		t.Parallel()
		got := search("red")
		require.Equal(t, ok, got.status)
		require.NotContains(t, got.out, "\x1b")
		require.Equal(t, 2, strings.Count(got.out, "\n"))
	})
	t.Run("RefusesWhatItCannotRead", func(t *testing.T) {
		t.Parallel()
		for why, args := range map[string][]string{
			"search needs at least one word":                                     {},
			`--year "x": must be like 1991, 1990-1999, 1990- or -1999`:           {"a", "--year", "x"},
			`--year "-": must be like 1991, 1990-1999, 1990- or -1999`:           {"a", "--year", "-"},
			`--year "99999999999": must be like 1991, 1990-1999, 1990- or -1999`: {"a", "--year", "99999999999"},
			`--price "1.5": must be like 9.99, 5-10, 5- or -9.99`:                {"a", "--price", "1.5"},
			`--price "9999999999999-": must be like 9.99, 5-10, 5- or -9.99`:     {"a", "--price", "9999999999999-"},
			`--sort "rank": must be relevance, year, price or name`:              {"a", "--sort", "rank"},
			"--limit 0: must be from 1 to 1000":                                  {"a", "--limit", "0"},
		} {
			require.Equal(t, result{misuse, "", "musicstore: " + why + "\nSee 'musicstore help search'.\n"}, search(args...))
		}
		got := search("a", "--year", "1999-1990")
		require.Equal(t, result{failed, "", "musicstore: search catalog: year_from: is after year_to\n" + swapBounds + "\n"}, got)
	})
	t.Run("ShowsExamples", func(t *testing.T) {
		t.Parallel()
		require.Contains(t, musicstore(t, "search", "--help").out, "Examples:\n  musicstore search love supreme\n")
	})
}
