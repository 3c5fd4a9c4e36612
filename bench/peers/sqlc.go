package peers

import (
	"context"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"musicstore/internal/dbgen"
	"musicstore/internal/repo"
	"musicstore/layer/private"

	"github.com/jackc/pgx/v5/pgxpool"
)

// sqlcPeer is what sqlc generates, on a bare pool.
type sqlcPeer struct {
	*pgxpool.Pool

	q *dbgen.Queries
}

func openSqlc(ctx context.Context, url string) (Peer, error) {
	pool, err := pgxpool.New(ctx, url+"&pool_max_conns="+strconv.Itoa(PoolSize))
	if err != nil {
		return nil, err
	}

	return sqlcPeer{pool, dbgen.New(pool)}, nil
}

func (p sqlcPeer) AccountByEmail(ctx context.Context, email string, see See) error {
	a, err := p.q.GetAccountByEmail(ctx, private.Email(strings.ToLower(email)))
	it(see, a)

	return err
}

type sqlcAlbum struct {
	dbgen.Album

	Tracks []dbgen.Track
}

func (p sqlcPeer) AlbumByID(ctx context.Context, id int64, see See) error {
	a, err := p.q.GetAlbum(ctx, id)
	if err != nil {
		return err
	}
	tracks, err := p.q.ListTracksOfAlbum(ctx, id)
	it(see, sqlcAlbum{a, tracks})

	return err
}

func (p sqlcPeer) ListAlbums(ctx context.Context, n int, see See) error {
	page := dbgen.ListPublishedAlbumsParams{BeforeYear: math.MaxInt32, BeforeID: math.MaxInt64, PageSize: int32(n)}
	albums, err := p.q.ListPublishedAlbums(ctx, page)
	if err != nil {
		return err
	}
	tracks, err := p.q.ListTracksOfPublishedAlbums(ctx, dbgen.ListTracksOfPublishedAlbumsParams(page))
	if err != nil {
		return err
	}
	byAlbum := make(map[int64][]dbgen.Track, len(albums))
	for _, t := range tracks {
		byAlbum[t.AlbumID] = append(byAlbum[t.AlbumID], t)
	}
	full := make([]sqlcAlbum, len(albums))
	for i, a := range albums {
		full[i] = sqlcAlbum{a, byAlbum[a.ID]}
	}
	it(see, full)

	return nil
}

func (p sqlcPeer) CreateAccount(ctx context.Context, in NewAccount, see See) error {
	a, err := p.q.CreateAccount(ctx, dbgen.CreateAccountParams{
		ID: newID(), Email: private.Email(in.Email), EmailKey: private.Email(strings.ToLower(in.Email)),
		PasswordHash: private.NewPasswordHash(in.PasswordHash), CreatedAt: now(),
	})
	it(see, a)

	return err
}

func (p sqlcPeer) CreateReset(ctx context.Context, accountID string, see See) error {
	created := now()
	r, err := p.q.CreatePasswordReset(ctx, dbgen.CreatePasswordResetParams{
		ID: newID(), AccountID: accountID, TokenHash: private.DigestOf(newID()),
		CreatedAt: &created, ExpiresAt: new(created.Add(time.Hour)), IntervalSeconds: time.Minute.Seconds(),
	})
	it(see, r)

	return err
}

func (p sqlcPeer) RedeemReset(ctx context.Context, in Redemption, see See) error {
	a, err := p.q.RedeemPasswordReset(ctx, dbgen.RedeemPasswordResetParams{
		Now: new(now()), UsedIP: &private.IP{Addr: netip.MustParseAddr(from)},
		TokenHash: private.DigestOf(in.Token), PasswordHash: private.NewPasswordHash(in.PasswordHash),
	})
	it(see, a)

	return err
}

func (p sqlcPeer) CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error {
	n := len(in.Tracks)
	params := dbgen.CreateAlbumParams{
		Name: in.Name, URL: in.URL, Year: in.Year, PriceCents: in.PriceCents, ImageURL: in.ImageURL,
		HasPreview: in.HasPreview, IsPublished: in.IsPublished, TrackNames: make([]string, n),
		TrackLengths: make([]int32, n), TrackAudioURLs: make([]string, n), TrackVideoURLs: make([]string, n),
	}
	for i, t := range in.Tracks {
		params.TrackNames[i], params.TrackLengths[i] = t.Name, t.LengthSeconds
		if t.AudioURL != nil {
			params.TrackAudioURLs[i] = *t.AudioURL
		}
		if t.VideoURL != nil {
			params.TrackVideoURLs[i] = *t.VideoURL
		}
	}
	ids, err := p.q.CreateAlbum(ctx, params)
	if err != nil {
		return err
	}
	a := newAlbum(in)
	a.ID = ids.ID
	for i, id := range ids.TrackIDs {
		a.Tracks[i].ID, a.Tracks[i].AlbumID = id, a.ID
	}
	it(see, a)

	return nil
}

func (p sqlcPeer) RecordPurchase(ctx context.Context, in NewPurchase, see See) error {
	b, err := p.q.RecordPurchase(ctx, dbgen.RecordPurchaseParams{
		AccountID: in.AccountID, AlbumID: in.AlbumID, PaymentRef: in.PaymentRef,
		AmountPaidCents: in.AmountPaidCents, CreatedAt: now(),
	})
	it(see, b)

	return err
}

func (p sqlcPeer) Buy(ctx context.Context, in Buying, see See) error {
	tx, err := p.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	q := p.q.WithTx(tx)
	a, err := q.GetAccountByEmail(ctx, private.Email(strings.ToLower(in.Email)))
	if err != nil {
		return err
	}
	b, err := q.RecordPurchase(ctx, dbgen.RecordPurchaseParams{
		AccountID: a.ID, AlbumID: in.AlbumID, PaymentRef: in.PaymentRef,
		AmountPaidCents: in.AmountPaidCents, CreatedAt: now(),
	})
	if err != nil {
		return err
	}
	it(see, b)

	return tx.Commit(ctx)
}

func (p sqlcPeer) LoadTracks(ctx context.Context, in []Track) error {
	_, err := p.q.LoadTracks(ctx, loadTracksParams(in))

	return err
}

func loadTracksParams(in []Track) []dbgen.LoadTracksParams {
	rows := make([]dbgen.LoadTracksParams, len(in))
	for i, t := range in {
		rows[i] = dbgen.LoadTracksParams{
			AlbumID: t.AlbumID, Name: t.Name, LengthSeconds: t.LengthSeconds,
			AudioURL: t.AudioURL, VideoURL: t.VideoURL, DisplayOrder: t.DisplayOrder,
		}
	}

	return rows
}

func (p sqlcPeer) AccountsToday(ctx context.Context, see See) error {
	days, err := p.q.DailyNewAccounts(ctx, dbgen.DailyNewAccountsParams{
		Starts: []time.Time{today()}, Ends: []time.Time{today().AddDate(0, 0, 1)},
	})
	if err == nil {
		it(see, days[0].Accounts)
	}

	return err
}

func (p sqlcPeer) AccountsPerDay(ctx context.Context, days int, see See) error {
	params := dbgen.DailyNewAccountsParams{Starts: make([]time.Time, days), Ends: make([]time.Time, days)}
	for i := range days {
		params.Starts[i], params.Ends[i] = today().AddDate(0, 0, i+1-days), today().AddDate(0, 0, i+2-days)
	}
	counts, err := p.q.DailyNewAccounts(ctx, params)
	it(see, counts)

	return err
}
