package peers

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"musicstore/internal/repo"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgxPeer is what a careful programmer writes by hand: the store's statements, or better ones, and nothing around them.
type pgxPeer struct{ *pgxpool.Pool }

func openPgx(ctx context.Context, url string) (Peer, error) {
	pool, err := pgxpool.New(ctx, url+"&pool_max_conns="+strconv.Itoa(PoolSize))

	return pgxPeer{pool}, err
}

func scanAccount(row pgx.Row) (a Account, err error) {
	err = row.Scan(&a.ID, &a.Email, &a.EmailKey, &a.PasswordHash, &a.CreatedAt, &a.EmailConfirmed, &a.IsSuperUser)

	return a, err
}

func scanAlbum(row pgx.Row, a *Album) error {
	return row.Scan(&a.ID, &a.Name, &a.URL, &a.Year, &a.PriceCents, &a.ImageURL, &a.HasPreview, &a.IsPublished)
}

func scanTrack(row pgx.Row, t *Track) error {
	return row.Scan(&t.ID, &t.AlbumID, &t.Name, &t.LengthSeconds, &t.AudioURL, &t.VideoURL, &t.DisplayOrder)
}

func scanPurchase(row pgx.Row, b *Purchase) error {
	return row.Scan(&b.ID, &b.AccountID, &b.AlbumID, &b.PaymentRef, &b.Description, &b.AmountPaidCents, &b.CreatedAt)
}

func (p pgxPeer) AccountByEmail(ctx context.Context, email string, see See) error {
	a, err := scanAccount(p.QueryRow(ctx, accountByEmail, strings.ToLower(email)))
	it(see, a)

	return err
}

func (p pgxPeer) AlbumByID(ctx context.Context, id int64, see See) error {
	var a Album
	if err := scanAlbum(p.QueryRow(ctx, albumByID, id), &a); err != nil {
		return err
	}
	rows, err := p.Query(ctx, tracksOfAlbum, id)
	if err != nil {
		return err
	}
	err = scanTracks(rows, &a)
	it(see, a)

	return err
}

func scanTracks(rows pgx.Rows, a *Album) error {
	defer rows.Close()
	for rows.Next() {
		var t Track
		if err := scanTrack(rows, &t); err != nil {
			return err
		}
		a.Tracks = append(a.Tracks, t)
	}

	return rows.Err()
}

func (p pgxPeer) ListAlbums(ctx context.Context, n int, see See) error {
	rows, err := p.Query(ctx, publishedAlbums, n)
	if err != nil {
		return err
	}
	albums, ids, err := scanAlbums(rows, n)
	if err != nil {
		return err
	}
	if rows, err = p.Query(ctx, tracksOfAlbums, ids); err != nil {
		return err
	}
	err = shareTracks(rows, albums, ids)
	it(see, albums)

	return err
}

func scanAlbums(rows pgx.Rows, n int) (albums []Album, ids []int64, err error) {
	defer rows.Close()
	albums, ids = make([]Album, 0, n), make([]int64, 0, n)
	for rows.Next() {
		albums = append(albums, Album{})
		a := &albums[len(albums)-1]
		if err := scanAlbum(rows, a); err != nil {
			return nil, nil, err
		}
		ids = append(ids, a.ID)
	}

	return albums, ids, rows.Err()
}

// shareTracks gives each album its tracks, which come album by album.
func shareTracks(rows pgx.Rows, albums []Album, ids []int64) error {
	defer rows.Close()
	at := make(map[int64]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	tracks := make([]Track, 0, 16*len(ids))
	for rows.Next() {
		tracks = append(tracks, Track{})
		if err := scanTrack(rows, &tracks[len(tracks)-1]); err != nil {
			return err
		}
	}
	for first := 0; first < len(tracks); {
		end := first + 1
		for end < len(tracks) && tracks[end].AlbumID == tracks[first].AlbumID {
			end++
		}
		albums[at[tracks[first].AlbumID]].Tracks = tracks[first:end:end]
		first = end
	}

	return rows.Err()
}

func (p pgxPeer) CreateAccount(ctx context.Context, in NewAccount, see See) error {
	a, err := scanAccount(p.QueryRow(ctx, createAccount, newID(), in.Email, strings.ToLower(in.Email), in.PasswordHash, now()))
	it(see, a)

	return err
}

func (p pgxPeer) CreateReset(ctx context.Context, accountID string, see See) error {
	var r Reset
	created := now()
	err := p.QueryRow(ctx, createReset,
		newID(), accountID, digest(newID()), created, created.Add(time.Hour), created.Add(-time.Minute),
	).Scan(&r.ID, &r.AccountID, &r.TokenHash, &r.CreatedAt, &r.ExpiresAt, &r.UsedAt, &r.UsedIP)
	it(see, r)

	return err
}

func (p pgxPeer) RedeemReset(ctx context.Context, in Redemption, see See) error {
	addr := netip.MustParseAddr(from)
	a, err := scanAccount(p.QueryRow(ctx, redeemReset, now(), addr, digest(in.Token), in.PasswordHash))
	it(see, a)

	return err
}

func (p pgxPeer) CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error {
	n := len(in.Tracks)
	names, lengths, audio, video := make([]string, n), make([]int32, n), make([]string, n), make([]string, n)
	for i, t := range in.Tracks {
		names[i], lengths[i] = t.Name, t.LengthSeconds
		if t.AudioURL != nil {
			audio[i] = *t.AudioURL
		}
		if t.VideoURL != nil {
			video[i] = *t.VideoURL
		}
	}
	a := newAlbum(in)
	var ids []int64
	err := p.QueryRow(ctx, createAlbum, in.Name, in.URL, in.Year, in.PriceCents, in.ImageURL, in.HasPreview, in.IsPublished,
		names, lengths, audio, video).Scan(&a.ID, &ids)
	for i, id := range ids {
		a.Tracks[i].ID, a.Tracks[i].AlbumID = id, a.ID
	}
	it(see, a)

	return err
}

// newAlbum is the album to be, without ids.
func newAlbum(in repo.NewAlbum) Album {
	a := Album{
		Name: in.Name, URL: in.URL, Year: in.Year, PriceCents: in.PriceCents, ImageURL: in.ImageURL,
		HasPreview: in.HasPreview, IsPublished: in.IsPublished, Tracks: make([]Track, len(in.Tracks)),
	}
	for i, t := range in.Tracks {
		a.Tracks[i] = Track{
			Name: t.Name, LengthSeconds: t.LengthSeconds, AudioURL: t.AudioURL, VideoURL: t.VideoURL, DisplayOrder: int32(i + 1),
		}
	}

	return a
}

func (p pgxPeer) RecordPurchase(ctx context.Context, in NewPurchase, see See) error {
	var b Purchase
	err := scanPurchase(p.QueryRow(ctx, recordPurchase, in.AccountID, in.AlbumID, in.PaymentRef, in.AmountPaidCents, now()), &b)
	it(see, b)

	return err
}

func (p pgxPeer) Buy(ctx context.Context, in Buying, see See) error {
	var b Purchase
	err := pgx.BeginFunc(ctx, p.Pool, func(tx pgx.Tx) error {
		a, err := scanAccount(tx.QueryRow(ctx, accountByEmail, strings.ToLower(in.Email)))
		if err != nil {
			return err
		}

		return scanPurchase(tx.QueryRow(ctx, recordPurchase, a.ID, in.AlbumID, in.PaymentRef, in.AmountPaidCents, now()), &b)
	})
	it(see, b)

	return err
}

var trackColumns = []string{"album_id", "name", "length_seconds", "audio_url", "video_url", "display_order"}

func (p pgxPeer) LoadTracks(ctx context.Context, in []Track) error {
	_, err := copyTracks(ctx, p, in)

	return err
}

// copyTracks loads tracks, and returns how many were kept.
func copyTracks(ctx context.Context, db interface {
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
}, in []Track,
) (int64, error) {
	return db.CopyFrom(ctx, pgx.Identifier{"tracks"}, trackColumns, pgx.CopyFromSlice(len(in), func(i int) ([]any, error) {
		t := &in[i]

		return []any{t.AlbumID, t.Name, t.LengthSeconds, t.AudioURL, t.VideoURL, t.DisplayOrder}, nil
	}))
}

func (p pgxPeer) AccountsToday(ctx context.Context, see See) error {
	var n int64
	err := p.QueryRow(ctx, accountsToday, today(), today().AddDate(0, 0, 1)).Scan(&n)
	it(see, n)

	return err
}

func (p pgxPeer) AccountsPerDay(ctx context.Context, days int, see See) error {
	rows, err := p.Query(ctx, accountsPerDay, today().AddDate(0, 0, 1-days), today().AddDate(0, 0, 1))
	if err != nil {
		return err
	}
	counts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Day])
	it(see, counts)

	return err
}
