package repo

import (
	"context"
	"errors"

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
