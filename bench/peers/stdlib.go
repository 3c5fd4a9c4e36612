package peers

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"musicstore/internal/repo"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// sqlPeer is database/sql over pgx, with the statements written by hand.
type sqlPeer struct{ db *sql.DB }

func openSQL(_ context.Context, url string) (Peer, error) {
	db, err := pooledSQL(url)

	return sqlPeer{db}, err
}

// pooledSQL is a database/sql pool like everybody's: its own default keeps two idle connections.
func pooledSQL(url string) (*sql.DB, error) {
	db, err := sql.Open("pgx", url)
	if err == nil {
		db.SetMaxOpenConns(PoolSize)
		db.SetMaxIdleConns(PoolSize)
	}

	return db, err
}

func (p sqlPeer) Close() { _ = p.db.Close() }

func (p sqlPeer) AccountByEmail(ctx context.Context, email string, see See) error {
	a, err := scanAccount(p.db.QueryRowContext(ctx, accountByEmail, strings.ToLower(email)))
	it(see, a)

	return err
}

func (p sqlPeer) AlbumByID(ctx context.Context, id int64, see See) error {
	var a Album
	if err := scanAlbum(p.db.QueryRowContext(ctx, albumByID, id), &a); err != nil {
		return err
	}
	rows, err := p.db.QueryContext(ctx, tracksOfAlbum, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var t Track
		if err := scanTrack(rows, &t); err != nil {
			return err
		}
		a.Tracks = append(a.Tracks, t)
	}
	it(see, a)

	return rows.Err()
}

func (p sqlPeer) ListAlbums(ctx context.Context, n int, see See) error {
	rows, err := p.db.QueryContext(ctx, publishedAlbums, n)
	if err != nil {
		return err
	}
	defer rows.Close()
	var albums []Album
	var ids []int64
	at := map[int64]int{}
	for rows.Next() {
		var a Album
		if err := scanAlbum(rows, &a); err != nil {
			return err
		}
		at[a.ID] = len(albums)
		albums, ids = append(albums, a), append(ids, a.ID)
	}
	if err := rows.Err(); err != nil {
		return err
	}

	if rows, err = p.db.QueryContext(ctx, tracksOfAlbums, ids); err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var t Track
		if err := scanTrack(rows, &t); err != nil {
			return err
		}
		a := &albums[at[t.AlbumID]]
		a.Tracks = append(a.Tracks, t)
	}
	it(see, albums)

	return rows.Err()
}

func (p sqlPeer) CreateAccount(ctx context.Context, in NewAccount, see See) error {
	a, err := scanAccount(p.db.QueryRowContext(ctx, createAccount,
		newID(), in.Email, strings.ToLower(in.Email), in.PasswordHash, now()))
	it(see, a)

	return err
}

func (p sqlPeer) CreateReset(ctx context.Context, accountID string, see See) error {
	var r Reset
	var ip sql.NullString
	created := now()
	err := p.db.QueryRowContext(ctx, createReset,
		newID(), accountID, digest(newID()), created, created.Add(time.Hour), created.Add(-time.Minute),
	).Scan(&r.ID, &r.AccountID, &r.TokenHash, &r.CreatedAt, &r.ExpiresAt, &r.UsedAt, &ip)
	it(see, r)

	return err
}

func (p sqlPeer) RedeemReset(ctx context.Context, in Redemption, see See) error {
	a, err := scanAccount(p.db.QueryRowContext(ctx, redeemReset, now(), from, digest(in.Token), in.PasswordHash))
	it(see, a)

	return err
}

func (p sqlPeer) CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	a := newAlbum(in)
	err = tx.QueryRowContext(ctx, insertAlbum, in.Name, in.URL, in.Year, in.PriceCents, in.ImageURL, in.HasPreview,
		in.IsPublished).Scan(&a.ID)
	if err != nil {
		return err
	}
	for i := range a.Tracks {
		a.Tracks[i].AlbumID = a.ID
	}
	query, args := insertTracks(a.Tracks)
	rows, err := tx.QueryContext(ctx, query+" RETURNING id", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for i := 0; rows.Next(); i++ {
		if err := rows.Scan(&a.Tracks[i].ID); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	it(see, a)

	return tx.Commit()
}

// insertTracks is a statement of many rows.
func insertTracks(tracks []Track) (query string, args []any) {
	var b strings.Builder
	b.WriteString("INSERT INTO tracks (" + strings.Join(trackColumns, ", ") + ") VALUES ")
	for i, t := range tracks {
		if i > 0 {
			b.WriteString(", ")
		}
		n := 6 * i
		fmt.Fprintf(&b, "($%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6)
		args = append(args, t.AlbumID, t.Name, t.LengthSeconds, t.AudioURL, t.VideoURL, t.DisplayOrder)
	}

	return b.String(), args
}

func (p sqlPeer) RecordPurchase(ctx context.Context, in NewPurchase, see See) error {
	var b Purchase
	err := p.db.QueryRowContext(ctx, recordPurchase, in.AccountID, in.AlbumID, in.PaymentRef, in.AmountPaidCents, now()).
		Scan(&b.ID, &b.AccountID, &b.AlbumID, &b.PaymentRef, &b.Description, &b.AmountPaidCents, &b.CreatedAt)
	it(see, b)

	return err
}

func (p sqlPeer) Buy(ctx context.Context, in Buying, see See) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	a, err := scanAccount(tx.QueryRowContext(ctx, accountByEmail, strings.ToLower(in.Email)))
	if err != nil {
		return err
	}
	var b Purchase
	err = scanPurchase(tx.QueryRowContext(ctx, recordPurchase, a.ID, in.AlbumID, in.PaymentRef, in.AmountPaidCents, now()), &b)
	if err != nil {
		return err
	}
	it(see, b)

	return tx.Commit()
}

// batch is how many rows a statement takes in a bulk load, for all that have no COPY.
const batch = 1000

func (p sqlPeer) LoadTracks(ctx context.Context, in []Track) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for len(in) > 0 {
		n := min(batch, len(in))
		query, args := insertTracks(in[:n])
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return err
		}
		in = in[n:]
	}

	return tx.Commit()
}

func (p sqlPeer) AccountsToday(ctx context.Context, see See) error {
	var n int64
	err := p.db.QueryRowContext(ctx, accountsToday, today(), today().AddDate(0, 0, 1)).Scan(&n)
	it(see, n)

	return err
}

func (p sqlPeer) AccountsPerDay(ctx context.Context, days int, see See) error {
	rows, err := p.db.QueryContext(ctx, accountsPerDay, today().AddDate(0, 0, 1-days), today().AddDate(0, 0, 1))
	if err != nil {
		return err
	}
	defer rows.Close()
	var counts []Day
	for rows.Next() {
		var d Day
		if err := rows.Scan(&d.Day, &d.Accounts); err != nil {
			return err
		}
		counts = append(counts, d)
	}
	it(see, counts)

	return rows.Err()
}
