package dbtx_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"musicstore/layer/internal/testdb"
)

// everyQuery runs every query of db/queries at least once, and returns the first error. It may run any number of times
// on one database, also at once.
func everyQuery(ctx context.Context, store *testdb.Repo) error {
	own := testdb.NewID()
	a, err := store.CreateReader(ctx, testdb.NewReader{Email: testdb.Email(own + "@x"), PasswordHash: hash})
	if err != nil {
		return err
	}
	b, err := store.CreatePaper(ctx, paper(own, 2))
	if err != nil {
		return err
	}
	_, token, err := store.CreateInvitation(ctx, testdb.NewInvitation{ReaderID: a.ID})
	if err != nil {
		return err
	}
	p, err := store.RecordSale(ctx, testdb.NewSale{ReaderID: a.ID, PaperID: b.ID, PaymentRef: own})
	if err != nil {
		return err
	}
	added, err := store.AddArticle(ctx, b.ID, testdb.NewArticle{Name: "T"}, 0)
	if err != nil {
		return err
	}
	for _, run := range []func() error{
		func() error { _, err := store.GetReaderByEmail(ctx, own+"@X"); return err },
		func() error { _, err := store.GetReader(ctx, a.ID); return err },
		func() error { _, err := store.ListReaders(ctx, testdb.Page{}); return err },
		func() error { _, err := store.ConfirmEmail(ctx, a.ID); return err },
		func() error { _, err := store.GrantSuperUser(ctx, a.ID); return err },
		func() error { _, err := store.RevokeSuperUser(ctx, a.ID); return err },
		func() error { _, err := store.DailyNewReaders(ctx, testdb.Days{}); return err },
		func() error { _, err := store.DailySales(ctx, testdb.Days{}); return err },
		func() error { _, err := store.ListBestSellers(ctx, testdb.Days{}, 0); return err },
		func() error {
			return store.CreatePapers(ctx, []testdb.NewPaper{paper(own+" III", 1), paper(own+" IV", 1)})
		},
		func() error {
			_, err := store.LoadArticles(ctx, []testdb.LoadArticlesParams{{PaperID: b.ID, Name: "L", DisplayOrder: 4}})

			return err
		},
		func() error { _, err := store.GetPaper(ctx, b.ID); return err },
		func() error { _, err := store.GetPaperByURL(ctx, b.URL); return err },
		func() error { _, err := store.ListPublishedPapers(ctx, testdb.Page{}); return err },
		func() error { _, err := store.ListPapers(ctx, testdb.Page{}); return err },
		func() error {
			p := testdb.ListFirstArticlesOfPapersParams{PaperIDs: []int64{b.ID}, PageSize: 1}
			_, err := store.ListFirstArticlesOfPapers(ctx, p)

			return err
		},
		func() error { _, err := store.SearchCatalog(ctx, own, testdb.Search{}); return err },
		func() error { _, err := store.PublishPaper(ctx, b.ID); return err },
		func() error { _, err := store.UnpublishPaper(ctx, b.ID); return err },
		func() error { _, err := store.GetArticle(ctx, b.Articles[0].ID); return err },
		func() error { _, err := store.MoveArticle(ctx, b.Articles[0].ID, 2); return err },
		func() error { _, err := store.DeleteArticle(ctx, added.ID); return err },
		func() error { _, err := store.GetSale(ctx, p.ID); return err },
		func() error { _, err := store.GetSaleByPaymentRef(ctx, p.PaymentRef); return err },
		func() error { _, err := store.ListSales(ctx, a.ID, testdb.Page{}); return err },
		func() error { _, err := store.ListSaledPaperIDs(ctx, a.ID); return err },
		func() error { _, err := store.GetInvitation(ctx, token); return err },
		func() error {
			_, err := store.HasRecentInvitation(ctx, testdb.HasRecentInvitationParams{ReaderID: a.ID, IntervalSeconds: 60})

			return err
		},
		func() error {
			_, err := store.UpdatePaper(ctx, testdb.UpdatePaperParams{ID: b.ID, Name: own + " II", URL: b.URL, Year: 1991})

			return err
		},
		func() error { _, err := store.RedeemInvitation(ctx, token, hash2, from); return err },
		func() error { return store.SetPasswordHash(ctx, a.ID, hash) },
		func() error { _, err := store.DeleteExpiredInvitations(ctx, time.Now().Add(-time.Hour)); return err },
	} {
		if err := run(); err != nil {
			return err
		}
	}

	return deleteQueries(ctx, store, own)
}

// deleteQueries runs the queries that delete what nobody bought.
func deleteQueries(ctx context.Context, store *testdb.Repo, own string) error {
	b, err := store.CreatePaper(ctx, paper(own+" gone", 1))
	if err != nil {
		return err
	}
	if _, err := store.DeletePaper(ctx, b.ID); err != nil {
		return err
	}
	a, err := store.CreateReader(ctx, testdb.NewReader{Email: testdb.Email(own + "@gone"), PasswordHash: hash})
	if err != nil {
		return err
	}
	_, err = store.DeleteReader(ctx, a.ID)

	return err
}

// everyQueryAtOnce is everyQuery on n stores at the same moment, or on one n times; it returns all errors.
func everyQueryAtOnce(ctx context.Context, n, rounds int, store func(i int) *testdb.Repo) error {
	return errors.Join(atOnce(n, func(i int) error {
		for round := range rounds {
			if err := everyQuery(ctx, store(i)); err != nil {
				return fmt.Errorf("client %d, round %d: %w", i, round, err)
			}
		}

		return nil
	})...)
}
