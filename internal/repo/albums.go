package repo

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"musicstore/internal/dbgen"

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

// CreateAlbum inserts an album with its tracks, in one statement, and returns them as stored. ErrAlbumNameTaken,
// ErrAlbumURLTaken; ErrInvalid when something can't be. Two albums are never one: when the reply is lost, the error is
// ErrOutcomeUnknown, and a second call returns ErrAlbumNameTaken if the first had been kept.
func (r *Repo) CreateAlbum(ctx context.Context, a NewAlbum) (AlbumWithTracks, error) {
	var t trackColumns
	if err := a.complete("create album", "", &t); err != nil {
		return AlbumWithTracks{}, err
	}
	ids, err := r.Querier.CreateAlbum(ctx, dbgen.CreateAlbumParams{
		Name: a.Name, URL: a.URL, Year: a.Year, PriceCents: a.PriceCents, ImageURL: a.ImageURL,
		HasPreview: a.HasPreview, IsPublished: a.IsPublished,
		TrackNames: t.names, TrackLengths: t.lengths, TrackAudioURLs: t.audio, TrackVideoURLs: t.video,
	})
	if err != nil {
		return AlbumWithTracks{}, err
	}

	return a.stored(ids), nil
}

// CreateAlbums inserts albums with their tracks, all of them or none, in one statement. What can't be is refused as by
// CreateAlbum, but of a constraint the error does not say which album it was: CreateAlbum one by one does. No albums are
// nothing to do. When the reply is lost, the error is ErrOutcomeUnknown, and a second call returns ErrAlbumNameTaken if
// the first had been kept.
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

	return r.Querier.CreateAlbums(ctx, p)
}

// trackColumns are tracks as the statements take them: column by column, "" being no URL.
type trackColumns struct {
	names        []string
	lengths      []int32
	audio, video []string
}

const isEmpty = "is empty: leave it out"

// complete makes what was left out of an album, checks what the statement does not, and adds the tracks to t. An error
// names the field, behind path.
func (a *NewAlbum) complete(op, path string, t *trackColumns) error {
	if a.URL == "" {
		if a.URL = AlbumURL(a.Name); a.URL == "" {
			const why = "is missing, and can't be made from the name"

			return &InvalidError{Op: op, Field: path + "url", Reason: why}
		}
	}
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
			why := badString(*text.from)
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

// stored is the album as the database holds it: what was sent, with the ids that came back.
func (a NewAlbum) stored(ids dbgen.CreateAlbumRow) AlbumWithTracks {
	album := AlbumWithTracks{Tracks: make([]Track, len(a.Tracks)), Album: Album{
		ID: ids.ID, Name: a.Name, URL: a.URL, Year: a.Year, PriceCents: a.PriceCents, ImageURL: a.ImageURL,
		HasPreview: a.HasPreview, IsPublished: a.IsPublished,
	}}
	for i, t := range a.Tracks {
		album.Tracks[i] = Track{
			ID: ids.TrackIDs[i], AlbumID: ids.ID, Name: t.Name, LengthSeconds: t.LengthSeconds,
			AudioURL: t.AudioURL, VideoURL: t.VideoURL, DisplayOrder: int32(i + 1),
		}
	}

	return album
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

// GetAlbum returns an album with its tracks; ErrNotFound when there is none.
func (r *Repo) GetAlbum(ctx context.Context, id int64) (AlbumWithTracks, error) {
	album, err := r.Querier.GetAlbum(ctx, id)

	return r.withItsTracks(ctx, album, err)
}

// GetAlbumByURL returns the album at a URL with its tracks; ErrNotFound when there is none.
func (r *Repo) GetAlbumByURL(ctx context.Context, url string) (AlbumWithTracks, error) {
	album, err := r.Querier.GetAlbumByURL(ctx, url)

	return r.withItsTracks(ctx, album, err)
}

// ListPublishedAlbums returns a page of the published albums with their tracks, the newest year first, in two
// statements. The page after it is at AfterPublishedAlbum(last).
func (r *Repo) ListPublishedAlbums(ctx context.Context, page Page) ([]AlbumWithTracks, error) {
	const op = "list published albums"
	at, limit, err := page.read(op, position{math.MaxInt32, strconv.FormatInt(math.MaxInt64, 10)})
	if err != nil {
		return nil, err
	}
	id, err := at.number(op)
	if err != nil || at.order != int64(int32(at.order)) { //nolint:gosec // that is what is checked
		return nil, badPlace(op)
	}
	albums, err := r.Querier.ListPublishedAlbums(ctx, dbgen.ListPublishedAlbumsParams{
		BeforeYear: int32(at.order), BeforeID: id, PageSize: limit, //nolint:gosec // checked above
	})
	if err != nil {
		return nil, err
	}

	return r.withTracks(ctx, albums)
}

// AfterPublishedAlbum is the place in ListPublishedAlbums behind an album.
func AfterPublishedAlbum(a AlbumWithTracks) string {
	return position{int64(a.Year), strconv.FormatInt(a.ID, 10)}.String()
}

// AllPublishedAlbums walks all published albums, the newest year first, a page at a time. An error ends the walk, as
// its last pair.
func (r *Repo) AllPublishedAlbums(ctx context.Context) iter.Seq2[AlbumWithTracks, error] {
	list := func(page Page) ([]AlbumWithTracks, error) { return r.ListPublishedAlbums(ctx, page) }

	return walk(AfterPublishedAlbum, list)
}

// ListAlbums returns a page of all albums with their tracks, published or not, in the order they were created, in two
// statements. The page after it is at AfterAlbum(last).
func (r *Repo) ListAlbums(ctx context.Context, page Page) ([]AlbumWithTracks, error) {
	at, limit, err := page.read("list albums", position{math.MinInt64, ""})
	if err != nil {
		return nil, err
	}
	albums, err := r.Querier.ListAlbums(ctx, dbgen.ListAlbumsParams{AfterID: at.order, PageSize: limit})
	if err != nil {
		return nil, err
	}

	return r.withTracks(ctx, albums)
}

// AfterAlbum is the place in ListAlbums behind an album.
func AfterAlbum(a AlbumWithTracks) string { return position{a.ID, ""}.String() }

// AllAlbums walks all albums in the order they were created, a page at a time. An error ends the walk, as its last
// pair.
func (r *Repo) AllAlbums(ctx context.Context) iter.Seq2[AlbumWithTracks, error] {
	return walk(AfterAlbum, func(page Page) ([]AlbumWithTracks, error) { return r.ListAlbums(ctx, page) })
}

func (r *Repo) withItsTracks(ctx context.Context, album Album, err error) (AlbumWithTracks, error) {
	if err != nil {
		return AlbumWithTracks{}, err
	}
	tracks, err := r.ListTracksOfAlbum(ctx, album.ID)

	return AlbumWithTracks{Album: album, Tracks: tracks}, err
}

// withTracks loads the tracks of all albums with one statement, and shares them out.
func (r *Repo) withTracks(ctx context.Context, albums []Album) ([]AlbumWithTracks, error) {
	full := make([]AlbumWithTracks, len(albums))
	if len(albums) == 0 {
		return full, nil
	}
	ids := make([]int64, len(albums))
	for i, a := range albums {
		ids[i] = a.ID
	}
	tracks, err := r.ListTracksOfAlbums(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, a := range albums { // the tracks come album by album: each has a run of its own
		first, _ := slices.BinarySearchFunc(tracks, a.ID, func(t Track, id int64) int { return cmp.Compare(t.AlbumID, id) })
		end := first
		for end < len(tracks) && tracks[end].AlbumID == a.ID {
			end++
		}
		full[i] = AlbumWithTracks{Album: a, Tracks: tracks[first:end:end]}
	}

	return full, nil
}
