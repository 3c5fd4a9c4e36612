package repo

import (
	"context"
	"errors"

	"musicstore/internal/dbgen"
)

// The tracks of an album are numbered 1 to n without holes, also when several callers change them at once: each holds
// the album until its transaction ends, and the statement that renumbers begins after it has it. One statement alone
// would not do: what it reads is from before it waited.

// AddTrack puts a track into an album at a position, 1 being the first and 0 the end, moves those behind it on by one,
// and returns it. ErrNotFound when there is no such album; ErrTrackPositionInvalid when the position is beyond the end,
// or the album is full.
func (r *Repo) AddTrack(ctx context.Context, albumID int64, t NewTrack, position int) (Track, error) {
	const op = "add track"
	to, err := displayOrder(op, position, 0)
	if err != nil {
		return Track{}, err
	}
	var added Track
	err = r.InTx(ctx, func(tx *Repo) error {
		if _, err := tx.LockAlbum(ctx, albumID); err != nil {
			return err
		}
		var err error
		added, err = tx.Querier.AddTrack(ctx, dbgen.AddTrackParams{
			AlbumID: albumID, Position: to,
			Name: t.Name, LengthSeconds: t.LengthSeconds, AudioURL: t.AudioURL, VideoURL: t.VideoURL,
		})
		if errors.Is(err, ErrNotFound) {
			return beyondTheEnd(op)
		}

		return err
	})
	if err != nil {
		return Track{}, err
	}

	return added, nil
}

// MoveTrack gives a track of an album another position, 1 being the first, shifts those in between by one, and returns
// it. ErrNotFound when there is no such track, ErrTrackPositionInvalid when the position is beyond the end.
func (r *Repo) MoveTrack(ctx context.Context, id int64, position int) (Track, error) {
	const op = "move track"
	to, err := displayOrder(op, position, 1)
	if err != nil {
		return Track{}, err
	}
	var moved Track
	err = r.withTrackLocked(ctx, id, func(tx *Repo, t Track) error {
		if t.DisplayOrder != to {
			n, err := tx.Querier.MoveTrack(ctx, dbgen.MoveTrackParams{ID: id, Position: to})
			if err != nil {
				return err
			}
			if n == 0 {
				return beyondTheEnd(op)
			}
		}
		moved = t
		moved.DisplayOrder = to

		return nil
	})
	if err != nil {
		return Track{}, err
	}

	return moved, nil
}

// DeleteTrack deletes a track, closes the gap it leaves, and returns it; ErrNotFound when there is none.
func (r *Repo) DeleteTrack(ctx context.Context, id int64) (Track, error) {
	var deleted Track
	err := r.withTrackLocked(ctx, id, func(tx *Repo, _ Track) error {
		row, err := tx.Querier.DeleteTrack(ctx, id)
		deleted = Track(row)

		return err
	})
	if err != nil {
		return Track{}, err
	}

	return deleted, nil
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

func displayOrder(op string, position, least int) (int32, error) {
	if position < least || position > MaxTracks {
		return 0, beyondTheEnd(op)
	}

	return int32(position), nil //nolint:gosec // MaxTracks at most
}

// beyondTheEnd is the error of a position that the album does not have.
func beyondTheEnd(op string) error {
	return &ConstraintError{
		Op: op, Kind: ErrCheck, Table: "tracks", Column: "display_order", Constraint: string(ErrTrackPositionInvalid),
	}
}
