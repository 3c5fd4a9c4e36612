package repo

import (
	"context"
	"errors"
	"iter"
	"math"

	"musicstore/internal/dbgen"
	"musicstore/layer/dbtx"
)

// NewPurchase is what RecordPurchase takes. PaymentRef is the payment provider's own reference, and the key: whatever
// is recorded under it is recorded once. CreatedAt defaults to the present time.
type NewPurchase = dbgen.RecordPurchaseParams

// RecordPurchase inserts a purchase and returns it as stored. A second call with the same payment reference returns the
// purchase that is there, so it is safe to repeat; it returns ErrPaymentRefTaken when that purchase is of another
// account, album or amount. It returns ErrBuyerUnknown or ErrPurchaseAlbumUnknown when there is no such account or
// album, ErrInvalid when a value is not allowed, and ErrRowsNotKept when a trigger dropped the purchase.
func (r *Repo) RecordPurchase(ctx context.Context, p NewPurchase) (Purchase, error) {
	purchase, err := r.querier.RecordPurchase(ctx, p)
	if errors.Is(err, ErrPaymentRefTaken) { // unless a trigger dropped the row
		if _, found := r.GetPurchaseByPaymentRef(ctx, p.PaymentRef); errors.Is(found, ErrNotFound) {
			return Purchase{}, dbtx.Wrap("record purchase", ErrRowsNotKept)
		} else if found != nil {
			err = found
		}
	}

	return purchase, err
}

// ListPurchases returns a page of an account's purchases, the newest first; none when there is no such account. The
// page after it is at AfterPurchase(last).
func (r *Repo) ListPurchases(ctx context.Context, accountID string, page Page) ([]Purchase, error) {
	p := dbgen.ListPurchasesParams{AccountID: accountID, BeforeCreatedAt: dbtx.LastTime, BeforeID: math.MaxInt64}
	var err error
	if p.PageSize, err = page.read("list purchases", &p.BeforeCreatedAt, &p.BeforeID); err != nil {
		return nil, err
	}

	return r.querier.ListPurchases(ctx, p)
}

// AfterPurchase is the place in ListPurchases behind a purchase.
func AfterPurchase(p Purchase) string { return place(p.CreatedAt, p.ID) }

// AllPurchases walks all purchases of an account, the newest first, a page at a time. An error ends the walk, as its
// last pair.
func (r *Repo) AllPurchases(ctx context.Context, accountID string) iter.Seq2[Purchase, error] {
	list := func(page Page) ([]Purchase, error) { return r.ListPurchases(ctx, accountID, page) }

	return walk(AfterPurchase, list)
}
