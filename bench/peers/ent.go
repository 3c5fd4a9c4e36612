package peers

import (
	"context"
	"strings"
	"time"

	"musicstore/bench/generated/entgen"
	"musicstore/bench/generated/entgen/account"
	"musicstore/bench/generated/entgen/album"
	"musicstore/bench/generated/entgen/passwordreset"
	"musicstore/bench/generated/entgen/track"
	"musicstore/internal/repo"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
)

// entPeer is ent over pgx, as its documentation says for PostgreSQL.
type entPeer struct{ db *entgen.Client }

func openEnt(_ context.Context, url string) (Peer, error) {
	pool, err := pooledSQL(url)
	if err != nil {
		return nil, err
	}

	return entPeer{entgen.NewClient(entgen.Driver(sql.OpenDB(dialect.Postgres, pool)))}, nil
}

func (p entPeer) Close() { _ = p.db.Close() }

func (p entPeer) AccountByEmail(ctx context.Context, email string, see See) error {
	a, err := p.db.Account.Query().Where(account.EmailKey(strings.ToLower(email))).Only(ctx)
	it(see, a)

	return err
}

func entInOrder(q *entgen.TrackQuery) { q.Order(track.ByDisplayOrder()) }

func (p entPeer) AlbumByID(ctx context.Context, id int64, see See) error {
	a, err := p.db.Album.Query().Where(album.ID(id)).WithTracks(entInOrder).Only(ctx)
	it(see, a)

	return err
}

func (p entPeer) ListAlbums(ctx context.Context, n int, see See) error {
	albums, err := p.db.Album.Query().Where(album.IsPublished(true)).
		Order(album.ByYear(sql.OrderDesc()), album.ByID(sql.OrderDesc())).Limit(n).WithTracks(entInOrder).All(ctx)
	it(see, albums)

	return err
}

func (p entPeer) CreateAccount(ctx context.Context, in NewAccount, see See) error {
	a, err := p.db.Account.Create().SetEmail(in.Email).SetEmailKey(strings.ToLower(in.Email)).
		SetPasswordHash(in.PasswordHash).SetEmailConfirmed(false).SetIsSuperUser(false).Save(ctx)
	it(see, a)

	return err
}

func (p entPeer) CreateReset(ctx context.Context, accountID string, see See) error {
	r, err := p.db.PasswordReset.Create().SetAccountID(accountID).SetTokenHash(digest(newID())).
		SetExpiresAt(now().Add(time.Hour)).Save(ctx)
	it(see, r)

	return err
}

func (p entPeer) RedeemReset(ctx context.Context, in Redemption, see See) error {
	tx, err := p.db.Tx(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	at := now()
	r, err := tx.PasswordReset.Query().Where(
		passwordreset.TokenHash(digest(in.Token)), passwordreset.UsedAtIsNil(), passwordreset.ExpiresAtGT(at),
	).Only(ctx)
	if err != nil {
		return err
	}
	// Update().Where and not UpdateOne, which reads the row once more.
	err = tx.PasswordReset.Update().Where(passwordreset.ID(r.ID)).SetUsedAt(at).SetUsedIP(from).Exec(ctx)
	if err != nil {
		return err
	}
	a, err := tx.Account.UpdateOneID(r.AccountID).SetPasswordHash(in.PasswordHash).Save(ctx)
	if err != nil {
		return err
	}
	it(see, a)

	return tx.Commit()
}

func (p entPeer) CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error {
	tx, err := p.db.Tx(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	a, err := tx.Album.Create().SetName(in.Name).SetURL(in.URL).SetYear(in.Year).SetPriceCents(in.PriceCents).
		SetNillableImageURL(in.ImageURL).SetHasPreview(in.HasPreview).SetIsPublished(in.IsPublished).Save(ctx)
	if err != nil {
		return err
	}
	a.Edges.Tracks, err = tx.Track.MapCreateBulk(in.Tracks, func(c *entgen.TrackCreate, i int) {
		t := in.Tracks[i]
		c.SetAlbumID(a.ID).SetName(t.Name).SetLengthSeconds(t.LengthSeconds).SetNillableAudioURL(t.AudioURL).
			SetNillableVideoURL(t.VideoURL).SetDisplayOrder(int32(i + 1))
	}).Save(ctx)
	if err != nil {
		return err
	}
	it(see, a)

	return tx.Commit()
}

func (p entPeer) RecordPurchase(ctx context.Context, in NewPurchase, see See) error {
	b, err := p.db.Purchase.Create().SetAccountID(in.AccountID).SetAlbumID(in.AlbumID).SetPaymentRef(in.PaymentRef).
		SetDescription("").SetAmountPaidCents(in.AmountPaidCents).Save(ctx)
	it(see, b)

	return err
}

func (p entPeer) Buy(ctx context.Context, in Buying, see See) error {
	tx, err := p.db.Tx(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	a, err := tx.Account.Query().Where(account.EmailKey(strings.ToLower(in.Email))).Only(ctx)
	if err != nil {
		return err
	}
	b, err := tx.Purchase.Create().SetAccountID(a.ID).SetAlbumID(in.AlbumID).SetPaymentRef(in.PaymentRef).
		SetDescription("").SetAmountPaidCents(in.AmountPaidCents).Save(ctx)
	if err != nil {
		return err
	}
	it(see, b)

	return tx.Commit()
}

func (p entPeer) LoadTracks(ctx context.Context, in []Track) error {
	tx, err := p.db.Tx(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for len(in) > 0 {
		n := min(batch, len(in))
		rows := in[:n]
		err := tx.Track.MapCreateBulk(rows, func(c *entgen.TrackCreate, i int) {
			t := rows[i]
			c.SetAlbumID(t.AlbumID).SetName(t.Name).SetLengthSeconds(t.LengthSeconds).SetNillableAudioURL(t.AudioURL).
				SetNillableVideoURL(t.VideoURL).SetDisplayOrder(t.DisplayOrder)
		}).Exec(ctx)
		if err != nil {
			return err
		}
		in = in[n:]
	}

	return tx.Commit()
}

func (p entPeer) AccountsToday(ctx context.Context, see See) error {
	n, err := p.db.Account.Query().
		Where(account.CreatedAtGTE(today()), account.CreatedAtLT(today().AddDate(0, 0, 1))).Count(ctx)
	it(see, n)

	return err
}

func (p entPeer) AccountsPerDay(ctx context.Context, days int, see See) error {
	var counts []Day
	err := p.db.Account.Query().
		Where(account.CreatedAtGTE(today().AddDate(0, 0, 1-days)), account.CreatedAtLT(today().AddDate(0, 0, 1))).
		Modify(func(s *sql.Selector) {
			s.Select("date_trunc('day', created_at, 'Europe/Berlin') AS day", "count(*) AS accounts").GroupBy("day").OrderBy("day")
		}).Scan(ctx, &counts)
	it(see, counts)

	return err
}
