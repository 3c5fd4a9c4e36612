package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

// asMain is set where the test binary is to be musicstore itself.
const asMain = "MUSICSTORE_TEST_AS_MAIN"

// asked is how many iterations a hash has where no test sets fewer.
var asked = iterations

func TestMain(m *testing.M) {
	iterations = 1000
	if file := os.Getenv(peakFile); file != "" {
		go watchHeap(file)
	}
	switch {
	case os.Getenv(asMain) != "":
		main()
	case os.Getenv(asSlurp) != "":
		if err := slurp(os.Args[1]); err != nil {
			panic(err)
		}
		os.Exit(ok)
	}
	dbtest.Main(m)
}

func TestMain_Interrupt(t *testing.T) {
	t.Parallel()

	t.Run("EndsAnImportThatWaitsForInput", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		cmd := exec.CommandContext(t.Context(), os.Args[0], "import", "-", "--echo", "--database-url", url)
		cmd.Env = append(os.Environ(), asMain+"=1")
		stdin, err := cmd.StdinPipe() // it stays open: the import waits for another line
		require.NoError(t, err)
		defer stdin.Close()
		stderr, err := cmd.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = io.WriteString(stdin, blueTrain+strings.Repeat(" ", batchBytes)+"\n") // a statement's worth
		require.NoError(t, err)

		lines := bufio.NewReader(stderr)
		for line := ""; !strings.HasPrefix(line, "RELEASE SAVEPOINT"); {
			line, err = lines.ReadString('\n')
			require.NoError(t, err)
		}
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		rest, err := io.ReadAll(lines)
		require.NoError(t, err)
		var exit *exec.ExitError
		require.ErrorAs(t, cmd.Wait(), &exit)
		require.Equal(t, failed, exit.ExitCode())
		require.Contains(t, string(rest), "import -: line 2: interrupt signal received\nNothing was imported\n")
		require.Empty(t, albums(t, url))
	})
}

// A result is what a command left.
type result struct {
	status   int
	out, err string
}

// musicstore runs the command with nothing on standard input.
func musicstore(t *testing.T, args ...string) result {
	t.Helper()

	return musicstoreFrom(t, strings.NewReader(""), args...)
}

func musicstoreFrom(t *testing.T, in io.Reader, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(t.Context(), args, in, &out, &errs)

	return result{status, out.String(), errs.String()}
}

// stores are those that open has opened, by their test and URL.
var stores sync.Map

// open opens a store, once a test.
func open(t *testing.T, url string) *repo.Repo {
	t.Helper()
	key := [2]string{t.Name(), url}
	if store, ok := stores.Load(key); ok {
		return store.(*repo.Repo)
	}
	store, err := repo.Open(t.Context(), url)
	require.NoError(t, err)
	stores.Store(key, store)
	t.Cleanup(func() {
		stores.Delete(key)
		store.Close()
	})

	return store
}

// albums returns what a database has, in the form of a catalogue and in the order of its creation. It fails when the
// tracks are not numbered 1, 2, 3.
func albums(t *testing.T, url string) []repo.NewAlbum {
	t.Helper()
	var all []repo.NewAlbum
	for a, err := range open(t, url).AllAlbums(t.Context()) {
		require.NoError(t, err)
		album := repo.NewAlbum{
			Name: a.Name, URL: a.URL, Year: a.Year, PriceCents: a.PriceCents, ImageURL: a.ImageURL,
			HasPreview: a.HasPreview, IsPublished: a.IsPublished, Tracks: []repo.NewTrack{},
		}
		for i, track := range a.Tracks {
			require.EqualValues(t, i+1, track.DisplayOrder)
			album.Tracks = append(album.Tracks, repo.NewTrack{
				Name: track.Name, LengthSeconds: track.LengthSeconds, AudioURL: track.AudioURL, VideoURL: track.VideoURL,
			})
		}
		all = append(all, album)
	}

	return all
}

// sampleAlbums reads the shipped catalogue with nothing of ours.
func sampleAlbums(t *testing.T) []repo.NewAlbum {
	t.Helper()
	var all []repo.NewAlbum
	lines := json.NewDecoder(bytes.NewReader(sample))
	lines.DisallowUnknownFields()
	for lines.More() {
		var a repo.NewAlbum
		require.NoError(t, lines.Decode(&a))
		all = append(all, a)
	}

	return all
}

// count returns the number that a query gives.
func count(t *testing.T, url, sql string) int {
	t.Helper()
	var n int
	require.NoError(t, open(t, url).DB().QueryRow(t.Context(), sql).Scan(&n))

	return n
}

// blueTrain is a line of a catalogue with what is needed and nothing else.
const blueTrain = `{"name":"Blue Train","year":1958,"price_cents":999,` +
	`"tracks":[{"name":"Locomotion","length_seconds":430}]}`

// but returns blueTrain with a part of it changed. It panics when there is no such part.
func but(part, into string) string {
	if strings.Count(blueTrain, part) != 1 {
		panic(part)
	}

	return strings.Replace(blueTrain, part, into, 1)
}
