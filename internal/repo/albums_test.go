package repo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"
)

func TestRepo_CreateAlbum(t *testing.T) {
	t.Parallel()

	t.Run("ReturnsWhatIsStored", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		made, err := store.CreateAlbum(t.Context(), repo.NewAlbum{
			Name: "Year of the Snake", Year: 1991, PriceCents: 999, ImageURL: new("https://cdn.example/snake.jpg"),
			HasPreview: true, IsPublished: true,
			Tracks: []repo.NewTrack{
				{Name: "Code Like It's 1999", LengthSeconds: 182, AudioURL: new("a.mp3")},
				{Name: "Same Name", LengthSeconds: 0, VideoURL: new("v.mp4")},
				{Name: "Same Name", LengthSeconds: 61},
			},
		})
		require.NoError(t, err)
		require.Equal(t, "year-of-the-snake", made.URL)
		require.Len(t, made.Tracks, 3)
		require.Equal(t, []int32{1, 2, 3}, orders(made.Tracks))
		require.IsIncreasing(t, []int64{made.Tracks[0].ID, made.Tracks[1].ID, made.Tracks[2].ID})
		byID, err := store.GetAlbum(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, made, byID)
		byURL, err := store.GetAlbumByURL(t.Context(), "year-of-the-snake")
		require.NoError(t, err)
		require.Equal(t, made, byURL)
	})
	t.Run("TakesAnAlbumWithoutTracks", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		made := newAlbum(t, store, "Silence", 0)
		require.NotNil(t, made.Tracks)
		require.Empty(t, made.Tracks)
		read, err := store.GetAlbum(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, made, read)
	})
	t.Run("KeepsTheOrderOfAThousandTracks", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		made := newAlbum(t, store, "Box", repo.MaxTracks)
		read, err := store.GetAlbum(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, made, read)
		require.Equal(t, "Box 999", read.Tracks[998].Name)
	})
	t.Run("IsOneStatement", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, repo.WithEcho(echo))
		newAlbum(t, store, "One", 12)
		require.Len(t, echo.Take(), 1)
	})
	t.Run("RefusesWhatIsTaken", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		newAlbum(t, store, "Taken", 1)
		_, err := store.CreateAlbum(t.Context(), album("Taken", 1))
		require.ErrorIs(t, err, repo.ErrAlbumNameTaken)
		require.EqualError(t, err, "create album: album name already taken")
		other := album("Another", 1)
		other.URL = "taken"
		_, err = store.CreateAlbum(t.Context(), other)
		require.ErrorIs(t, err, repo.ErrAlbumURLTaken)
		require.ErrorIs(t, err, repo.ErrUnique)
	})
	t.Run("RefusesWhatCannotBeAndKeepsNothing", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		long := strings.Repeat("x", 201)
		for name, bad := range map[string]struct {
			change func(*repo.NewAlbum)
			want   error
			text   string
		}{
			"blank name":           {func(a *repo.NewAlbum) { a.Name, a.URL = " \t", "x" }, repo.ErrAlbumNameInvalid, "name must"},
			"long name":            {func(a *repo.NewAlbum) { a.Name, a.URL = long, "x" }, repo.ErrAlbumNameInvalid, "200"},
			"no URL to be made":    {func(a *repo.NewAlbum) { a.Name = "!!!" }, repo.ErrInvalid, "url: is missing"},
			"long URL":             {func(a *repo.NewAlbum) { a.URL = long }, repo.ErrAlbumURLInvalid, "url must have 1 to 200"},
			"URL with a slash":     {func(a *repo.NewAlbum) { a.URL = "a/b" }, repo.ErrAlbumURLInvalid, "url must"},
			"URL that goes up":     {func(a *repo.NewAlbum) { a.URL = ".." }, repo.ErrAlbumURLInvalid, "not be . or .."},
			"year before records":  {func(a *repo.NewAlbum) { a.Year = 1859 }, repo.ErrAlbumYearInvalid, "1860"},
			"negative price":       {func(a *repo.NewAlbum) { a.PriceCents = -1 }, repo.ErrAlbumPriceInvalid, "price_cents must"},
			"empty image URL":      {func(a *repo.NewAlbum) { a.ImageURL = new("") }, repo.ErrAlbumImageURLInvalid, "image_url"},
			"blank track":          {func(a *repo.NewAlbum) { a.Tracks[1].Name = "" }, repo.ErrTrackNameInvalid, "track name must"},
			"negative length":      {func(a *repo.NewAlbum) { a.Tracks[1].LengthSeconds = -1 }, repo.ErrTrackLengthInvalid, "length_seconds"},
			"empty audio URL":      {func(a *repo.NewAlbum) { a.Tracks[1].AudioURL = new("") }, repo.ErrInvalid, "tracks[1].audio_url: is empty"},
			"empty video URL":      {func(a *repo.NewAlbum) { a.Tracks[0].VideoURL = new("") }, repo.ErrInvalid, "tracks[0].video_url: is empty"},
			"long audio URL":       {func(a *repo.NewAlbum) { a.Tracks[1].AudioURL = new(strings.Repeat("x", 2001)) }, repo.ErrTrackAudioURLInvalid, "2000"},
			"long video URL":       {func(a *repo.NewAlbum) { a.Tracks[1].VideoURL = new(strings.Repeat("x", 2001)) }, repo.ErrTrackVideoURLInvalid, "2000"},
			"two tracks too many":  {func(a *repo.NewAlbum) { a.Tracks = album("x", 1001).Tracks }, repo.ErrInvalid, "tracks: 1001 are too many: an album has 999 at most"},
			"NUL in the name":      {func(a *repo.NewAlbum) { a.Name = "a\x00b" }, repo.ErrInvalid, "create album: name: has a NUL character"},
			"NUL in a track":       {func(a *repo.NewAlbum) { a.Tracks[1].Name = "a\x00b" }, repo.ErrInvalid, "create album: tracks[1].name: has a NUL character"},
			"no UTF-8 in an image": {func(a *repo.NewAlbum) { a.ImageURL = new("\xc3(") }, repo.ErrInvalid, "create album: image_url: is not valid UTF-8"},
		} {
			a := album("Good", 2)
			bad.change(&a)
			_, err := store.CreateAlbum(t.Context(), a)
			require.ErrorIs(t, err, bad.want, name)
			require.ErrorIs(t, err, repo.ErrInvalid, name)
			require.ErrorContains(t, err, bad.text, name)
		}
		albums, err := store.ListAlbums(t.Context(), repo.Page{})
		require.NoError(t, err)
		require.Empty(t, albums)
	})
}

func TestSchema_AnAlbumsURLHas1To200Characters(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	newAlbum(t, store, "A", 0)
	set := func(url string) error {
		_, err := store.DB().Exec(t.Context(), "UPDATE albums SET url = $1", url)

		return err
	}
	require.NoError(t, set("x"))
	require.NoError(t, set(strings.Repeat("x", 200)))
	require.ErrorContains(t, set(""), "albums_url_check")
	require.ErrorContains(t, set(strings.Repeat("x", 201)), "albums_url_check")
}

func TestAlbumURL(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Year of the Snake": "year-of-the-snake",
		"Ágætis byrjun":     "agaetis-byrjun",
		"Кино":              "kino",
		"../../etc/passwd":  "etc-passwd",
		"!!!":               "",
		"":                  "",

		strings.Repeat("日", 200): strings.Repeat("ri-", 66) + "ri",
	} {
		require.Equal(t, want, repo.AlbumURL(name), name)
	}
}

func TestRepo_CreateAlbums(t *testing.T) {
	t.Parallel()

	t.Run("KeepsWhatCreateAlbumWouldKeep", func(t *testing.T) {
		t.Parallel()
		albums := []repo.NewAlbum{
			album("Zebra", 3), album("Silence", 0), album("Box", repo.MaxTracks), album("Ágætis byrjun", 1),
			{Name: "Alpha", URL: "z", Year: 2000, ImageURL: new("i.jpg"), HasPreview: true, Tracks: []repo.NewTrack{
				{Name: "Same", AudioURL: new("a.mp3")}, {Name: "Same", LengthSeconds: 7, VideoURL: new("v.mp4")},
			}},
		}
		one, all := dbtest.New(t), dbtest.New(t)
		for _, a := range albums {
			_, err := one.CreateAlbum(t.Context(), a)
			require.NoError(t, err)
		}
		require.NoError(t, all.CreateAlbums(t.Context(), albums))
		want, err := one.ListAlbums(t.Context(), repo.Page{})
		require.NoError(t, err)
		got, err := all.ListAlbums(t.Context(), repo.Page{})
		require.NoError(t, err)
		require.Equal(t, want, got, "ids and order included")
		require.Len(t, got, len(albums))
	})
	t.Run("IsOneStatementAndNoneForNone", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, repo.WithEcho(echo))
		require.NoError(t, store.CreateAlbums(t.Context(), nil))
		require.Empty(t, echo.Take())
		require.NoError(t, store.CreateAlbums(t.Context(), []repo.NewAlbum{album("A", 1), album("B", 2)}))
		require.Len(t, echo.Take(), 1)
	})
	t.Run("RefusesWhatCannotBeAndKeepsNothing", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		newAlbum(t, store, "Taken", 1)
		for text, change := range map[string]func(*repo.NewAlbum){
			"album name already taken":                       func(a *repo.NewAlbum) { a.Name, a.URL = "Taken", "other" },
			"album url already taken":                        func(a *repo.NewAlbum) { a.URL = "good" },
			"year must be from 1860 to 2200":                 func(a *repo.NewAlbum) { a.Year = 0 },
			"albums[1].url: is missing, and can't be made":   func(a *repo.NewAlbum) { a.Name = "!!!" },
			"albums[1].image_url: is empty: leave it out":    func(a *repo.NewAlbum) { a.ImageURL = new("") },
			"albums[1].tracks: 1000 are too many":            func(a *repo.NewAlbum) { a.Tracks = album("x", 1000).Tracks },
			"albums[1].tracks[0].audio_url: is empty":        func(a *repo.NewAlbum) { a.Tracks[0].AudioURL = new("") },
			"albums[1].tracks[1].name: has a NUL character":  func(a *repo.NewAlbum) { a.Tracks[1].Name = "a\x00b" },
			"names: has a NUL character":                     func(a *repo.NewAlbum) { a.Name, a.URL = "a\x00b", "x" },
			"track name must have 1 to 200 characters":       func(a *repo.NewAlbum) { a.Tracks[1].Name = " " },
			"image_url must have 1 to 2000 characters":       func(a *repo.NewAlbum) { a.ImageURL = new(strings.Repeat("x", 2001)) },
			"image_urls: is not valid UTF-8":                 func(a *repo.NewAlbum) { a.ImageURL = new("\xc3(") },
			"albums[1].tracks[0].video_url: is not valid UT": func(a *repo.NewAlbum) { a.Tracks[0].VideoURL = new("\xc3(") },
		} {
			bad := album("Bad", 2)
			change(&bad)
			err := store.CreateAlbums(t.Context(), []repo.NewAlbum{album("Good", 1), bad, album("Fine", 1)})
			require.ErrorContains(t, err, "create albums: "+text)
			require.True(t, errors.Is(err, repo.ErrInvalid) || errors.Is(err, repo.ErrUnique), text)
			albums, err := store.ListAlbums(t.Context(), repo.Page{})
			require.NoError(t, err)
			require.Len(t, albums, 1, text)
		}
	})
}

func TestRepo_GetAlbum_NotFound(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	_, err := store.GetAlbum(t.Context(), 1)
	require.ErrorIs(t, err, repo.ErrNotFound)
	require.EqualError(t, err, "get album: not found")
	_, err = store.GetAlbumByURL(t.Context(), "none")
	require.EqualError(t, err, "get album by URL: not found")
}

func TestRepo_ListPublishedAlbums(t *testing.T) {
	t.Parallel()

	t.Run("IsOneSnapshotOfTwoQueriesHoweverManyAlbums", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, repo.WithEcho(echo))
		for n := range 20 {
			newAlbum(t, store, fmt.Sprintf("Album %d", n), n%4)
			echo.Take()
			albums, err := store.ListPublishedAlbums(t.Context(), repo.Page{})
			require.NoError(t, err)
			require.Len(t, albums, n+1)
			require.Len(t, echo.Take(), 4, "with BEGIN and COMMIT")
		}
		// The control: a query for the tracks of each album is one statement more an album.
		albums, err := store.ListPublishedAlbums(t.Context(), repo.Page{})
		require.NoError(t, err)
		echo.Take()
		for _, a := range albums {
			tracks, err := store.ListTracksOfAlbum(t.Context(), a.ID)
			require.NoError(t, err)
			require.Equal(t, a.Tracks, tracks)
		}
		require.Len(t, echo.Take(), 20)
	})
	t.Run("HasTheTracksOfEachInOrder", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a, b := newAlbum(t, store, "A", 3), newAlbum(t, store, "B", 0)
		moved, err := store.MoveTrack(t.Context(), a.Tracks[2].ID, 1)
		require.NoError(t, err)
		require.Equal(t, int32(1), moved.DisplayOrder)
		albums, err := store.ListPublishedAlbums(t.Context(), repo.Page{})
		require.NoError(t, err)
		require.Equal(t, []int64{b.ID, a.ID}, []int64{albums[0].ID, albums[1].ID})
		require.Equal(t, []string{"A 3", "A 1", "A 2"}, names(albums[1].Tracks))
		require.Equal(t, []repo.Track{}, albums[0].Tracks)
	})
	t.Run("PagesThroughAllNewestFirst", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		var want []string
		for n := range 7 {
			a := album(fmt.Sprintf("Album %d", n), 1)
			a.Year = int32(2000 + n/3) // ties
			a.IsPublished = n != 2
			_, err := store.CreateAlbum(t.Context(), a)
			require.NoError(t, err)
			if a.IsPublished {
				want = append([]string{a.Name}, want...)
			}
		}
		var got []string
		page := repo.Page{Limit: 2}
		for {
			albums, err := store.ListPublishedAlbums(t.Context(), page)
			require.NoError(t, err)
			if len(albums) == 0 {
				break
			}
			for _, a := range albums {
				got = append(got, a.Name)
				require.Len(t, a.Tracks, 1)
			}
			page.After = repo.AfterPublishedAlbum(albums[len(albums)-1])
		}
		require.Equal(t, want, got)
		got = nil
		for a, err := range store.AllPublishedAlbums(t.Context()) {
			require.NoError(t, err)
			got = append(got, a.Name)
		}
		require.Equal(t, want, got)
	})
	t.Run("RefusesAPageThatIsNone", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		for _, after := range []string{"x", "1", "_", "1_", "1_x", "x_1", "99999999999_1", "1_99999999999999999999", "1_1; DROP TABLE albums"} {
			_, err := store.ListPublishedAlbums(t.Context(), repo.Page{After: after})
			require.ErrorIs(t, err, repo.ErrInvalid, after)
			require.EqualError(t, err, "list published albums: after: is no place in this list")
		}
		for _, limit := range []int{-1, 1001} {
			_, err := store.ListPublishedAlbums(t.Context(), repo.Page{Limit: limit})
			require.EqualError(t, err, "list published albums: limit: must be from 0 to 1000")
		}
	})
}

func TestRepo_AllAlbums_WalksThoseUnpublishedToo(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	var want []repo.AlbumWithTracks
	for n := range 3 {
		a := album(fmt.Sprintf("Album %d", n), n)
		a.IsPublished = false
		made, err := store.CreateAlbum(t.Context(), a)
		require.NoError(t, err)
		want = append(want, made)
	}
	var got []repo.AlbumWithTracks
	for a, err := range store.AllAlbums(t.Context()) {
		require.NoError(t, err)
		got = append(got, a)
	}
	require.Equal(t, want, got)
	second, err := store.ListAlbums(t.Context(), repo.Page{After: repo.AfterAlbum(want[0]), Limit: 1})
	require.NoError(t, err)
	require.Equal(t, want[1:2], second)
	_, err = store.ListAlbums(t.Context(), repo.Page{After: "x"})
	require.ErrorIs(t, err, repo.ErrInvalid)
}

func TestRepo_UpdateAlbum(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a := newAlbum(t, store, "Old", 2)
	p := repo.UpdateAlbumParams{ID: a.ID, Name: "New", URL: "new", Year: 2001, PriceCents: 1, HasPreview: true}
	updated, err := store.UpdateAlbum(t.Context(), p)
	require.NoError(t, err)
	read, err := store.GetAlbum(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, updated, read.Album)
	require.Equal(t, repo.Album{ID: a.ID, Name: "New", URL: "new", Year: 2001, PriceCents: 1, HasPreview: true}, updated)
	require.Equal(t, a.Tracks, read.Tracks)

	other := newAlbum(t, store, "Other", 0)
	p.ID = other.ID
	_, err = store.UpdateAlbum(t.Context(), p)
	require.ErrorIs(t, err, repo.ErrAlbumNameTaken)
	require.EqualError(t, err, "update album: album name already taken")
	p.ID = -1
	_, err = store.UpdateAlbum(t.Context(), p)
	require.ErrorIs(t, err, repo.ErrNotFound)
}

func TestRepo_PublishAlbum(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a := newAlbum(t, store, "A", 1)

	unpublished, err := store.UnpublishAlbum(t.Context(), a.ID)
	require.NoError(t, err)
	require.False(t, unpublished.IsPublished)
	albums, err := store.ListPublishedAlbums(t.Context(), repo.Page{})
	require.NoError(t, err)
	require.Equal(t, []repo.AlbumWithTracks{}, albums)
	published, err := store.PublishAlbum(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, a.Album, published)
	_, err = store.PublishAlbum(t.Context(), -1)
	require.ErrorIs(t, err, repo.ErrNotFound)
	_, err = store.UnpublishAlbum(t.Context(), -1)
	require.ErrorIs(t, err, repo.ErrNotFound)
}

func TestRepo_DeleteAlbum(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a, kept := newAlbum(t, store, "A", 3), newAlbum(t, store, "Kept", 2)

	deleted, err := store.DeleteAlbum(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, a.Album, deleted)
	_, err = store.GetTrack(t.Context(), a.Tracks[0].ID)
	require.ErrorIs(t, err, repo.ErrNotFound, "the tracks go along")
	_, err = store.DeleteAlbum(t.Context(), a.ID)
	require.ErrorIs(t, err, repo.ErrNotFound)

	buyer := newAccount(t, store, "buyer@example.com")
	_, err = store.RecordPurchase(t.Context(), repo.NewPurchase{AccountID: buyer.ID, AlbumID: kept.ID, PaymentRef: "1"})
	require.NoError(t, err)
	_, err = store.DeleteAlbum(t.Context(), kept.ID)
	require.ErrorIs(t, err, repo.ErrAlbumHasPurchases)
	require.ErrorIs(t, err, repo.ErrReferenced)
	require.NotErrorIs(t, err, repo.ErrPurchaseAlbumUnknown)
	require.EqualError(t, err, "delete album: album has purchases")
	read, err := store.GetAlbum(t.Context(), kept.ID)
	require.NoError(t, err)
	require.Equal(t, kept, read)
}

func orders(tracks []repo.Track) []int32 {
	var of []int32
	for _, t := range tracks {
		of = append(of, t.DisplayOrder)
	}

	return of
}

func names(tracks []repo.Track) []string {
	var of []string
	for _, t := range tracks {
		of = append(of, t.Name)
	}

	return of
}
