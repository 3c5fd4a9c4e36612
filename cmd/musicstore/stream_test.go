package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

// longCatalog is a catalogue of n albums with so many tracks each, in the form that export writes. The tracks have URLs of
// so many characters, or none.
func longCatalog(w io.Writer, n, tracks, characters int) error {
	var link *string
	if characters > 0 {
		link = new(strings.Repeat("u", characters))
	}
	album := repo.NewAlbum{Year: 1991, PriceCents: 999, Tracks: make([]repo.NewTrack, tracks)}
	for i := range n {
		album.Name, album.URL = fmt.Sprintf("Album %d", i), fmt.Sprintf("album-%d", i)
		for j := range album.Tracks {
			album.Tracks[j] = repo.NewTrack{Name: fmt.Sprintf("Track %d of %d", j, i), LengthSeconds: int32(j), AudioURL: link, VideoURL: link}
		}
		if err := writeJSON(w, album); err != nil {
			return err
		}
	}

	return nil
}

// A file of several statements: the albums of the first are there when the second is refused.
func TestImport_Long(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	importsLong(t, "NamesTheLineOfANameThatWasThere", "NamesTheLineThatTheStoreRefusesBeforeOneThatIsNoJSON")
}

func TestSoak_ImportLong(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	importsLong(t, "NamesTheLineOfAURLThatWasThere", "NamesTheFirstOfTwoBadLines", "NamesTheLineThatIsNoJSONBehindGoodOnes")
}

func importsLong(t *testing.T, names ...string) {
	t.Helper()
	url := dbtest.URL(t)
	var file bytes.Buffer
	require.NoError(t, longCatalog(&file, 80, 100, 0))
	require.Greater(t, file.Len(), 2*batchBytes)
	const album = `{"name":"%s","url":"%s","year":1991,"price_cents":999,"tracks":[]}` + "\n"

	tests := map[string]struct{ more, says string }{
		"NamesTheLineOfANameThatWasThere": {
			fmt.Sprintf(album, "Album 3", "other"), `line 81, "Album 3": create album: album name already taken`,
		},
		"NamesTheLineOfAURLThatWasThere": {
			fmt.Sprintf(album, "Other", "album-0"), `line 81, "Other": create album: album url already taken`,
		},
		"NamesTheFirstOfTwoBadLines": {
			"\n" + fmt.Sprintf(album, "Other", "..") + fmt.Sprintf(album, "Album 3", "other") + "{\n",
			`line 82, "Other": create album: url must have`,
		},
		"NamesTheLineThatTheStoreRefusesBeforeOneThatIsNoJSON": {
			fmt.Sprintf(album, "Fine", "fine") + fmt.Sprintf(album, "Album 59", "other") + "{\n",
			`line 82, "Album 59": create album: album name already taken`,
		},
		"NamesTheLineThatIsNoJSONBehindGoodOnes": {
			fmt.Sprintf(album, "Fine", "fine") + "{\n", "line 82: is not a JSON value: unexpected end of JSON input",
		},
	}
	for _, name := range names {
		test, known := tests[name]
		require.True(t, known, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := musicstoreFrom(t, strings.NewReader(file.String()+test.more), "import", "-", "--database-url", url)
			require.Equal(t, failed, got.status)
			require.Contains(t, got.err, "musicstore: import -: "+test.says)
			require.Contains(t, got.err, "\nNothing was imported\n")
			require.Empty(t, albums(t, url))
		})
	}
}

// A server that has seen albums empty reads it whole to check a foreign key, and goes on to do so for as long as the
// transaction lasts.
func TestImport_ReadsNoTableForEachTrack(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	store := dbtest.Open(t)
	var file bytes.Buffer
	require.NoError(t, longCatalog(&file, 20, 2, 0))
	_, err := store.DB().Exec(t.Context(), "VACUUM ANALYZE albums")
	require.NoError(t, err)
	// scans imports, returns how often albums was read whole, and undoes it.
	scans := func(create func(*repo.Repo) error) (n int64) {
		none := store.InTx(t.Context(), func(tx *repo.Repo) error {
			require.NoError(t, create(tx))
			require.NoError(t, tx.DB().QueryRow(t.Context(),
				"SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'albums'").Scan(&n))

			return context.Canceled
		})
		require.ErrorIs(t, none, context.Canceled)

		return n
	}
	require.Zero(t, scans(func(tx *repo.Repo) error {
		_, err := importCatalog(t.Context(), tx, bytes.NewReader(file.Bytes()), nil)

		return err
	}))

	// The control: what the import does, without its setting, in a session that has no plan yet.
	store = dbtest.Open(t)
	_, err = store.DB().Exec(t.Context(), "VACUUM ANALYZE albums")
	require.NoError(t, err)
	require.EqualValues(t, 40, scans(func(tx *repo.Repo) error {
		var all []repo.NewAlbum
		for _, next := range readCatalog(bytes.NewReader(file.Bytes())) {
			require.NoError(t, next.err)
			all = append(all, next.album)
		}

		return tx.CreateAlbums(t.Context(), all)
	}))
}

// Variables of the environment for a test binary that is musicstore.
const (
	asSlurp  = "MUSICSTORE_TEST_AS_SLURP" // it is an import that reads a whole file first
	peakFile = "MUSICSTORE_TEST_PEAK"     // where it notes the most bytes that its heap had
)

// watchHeap notes the most bytes that the heap has had, as long as the process lives.
func watchHeap(file string) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	peak := uint64(0)
	for {
		metrics.Read(sample)
		if now := sample[0].Value.Uint64(); now > peak {
			peak = now
			// The program may end at any moment, and WriteFile first empties the file: only a whole one may take its name.
			if err := errors.Join(
				os.WriteFile(file+".new", []byte(strconv.FormatUint(peak, 10)), 0o600), os.Rename(file+".new", file),
			); err != nil {
				panic(err)
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// slurp is the naive import: it has the catalogue in memory, and so all its errors before the first statement.
func slurp(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var all []repo.NewAlbum
	for _, next := range readCatalog(bytes.NewReader(text)) {
		if next.err != nil {
			return next.err
		}
		all = append(all, next.album)
	}
	fmt.Println(len(all)) //nolint:forbidigo // and so they are all in use up to here

	return nil
}

// child runs the test binary as musicstore, and returns the most bytes that its heap had.
func child(t *testing.T, mode string, out io.Writer, args ...string) (peak int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "peak")
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), mode+"=1", peakFile+"="+file)
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	peak, err = strconv.Atoi(string(text))
	require.NoError(t, err)

	return peak
}

func TestSoak_AMillionTracksNeedNoMemory(t *testing.T) { //nolint:paralleltest // it times
	dbtest.Soak(t)
	const most = 64 << 20
	for name, test := range map[string]struct{ all, each, url int }{ //nolint:paralleltest // it times
		"InAlbumsOfTen":           {1_000_000, 10, 0},
		"InAlbumsOfTheMostTracks": {300_000, repo.MaxTracks, 0},
		"WithTheLongestURLs":      {20_000, repo.MaxTracks, 2000},
	} {
		t.Run(name, func(t *testing.T) {
			url, dir := dbtest.URL(t), t.TempDir()
			catalog, exported := filepath.Join(dir, "catalog.jsonl"), filepath.Join(dir, "exported.jsonl")
			f, err := os.Create(catalog)
			require.NoError(t, err)
			require.NoError(t, longCatalog(f, 1+test.all/test.each, test.each, test.url))
			require.NoError(t, f.Close())

			start := time.Now()
			peak := child(t, asMain, io.Discard, "import", catalog, "--database-url", url)
			t.Logf("import: %d MiB, %.0f tracks/s", peak>>20, float64(test.all)/time.Since(start).Seconds())
			require.Less(t, peak, most)

			f, err = os.Create(exported)
			require.NoError(t, err)
			start = time.Now()
			peak = child(t, asMain, f, "export", "--database-url", url)
			t.Logf("export: %d MiB, %.0f tracks/s", peak>>20, float64(test.all)/time.Since(start).Seconds())
			require.NoError(t, f.Close())
			require.Less(t, peak, most)
			require.NoError(t, exec.CommandContext(t.Context(), "cmp", catalog, exported).Run(), "they differ")

			peak = child(t, asSlurp, io.Discard, catalog)
			t.Logf("the control: %d MiB", peak>>20)
			require.Greater(t, peak, most)
		})
	}
}
