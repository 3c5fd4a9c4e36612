package repo_test

import (
	"fmt"
	"iter"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

// TestRepo_AWalkHoldsLittleWhateverTheRowsAre is not parallel: it measures the memory of the whole process.
func TestRepo_AWalkHoldsLittleWhateverTheRowsAre(t *testing.T) { //nolint:paralleltest // see above
	dbtest.Full(t)
	walkHoldsLittle(t, 4, 11<<20)
}

func TestSoak_AWalkHoldsLittleWhateverTheRowsAre(t *testing.T) { //nolint:paralleltest // see above
	dbtest.Soak(t)
	walkHoldsLittle(t, 60, 64<<20)
}

// walkHoldsLittle walks so many albums of four megabytes each, and fails when a walk holds as much as a bound.
func walkHoldsLittle(t *testing.T, albums int, bound int64) {
	t.Helper()
	store := dbtest.New(t)
	_, err := store.DB().Exec(t.Context(), `
		INSERT INTO albums (name, url, year, price_cents, has_preview, is_published)
		SELECT 'A ' || n, 'a-' || n, 1900 + n * 7 % 60, 1, false, true FROM generate_series(1, $1::int) AS n`, albums)
	require.NoError(t, err)
	_, err = store.DB().Exec(t.Context(), `
		INSERT INTO tracks (album_id, name, length_seconds, audio_url, video_url, display_order)
		SELECT a.id, 'T', 1, repeat('x', 2000), repeat('y', 2000), n FROM albums AS a, generate_series(1, 999) AS n`)
	require.NoError(t, err)
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)

		return int64(m.HeapAlloc)
	}
	before := inUse()
	for name, all := range map[string]iter.Seq2[repo.AlbumWithTracks, error]{
		"AllAlbums": store.AllAlbums(t.Context()), "AllPublishedAlbums": store.AllPublishedAlbums(t.Context()),
	} {
		n, most := 0, int64(0)
		for a, err := range all {
			require.NoError(t, err)
			require.Len(t, a.Tracks, repo.MaxTracks)
			n++
			most = max(most, inUse()-before)
		}
		require.Equal(t, albums, n, name)
		require.Less(t, most, bound, name)
		t.Logf("%s held %d MiB at most", name, most>>20)
	}

	// The control: a page of all.
	page, err := store.ListAlbums(t.Context(), repo.Page{Limit: albums})
	require.NoError(t, err)
	require.Greater(t, inUse()-before, bound)
	require.Len(t, page, albums, "a page has as many as were asked for")
	runtime.KeepAlive(page)
}

func TestRepo_AWalkGoesThroughAlbumsOfAllSizes(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	walkGoesThroughAll(t, 106, 102)
}

func TestSoak_AWalkGoesThroughAlbumsOfAllSizes(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	walkGoesThroughAll(t, 230, 220)
}

// walkGoesThroughAll walks albums, of which some are full, and all behind a number.
func walkGoesThroughAll(t *testing.T, count, full int) {
	t.Helper()
	store := dbtest.New(t)
	var albums []repo.NewAlbum
	for n := range count {
		size := n % 3
		if n%50 == 49 || n > full {
			size = repo.MaxTracks - n%2
		}
		a := album(fmt.Sprintf("Album %d", n), size)
		a.Year = int32(1950 + n*37%50)
		albums = append(albums, a)
	}
	require.NoError(t, store.CreateAlbums(t.Context(), albums))
	for name, walk := range map[string]struct {
		all  iter.Seq2[repo.AlbumWithTracks, error]
		list func(repo.Page) ([]repo.AlbumWithTracks, error)
	}{
		"all": {store.AllAlbums(t.Context()), func(p repo.Page) ([]repo.AlbumWithTracks, error) {
			return store.ListAlbums(t.Context(), p)
		}},
		"published": {store.AllPublishedAlbums(t.Context()), func(p repo.Page) ([]repo.AlbumWithTracks, error) {
			return store.ListPublishedAlbums(t.Context(), p)
		}},
	} {
		want, err := walk.list(repo.Page{Limit: repo.MaxPage})
		require.NoError(t, err)
		require.Len(t, want, len(albums))
		var got []repo.AlbumWithTracks
		for a, err := range walk.all {
			require.NoError(t, err)
			got = append(got, a)
		}
		require.Equal(t, want, got, name)
	}
}

// Somebody who drops the CHECK can give an album more tracks than a walk reads. It must not leave them out silently.
func TestRepo_AWalkRefusesAnAlbumWithTooManyTracks(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	store := dbtest.New(t)
	require.NoError(t, store.CreateAlbums(t.Context(), []repo.NewAlbum{album("Small", 3), album("Full", repo.MaxTracks)}))
	walked := func(walk iter.Seq2[repo.AlbumWithTracks, error]) (tracks int, err error) {
		for a, err := range walk {
			if err != nil {
				return tracks, err
			}
			tracks += len(a.Tracks)
		}

		return tracks, nil
	}
	n, err := walked(store.AllAlbums(t.Context()))
	require.NoError(t, err)
	require.Equal(t, 3+repo.MaxTracks, n)

	_, err = store.DB().Exec(t.Context(), `
		ALTER TABLE tracks DROP CONSTRAINT tracks_display_order_check;
		INSERT INTO tracks (album_id, name, length_seconds, display_order)
		SELECT id, 'More', 1, n FROM albums, generate_series(1000, 1003) AS n WHERE name = 'Full'`)
	require.NoError(t, err)
	for _, walk := range []iter.Seq2[repo.AlbumWithTracks, error]{store.AllAlbums(t.Context()), store.AllPublishedAlbums(t.Context())} {
		_, err := walked(walk)
		require.ErrorContains(t, err, "an album has more than 999 tracks")
	}
	naive, err := store.ListFirstTracksOfAlbums(t.Context(), repo.ListFirstTracksOfAlbumsParams{
		AlbumIDs: []int64{2}, PageSize: repo.MaxTracks + 1,
	})
	require.NoError(t, err)
	require.Len(t, naive, repo.MaxTracks+1, "the control: one page of the tracks leaves some out")
}
