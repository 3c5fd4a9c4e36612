package testdb

import (
	"context"
	"errors"
	"iter"
	"math"
	"strconv"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb/dbgen"
)

// NewSale is what RecordSale takes. PaymentRef is the payment provider's own reference, and the key: whatever
// is recorded under it is recorded once. CreatedAt defaults to the present time.
type NewSale = dbgen.RecordSaleParams

// RecordSale inserts a sale and returns it as stored. A second call with the same payment reference returns the
// sale that is there, so it is safe to repeat; it returns ErrPaymentRefTaken when that sale is of another
// reader, paper or amount. It returns ErrBuyerUnknown or ErrSalePaperUnknown when there is no such reader or
// paper, ErrInvalid when a value is not allowed, and ErrRowsNotKept when a trigger dropped the sale.
func (r *Repo) RecordSale(ctx context.Context, p NewSale) (Sale, error) {
	sale, err := r.querier.RecordSale(ctx, p)
	if errors.Is(err, ErrPaymentRefTaken) { // unless a trigger dropped the row
		if _, found := r.GetSaleByPaymentRef(ctx, p.PaymentRef); errors.Is(found, ErrNotFound) {
			return Sale{}, dbtx.Wrap("record sale", ErrRowsNotKept)
		} else if found != nil {
			err = found
		}
	}

	return sale, err
}

// ListSales returns a page of a reader's sales, the newest first; none when there is no such reader. The
// page after it is at AfterSale(last).
func (r *Repo) ListSales(ctx context.Context, readerID string, page Page) ([]Sale, error) {
	const op = "list sales"
	at, limit, err := page.read(op, position{dbtx.LastTime.UnixMicro(), strconv.FormatInt(math.MaxInt64, 10)})
	if err != nil {
		return nil, err
	}
	id, err := at.number(op)
	if err != nil {
		return nil, err
	}
	created, err := at.time(op)
	if err != nil {
		return nil, err
	}

	return r.querier.ListSales(ctx, dbgen.ListSalesParams{
		ReaderID: readerID, BeforeCreatedAt: created, BeforeID: id, PageSize: limit,
	})
}

// AfterSale is the place in ListSales behind a sale.
func AfterSale(p Sale) string {
	return position{p.CreatedAt.UnixMicro(), strconv.FormatInt(p.ID, 10)}.String()
}

// AllSales walks all sales of a reader, the newest first, a page at a time. An error ends the walk, as its
// last pair.
func (r *Repo) AllSales(ctx context.Context, readerID string) iter.Seq2[Sale, error] {
	list := func(page Page) ([]Sale, error) { return r.ListSales(ctx, readerID, page) }

	return walk(AfterSale, list)
}
