package peers

import (
	"context"
	"database/sql"
	"strings"
	"time"

	models "musicstore/bench/generated/boilgen"
	"musicstore/internal/repo"

	"github.com/aarondl/null/v8"
	"github.com/aarondl/sqlboiler/v4/boil"
	"github.com/aarondl/sqlboiler/v4/queries"
	"github.com/aarondl/sqlboiler/v4/queries/qm"
)

// boilPeer is SQLBoiler over pgx.
type boilPeer struct{ db *sql.DB }

func openSQLBoiler(_ context.Context, url string) (Peer, error) {
	db, err := pooledSQL(url)

	return boilPeer{db}, err
}

func (p boilPeer) Close() { _ = p.db.Close() }

func (p boilPeer) AccountByEmail(ctx context.Context, email string, see See) error {
	a, err := models.Accounts(models.AccountWhere.EmailKey.EQ(strings.ToLower(email))).One(ctx, p.db)
	it(see, a)

	return err
}

var boilTracks = qm.Load(models.AlbumRels.Tracks, qm.OrderBy(models.TrackColumns.DisplayOrder))

func (p boilPeer) AlbumByID(ctx context.Context, id int64, see See) error {
	a, err := models.Albums(models.AlbumWhere.ID.EQ(id), boilTracks).One(ctx, p.db)
	it(see, a)

	return err
}

func (p boilPeer) ListAlbums(ctx context.Context, n int, see See) error {
	albums, err := models.Albums(
		models.AlbumWhere.IsPublished.EQ(true), qm.OrderBy("year DESC, id DESC"), qm.Limit(n), boilTracks,
	).All(ctx, p.db)
	it(see, albums)

	return err
}

func (p boilPeer) CreateAccount(ctx context.Context, in NewAccount, see See) error {
	a := models.Account{
		ID: newID(), Email: in.Email, EmailKey: strings.ToLower(in.Email), PasswordHash: in.PasswordHash, CreatedAt: now(),
	}
	err := a.Insert(ctx, p.db, boil.Infer())
	it(see, a)

	return err
}

func (p boilPeer) CreateReset(ctx context.Context, accountID string, see See) error {
	r := models.PasswordReset{ID: newID(), AccountID: accountID, TokenHash: digest(newID()), CreatedAt: now()}
	r.ExpiresAt = r.CreatedAt.Add(time.Hour)
	err := r.Insert(ctx, p.db, boil.Infer())
	it(see, r)

	return err
}

func (p boilPeer) RedeemReset(ctx context.Context, in Redemption, see See) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	at := now()
	r, err := models.PasswordResets(
		models.PasswordResetWhere.TokenHash.EQ(digest(in.Token)), models.PasswordResetWhere.UsedAt.IsNull(),
		models.PasswordResetWhere.ExpiresAt.GT(at), qm.Load(models.PasswordResetRels.Account),
	).One(ctx, tx)
	if err != nil {
		return err
	}
	r.UsedAt, r.UsedIP = null.TimeFrom(at), null.StringFrom(from)
	if _, err := r.Update(ctx, tx, boil.Whitelist(models.PasswordResetColumns.UsedAt, models.PasswordResetColumns.UsedIP)); err != nil {
		return err
	}
	a := r.R.Account
	a.PasswordHash = in.PasswordHash
	if _, err := a.Update(ctx, tx, boil.Whitelist(models.AccountColumns.PasswordHash)); err != nil {
		return err
	}
	it(see, a)

	return tx.Commit()
}

func (p boilPeer) CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	a := models.Album{
		Name: in.Name, URL: in.URL, Year: int(in.Year), PriceCents: in.PriceCents, ImageURL: null.StringFromPtr(in.ImageURL),
		HasPreview: in.HasPreview, IsPublished: in.IsPublished,
	}
	if err := a.Insert(ctx, tx, boil.Infer()); err != nil {
		return err
	}
	tracks := make(models.TrackSlice, len(in.Tracks))
	for i, t := range in.Tracks {
		tracks[i] = &models.Track{
			Name: t.Name, LengthSeconds: int(t.LengthSeconds), AudioURL: null.StringFromPtr(t.AudioURL),
			VideoURL: null.StringFromPtr(t.VideoURL), DisplayOrder: i + 1,
		}
	}
	if err := a.AddTracks(ctx, tx, true, tracks...); err != nil { // one INSERT a track: it has no other way
		return err
	}
	it(see, &a)

	return tx.Commit()
}

func (p boilPeer) RecordPurchase(ctx context.Context, in NewPurchase, see See) error {
	b := models.Purchase{
		AccountID: in.AccountID, AlbumID: in.AlbumID, PaymentRef: in.PaymentRef, AmountPaidCents: in.AmountPaidCents,
		CreatedAt: now(),
	}
	err := b.Insert(ctx, p.db, boil.Infer())
	it(see, b)

	return err
}

func (p boilPeer) Buy(ctx context.Context, in Buying, see See) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	a, err := models.Accounts(models.AccountWhere.EmailKey.EQ(strings.ToLower(in.Email))).One(ctx, tx)
	if err != nil {
		return err
	}
	b := models.Purchase{
		AccountID: a.ID, AlbumID: in.AlbumID, PaymentRef: in.PaymentRef, AmountPaidCents: in.AmountPaidCents, CreatedAt: now(),
	}
	if err := b.Insert(ctx, tx, boil.Infer()); err != nil {
		return err
	}
	it(see, b)

	return tx.Commit()
}

func (p boilPeer) LoadTracks(ctx context.Context, in []Track) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, t := range in { // it inserts row by row: it has no other way
		row := models.Track{
			AlbumID: t.AlbumID, Name: t.Name, LengthSeconds: int(t.LengthSeconds), AudioURL: null.StringFromPtr(t.AudioURL),
			VideoURL: null.StringFromPtr(t.VideoURL), DisplayOrder: int(t.DisplayOrder),
		}
		if err := row.Insert(ctx, tx, boil.Infer()); err != nil {
			return err
		}
	}

	return tx.Commit()
}

func (p boilPeer) AccountsToday(ctx context.Context, see See) error {
	n, err := models.Accounts(
		models.AccountWhere.CreatedAt.GTE(today()), models.AccountWhere.CreatedAt.LT(today().AddDate(0, 0, 1)),
	).Count(ctx, p.db)
	it(see, n)

	return err
}

func (p boilPeer) AccountsPerDay(ctx context.Context, days int, see See) error {
	var counts []Day
	err := queries.Raw(accountsPerDay, today().AddDate(0, 0, 1-days), today().AddDate(0, 0, 1)).Bind(ctx, p.db, &counts)
	it(see, counts)

	return err
}
