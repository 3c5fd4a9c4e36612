package peers

import (
	"context"
	"database/sql"
	"net/netip"
	"strings"
	"time"

	models "musicstore/bench/generated/bobgen"
	"musicstore/internal/repo"

	"github.com/stephenafamo/bob"
	"github.com/stephenafamo/bob/dialect/psql"
	"github.com/stephenafamo/bob/dialect/psql/dialect"
	"github.com/stephenafamo/bob/dialect/psql/sm"
	"github.com/stephenafamo/bob/dialect/psql/um"
	"github.com/stephenafamo/bob/types/pgtypes"
	"github.com/stephenafamo/scan"
)

// bobPeer is Bob over database/sql and pgx.
type bobPeer struct{ db bob.DB }

func openBob(_ context.Context, url string) (Peer, error) {
	db, err := pooledSQL(url)

	return bobPeer{bob.NewDB(db)}, err
}

func (p bobPeer) Close() { _ = p.db.Close() }

func (p bobPeer) AccountByEmail(ctx context.Context, email string, see See) error {
	a, err := models.Accounts.Query(models.SelectWhere.Accounts.EmailKey.EQ(strings.ToLower(email))).One(ctx, p.db)
	it(see, a)

	return err
}

func bobTracks() bob.Mod[*dialect.SelectQuery] {
	return models.SelectThenLoad.Album.Tracks(sm.OrderBy(models.Tracks.Columns.DisplayOrder))
}

func (p bobPeer) AlbumByID(ctx context.Context, id int64, see See) error {
	a, err := models.Albums.Query(models.SelectWhere.Albums.ID.EQ(id), bobTracks()).One(ctx, p.db)
	it(see, a)

	return err
}

func (p bobPeer) ListAlbums(ctx context.Context, n int, see See) error {
	albums, err := models.Albums.Query(
		models.SelectWhere.Albums.IsPublished.EQ(true),
		sm.OrderBy(models.Albums.Columns.Year).Desc(), sm.OrderBy(models.Albums.Columns.ID).Desc(),
		sm.Limit(n), bobTracks(),
	).All(ctx, p.db)
	it(see, albums)

	return err
}

func (p bobPeer) CreateAccount(ctx context.Context, in NewAccount, see See) error {
	a, err := models.Accounts.Insert(&models.AccountSetter{
		ID: new(newID()), Email: new(in.Email), EmailKey: new(strings.ToLower(in.Email)), PasswordHash: new(in.PasswordHash),
		CreatedAt: new(now()), EmailConfirmed: new(false), IsSuperUser: new(false),
	}).One(ctx, p.db)
	it(see, a)

	return err
}

func (p bobPeer) CreateReset(ctx context.Context, accountID string, see See) error {
	created := now()
	r, err := models.PasswordResets.Insert(&models.PasswordResetSetter{
		ID: new(newID()), AccountID: new(accountID), TokenHash: new(digest(newID())),
		CreatedAt: new(created), ExpiresAt: new(created.Add(time.Hour)),
	}).One(ctx, p.db)
	it(see, r)

	return err
}

func (p bobPeer) RedeemReset(ctx context.Context, in Redemption, see See) error {
	return p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bob.Executor) error {
		at := now()
		where := models.SelectWhere.PasswordResets
		r, err := models.PasswordResets.Query(
			where.TokenHash.EQ(digest(in.Token)), where.UsedAt.IsNull(), where.ExpiresAt.GT(at),
		).One(ctx, tx)
		if err != nil {
			return err
		}
		ip := pgtypes.Inet{Prefix: netip.PrefixFrom(netip.MustParseAddr(from), 32)}
		err = r.Update(ctx, tx, &models.PasswordResetSetter{
			UsedAt: &sql.Null[time.Time]{V: at, Valid: true}, UsedIP: &sql.Null[pgtypes.Inet]{V: ip, Valid: true},
		})
		if err != nil {
			return err
		}
		a, err := models.Accounts.Update(
			models.AccountSetter{PasswordHash: new(in.PasswordHash)}.UpdateMod(),
			models.UpdateWhere.Accounts.ID.EQ(r.AccountID), um.Returning(models.Accounts.Columns),
		).One(ctx, tx)
		it(see, a)

		return err
	})
}

func nullOf(s *string) *sql.Null[string] {
	if s == nil {
		return &sql.Null[string]{}
	}

	return &sql.Null[string]{V: *s, Valid: true}
}

func (p bobPeer) CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error {
	return p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bob.Executor) error {
		a, err := models.Albums.Insert(&models.AlbumSetter{
			Name: &in.Name, URL: &in.URL, Year: &in.Year, PriceCents: &in.PriceCents, ImageURL: nullOf(in.ImageURL),
			HasPreview: &in.HasPreview, IsPublished: &in.IsPublished,
		}).One(ctx, tx)
		if err != nil {
			return err
		}
		tracks := make([]*models.TrackSetter, len(in.Tracks))
		for i, t := range in.Tracks {
			tracks[i] = &models.TrackSetter{
				Name: &t.Name, LengthSeconds: &t.LengthSeconds, AudioURL: nullOf(t.AudioURL), VideoURL: nullOf(t.VideoURL),
				DisplayOrder: new(int32(i + 1)),
			}
		}
		err = a.InsertTracks(ctx, tx, tracks...)
		it(see, a)

		return err
	})
}

func (p bobPeer) RecordPurchase(ctx context.Context, in NewPurchase, see See) error {
	b, err := models.Purchases.Insert(&models.PurchaseSetter{
		AccountID: new(in.AccountID), AlbumID: new(in.AlbumID), PaymentRef: new(in.PaymentRef), Description: new(""),
		AmountPaidCents: new(in.AmountPaidCents), CreatedAt: new(now()),
	}).One(ctx, p.db)
	it(see, b)

	return err
}

func (p bobPeer) Buy(ctx context.Context, in Buying, see See) error {
	var b *models.Purchase
	err := p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bob.Executor) error {
		a, err := models.Accounts.Query(models.SelectWhere.Accounts.EmailKey.EQ(strings.ToLower(in.Email))).One(ctx, tx)
		if err != nil {
			return err
		}
		b, err = models.Purchases.Insert(&models.PurchaseSetter{
			AccountID: new(a.ID), AlbumID: new(in.AlbumID), PaymentRef: new(in.PaymentRef), Description: new(""),
			AmountPaidCents: new(in.AmountPaidCents), CreatedAt: new(now()),
		}).One(ctx, tx)

		return err
	})
	it(see, b)

	return err
}

func (p bobPeer) LoadTracks(ctx context.Context, in []Track) error {
	return p.db.RunInTx(ctx, nil, func(ctx context.Context, tx bob.Executor) error {
		for len(in) > 0 {
			n := min(batch, len(in))
			rows := make([]*models.TrackSetter, n)
			for i, t := range in[:n] {
				rows[i] = &models.TrackSetter{
					AlbumID: &t.AlbumID, Name: &t.Name, LengthSeconds: &t.LengthSeconds, AudioURL: nullOf(t.AudioURL),
					VideoURL: nullOf(t.VideoURL), DisplayOrder: &t.DisplayOrder,
				}
			}
			if _, err := models.Tracks.Insert(bob.ToMods(rows...)).Exec(ctx, tx); err != nil {
				return err
			}
			in = in[n:]
		}

		return nil
	})
}

func (p bobPeer) AccountsToday(ctx context.Context, see See) error {
	where := models.SelectWhere.Accounts.CreatedAt
	n, err := models.Accounts.Query(where.GTE(today()), where.LT(today().AddDate(0, 0, 1))).Count(ctx, p.db)
	it(see, n)

	return err
}

func (p bobPeer) AccountsPerDay(ctx context.Context, days int, see See) error {
	query := psql.RawQuery(strings.NewReplacer("$1", "?", "$2", "?").Replace(accountsPerDay),
		today().AddDate(0, 0, 1-days), today().AddDate(0, 0, 1))
	counts, err := bob.All(ctx, p.db, query, scan.StructMapper[Day]())
	it(see, counts)

	return err
}
