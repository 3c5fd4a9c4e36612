package repo

import (
	"context"
	"errors"

	"musicstore/internal/dbgen"
	"musicstore/layer/dbtx"
)

// The tracks of an album are numbered 1 to n without holes, also when several callers change them at once: each holds
// the album until its transaction ends, and the statement that renumbers begins after it has it. One statement alone
// would not do: what it reads is from before it waited.

// AddTrack puts a track into an album at a position, 1 being the first and 0 the end, moves those behind it on by one,
// and returns it as stored. It returns ErrNotFound when there is no such album, ErrTrackPositionInvalid when the
// position is beyond the end or the album is full, and ErrRowsNotKept when a trigger dropped the track. A second call
// adds a second track.
func (r *Repo) AddTrack(ctx context.Context, albumID int64, t NewTrack, position int) (Track, error) {
	const op = "add track"
	to, err := r.displayOrder(op, position, 0)
	if err != nil {
		return Track{}, err
	}
	var added Track
	err = r.InTx(ctx, func(tx *Repo) (err error) {
		if _, err = tx.LockAlbum(ctx, albumID); err != nil {
			return err
		}
		added, err = tx.querier.AddTrack(ctx, dbgen.AddTrackParams{
			AlbumID: albumID, Position: to,
			Name: t.Name, LengthSeconds: t.LengthSeconds, AudioURL: t.AudioURL, VideoURL: t.VideoURL,
		})
		if errors.Is(err, ErrNotFound) {
			return tx.unplaced(ctx, op, albumID, int(to), 1)
		}

		return err
	})
	if err != nil {
		return Track{}, err
	}

	return added, nil
}

// MoveTrack gives a track of an album another position, 1 being the first, shifts those in between by one, and returns
// it as stored. ErrNotFound when there is no such track, ErrTrackPositionInvalid when the position is beyond the end,
// ErrRowsNotKept when a trigger dropped the change.
func (r *Repo) MoveTrack(ctx context.Context, id int64, position int) (Track, error) {
	const op = "move track"
	to, err := r.displayOrder(op, position, 1)
	if err != nil {
		return Track{}, err
	}
	var moved Track
	err = r.withTrackLocked(ctx, id, func(tx *Repo, t Track) error {
		if moved = t; t.DisplayOrder == to {
			return nil
		}
		row, err := tx.querier.MoveTrack(ctx, dbgen.MoveTrackParams{ID: id, Position: to})
		if errors.Is(err, ErrNotFound) {
			return tx.unplaced(ctx, op, t.AlbumID, int(to), 0)
		}
		moved = Track(row)

		return err
	})
	if err != nil {
		return Track{}, err
	}

	return moved, nil
}

// DeleteTrack deletes a track, closes the gap it leaves, and returns it; ErrNotFound when there is none, ErrRowsNotKept
// when a trigger kept a track behind it from moving up.
func (r *Repo) DeleteTrack(ctx context.Context, id int64) (Track, error) {
	var deleted Track
	err := r.withTrackLocked(ctx, id, func(tx *Repo, _ Track) error {
		row, err := tx.querier.DeleteTrack(ctx, id)
		if err != nil {
			return err
		}
		if row.Moved != row.Behind {
			return dbtx.Wrap("delete track", ErrRowsNotKept)
		}
		deleted = Track{
			ID: row.ID, AlbumID: row.AlbumID, Name: row.Name, LengthSeconds: row.LengthSeconds,
			AudioURL: row.AudioURL, VideoURL: row.VideoURL, DisplayOrder: row.DisplayOrder,
		}

		return nil
	})
	if err != nil {
		return Track{}, err
	}

	return deleted, nil
}

// LoadTracks adds any number of tracks to existing albums by COPY, all of them or none, and returns how many. The
// caller numbers the tracks of each album, from 1 and without holes. It returns ErrTrackAlbumUnknown when there is no
// such album, ErrTrackPositionTaken when the album has a track with that number, ErrInvalid when a value is not
// allowed, and ErrRowsNotKept when a trigger dropped a track. A second call with the same tracks returns
// ErrTrackPositionTaken.
//
// It is a transaction, because only the end of a COPY says how many rows were kept.
func (r *Repo) LoadTracks(ctx context.Context, tracks []LoadTracksParams) (int64, error) {
	if len(tracks) == 0 {
		return 0, nil
	}
	err := r.InTx(ctx, func(tx *Repo) error {
		n, err := tx.querier.LoadTracks(ctx, tracks)
		if err == nil && n != int64(len(tracks)) {
			return dbtx.Wrap("load tracks", ErrRowsNotKept)
		}

		return err
	})
	if err != nil {
		return 0, err
	}

	return int64(len(tracks)), nil
}

// withTrackLocked runs fn with a track whose album is held.
func (r *Repo) withTrackLocked(ctx context.Context, id int64, fn func(*Repo, Track) error) error {
	return r.InTx(ctx, func(tx *Repo) error {
		track, err := tx.GetTrack(ctx, id)
		if err != nil {
			return err
		}
		if _, err := tx.LockAlbum(ctx, track.AlbumID); err != nil {
			return err
		}
		if track, err = tx.GetTrack(ctx, id); err != nil { // it may have been moved or deleted meanwhile
			return err
		}

		return fn(tx, track)
	})
}

func (r *Repo) displayOrder(op string, position, least int) (int32, error) {
	if position < least || position > MaxTracks {
		return 0, r.beyondTheEnd(op)
	}

	return int32(position), nil //nolint:gosec // MaxTracks at most
}

// unplaced is the error of a track that got no place in a locked album: the position is more than that many places behind
// the last track, or a trigger dropped the track.
func (r *Repo) unplaced(ctx context.Context, op string, albumID int64, position, places int) error {
	tracks, err := r.ListTracksOfAlbum(ctx, albumID)
	switch {
	case err != nil:
		return err
	case position > len(tracks)+places:
		return r.beyondTheEnd(op)
	default:
		return dbtx.Wrap(op, ErrRowsNotKept)
	}
}

// beyondTheEnd is the error of a position that the album does not have.
func (r *Repo) beyondTheEnd(op string) error {
	return r.store.Refused(op, ErrTrackPositionInvalid)
}
