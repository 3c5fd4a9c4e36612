package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

func TestExport(t *testing.T) {
	t.Parallel()

	t.Run("GivesTheImportedFileByteForByte", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		require.Equal(t, ok, musicstore(t, "import", "catalog.jsonl", "--database-url", url).status)
		require.Equal(t, result{ok, string(sample), ""}, musicstore(t, "export", "--database-url", url))
	})
	t.Run("GivesAnyCatalogueByteForByte", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		exportsAny(t, 1, 15)
	})
	t.Run("SaysWhatIsLeftOut", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		require.Equal(t, ok, musicstoreFrom(t, lines(blueTrain), "import", "-", "--database-url", url).status)
		require.Equal(t, result{ok, `{"name":"Blue Train","url":"blue-train","year":1958,"price_cents":999,"image_url":null,` +
			`"has_preview":false,"is_published":false,"tracks":[{"name":"Locomotion","length_seconds":430,"audio_url":null,` +
			`"video_url":null}]}` + "\n", ""}, musicstore(t, "export", "--database-url", url))
	})
	t.Run("OfNothingIsNothing", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, result{ok, "", ""}, musicstore(t, "export", "--database-url", dbtest.URL(t)))
	})
	t.Run("GivesTheLongestTextsByteForByte", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		exportsTheLongest(t, 2, "\U0010ffff", "\x01")
	})
	t.Run("WritesNoLineThatIsTooLongForImport", func(t *testing.T) {
		t.Parallel()
		length := func(tracks int) int {
			var line bytes.Buffer
			require.NoError(t, writeJSON(&line, longestAlbum(0, "\u2028", tracks)))

			return line.Len()
		}
		longest := length(1) + (repo.MaxTracks-1)*(length(2)-length(1))
		require.Greater(t, longest, 25_000_000)
		require.LessOrEqual(t, longest, longestLine) // which TestSoak_ExportWritesNoLineThatIsTooLongForImport reads
	})
	t.Run("SaysThatItCannotWrite", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		require.Equal(t, ok, musicstore(t, "import", "catalog.jsonl", "--database-url", url).status)
		var errs bytes.Buffer
		full := writerFunc(func([]byte) (int, error) { return 0, errors.New("no space left on device") })
		status := run(t.Context(), []string{"export", "--database-url", url}, strings.NewReader(""), full, &errs)
		require.Equal(t, failed, status)
		require.Equal(t, "musicstore: export: no space left on device\n"+checkOutput+"\n", errs.String())
	})
}

func TestSoak_ExportGivesAnyCatalogueByteForByte(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	exportsAny(t, 4, 70)
}

// exportsAny imports and exports so many catalogues of n albums each.
func exportsAny(t *testing.T, catalogues uint64, n int) {
	t.Helper()
	for seed := range catalogues {
		url, file := dbtest.URL(t), anyCatalog(t, rand.New(rand.NewPCG(seed, seed)), n)
		got := musicstoreFrom(t, strings.NewReader(file), "import", "-", "--database-url", url)
		require.Equal(t, ok, got.status, got.err)
		require.Equal(t, result{ok, file, ""}, musicstore(t, "export", "--database-url", url), "seed %d", seed)
	}
}

func TestSoak_ExportGivesTheLongestTextsByteForByte(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	exportsTheLongest(t, 20, "a", "\U0010ffff", "\u2028", "\x01", `"`)
	exportsTheLongest(t, repo.MaxTracks, "a")
}

// exportsTheLongest imports and exports an album of the longest texts for each letter.
func exportsTheLongest(t *testing.T, tracks int, letters ...string) {
	t.Helper()
	url := dbtest.URL(t)
	var file bytes.Buffer
	for i, letter := range letters {
		require.NoError(t, writeJSON(&file, longestAlbum(i, letter, tracks)))
	}
	require.Greater(t, bytes.IndexByte(file.Bytes(), '\n'), 4_200*tracks)
	got := musicstoreFrom(t, bytes.NewReader(file.Bytes()), "import", "-", "--database-url", url)
	require.Equal(t, ok, got.status, got.err)
	require.Contains(t, got.out, fmt.Sprintf(" with %d tracks\n", tracks*len(letters)))
	got = musicstore(t, "export", "--database-url", url)
	require.Equal(t, ok, got.status, got.err)
	require.True(t, file.String() == got.out, "they differ") //nolint:testifylint // nobody wants to read four megabytes
}

func TestSoak_ExportWritesNoLineThatIsTooLongForImport(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	var line bytes.Buffer
	require.NoError(t, writeJSON(&line, longestAlbum(0, "\u2028", repo.MaxTracks)))
	require.Greater(t, line.Len(), 25_000_000)
	for _, next := range readCatalog(bytes.NewReader(line.Bytes())) {
		require.NoError(t, next.err)
		require.Len(t, next.album.Tracks, repo.MaxTracks)
	}
}

// The naive variants are those beside exportAll that write the same catalogue where nothing happens meanwhile.
func TestExport_Fault(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	const albums = 1100 // more than a page can have
	fill := func(t *testing.T) *repo.Repo {
		t.Helper()
		store := dbtest.New(t)
		all := make([]repo.NewAlbum, albums)
		for i := range all {
			all[i] = repo.NewAlbum{Name: fmt.Sprintf("Album %d %s", i, strings.Repeat("x", 100)), Year: 1991}
		}
		require.NoError(t, store.CreateAlbums(t.Context(), all))

		return store
	}
	// exported runs an export, and meanwhile something else when the first bytes come.
	exported := func(t *testing.T, export func(io.Writer) error, meanwhile func()) (lines int, err error) {
		t.Helper()
		var out bytes.Buffer
		err = export(writerFunc(func(p []byte) (int, error) {
			if out.Len() == 0 {
				meanwhile()
			}

			return out.Write(p)
		}))

		return bytes.Count(out.Bytes(), []byte("\n")), err
	}

	t.Run("IsTheCatalogueOfOneMoment", func(t *testing.T) {
		t.Parallel()
		for name, test := range map[string]struct {
			export func(context.Context, *repo.Repo, io.Writer) error
			want   int
		}{
			"exportAll":   {exportAll, albums},
			"its control": {exportCatalog, albums + 1},
		} {
			store := fill(t)
			n, err := exported(t, func(w io.Writer) error { return test.export(t.Context(), store, w) }, func() {
				_, err := store.CreateAlbum(t.Context(), repo.NewAlbum{Name: "New", Year: 1991})
				require.NoError(t, err)
			})
			require.NoError(t, err)
			require.Equal(t, test.want, n, name)
		}
	})
	t.Run("WritesNothingTwiceWhenTheConnectionIsLost", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		for name, test := range map[string]struct {
			export func(context.Context, *repo.Repo, io.Writer) error
			is     error
		}{
			"exportAll": {exportAll, repo.ErrUnavailable},
			"its control": {func(ctx context.Context, store *repo.Repo, w io.Writer) error {
				return store.InTx(ctx, func(tx *repo.Repo) error { return exportCatalog(ctx, tx, w) })
			}, nil},
		} {
			store := fill(t)
			n, err := exported(t, func(w io.Writer) error { return test.export(t.Context(), store, w) }, func() {
				_, err := store.DB().Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
					WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()`)
				require.NoError(t, err)
			})
			if test.is == nil {
				require.NoError(t, err)
				require.Greater(t, n, albums, name)

				continue
			}
			require.ErrorIs(t, err, test.is)
			require.Less(t, n, albums, name)
		}
	})
}

// longestAlbum is an album whose texts are as long as they can be, of one letter.
func longestAlbum(n int, letter string, tracks int) repo.NewAlbum {
	url := strings.Repeat(letter, 2000)
	album := repo.NewAlbum{
		Name: strings.Repeat(letter, 190) + strconv.Itoa(n), URL: strings.Repeat("u", 190) + strconv.Itoa(n), Year: 2200,
		PriceCents: 100_000_000, ImageURL: &url, Tracks: make([]repo.NewTrack, tracks),
	}
	for i := range album.Tracks {
		album.Tracks[i] = repo.NewTrack{Name: strings.Repeat(letter, 199) + "x", LengthSeconds: 86_400, AudioURL: &url, VideoURL: &url}
	}

	return album
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// anyCatalog returns n albums as an export writes them, with all that may stand in them.
func anyCatalog(t *testing.T, from *rand.Rand, n int) string {
	t.Helper()
	runes := []rune("aZ09 <>&'\"\\/\t\n\u0001\u007f\u00a0\u2028\u2029\ufeff\ufffdÁß漢🎺\U0010ffff")
	text := func(least, most int) string {
		letters := make([]rune, least+from.IntN(most-least+1))
		for i := range letters {
			letters[i] = runes[from.IntN(len(runes))]
		}

		return string(letters)
	}
	maybe := func() *string {
		if from.IntN(2) == 0 {
			return nil
		}

		return new(text(1, 50))
	}
	var file strings.Builder
	for i := range n {
		album := repo.NewAlbum{
			Name: fmt.Sprintf("%s%d", text(0, 190), i), URL: fmt.Sprintf("~%d", i), Year: 1860 + from.Int32N(341),
			PriceCents: from.Int64N(100_000_001), ImageURL: maybe(), HasPreview: from.IntN(2) == 0,
			IsPublished: from.IntN(2) == 0, Tracks: make([]repo.NewTrack, from.IntN(30)),
		}
		for j := range album.Tracks {
			album.Tracks[j] = repo.NewTrack{
				Name: text(0, 199) + "x", LengthSeconds: from.Int32N(86_401), AudioURL: maybe(), VideoURL: maybe(),
			}
		}
		require.NoError(t, writeJSON(&file, album))
	}

	return file.String()
}

// The rows of a table that inherits from albums are among those of albums.
func TestExport_RefusesATableThatInherits(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	require.Equal(t, ok, musicstoreFrom(t, lines(blueTrain), "import", "-", "--database-url", url).status)
	store, err := repo.Open(t.Context(), url)
	require.NoError(t, err)
	defer store.Close()
	_, err = store.DB().Exec(t.Context(), "CREATE TABLE kept () INHERITS (albums); INSERT INTO kept TABLE albums")
	require.NoError(t, err)
	listed, err := store.ListAlbums(t.Context(), repo.Page{})
	require.NoError(t, err)
	require.Len(t, listed, 2, "the control: one album comes twice")
	got := musicstore(t, "export", "--database-url", url)
	require.Equal(t, failed, got.status)
	require.Empty(t, got.out)
	require.Equal(t, "musicstore: export: table kept inherits from albums, so its rows would be exported too\n"+
		"End the inheritance with: ALTER TABLE kept NO INHERIT albums\n", got.err)
	_, err = store.DB().Exec(t.Context(), "ALTER TABLE kept NO INHERIT albums")
	require.NoError(t, err)
	require.Equal(t, ok, musicstore(t, "export", "--database-url", url).status)
}
