package peers

import (
	"context"
	"crypto/tls"
	"database/sql"
	"net/url"
	"strings"
	"time"

	"musicstore/internal/repo"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/driver/pgdriver"
)

// bunPeer is Bun over its own driver, as its documentation begins.
type bunPeer struct{ db *bun.DB }

type (
	bunAccount struct {
		bun.BaseModel `bun:"table:accounts"`

		ID             string `bun:",pk"`
		Email          string
		EmailKey       string
		PasswordHash   string
		CreatedAt      time.Time
		EmailConfirmed bool
		IsSuperUser    bool
	}
	bunAlbum struct {
		bun.BaseModel `bun:"table:albums"`

		ID          int64 `bun:",pk,autoincrement"`
		Name        string
		URL         string
		Year        int32
		PriceCents  int64
		ImageURL    *string
		HasPreview  bool
		IsPublished bool
		Tracks      []*bunTrack `bun:"rel:has-many,join:id=album_id"`
	}
	bunTrack struct {
		bun.BaseModel `bun:"table:tracks"`

		ID            int64 `bun:",pk,autoincrement"`
		AlbumID       int64
		Name          string
		LengthSeconds int32
		AudioURL      *string
		VideoURL      *string
		DisplayOrder  int32
	}
	bunReset struct {
		bun.BaseModel `bun:"table:password_resets"`

		ID        string `bun:",pk"`
		AccountID string
		TokenHash []byte
		CreatedAt time.Time
		ExpiresAt time.Time
		UsedAt    *time.Time
		UsedIP    *string
	}
	bunPurchase struct {
		bun.BaseModel `bun:"table:purchases"`

		ID              int64 `bun:",pk,autoincrement"`
		AccountID       string
		AlbumID         int64
		PaymentRef      string
		Description     string
		AmountPaidCents int64
		CreatedAt       time.Time
	}
)

// BeforeAppendModel makes the id and the time.
func (a *bunAccount) BeforeAppendModel(_ context.Context, query bun.Query) error {
	if _, ok := query.(*bun.InsertQuery); ok {
		a.ID, a.CreatedAt = newID(), now()
	}

	return nil
}

// BeforeAppendModel makes the id and the times.
func (r *bunReset) BeforeAppendModel(_ context.Context, query bun.Query) error {
	if _, ok := query.(*bun.InsertQuery); ok {
		r.ID, r.CreatedAt = newID(), now()
		r.ExpiresAt = r.CreatedAt.Add(time.Hour)
	}

	return nil
}

// BeforeAppendModel makes the time.
func (b *bunPurchase) BeforeAppendModel(_ context.Context, query bun.Query) error {
	if _, ok := query.(*bun.InsertQuery); ok {
		b.CreatedAt = now()
	}

	return nil
}

func openBun(_ context.Context, dsn string) (Peer, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, err
	}
	network, address, secure := "tcp", u.Host, pgdriver.WithTLSConfig(&tls.Config{InsecureSkipVerify: true}) // sslmode=require
	if u.Host == "" {                                                                                        // a folder with a socket, for which the driver's own URLs have no place beside a user and a database
		network, address = "unix", u.Query().Get("host")+"/.s.PGSQL."+u.Query().Get("port")
		secure = pgdriver.WithInsecure(true)
	}
	connector := pgdriver.NewConnector(
		pgdriver.WithReadTimeout(5*time.Minute), // of ten seconds otherwise, which a million rows in one statement take longer than
		pgdriver.WithNetwork(network), pgdriver.WithAddr(address), secure,
		pgdriver.WithUser(u.User.Username()), pgdriver.WithDatabase(strings.TrimPrefix(u.Path, "/")),
		pgdriver.WithApplicationName(u.Query().Get("application_name")),
	)
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(PoolSize)
	pool.SetMaxIdleConns(PoolSize)

	return bunPeer{bun.NewDB(pool, pgdialect.New())}, nil
}

func (p bunPeer) Close() { _ = p.db.Close() }

func (p bunPeer) AccountByEmail(ctx context.Context, email string, see See) error {
	var a bunAccount
	err := p.db.NewSelect().Model(&a).Where("email_key = ?", strings.ToLower(email)).Scan(ctx)
	it(see, a)

	return err
}

func bunInOrder(q *bun.SelectQuery) *bun.SelectQuery { return q.Order("display_order") }

func (p bunPeer) AlbumByID(ctx context.Context, id int64, see See) error {
	var a bunAlbum
	err := p.db.NewSelect().Model(&a).Relation("Tracks", bunInOrder).Where("id = ?", id).Scan(ctx)
	it(see, a)

	return err
}

func (p bunPeer) ListAlbums(ctx context.Context, n int, see See) error {
	var albums []bunAlbum
	err := p.db.NewSelect().Model(&albums).Relation("Tracks", bunInOrder).Where("is_published").
		Order("year DESC", "id DESC").Limit(n).Scan(ctx)
	it(see, albums)

	return err
}

func (p bunPeer) CreateAccount(ctx context.Context, in NewAccount, see See) error {
	a := bunAccount{Email: in.Email, EmailKey: strings.ToLower(in.Email), PasswordHash: in.PasswordHash}
	_, err := p.db.NewInsert().Model(&a).Exec(ctx)
	it(see, a)

	return err
}

func (p bunPeer) CreateReset(ctx context.Context, accountID string, see See) error {
	r := bunReset{AccountID: accountID, TokenHash: digest(newID())}
	_, err := p.db.NewInsert().Model(&r).Exec(ctx)
	it(see, r)

	return err
}

func (p bunPeer) RedeemReset(ctx context.Context, in Redemption, see See) error {
	var a bunAccount
	err := p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		var r bunReset
		at := now()
		err := tx.NewSelect().Model(&r).
			Where("token_hash = ? AND used_at IS NULL AND expires_at > ?", digest(in.Token), at).Scan(ctx)
		if err != nil {
			return err
		}
		ip := from
		r.UsedAt, r.UsedIP = &at, &ip
		if _, err := tx.NewUpdate().Model(&r).Column("used_at", "used_ip").WherePK().Exec(ctx); err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model(&a).Set("password_hash = ?", in.PasswordHash).Where("id = ?", r.AccountID).
			Returning("*").Exec(ctx)

		return err
	})
	it(see, a)

	return err
}

func (p bunPeer) CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error {
	a := bunAlbum{
		Name: in.Name, URL: in.URL, Year: in.Year, PriceCents: in.PriceCents, ImageURL: in.ImageURL,
		HasPreview: in.HasPreview, IsPublished: in.IsPublished, Tracks: make([]*bunTrack, len(in.Tracks)),
	}
	err := p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&a).Exec(ctx); err != nil {
			return err
		}
		for i, t := range in.Tracks {
			a.Tracks[i] = &bunTrack{
				AlbumID: a.ID, Name: t.Name, LengthSeconds: t.LengthSeconds, AudioURL: t.AudioURL, VideoURL: t.VideoURL,
				DisplayOrder: int32(i + 1),
			}
		}
		_, err := tx.NewInsert().Model(&a.Tracks).Exec(ctx)

		return err
	})
	it(see, a)

	return err
}

func (p bunPeer) RecordPurchase(ctx context.Context, in NewPurchase, see See) error {
	b := bunPurchase{
		AccountID: in.AccountID, AlbumID: in.AlbumID, PaymentRef: in.PaymentRef, AmountPaidCents: in.AmountPaidCents,
	}
	_, err := p.db.NewInsert().Model(&b).Exec(ctx)
	it(see, b)

	return err
}

func (p bunPeer) Buy(ctx context.Context, in Buying, see See) error {
	var b bunPurchase
	err := p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		var a bunAccount
		if err := tx.NewSelect().Model(&a).Where("email_key = ?", strings.ToLower(in.Email)).Scan(ctx); err != nil {
			return err
		}
		b = bunPurchase{
			AccountID: a.ID, AlbumID: in.AlbumID, PaymentRef: in.PaymentRef, AmountPaidCents: in.AmountPaidCents,
		}
		_, err := tx.NewInsert().Model(&b).Exec(ctx)

		return err
	})
	it(see, b)

	return err
}

func (p bunPeer) LoadTracks(ctx context.Context, in []Track) error {
	rows := make([]bunTrack, len(in))
	for i, t := range in {
		rows[i] = bunTrack{
			AlbumID: t.AlbumID, Name: t.Name, LengthSeconds: t.LengthSeconds, AudioURL: t.AudioURL, VideoURL: t.VideoURL,
			DisplayOrder: t.DisplayOrder,
		}
	}
	// It writes values into the statement's text, so that no limit of parameters is met.
	_, err := p.db.NewInsert().Model(&rows).Exec(ctx)

	return err
}

func (p bunPeer) AccountsToday(ctx context.Context, see See) error {
	n, err := p.db.NewSelect().Model((*bunAccount)(nil)).
		Where("created_at >= ? AND created_at < ?", today(), today().AddDate(0, 0, 1)).Count(ctx)
	it(see, n)

	return err
}

func (p bunPeer) AccountsPerDay(ctx context.Context, days int, see See) error {
	var counts []Day
	err := p.db.NewSelect().Model((*bunAccount)(nil)).
		ColumnExpr("date_trunc('day', created_at, 'Europe/Berlin') AS day").ColumnExpr("count(*) AS accounts").
		Where("created_at >= ? AND created_at < ?", today().AddDate(0, 0, 1-days), today().AddDate(0, 0, 1)).
		GroupExpr("day").OrderExpr("day").Scan(ctx, &counts)
	it(see, counts)

	return err
}
