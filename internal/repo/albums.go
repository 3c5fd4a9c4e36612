package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"musicstore/internal/dbgen"
	"musicstore/layer/dbtx"

	"github.com/gosimple/slug"
)

// NewAlbum is what CreateAlbum takes, and a line of a catalogue.
type NewAlbum struct {
	Name        string     `json:"name"`
	URL         string     `json:"url"` // its segment of a path; made from the name when empty
	Year        int32      `json:"year"`
	PriceCents  int64      `json:"price_cents"`
	ImageURL    *string    `json:"image_url"`
	HasPreview  bool       `json:"has_preview"`
	IsPublished bool       `json:"is_published"`
	Tracks      []NewTrack `json:"tracks"` // in display order
}

// NewTrack is a track to be. A URL of nil is none.
type NewTrack struct {
	Name          string  `json:"name"`
	LengthSeconds int32   `json:"length_seconds"`
	AudioURL      *string `json:"audio_url"`
	VideoURL      *string `json:"video_url"`
}

// AlbumWithTracks is an album with its tracks in display order; Tracks is never nil.
type AlbumWithTracks struct {
	Album

	Tracks []Track `json:"tracks"`
}

// MaxTracks is how many tracks an album can have.
const MaxTracks = 999

// CreateAlbum inserts an album with its tracks, in one statement, and returns them as stored, with what a trigger
// changed. It returns ErrAlbumNameTaken or ErrAlbumURLTaken when another album has the name or the URL, ErrInvalid when
// a value is not allowed, and ErrRowsNotKept when a trigger dropped the album or a track; nothing is kept then.
//
// A second call with the same album returns ErrAlbumNameTaken. When the reply is lost, the error is ErrOutcomeUnknown:
// a second call then returns ErrAlbumNameTaken if the first one was kept.
func (r *Repo) CreateAlbum(ctx context.Context, a NewAlbum) (AlbumWithTracks, error) {
	const op = "create album"
	var t trackColumns
	if err := a.complete(op, "", &t); err != nil {
		return AlbumWithTracks{}, err
	}
	row, err := r.querier.CreateAlbum(ctx, dbgen.CreateAlbumParams{
		Name: a.Name, URL: a.URL, Year: a.Year, PriceCents: a.PriceCents, ImageURL: a.ImageURL,
		HasPreview: a.HasPreview, IsPublished: a.IsPublished,
		TrackNames: t.names, TrackLengths: t.lengths, TrackAudioURLs: t.audio, TrackVideoURLs: t.video,
	})
	if errors.Is(err, ErrNotFound) {
		return AlbumWithTracks{}, dbtx.Wrap(op, ErrRowsNotKept)
	}
	if err != nil {
		return AlbumWithTracks{}, err
	}

	return a.stored(row), nil
}

// CreateAlbums inserts albums with their tracks, all of them or none, in one statement. It returns the errors of
// CreateAlbum, but that of a constraint does not say which album it was: call CreateAlbum for each to learn it. It
// returns ErrRowsNotKept also when a trigger changed the URL of an album, because the statement finds the album of its
// tracks by the URL. Without albums it does nothing.
//
// A second call with the same albums returns ErrAlbumNameTaken. When the reply is lost, the error is ErrOutcomeUnknown:
// a second call then returns ErrAlbumNameTaken if the first one was kept.
func (r *Repo) CreateAlbums(ctx context.Context, albums []NewAlbum) error {
	const op = "create albums"
	if len(albums) == 0 {
		return nil
	}
	var p dbgen.CreateAlbumsParams
	var t trackColumns
	for i, a := range albums {
		path := "albums[" + strconv.Itoa(i) + "]."
		if err := a.complete(op, path, &t); err != nil {
			return err
		}
		if a.URL == "" {
			if a.URL = AlbumURL(a.Name); a.URL == "" {
				return &InvalidError{Op: op, Field: path + "url", Reason: noURL}
			}
		}
		image := ""
		if a.ImageURL != nil {
			if image = *a.ImageURL; image == "" {
				return &InvalidError{Op: op, Field: path + "image_url", Reason: isEmpty}
			}
		}
		p.Names, p.URLs, p.Years = append(p.Names, a.Name), append(p.URLs, a.URL), append(p.Years, a.Year)
		p.PricesCents, p.ImageURLs = append(p.PricesCents, a.PriceCents), append(p.ImageURLs, image)
		p.HavePreview, p.ArePublished = append(p.HavePreview, a.HasPreview), append(p.ArePublished, a.IsPublished)
		for n := range a.Tracks {
			p.TrackAlbums = append(p.TrackAlbums, int32(i+1))
			p.TrackOrders = append(p.TrackOrders, int32(n+1))
		}
	}
	p.TrackNames, p.TrackLengths, p.TrackAudioURLs, p.TrackVideoURLs = t.names, t.lengths, t.audio, t.video

	return r.querier.CreateAlbums(ctx, p)
}

// trackColumns are tracks as the statements take them: column by column, "" being no URL.
type trackColumns struct {
	names        []string
	lengths      []int32
	audio, video []string
}

const isEmpty = "is empty: leave it out"

// complete checks of an album what the statement does not, and adds the tracks to t. An error names the field, behind path.
func (a *NewAlbum) complete(op, path string, t *trackColumns) error {
	if len(a.Tracks) > MaxTracks {
		why := fmt.Sprintf("%d are too many: an album has %d at most", len(a.Tracks), MaxTracks)

		return &InvalidError{Op: op, Field: path + "tracks", Reason: why}
	}
	n := len(a.Tracks)
	t.names, t.lengths = slices.Grow(t.names, n), slices.Grow(t.lengths, n)
	t.audio, t.video = slices.Grow(t.audio, n), slices.Grow(t.video, n)
	for i, track := range a.Tracks {
		audio, video := "", ""
		for _, text := range []struct {
			field string
			from  *string
			to    *string
		}{{"name", &track.Name, nil}, {"audio_url", track.AudioURL, &audio}, {"video_url", track.VideoURL, &video}} {
			if text.from == nil {
				continue
			}
			why := dbtx.Unstorable(*text.from)
			if text.to != nil {
				if *text.to = *text.from; *text.to == "" {
					why = isEmpty
				}
			}
			if why != "" {
				field := path + "tracks[" + strconv.Itoa(i) + "]." + text.field

				return &InvalidError{Op: op, Field: field, Reason: why}
			}
		}
		t.names, t.lengths = append(t.names, track.Name), append(t.lengths, track.LengthSeconds)
		t.audio, t.video = append(t.audio, audio), append(t.video, video)
	}

	return nil
}

// stored returns the album as the database holds it. Of the tracks, the statement returned the ids, and those columns that
// are not as they were sent.
func (a NewAlbum) stored(row dbgen.CreateAlbumRow) AlbumWithTracks {
	album := AlbumWithTracks{Tracks: make([]Track, len(a.Tracks)), Album: Album{
		ID: row.ID, Name: row.Name, URL: row.URL, Year: row.Year, PriceCents: row.PriceCents, ImageURL: row.ImageURL,
		HasPreview: row.HasPreview, IsPublished: row.IsPublished,
	}}
	for i, sent := range a.Tracks {
		t := Track{
			ID: row.TrackIDs[i], AlbumID: row.ID, Name: sent.Name, LengthSeconds: sent.LengthSeconds,
			AudioURL: sent.AudioURL, VideoURL: sent.VideoURL, DisplayOrder: int32(i + 1),
		}
		if row.TrackNames != nil {
			t.Name = row.TrackNames[i]
		}
		if row.TrackLengths != nil {
			t.LengthSeconds = row.TrackLengths[i]
		}
		if row.TrackAudioURLs != nil {
			t.AudioURL = urlOrNil(row.TrackAudioURLs[i])
		}
		if row.TrackVideoURLs != nil {
			t.VideoURL = urlOrNil(row.TrackVideoURLs[i])
		}
		if row.DisplayOrders != nil {
			t.DisplayOrder = row.DisplayOrders[i]
		}
		album.Tracks[i] = t
	}

	return album
}

// urlOrNil returns a URL as an album or track has it: nil is none.
func urlOrNil(url string) *string {
	if url == "" {
		return nil
	}

	return &url
}

// AlbumURL makes the URL of an album from its name: lower-case ASCII letters, digits and hyphens, with other letters
// transliterated ("Ágætis byrjun" gives "agaetis-byrjun"), 200 characters at most. It is "" when nothing of the name is
// left. The URL of a URL is itself.
func AlbumURL(name string) string {
	const longest = 200
	if runes := []rune(name); len(runes) > longest { // no name is longer
		name = string(runes[:longest])
	}
	url := slug.Make(name)

	return strings.Trim(url[:min(len(url), longest)], "-_")
}

const noURL = "is missing, and can't be made from the name"

// albumURL derives albums.url.
func albumURL(name string) (string, error) {
	url := AlbumURL(name)
	if url == "" {
		return "", &InvalidError{Field: "url", Reason: noURL}
	}

	return url, nil
}

// GetAlbum returns an album with its tracks, as they are at one moment; ErrNotFound when there is none.
func (r *Repo) GetAlbum(ctx context.Context, id int64) (AlbumWithTracks, error) {
	return r.withItsTracks(ctx,
		func(r *Repo) (Album, error) { return r.querier.GetAlbum(ctx, id) },
		func(r *Repo) ([]Track, error) { return r.ListTracksOfAlbum(ctx, id) },
	)
}

// GetAlbumByURL returns the album at a URL with its tracks, as they are at one moment; ErrNotFound when there is none.
func (r *Repo) GetAlbumByURL(ctx context.Context, url string) (AlbumWithTracks, error) {
	return r.withItsTracks(ctx,
		func(r *Repo) (Album, error) { return r.querier.GetAlbumByURL(ctx, url) },
		func(r *Repo) ([]Track, error) { return r.ListTracksOfAlbumByURL(ctx, url) },
	)
}

// ListPublishedAlbums returns a page of the published albums with their tracks, as they are at one moment, the newest year first. The
// page after it is at AfterPublishedAlbum(last).
func (r *Repo) ListPublishedAlbums(ctx context.Context, page Page) ([]AlbumWithTracks, error) {
	p, err := pageOfPublishedAlbums(page, ListPublishedAlbumsParams{})
	if err != nil {
		return nil, err
	}

	return r.withTracks(ctx,
		func(r *Repo) ([]Album, error) { return r.querier.ListPublishedAlbums(ctx, p) },
		func(r *Repo) ([]Track, error) {
			return r.ListTracksOfPublishedAlbums(ctx, dbgen.ListTracksOfPublishedAlbumsParams(p))
		},
	)
}

// AfterPublishedAlbum is the place in ListPublishedAlbums behind an album.
func AfterPublishedAlbum(a AlbumWithTracks) string { return afterPublishedAlbum(a.Album) }

// AllPublishedAlbums walks all published albums, the newest year first. However long their texts are, it holds no more
// than about a thousand tracks at a time. Errors are those of AllAlbums.
func (r *Repo) AllPublishedAlbums(ctx context.Context) iter.Seq2[AlbumWithTracks, error] {
	return r.walkAlbums(ctx, AfterPublishedAlbum, r.listPublishedAlbums)
}

// ListAlbums returns a page of all albums with their tracks, as they are at one moment, published or not, in the order they were
// created. The page after it is at AfterAlbum(last).
func (r *Repo) ListAlbums(ctx context.Context, page Page) ([]AlbumWithTracks, error) {
	p, err := pageOfAlbums(page, ListAlbumsParams{})
	if err != nil {
		return nil, err
	}

	return r.withTracks(ctx,
		func(r *Repo) ([]Album, error) { return r.querier.ListAlbums(ctx, p) },
		func(r *Repo) ([]Track, error) { return r.ListTracksOfAlbums(ctx, dbgen.ListTracksOfAlbumsParams(p)) },
	)
}

// AfterAlbum is the place in ListAlbums behind an album.
func AfterAlbum(a AlbumWithTracks) string { return afterAlbum(a.Album) }

// AllAlbums walks all albums in the order they were created. However long their texts are, it holds no more than about
// a thousand tracks at a time. An error ends the walk, as its last pair. An album with more than MaxTracks is such an error,
// which only a database without the CHECK of display_order can have.
func (r *Repo) AllAlbums(ctx context.Context) iter.Seq2[AlbumWithTracks, error] {
	return r.walkAlbums(ctx, AfterAlbum, r.listAlbums)
}

// walkTracks is how many tracks a walk reads at a time, and walkPage how many albums. An album has MaxTracks at most, so a
// page of one album always fits. A track has 16 kB of text at most.
const (
	walkTracks = MaxTracks + 1
	walkPage   = 20
)

// walkAlbums goes through all pages of a list of albums. A page whose tracks are too many is read again, half as long.
func (r *Repo) walkAlbums(
	ctx context.Context, after func(AlbumWithTracks) string, list func(context.Context, Page) ([]Album, error),
) iter.Seq2[AlbumWithTracks, error] {
	return func(yield func(AlbumWithTracks, error) bool) {
		for page := (Page{Limit: walkPage}); ; {
			albums, err := list(ctx, page)
			var tracks []Track
			if err == nil {
				tracks, err = r.ListFirstTracksOfAlbums(ctx, dbgen.ListFirstTracksOfAlbumsParams{
					AlbumIDs: albumIDs(albums), PageSize: walkTracks,
				})
			}
			if err != nil {
				yield(AlbumWithTracks{}, err)

				return
			}
			if len(tracks) == walkTracks && len(albums) > 1 {
				page.Limit = len(albums) / 2

				continue
			}
			if len(tracks) == walkTracks { // of one album, and there may be more
				yield(AlbumWithTracks{}, fmt.Errorf("an album has more than %d tracks: the database lacks a CHECK of db/schema", MaxTracks))

				return
			}
			for _, a := range albums {
				full := AlbumWithTracks{Album: a, Tracks: tracksOf(a.ID, tracks)}
				page.After = after(full)
				if !yield(full, nil) {
					return
				}
			}
			if len(albums) < page.Limit {
				return
			}
			// As many albums as will fit if they are like these.
			page.Limit = max(1, min(len(albums)*MaxTracks/max(1, len(tracks)), walkPage))
		}
	}
}

// withItsTracks reads an album and its tracks in one snapshot.
func (r *Repo) withItsTracks(
	ctx context.Context, album func(*Repo) (Album, error), tracks func(*Repo) ([]Track, error),
) (AlbumWithTracks, error) {
	var full AlbumWithTracks
	err := r.Snapshot(ctx,
		func(r *Repo) (err error) { full.Album, err = album(r); return err },   //nolint:nlreturn // one line reads better
		func(r *Repo) (err error) { full.Tracks, err = tracks(r); return err }, //nolint:nlreturn // one line reads better
	)
	if err != nil {
		return AlbumWithTracks{}, err
	}

	return full, nil
}

// withTracks reads albums and their tracks in one snapshot, and shares the tracks out.
func (r *Repo) withTracks(
	ctx context.Context, list func(*Repo) ([]Album, error), listTracks func(*Repo) ([]Track, error),
) ([]AlbumWithTracks, error) {
	var albums []Album
	var tracks []Track
	err := r.Snapshot(ctx,
		func(r *Repo) (err error) { albums, err = list(r); return err },       //nolint:nlreturn // one line reads better
		func(r *Repo) (err error) { tracks, err = listTracks(r); return err }, //nolint:nlreturn // one line reads better
	)
	if err != nil {
		return nil, err
	}
	full := make([]AlbumWithTracks, len(albums))
	for i, a := range albums {
		full[i] = AlbumWithTracks{Album: a, Tracks: tracksOf(a.ID, tracks)}
	}

	return full, nil
}

func albumIDs(albums []Album) []int64 {
	ids := make([]int64, len(albums))
	for i, a := range albums {
		ids[i] = a.ID
	}

	return ids
}

// tracksOf returns the tracks of an album, out of those of many, which come album by album.
func tracksOf(albumID int64, tracks []Track) []Track {
	first, _ := slices.BinarySearchFunc(tracks, albumID, func(t Track, id int64) int { return cmp.Compare(t.AlbumID, id) })
	end := first
	for end < len(tracks) && tracks[end].AlbumID == albumID {
		end++
	}

	return tracks[first:end:end]
}
