package repo_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"
)

func TestRepo_AddTrack(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a := newAlbum(t, store, "A", 2)
	for _, step := range []struct {
		position int
		want     []string
	}{
		{0, []string{"A 1", "A 2", "N0"}},
		{1, []string{"N1", "A 1", "A 2", "N0"}},
		{3, []string{"N1", "A 1", "N2", "A 2", "N0"}},
		{6, []string{"N1", "A 1", "N2", "A 2", "N0", "N3"}},
	} {
		n := len(step.want) - 3
		added, err := store.AddTrack(t.Context(), a.ID,
			repo.NewTrack{Name: fmt.Sprintf("N%d", n), LengthSeconds: 5, AudioURL: new("a")}, step.position)
		require.NoError(t, err)
		read, err := store.GetAlbum(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, step.want, names(read.Tracks))
		require.Contains(t, read.Tracks, added)
		requireGapless(t, read.Tracks)
	}
	for _, position := range []int{-1, 8, 1000, 1 << 40} {
		_, err := store.AddTrack(t.Context(), a.ID, repo.NewTrack{Name: "x"}, position)
		require.ErrorIs(t, err, repo.ErrTrackPositionInvalid)
		require.ErrorIs(t, err, repo.ErrInvalid)
	}
	_, err := store.AddTrack(t.Context(), -1, repo.NewTrack{Name: "x"}, 0)
	require.ErrorIs(t, err, repo.ErrNotFound)
	_, err = store.AddTrack(t.Context(), a.ID, repo.NewTrack{Name: " "}, 1)
	require.ErrorIs(t, err, repo.ErrTrackNameInvalid)
	read, err := store.GetAlbum(t.Context(), a.ID)
	require.NoError(t, err)
	require.Len(t, read.Tracks, 6, "nothing of what was refused is left")
	requireGapless(t, read.Tracks)

	full := newAlbum(t, store, "Full", repo.MaxTracks)
	_, err = store.AddTrack(t.Context(), full.ID, repo.NewTrack{Name: "x"}, 0)
	require.ErrorIs(t, err, repo.ErrTrackPositionInvalid)
	_, err = store.AddTrack(t.Context(), full.ID, repo.NewTrack{Name: "x"}, 1)
	require.ErrorIs(t, err, repo.ErrTrackPositionInvalid)
}

func TestRepo_LoadTracks(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a, b := newAlbum(t, store, "A", 0), newAlbum(t, store, "B", 1)
	n, err := store.LoadTracks(t.Context(), []repo.LoadTracksParams{
		{AlbumID: a.ID, Name: "one", LengthSeconds: 5, AudioURL: new("a"), DisplayOrder: 1},
		{AlbumID: b.ID, Name: "two", DisplayOrder: 2},
		{AlbumID: a.ID, Name: "three", VideoURL: new("v"), DisplayOrder: 2},
	})
	require.NoError(t, err)
	require.Equal(t, int64(3), n)
	requireLoaded := func() {
		t.Helper()
		for album, want := range map[int64][]string{a.ID: {"one", "three"}, b.ID: {"B 1", "two"}} {
			read, err := store.GetAlbum(t.Context(), album)
			require.NoError(t, err)
			require.Equal(t, want, names(read.Tracks))
			requireGapless(t, read.Tracks)
		}
	}
	requireLoaded()
	n, err = store.LoadTracks(t.Context(), nil)
	require.NoError(t, err)
	require.Zero(t, n)

	for _, c := range []struct {
		track repo.LoadTracksParams
		want  error
	}{
		{repo.LoadTracksParams{AlbumID: -1, Name: "x", DisplayOrder: 1}, repo.ErrForeignKey},
		{repo.LoadTracksParams{AlbumID: a.ID, Name: "x", DisplayOrder: 2}, repo.Constraint("tracks_display_order_key")},
		{repo.LoadTracksParams{AlbumID: a.ID, Name: " ", DisplayOrder: 4}, repo.ErrTrackNameInvalid},
		{repo.LoadTracksParams{AlbumID: a.ID, Name: "x\x00", DisplayOrder: 4}, repo.ErrInvalid},
	} {
		_, err := store.LoadTracks(t.Context(), []repo.LoadTracksParams{{AlbumID: a.ID, Name: "good", DisplayOrder: 3}, c.track})
		require.ErrorIs(t, err, c.want)
		requireLoaded()
	}
}

func TestRepo_MoveTrack(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a, other := newAlbum(t, store, "A", 5), newAlbum(t, store, "B", 5)
	for _, step := range []struct {
		track, to int
		want      []string
	}{
		{0, 3, []string{"A 2", "A 3", "A 1", "A 4", "A 5"}},
		{4, 1, []string{"A 5", "A 2", "A 3", "A 1", "A 4"}},
		{3, 5, []string{"A 5", "A 2", "A 3", "A 1", "A 4"}},
		{0, 4, []string{"A 5", "A 2", "A 3", "A 1", "A 4"}},
		{2, 2, []string{"A 5", "A 3", "A 2", "A 1", "A 4"}},
	} {
		moved, err := store.MoveTrack(t.Context(), a.Tracks[step.track].ID, step.to)
		require.NoError(t, err)
		require.Equal(t, int32(step.to), moved.DisplayOrder)
		read, err := store.GetAlbum(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, step.want, names(read.Tracks))
		requireGapless(t, read.Tracks)
	}
	for _, position := range []int{-1, 0, 6, 1000} {
		_, err := store.MoveTrack(t.Context(), a.Tracks[0].ID, position)
		require.ErrorIs(t, err, repo.ErrTrackPositionInvalid)
		require.EqualError(t, err, "move track: display_order must be from 1 to the number of tracks, which is 999 at most")
	}
	_, err := store.MoveTrack(t.Context(), -1, 1)
	require.ErrorIs(t, err, repo.ErrNotFound)
	untouched, err := store.GetAlbum(t.Context(), other.ID)
	require.NoError(t, err)
	require.Equal(t, other, untouched)
}

func TestRepo_DeleteTrack(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a := newAlbum(t, store, "A", 3)
	deleted, err := store.DeleteTrack(t.Context(), a.Tracks[1].ID)
	require.NoError(t, err)
	require.Equal(t, a.Tracks[1], deleted)
	read, err := store.GetAlbum(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"A 1", "A 3"}, names(read.Tracks))
	requireGapless(t, read.Tracks)
	_, err = store.DeleteTrack(t.Context(), a.Tracks[1].ID)
	require.ErrorIs(t, err, repo.ErrNotFound)
}

func TestRepo_TracksStayGapless(t *testing.T) {
	t.Parallel()
	// change adds, moves or deletes a track of the album, at random.
	change := func(ctx context.Context, store *repo.Repo, r *rand.Rand, albumID int64) error {
		a, err := store.GetAlbum(ctx, albumID)
		if err != nil {
			return err
		}
		track := a.Tracks[r.IntN(len(a.Tracks))]
		switch r.IntN(3) {
		case 0:
			_, err = store.AddTrack(ctx, albumID, repo.NewTrack{Name: "new"}, r.IntN(len(a.Tracks)+1))
		case 1:
			_, err = store.MoveTrack(ctx, track.ID, 1+r.IntN(len(a.Tracks)))
		case 2:
			_, err = store.DeleteTrack(ctx, track.ID)
		}

		return err
	}

	t.Run("WhenManyChangeThemAtOnce", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAlbum(t, store, "A", 40)
		errs := dbtxtest.AtOnce(16, func(i int) error {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 10 {
				// Another may have deleted the track, or shortened the album, since it was looked at.
				if err := change(t.Context(), store, r, a.ID); err != nil &&
					!dbtxtest.IsAny(err, repo.ErrNotFound, repo.ErrTrackPositionInvalid) {
					return err
				}
			}

			return nil
		})
		require.Equal(t, make([]error, 16), errs)
		read, err := store.GetAlbum(t.Context(), a.ID)
		require.NoError(t, err)
		requireGapless(t, read.Tracks)
	})
	t.Run("ButNotByTheStatementAlone", func(t *testing.T) {
		t.Parallel()
		// The control: the same statement without holding the album reads what was there before it waited.
		store := dbtest.New(t)
		a := newAlbum(t, store, "A", 40)
		const add = `
			WITH place AS (SELECT count(*) + 1 AS n FROM tracks WHERE album_id = $1)
			INSERT INTO tracks (album_id, name, length_seconds, display_order)
			SELECT $1, 'new', 0, n FROM place`
		tx, err := store.DB().(*pgxpool.Pool).Begin(t.Context())
		require.NoError(t, err)
		defer tx.Rollback(t.Context())
		_, err = tx.Exec(t.Context(), add, a.ID)
		require.NoError(t, err)
		second := make(chan error, 1)
		go func() {
			_, err := store.DB().Exec(t.Context(), add, a.ID)
			second <- err
		}()
		dbtxtest.AwaitLock(t, store.DB())
		require.NoError(t, tx.Commit(t.Context()))
		require.ErrorContains(t, <-second, "tracks_display_order_key", "two take the same place")
	})
}

func requireGapless(t *testing.T, tracks []repo.Track) {
	t.Helper()
	for i, track := range tracks {
		require.Equal(t, int32(i+1), track.DisplayOrder)
	}
}
