package peers

import (
	"context"
	"strings"
	"time"

	"musicstore/internal/repo"

	"github.com/jmoiron/sqlx"
)

// sqlxPeer is sqlx over pgx: Get and Select into structs, NamedExec for many rows.
type sqlxPeer struct{ db *sqlx.DB }

func openSqlx(_ context.Context, url string) (Peer, error) {
	db, err := pooledSQL(url)

	return sqlxPeer{sqlx.NewDb(db, "pgx")}, err
}

func (p sqlxPeer) Close() { _ = p.db.Close() }

func (p sqlxPeer) AccountByEmail(ctx context.Context, email string, see See) error {
	var a Account
	err := p.db.GetContext(ctx, &a, accountByEmail, strings.ToLower(email))
	it(see, a)

	return err
}

func (p sqlxPeer) AlbumByID(ctx context.Context, id int64, see See) error {
	var a Album
	if err := p.db.GetContext(ctx, &a, albumByID, id); err != nil {
		return err
	}
	err := p.db.SelectContext(ctx, &a.Tracks, tracksOfAlbum, id)
	it(see, a)

	return err
}

func (p sqlxPeer) ListAlbums(ctx context.Context, n int, see See) error {
	var albums []Album
	if err := p.db.SelectContext(ctx, &albums, publishedAlbums, n); err != nil {
		return err
	}
	ids := make([]int64, len(albums))
	at := make(map[int64]int, len(albums))
	for i, a := range albums {
		ids[i], at[a.ID] = a.ID, i
	}
	var tracks []Track
	if err := p.db.SelectContext(ctx, &tracks, tracksOfAlbums, ids); err != nil {
		return err
	}
	for _, t := range tracks {
		a := &albums[at[t.AlbumID]]
		a.Tracks = append(a.Tracks, t)
	}
	it(see, albums)

	return nil
}

func (p sqlxPeer) CreateAccount(ctx context.Context, in NewAccount, see See) error {
	var a Account
	err := p.db.GetContext(ctx, &a, createAccount, newID(), in.Email, strings.ToLower(in.Email), in.PasswordHash, now())
	it(see, a)

	return err
}

func (p sqlxPeer) CreateReset(ctx context.Context, accountID string, see See) error {
	var r struct {
		Reset

		UsedIP *string `db:"used_ip"`
	}
	created := now()
	err := p.db.GetContext(ctx, &r, createReset,
		newID(), accountID, digest(newID()), created, created.Add(time.Hour), created.Add(-time.Minute))
	it(see, r)

	return err
}

func (p sqlxPeer) RedeemReset(ctx context.Context, in Redemption, see See) error {
	var a Account
	err := p.db.GetContext(ctx, &a, redeemReset, now(), from, digest(in.Token), in.PasswordHash)
	it(see, a)

	return err
}

const namedTracks = `INSERT INTO tracks (album_id, name, length_seconds, audio_url, video_url, display_order)
VALUES (:album_id, :name, :length_seconds, :audio_url, :video_url, :display_order)`

func (p sqlxPeer) CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error {
	tx, err := p.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	a := newAlbum(in)
	err = tx.GetContext(ctx, &a.ID, insertAlbum, in.Name, in.URL, in.Year, in.PriceCents, in.ImageURL, in.HasPreview,
		in.IsPublished)
	if err != nil {
		return err
	}
	for i := range a.Tracks {
		a.Tracks[i].AlbumID = a.ID
	}
	query, args, err := tx.BindNamed(namedTracks, a.Tracks)
	if err != nil {
		return err
	}
	var ids []int64
	if err := tx.SelectContext(ctx, &ids, query+" RETURNING id", args...); err != nil {
		return err
	}
	for i, id := range ids {
		a.Tracks[i].ID = id
	}
	it(see, a)

	return tx.Commit()
}

func (p sqlxPeer) RecordPurchase(ctx context.Context, in NewPurchase, see See) error {
	var b Purchase
	err := p.db.GetContext(ctx, &b, recordPurchase, in.AccountID, in.AlbumID, in.PaymentRef, in.AmountPaidCents, now())
	it(see, b)

	return err
}

func (p sqlxPeer) Buy(ctx context.Context, in Buying, see See) error {
	tx, err := p.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var a Account
	if err := tx.GetContext(ctx, &a, accountByEmail, strings.ToLower(in.Email)); err != nil {
		return err
	}
	var b Purchase
	err = tx.GetContext(ctx, &b, recordPurchase, a.ID, in.AlbumID, in.PaymentRef, in.AmountPaidCents, now())
	if err != nil {
		return err
	}
	it(see, b)

	return tx.Commit()
}

func (p sqlxPeer) LoadTracks(ctx context.Context, in []Track) error {
	tx, err := p.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for len(in) > 0 {
		n := min(batch, len(in))
		if _, err := tx.NamedExecContext(ctx, namedTracks, in[:n]); err != nil {
			return err
		}
		in = in[n:]
	}

	return tx.Commit()
}

func (p sqlxPeer) AccountsToday(ctx context.Context, see See) error {
	var n int64
	err := p.db.GetContext(ctx, &n, accountsToday, today(), today().AddDate(0, 0, 1))
	it(see, n)

	return err
}

func (p sqlxPeer) AccountsPerDay(ctx context.Context, days int, see See) error {
	var counts []Day
	err := p.db.SelectContext(ctx, &counts, accountsPerDay, today().AddDate(0, 0, 1-days), today().AddDate(0, 0, 1))
	it(see, counts)

	return err
}
