package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

// lines is a catalogue of the given lines.
func lines(line ...string) io.Reader { return strings.NewReader(strings.Join(line, "\n") + "\n") }

// blueTrainStored is what blueTrain makes.
func blueTrainStored() repo.NewAlbum {
	return repo.NewAlbum{
		Name: "Blue Train", URL: "blue-train", Year: 1958, PriceCents: 999,
		Tracks: []repo.NewTrack{{Name: "Locomotion", LengthSeconds: 430}},
	}
}

func TestImport(t *testing.T) {
	t.Parallel()

	t.Run("KeepsTheShippedCatalogueAsItIs", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		require.Equal(t, result{ok, "imported 10 albums with 101 tracks\n", ""},
			musicstore(t, "import", "catalog.jsonl", "--database-url", url))
		require.Equal(t, sampleAlbums(t), albums(t, url))
	})
	t.Run("RefusesTheSameCatalogueAgain", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		require.Equal(t, ok, musicstore(t, "import", "catalog.jsonl", "--database-url", url).status)
		const says = "musicstore: import catalog.jsonl: line 1, \"Kind of Blue\": create album: album name already taken\n" +
			"Nothing was imported\n" + removeKnown + "\n"
		require.Equal(t, result{failed, "", says}, musicstore(t, "import", "catalog.jsonl", "--database-url", url))
		require.Equal(t, sampleAlbums(t), albums(t, url))
	})
	t.Run("KeepsNothingOfAFileWhoseSecondAlbumIsThere", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		require.Equal(t, ok, musicstoreFrom(t, lines(blueTrain), "import", "-", "--database-url", url).status)
		file := filepath.Join(t.TempDir(), "new.jsonl")
		require.NoError(t, os.WriteFile(file, []byte(but("Blue Train", "Giant Steps")+"\n"+blueTrain), 0o600))
		got := musicstore(t, "import", file, "--database-url", url)
		require.Equal(t, result{failed, "", "musicstore: import " + file + ": line 2, \"Blue Train\": create album: " +
			"album name already taken\nNothing was imported\n" + removeKnown + "\n"}, got)
		require.Equal(t, []repo.NewAlbum{blueTrainStored()}, albums(t, url))
	})
	t.Run("ReadsStandardInput", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		require.Equal(t, result{ok, "imported 1 album with 1 track\n", ""},
			musicstoreFrom(t, iotest.OneByteReader(lines(blueTrain)), "import", "-", "--database-url", url))
		require.Equal(t, []repo.NewAlbum{blueTrainStored()}, albums(t, url))
	})
	t.Run("TakesWindowsLinesAndBlankOnesAndNoNewlineAtTheEnd", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		in := strings.NewReader("\r\n" + blueTrain + "\r\n \t\r\n\n" + but("Blue Train", "Giant Steps"))
		require.Equal(t, result{ok, "imported 2 albums with 2 tracks\n", ""},
			musicstoreFrom(t, in, "import", "-", "--database-url", url))
		require.Len(t, albums(t, url), 2)
	})
	t.Run("SkipsTheByteOrderMarkThatWindowsWrites", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		in := strings.NewReader("\ufeff" + blueTrain + "\r\n" + but("Blue Train", "\ufeffGiant Steps\ufeff") + "\r\n")
		require.Equal(t, result{ok, "imported 2 albums with 2 tracks\n", ""},
			musicstoreFrom(t, iotest.OneByteReader(in), "import", "-", "--database-url", url))
		require.Equal(t, blueTrainStored(), albums(t, url)[0])
		require.Equal(t, "\ufeffGiant Steps\ufeff", albums(t, url)[1].Name, "in a name, it is a character as any")
	})
	t.Run("TakesWhatIsLeftOutAsNone", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		in := lines(
			blueTrain,
			but(`{"name":"Blue Train"`, `{"name":"Ágætis byrjun","url":null,"image_url":null,"has_preview":null,"is_published":null`),
			but(`"Blue Train"`, `"Giant Steps","url":""`),
			`{"name":"4′33″","year":1952,"price_cents":0,"tracks":[],"url":"4.33_~-A"}`,
		)
		got := musicstoreFrom(t, in, "import", "-", "--database-url", url)
		require.Equal(t, ok, got.status, got.err)
		icelandic, giant := blueTrainStored(), blueTrainStored()
		icelandic.Name, icelandic.URL = "Ágætis byrjun", "agaetis-byrjun"
		giant.Name, giant.URL = "Giant Steps", "giant-steps"
		silence := repo.NewAlbum{Name: "4′33″", URL: "4.33_~-A", Year: 1952, Tracks: []repo.NewTrack{}}
		require.Equal(t, []repo.NewAlbum{blueTrainStored(), icelandic, giant, silence}, albums(t, url))
	})
	t.Run("KeepsEveryField", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		const line = `{"tracks":[{"video_url":"https://v/1","audio_url":"https://a/1","length_seconds":86400,"name":"<&> \"’\" \\"}],` +
			`"is_published":true,"has_preview":true,"image_url":"https://i/1","price_cents":100000000,"year":2200,"url":"x","name":"名前"}`
		got := musicstoreFrom(t, lines(line), "import", "-", "--database-url", url)
		require.Equal(t, ok, got.status, got.err)
		require.Equal(t, []repo.NewAlbum{{
			Name: "名前", URL: "x", Year: 2200, PriceCents: 100_000_000, ImageURL: new("https://i/1"), HasPreview: true,
			IsPublished: true, Tracks: []repo.NewTrack{{
				Name: `<&> "’" \`, LengthSeconds: 86400, AudioURL: new("https://a/1"), VideoURL: new("https://v/1"),
			}},
		}}, albums(t, url))
	})
	t.Run("TakesAsManyTracksAsAnAlbumCanHave", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		got := musicstoreFrom(t, lines(withTracks(repo.MaxTracks)), "import", "-", "--database-url", url)
		require.Equal(t, result{ok, "imported 1 album with 999 tracks\n", ""}, got)
		require.Len(t, albums(t, url)[0].Tracks, repo.MaxTracks)
	})
	t.Run("SaysThatTheFileIsMissing", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		file := filepath.Join(t.TempDir(), "none.jsonl")
		require.Equal(t, result{failed, "", "musicstore: import " + file + ": open " + file +
			": no such file or directory\nNothing was imported\n" + checkFile + "\n"}, musicstore(t, "import", file, "--database-url", url))
		require.Empty(t, albums(t, url))
	})
	t.Run("SaysThatTheFileIsAFolder", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		require.Equal(t, result{failed, "", "musicstore: import " + folder + ": line 1: read " + folder +
			": is a directory\nNothing was imported\n" + checkFile + "\n"}, musicstore(t, "import", folder, "--database-url", dbtest.URL(t)))
	})
	t.Run("SaysWhatCreatesTheTables", func(t *testing.T) {
		t.Parallel()
		url := dbtest.EmptyURL(t)
		require.Equal(t, result{failed, "", "musicstore: import catalog.jsonl: line 1, \"Kind of Blue\": create album: " +
			"ERROR: relation \"albums\" does not exist (SQLSTATE 42P01)\nNothing was imported\n" +
			"Some tables are missing: run 'musicstore init'\n"},
			musicstore(t, "import", "catalog.jsonl", "--database-url", url))
		require.Zero(t, count(t, url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
	})
	t.Run("KeepsNothingWhenTheInputBreaksOff", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		in := io.MultiReader(lines(blueTrain), iotest.ErrReader(errors.New("the disk is gone")))
		require.Equal(t, result{failed, "", "musicstore: import -: line 2: the disk is gone\nNothing was imported\n"},
			musicstoreFrom(t, in, "import", "-", "--database-url", url))
		require.Empty(t, albums(t, url))
	})
}

// A file without an album is what the export of an empty store is.
func TestImport_OfNothing(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	for _, file := range dbtest.Sample(2, "", "\ufeff\r\n", "\n", "\n \t\n\r\n\n", "\ufeff", " ") {
		require.Equal(t, result{ok, "imported 0 albums with 0 tracks\n", ""},
			musicstoreFrom(t, strings.NewReader(file), "import", "-", "--database-url", url), "%q", file)
	}
	require.Equal(t, result{ok, `{"albums":0,"tracks":0}` + "\n", ""},
		musicstoreFrom(t, strings.NewReader(""), "import", "-", "--json", "--database-url", url))
	require.Empty(t, albums(t, url))
}

// wide is text as UTF-16 has it, the zero bytes behind the others or (1) before them.
func wide(text string, before int) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		b.Write([][]byte{{c, 0}, {0, c}}[before])
	}

	return b.String()
}

// Every one of these says where and why, and leaves the database untouched. It is one for them all, because a database
// takes longer to make than a file to refuse: when one case keeps something, those beside it fail too.
func TestImport_Hostile(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	store := open(t, url)
	const (
		notAlbum = `is not a field of a catalogue: the fields are ` +
			`has_preview, image_url, is_published, name, price_cents, tracks, url, year`
		notTrack = `is not a field of a catalogue: the fields are audio_url, length_seconds, name, video_url`
		track    = `{"name":"Locomotion","length_seconds":430}`
		create   = `line 1, "Blue Train": create album: `
	)
	for i, test := range dbtest.Sample(6, []struct{ name, file, says string }{
		{
			"RefusesALineThatIsNotJSON", `Blue Train, 1958`,
			`line 1: is not a JSON value: invalid character 'B' looking for beginning of value`,
		},
		{"RefusesTruncatedJSON", blueTrain[:40], `line 1: is not a JSON value: unexpected end of JSON input`},
		{
			"RefusesAnObjectOverTwoLines", "{\n}",
			`line 1: is not a JSON value: unexpected end of JSON input`,
		},
		{
			"RefusesAByteOrderMarkInTheMidst", "\ufeff" + blueTrain + "\n\ufeff" + but("Blue Train", "Giant Steps"),
			`line 2: has a byte order mark, which is allowed only at the beginning of a file`,
		},
		{
			"RefusesTwoByteOrderMarks", "\ufeff\ufeff" + blueTrain,
			`line 1: has a byte order mark, which is allowed only at the beginning of a file`,
		},
		{"RefusesUTF16", "\xff\xfe" + wide(blueTrain, 0), `line 1: is UTF-16, and a catalogue must be UTF-8`},
		{"RefusesUTF16OfTheOtherOrder", "\xfe\xff" + wide(blueTrain, 1), `line 1: is UTF-16, and a catalogue must be UTF-8`},
		{
			"RefusesUTF16WithoutAMark", wide(blueTrain, 0) + wide("\n", 0),
			`line 1: has a NUL byte, as UTF-16 has, and a catalogue must be UTF-8`,
		},
		{
			"RefusesANULByte", blueTrain + "\n" + but("Blue", "Bl\x00e"),
			`line 2: has a NUL byte, as UTF-16 has, and a catalogue must be UTF-8`,
		},
		{
			"RefusesWhatFollowsTheObject", blueTrain + `}`,
			`line 1: is not a JSON value: invalid character '}' after top-level value`,
		},
		{
			"RefusesASecondObjectOnTheLine", blueTrain + ` ` + but("Blue Train", "Giant Steps"),
			`line 1: is not a JSON value: invalid character '{' after top-level value`,
		},
		{
			"RefusesBottomlessNesting", strings.Repeat(`[`, 100_000),
			`line 1: is not a JSON value: invalid character '[' exceeded max depth`,
		},
		{"RefusesAnArray", `[` + blueTrain + `]`, `line 1: is not a JSON object`},
		{"RefusesANumber", `1958`, `line 1: is not a JSON object`},
		{"RefusesNull", `null`, `line 1: is not a JSON object`},
		{"RefusesAString", `"Blue Train"`, `line 1: is not a JSON object`},
		{"RefusesInvalidUTF8", but("Blue", "Bl\xff"), `line 1: is not valid UTF-8`},
		{"RefusesLatin1", but("Blue", "Bl\xfce"), `line 1: is not valid UTF-8`},
		{
			"RefusesTracksBeyondCounting", but(`[`+track+`]`, `[`+strings.Repeat(`0,`, 20_000)+`0]`),
			`line 1: tracks: 20001 are too many: an album has 999 at most`,
		},

		{
			"RefusesAYearInQuotes", but(`1958`, `"1958"`),
			`line 1: year: is a JSON string, not a whole number that fits`,
		},
		{
			"RefusesAYearBeyond32Bits", but(`1958`, `4294969254`),
			`line 1: year: is a JSON number 4294969254, not a whole number that fits`,
		},
		{
			"RefusesAPriceWithAFraction", but(`999`, `3.5`),
			`line 1: price_cents: is a JSON number 3.5, not a whole number that fits`,
		},
		{
			"RefusesAPriceBeyondAllBounds", but(`999`, `1e400`),
			`line 1: price_cents: is a JSON number 1e400, not a whole number that fits`,
		},
		{
			"RefusesAPriceBeyond64Bits", but(`999`, `18446744073709552615`),
			`line 1: price_cents: is a JSON number 18446744073709552615, not a whole number that fits`,
		},
		{
			"CutsAPriceOfTooManyDigits", but(`999`, strings.Repeat("9", 100_000)),
			`line 1: price_cents: is a JSON number ` + strings.Repeat("9", 33) + `, not a whole number that fits`,
		},
		{
			"RefusesANameThatIsANumber", but(`"Blue Train"`, `1958`),
			`line 1: name: is a JSON number, not a string`,
		},
		{
			"RefusesAPreviewThatIsAWord", but(`"year"`, `"has_preview":"no","year"`),
			`line 1: has_preview: is a JSON string, not true or false`,
		},
		{
			"RefusesTracksThatAreAnObject", but(`[`+track+`]`, track),
			`line 1: tracks: is a JSON object, not an array`,
		},
		{"RefusesATrackThatIsNull", but(track, track+`,null`), `line 1: tracks[1]: is not a JSON object`},
		{"RefusesATrackThatIsAName", but(track, `"Locomotion"`), `line 1: tracks[0]: is not a JSON object`},
		{
			"RefusesALengthInMinutes", but(`430`, `"7:10"`),
			`line 1: tracks[0].length_seconds: is a JSON string, not a whole number that fits`,
		},

		{"RefusesAnUnknownField", but(`"year"`, `"artist":"Coltrane","year"`), `line 1: "artist" ` + notAlbum},
		{"RefusesAFieldInAnotherCase", but(`{"name":"Blue`, `{"Name":"Blue`), `line 1: "Name" ` + notAlbum},
		{"RefusesAnUnknownFieldOfATrack", but(`length_seconds`, `length`), `line 1: tracks[0]: "length" ` + notTrack},
		{"RefusesAFieldOfATrackInAnotherCase", but(`length_s`, `Length_S`), `line 1: tracks[0]: "Length_Seconds" ` + notTrack},
		{
			"ShowsAFieldThatWouldControlATerminal", but(`"year"`, `"\u001b[2J\r":1,"year"`),
			`line 1: "\x1b[2J\r" ` + notAlbum,
		},
		{
			"CutsAFieldOfTooManyCharacters", but(`"year"`, `"`+strings.Repeat("é", 100_000)+`":1,"year"`),
			`line 1: "` + strings.Repeat("é", 100) + `" ` + notAlbum,
		},
		{"RefusesAFieldTwice", but(`"year"`, `"year":1959,"year"`), `line 1: year: appears twice`},
		{"RefusesAFieldTwiceInOtherLetters", but(`"year"`, `"\u0079ear":1959,"year"`), `line 1: year: appears twice`},
		{
			"RefusesAFieldOfATrackTwice", but(`430`, `430,"length_seconds":430`),
			`line 1: tracks[0].length_seconds: appears twice`,
		},

		{"RefusesAnEmptyObject", `{}`, `line 1: name: is missing`},
		{"RefusesAnAlbumWithoutName", but(`"name":"Blue Train",`, ``), `line 1: name: is missing`},
		{"RefusesANameThatIsNull", but(`"Blue Train"`, `null`), `line 1: name: is missing`},
		{"RefusesAnAlbumWithoutYear", but(`"year":1958,`, ``), `line 1: year: is missing`},
		{"RefusesAnAlbumWithoutPrice", but(`"price_cents":999,`, ``), `line 1: price_cents: is missing`},
		{"RefusesAnAlbumWithoutTracks", but(`,"tracks":[`+track+`]`, ``), `line 1: tracks: is missing`},
		{"RefusesTracksThatAreNull", but(`[`+track+`]`, `null`), `line 1: tracks: is missing`},
		{"RefusesATrackWithoutName", but(`"name":"Locomotion",`, ``), `line 1: tracks[0].name: is missing`},
		{"RefusesATrackWithoutLength", but(`,"length_seconds":430`, ``), `line 1: tracks[0].length_seconds: is missing`},

		{
			"RefusesANULInAName", but(`Blue Train`, `Blue\u0000Train`),
			`line 1, "Blue\x00Train": create album: name: has a NUL character`,
		},
		{"RefusesHalfASurrogatePair", but(`Blue Train`, `Blue \ud800 Train`), `line 1: name: has half a surrogate pair`},
		{"RefusesHalfASurrogatePairInATrack", but(`Locomotion`, `\udc00`), `line 1: tracks[0].name: has half a surrogate pair`},
		{"RefusesANULInATrack", but(`Locomotion`, `Loco\u0000motion`), create + `tracks[0].name: has a NUL character`},
		{"RefusesANULInAURL", but(`"year"`, `"url":"\u0000","year"`), create + `url: has a NUL character`},
		{
			"RefusesABlankName", but(`"Blue Train"`, `" \t","url":"blue-train"`),
			`line 1, " \t": create album: name must have 1 to 200 characters, and not spaces alone`,
		},
		{
			"CutsANameOfTooManyCharacters", but(`"Blue Train"`, `"`+strings.Repeat("é", 100_000)+`","url":"e"`),
			`line 1, "` + strings.Repeat("é", 200) +
				`": create album: name must have 1 to 200 characters, and not spaces alone`,
		},
		{
			"RefusesANameOfWhichNoURLCanBeMade", but(`Blue Train`, `!!!`),
			`line 1, "!!!": create album: url: is missing, and can't be made from the name`,
		},
		{
			"RefusesAURLThatLeadsUp", but(`"year"`, `"url":"..","year"`),
			create + `url must have 1 to 200 of the characters A-Z a-z 0-9 . _ ~ -, and not be . or ..`,
		},
		{
			"RefusesAURLWithASlash", but(`"year"`, `"url":"a/b","year"`),
			create + `url must have 1 to 200 of the characters A-Z a-z 0-9 . _ ~ -, and not be . or ..`,
		},
		{"RefusesTheYear0", but(`1958`, `0`), create + `year must be from 1860 to 2200`},
		{"RefusesANegativePrice", but(`999`, `-1`), create + `price_cents must be from 0 to 100000000`},
		{"RefusesAnEmptyImageURL", but(`"year"`, `"image_url":"","year"`), create + `image_url must have 1 to 2000 characters`},
		{
			"RefusesABlankTrackName", but(`Locomotion`, ` `),
			create + `track name must have 1 to 200 characters, and not spaces alone`,
		},
		{"RefusesANegativeLength", but(`430`, `-1`), create + `length_seconds must be from 0 to 86400`},
		{
			"RefusesAnEmptyAudioURL", but(`430`, `430,"audio_url":""`),
			create + `tracks[0].audio_url: is empty: leave it out`,
		},
		{
			"RefusesAnEmptyVideoURLOfTheSecondTrack", but(track, track+`,{"name":"b","length_seconds":1,"video_url":""}`),
			create + `tracks[1].video_url: is empty: leave it out`,
		},
		{
			"RefusesTwoTracksTooMany", withTracks(repo.MaxTracks + 2),
			create + `tracks: 1001 are too many: an album has 999 at most`,
		},
		{
			"RefusesTwoAlbumsOfOneName", blueTrain + "\n" + but(`"year"`, `"url":"other","year"`),
			`line 2, "Blue Train": create album: album name already taken`,
		},
		{
			"RefusesTwoAlbumsOfOneURL", blueTrain + "\n" + but(`Blue Train`, `Blue, Train!`),
			`line 2, "Blue, Train!": create album: album url already taken`,
		},
		{
			"KeepsNothingOfTwoGoodLinesBeforeABadOne",
			blueTrain + "\n" + but(`Blue Train`, `Giant Steps`) + "\n" + but(`"Blue Train"`, `1`),
			`line 3: name: is a JSON number, not a string`,
		},
		{
			"CountsBlankLines", "\n" + blueTrain + "\n\n\n{\n",
			`line 5: is not a JSON value: unexpected end of JSON input`,
		},
	}...) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			// Every tenth file is read by the whole command, and the others as the command reads them.
			if i%10 == 0 {
				got := musicstoreFrom(t, strings.NewReader(test.file), "import", "-", "--database-url", url)
				next := correctFile
				if strings.HasSuffix(test.says, " already taken") {
					next = removeKnown
				}
				require.Equal(t, result{failed, "", "musicstore: import -: " + test.says + "\nNothing was imported\n" + next + "\n"}, got)
			} else {
				require.EqualError(t, store.InTx(t.Context(), func(tx *repo.Repo) error {
					_, err := importCatalog(t.Context(), tx, strings.NewReader(test.file), nil)

					return err
				}), test.says)
			}
			n := -1
			require.NoError(t, store.DB().QueryRow(t.Context(), "SELECT count(*) FROM albums").Scan(&n))
			require.Zero(t, n)
		})
	}
}

// withTracks returns blueTrain with n tracks.
func withTracks(n int) string {
	tracks := make([]string, n)
	for i := range tracks {
		tracks[i] = fmt.Sprintf(`{"name":"Take %d","length_seconds":%d}`, i+1, i)
	}

	return but(`{"name":"Locomotion","length_seconds":430}`, strings.Join(tracks, ","))
}

// cancelAfter is a reader that ends a context when its text has been read.
type cancelAfter struct {
	io.Reader

	cancel context.CancelFunc
}

func (r cancelAfter) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		r.cancel()
	}

	return n, err
}

func TestImport_Cancelled(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	for name, in := range map[string]func(cancel context.CancelFunc) io.Reader{
		"KeepsNothingOfTheFirstLine": func(cancel context.CancelFunc) io.Reader {
			return io.MultiReader(cancelAfter{lines(blueTrain), cancel}, lines(but("Blue Train", "Giant Steps")))
		},
		"KeepsNothingWhenAllLinesWereRead": func(cancel context.CancelFunc) io.Reader {
			return cancelAfter{lines(blueTrain), cancel}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var out, errs bytes.Buffer
			require.Equal(t, failed, run(ctx, []string{"import", "-", "--database-url", url}, in(cancel), &out, &errs))
			require.Empty(t, out.String())
			require.Contains(t, errs.String(), "context canceled\nNothing was imported\n")
			require.Empty(t, albums(t, url))
		})
	}
	t.Run("DoesNotWaitForInputThatNeverComes", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		never, end := io.Pipe()
		defer end.Close() // and with it the read that is left behind
		in := io.MultiReader(cancelAfter{lines(blueTrain), cancel}, never)
		var out, errs bytes.Buffer
		require.Equal(t, failed, run(ctx, []string{"import", "-", "--database-url", url}, in, &out, &errs))
		require.Contains(t, errs.String(), "context canceled\nNothing was imported\n")
		require.Empty(t, albums(t, url))
	})
	t.Run("DoesNotWaitForAPipeThatNobodyWrites", func(t *testing.T) {
		t.Parallel()
		pipe := filepath.Join(t.TempDir(), "pipe")
		require.NoError(t, syscall.Mkfifo(pipe, 0o600))
		defer func() { // the open that is left behind
			f, err := os.OpenFile(pipe, os.O_RDWR, 0)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var out, errs bytes.Buffer
		require.Equal(t, failed, run(ctx, []string{"import", pipe, "--database-url", dbtest.URL(t)}, nil, &out, &errs))
		require.Contains(t, errs.String(), "Nothing was imported\n")
		require.NotContains(t, errs.String(), "The server did not answer") // it was never asked
	})
}

// A trigger is a fault where it is wanted: its function has this body.
func trigger(t *testing.T, url, when, body string) {
	t.Helper()
	_, err := open(t, url).DB().Exec(t.Context(), `
		CREATE SEQUENCE tries;
		CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN `+body+`; RETURN NEW; END $$;
		CREATE CONSTRAINT TRIGGER fault AFTER INSERT ON albums `+when+` FOR EACH ROW EXECUTE FUNCTION fault()`)
	require.NoError(t, err)
}

func TestImport_Fault(t *testing.T) {
	t.Parallel()
	const (
		atOnce   = `NOT DEFERRABLE`
		atCommit = `DEFERRABLE INITIALLY DEFERRED`
		once     = `IF nextval('tries') = 1 THEN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END IF`
		die      = `PERFORM pg_terminate_backend(pg_backend_pid())`
	)
	for name, when := range map[string]string{
		"ReadsTheFileAgainWhenItHasToStartOver":     atOnce,
		"ReadsTheFileAgainWhenTheCommitIsPutBehind": atCommit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if when == atCommit {
				dbtest.Full(t)
			}
			url := dbtest.URL(t)
			trigger(t, url, when, once)
			require.Equal(t, result{ok, "imported 10 albums with 101 tracks\n", ""},
				musicstore(t, "import", "catalog.jsonl", "--database-url", url))
			require.Equal(t, sampleAlbums(t), albums(t, url))
		})
	}
	t.Run("SaysThatStandardInputCannotBeReadAgain", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		trigger(t, url, atOnce, once)
		got := musicstoreFrom(t, lines(blueTrain), "import", "-", "--database-url", url)
		require.Equal(t, failed, got.status)
		require.Contains(t, got.err, "SQLSTATE 40001")
		require.True(t, strings.HasSuffix(got.err, ": the transaction must start over, and standard input "+
			"can't be read again\nNothing was imported\n"+saveInput+"\n"), got.err)
		require.Empty(t, albums(t, url))
		require.Equal(t, ok, musicstoreFrom(t, lines(blueTrain), "import", "-", "--database-url", url).status)
	})
	t.Run("DoesNotSayNothingWhenTheCommitIsInDoubt", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		trigger(t, url, atCommit, die)
		got := musicstore(t, "import", "catalog.jsonl", "--database-url", url)
		require.Equal(t, failed, got.status)
		require.Empty(t, got.out)
		require.Contains(t, got.err, "musicstore: import catalog.jsonl: commit: the outcome is unknown: ")
		require.Contains(t, got.err, "\nEither all of it was imported or nothing\n"+lookFirst+"\n")
		require.NotContains(t, got.err, "Nothing was imported")
		require.Empty(t, albums(t, url))
	})
}

func TestImport_SaysTheNameOfAFileOnOneLine(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	name := filepath.Join(t.TempDir(), "a\nmusicstore: imported 9 albums")
	got := musicstore(t, "import", name, "--database-url", url)
	require.Equal(t, failed, got.status)
	require.Equal(t, "musicstore: import "+strconv.Quote(name)+": open "+strconv.Quote(name)+
		": no such file or directory\nNothing was imported\n"+checkFile+"\n", got.err)
	require.NoError(t, os.WriteFile(name, []byte("x\n"), 0o600))
	got = musicstore(t, "import", name, "--database-url", url)
	require.True(t, strings.HasPrefix(got.err, "musicstore: import "+strconv.Quote(name)+": line 1: is not a JSON value"), got.err)
	require.Equal(t, 3, strings.Count(got.err, "\n"), got.err)
}
