package repo_test

import (
	"context"
	"time"

	"musicstore/internal/repo"
)

// everyQuery runs every query of db/queries at least once, and returns the first error. It may run any number of times
// on one database, also at once.
func everyQuery(ctx context.Context, store *repo.Repo) error {
	own := repo.NewID()
	a, err := store.CreateAccount(ctx, repo.NewAccount{Email: repo.Email(own + "@x"), PasswordHash: hash})
	if err != nil {
		return err
	}
	b, err := store.CreateAlbum(ctx, album(own, 2))
	if err != nil {
		return err
	}
	_, token, err := store.CreatePasswordReset(ctx, repo.NewPasswordReset{AccountID: a.ID})
	if err != nil {
		return err
	}
	p, err := store.RecordPurchase(ctx, repo.NewPurchase{AccountID: a.ID, AlbumID: b.ID, PaymentRef: own})
	if err != nil {
		return err
	}
	added, err := store.AddTrack(ctx, b.ID, repo.NewTrack{Name: "T"}, 0)
	if err != nil {
		return err
	}
	for _, run := range []func() error{
		func() error { _, err := store.GetAccountByEmail(ctx, own+"@X"); return err },
		func() error { _, err := store.GetAccount(ctx, a.ID); return err },
		func() error { _, err := store.ListAccounts(ctx, repo.Page{}); return err },
		func() error { _, err := store.ConfirmEmail(ctx, a.ID); return err },
		func() error { _, err := store.GrantSuperUser(ctx, a.ID); return err },
		func() error { _, err := store.RevokeSuperUser(ctx, a.ID); return err },
		func() error { _, err := store.DailyNewAccounts(ctx, repo.Days{}); return err },
		func() error { _, err := store.DailySales(ctx, repo.Days{}); return err },
		func() error { _, err := store.ListBestSellers(ctx, repo.Days{}, 0); return err },
		func() error {
			return store.CreateAlbums(ctx, []repo.NewAlbum{album(own+" III", 1), album(own+" IV", 1)})
		},
		func() error {
			_, err := store.LoadTracks(ctx, []repo.LoadTracksParams{{AlbumID: b.ID, Name: "L", DisplayOrder: 4}})

			return err
		},
		func() error { _, err := store.GetAlbum(ctx, b.ID); return err },
		func() error { _, err := store.GetAlbumByURL(ctx, b.URL); return err },
		func() error { _, err := store.ListPublishedAlbums(ctx, repo.Page{}); return err },
		func() error { _, err := store.ListAlbums(ctx, repo.Page{}); return err },
		func() error {
			p := repo.ListFirstTracksOfAlbumsParams{AlbumIDs: []int64{b.ID}, PageSize: 1}
			_, err := store.ListFirstTracksOfAlbums(ctx, p)

			return err
		},
		func() error { _, err := store.SearchCatalog(ctx, own, repo.Search{}); return err },
		func() error { _, err := store.PublishAlbum(ctx, b.ID); return err },
		func() error { _, err := store.UnpublishAlbum(ctx, b.ID); return err },
		func() error { _, err := store.GetTrack(ctx, b.Tracks[0].ID); return err },
		func() error { _, err := store.MoveTrack(ctx, b.Tracks[0].ID, 2); return err },
		func() error { _, err := store.DeleteTrack(ctx, added.ID); return err },
		func() error { _, err := store.GetPurchase(ctx, p.ID); return err },
		func() error { _, err := store.GetPurchaseByPaymentRef(ctx, p.PaymentRef); return err },
		func() error { _, err := store.ListPurchases(ctx, a.ID, repo.Page{}); return err },
		func() error { _, err := store.ListPurchasedAlbumIDs(ctx, a.ID); return err },
		func() error { _, err := store.GetPasswordReset(ctx, token); return err },
		func() error {
			_, err := store.HasRecentPasswordReset(ctx, repo.HasRecentPasswordResetParams{AccountID: a.ID, IntervalSeconds: 60})

			return err
		},
		func() error {
			_, err := store.UpdateAlbum(ctx, repo.UpdateAlbumParams{ID: b.ID, Name: own + " II", URL: b.URL, Year: 1991})

			return err
		},
		func() error { _, err := store.RedeemPasswordReset(ctx, token, hash2, from); return err },
		func() error { return store.SetPasswordHash(ctx, a.ID, hash) },
		func() error { _, err := store.DeleteExpiredPasswordResets(ctx, time.Now().Add(-time.Hour)); return err },
	} {
		if err := run(); err != nil {
			return err
		}
	}

	return deleteQueries(ctx, store, own)
}

// deleteQueries runs the queries that delete what nobody bought.
func deleteQueries(ctx context.Context, store *repo.Repo, own string) error {
	b, err := store.CreateAlbum(ctx, album(own+" gone", 1))
	if err != nil {
		return err
	}
	if _, err := store.DeleteAlbum(ctx, b.ID); err != nil {
		return err
	}
	a, err := store.CreateAccount(ctx, repo.NewAccount{Email: repo.Email(own + "@gone"), PasswordHash: hash})
	if err != nil {
		return err
	}
	_, err = store.DeleteAccount(ctx, a.ID)

	return err
}
