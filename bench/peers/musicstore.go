package peers

import (
	"context"
	"net/netip"

	"musicstore/internal/repo"
)

// musicstore is this project.
type musicstore struct{ *repo.Repo }

func openMusicstore(ctx context.Context, url string) (Peer, error) {
	r, err := repo.Open(ctx, url)

	return musicstore{r}, err
}

func openPipelined(ctx context.Context, url string) (Peer, error) {
	r, err := repo.Open(ctx, url, repo.WithPipelining())

	return musicstore{r}, err
}

func (p musicstore) AccountByEmail(ctx context.Context, email string, see See) error {
	a, err := p.GetAccountByEmail(ctx, email)
	it(see, a)

	return err
}

func (p musicstore) AlbumByID(ctx context.Context, id int64, see See) error {
	a, err := p.GetAlbum(ctx, id)
	it(see, a)

	return err
}

func (p musicstore) ListAlbums(ctx context.Context, n int, see See) error {
	albums, err := p.ListPublishedAlbums(ctx, repo.Page{Limit: n})
	it(see, albums)

	return err
}

func (p musicstore) CreateAccount(ctx context.Context, in NewAccount, see See) error {
	a, err := p.Repo.CreateAccount(ctx, repo.NewAccount{
		Email: repo.Email(in.Email), PasswordHash: repo.NewPasswordHash(in.PasswordHash),
	})
	it(see, a)

	return err
}

func (p musicstore) CreateReset(ctx context.Context, accountID string, see See) error {
	r, _, err := p.CreatePasswordReset(ctx, repo.NewPasswordReset{AccountID: accountID})
	it(see, r)

	return err
}

func (p musicstore) RedeemReset(ctx context.Context, in Redemption, see See) error {
	a, err := p.RedeemPasswordReset(ctx, in.Token, repo.NewPasswordHash(in.PasswordHash), netip.MustParseAddr(from))
	it(see, a)

	return err
}

func (p musicstore) CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error {
	a, err := p.Repo.CreateAlbum(ctx, in)
	it(see, a)

	return err
}

func (p musicstore) RecordPurchase(ctx context.Context, in NewPurchase, see See) error {
	b, err := p.Repo.RecordPurchase(ctx, repo.NewPurchase{
		AccountID: in.AccountID, AlbumID: in.AlbumID, PaymentRef: in.PaymentRef, AmountPaidCents: in.AmountPaidCents,
	})
	it(see, b)

	return err
}

func (p musicstore) Buy(ctx context.Context, in Buying, see See) error {
	var b repo.Purchase
	err := p.InTx(ctx, func(tx *repo.Repo) error {
		a, err := tx.GetAccountByEmail(ctx, in.Email)
		if err != nil {
			return err
		}
		b, err = tx.RecordPurchase(ctx, repo.NewPurchase{
			AccountID: a.ID, AlbumID: in.AlbumID, PaymentRef: in.PaymentRef, AmountPaidCents: in.AmountPaidCents,
		})

		return err
	})
	it(see, b)

	return err
}

func (p musicstore) LoadTracks(ctx context.Context, in []Track) error {
	_, err := p.Repo.LoadTracks(ctx, loadTracksParams(in))

	return err
}

func (p musicstore) AccountsToday(ctx context.Context, see See) error {
	days, err := p.DailyNewAccounts(ctx, repo.Days{Last: 1, In: zone})
	if err == nil {
		it(see, days[0].Accounts)
	}

	return err
}

func (p musicstore) AccountsPerDay(ctx context.Context, days int, see See) error {
	counts, err := p.DailyNewAccounts(ctx, repo.Days{Last: days, In: zone})
	it(see, counts)

	return err
}
