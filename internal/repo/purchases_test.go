package repo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"
)

func TestRepo_RecordPurchase(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, time.February, 29, 23, 30, 0, 999, time.FixedZone("", 14*3600))

	t.Run("ReturnsWhatIsStored", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t, repo.WithClock(func() time.Time { return at }))
		buyer, a := newAccount(t, store, "a@x"), newAlbum(t, store, "A", 1)
		p, err := store.RecordPurchase(t.Context(), repo.NewPurchase{
			AccountID: buyer.ID, AlbumID: a.ID, PaymentRef: "pi_1", Description: "A, as a gift", AmountPaidCents: 999,
		})
		require.NoError(t, err)
		require.Equal(t, at.UTC().Truncate(time.Microsecond), p.CreatedAt)
		read, err := store.GetPurchase(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, p, read)
		require.Equal(t, repo.Purchase{
			ID: p.ID, AccountID: buyer.ID, AlbumID: a.ID, PaymentRef: "pi_1", Description: "A, as a gift",
			AmountPaidCents: 999, CreatedAt: p.CreatedAt,
		}, p)
	})
	t.Run("KeepsTheTimeTheCallerSet", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		buyer, a := newAccount(t, store, "a@x"), newAlbum(t, store, "A", 1)
		p, err := store.RecordPurchase(t.Context(), repo.NewPurchase{
			AccountID: buyer.ID, AlbumID: a.ID, PaymentRef: "1", CreatedAt: at,
		})
		require.NoError(t, err)
		require.Equal(t, at.UTC().Truncate(time.Microsecond), p.CreatedAt)
	})
	t.Run("IsOnePurchaseAPaymentReference", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		buyer, a := newAccount(t, store, "a@x"), newAlbum(t, store, "A", 1)
		p := repo.NewPurchase{AccountID: buyer.ID, AlbumID: a.ID, PaymentRef: "1", AmountPaidCents: 5}
		got := make([]repo.Purchase, 32)
		errs := dbtxtest.AtOnce(32, func(i int) error {
			var err error
			got[i], err = store.RecordPurchase(t.Context(), p)

			return err
		})
		require.Equal(t, make([]error, 32), errs)
		for _, p := range got {
			require.Equal(t, got[0], p)
		}
		all, err := store.ListPurchases(t.Context(), buyer.ID, repo.Page{})
		require.NoError(t, err)
		require.Equal(t, got[:1], all)

		// The control: look first, then insert, without the constraint's help.
		naive, err := store.DB().Exec(t.Context(), `CREATE TABLE naive (payment_ref text)`)
		require.NoError(t, err, naive)
		looked := dbtxtest.NewBarrier(32)
		errs = dbtxtest.AtOnce(32, func(int) error {
			var n int
			err := store.DB().QueryRow(t.Context(), `SELECT count(*) FROM naive WHERE payment_ref = '1'`).Scan(&n)
			looked.Wait()
			if err != nil || n > 0 {
				return err
			}
			_, err = store.DB().Exec(t.Context(), `INSERT INTO naive VALUES ('1')`)

			return err
		})
		require.Equal(t, make([]error, 32), errs)
		var n int
		require.NoError(t, store.DB().QueryRow(t.Context(), `SELECT count(*) FROM naive`).Scan(&n))
		require.Greater(t, n, 1, "several saw none and inserted")
	})
	t.Run("RefusesAReferenceThatIsAnothers", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		buyer, other := newAccount(t, store, "a@x"), newAccount(t, store, "b@x")
		a, b := newAlbum(t, store, "A", 1), newAlbum(t, store, "B", 1)
		p := repo.NewPurchase{AccountID: buyer.ID, AlbumID: a.ID, PaymentRef: "1", AmountPaidCents: 5}
		first, err := store.RecordPurchase(t.Context(), p)
		require.NoError(t, err)
		for _, bad := range []repo.NewPurchase{
			{AccountID: other.ID, AlbumID: a.ID, PaymentRef: "1", AmountPaidCents: 5},
			{AccountID: buyer.ID, AlbumID: b.ID, PaymentRef: "1", AmountPaidCents: 5},
			{AccountID: buyer.ID, AlbumID: a.ID, PaymentRef: "1", AmountPaidCents: 6},
		} {
			_, err := store.RecordPurchase(t.Context(), bad)
			require.ErrorIs(t, err, repo.ErrPaymentRefTaken)
			require.EqualError(t, err, "record purchase: payment reference already used for another purchase")
		}
		read, err := store.GetPurchase(t.Context(), first.ID)
		require.NoError(t, err)
		require.Equal(t, first, read)
	})
	t.Run("RefusesWhatCannotBe", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		buyer, a := newAccount(t, store, "a@x"), newAlbum(t, store, "A", 1)
		for _, bad := range []struct {
			change func(*repo.NewPurchase)
			want   error
		}{
			{func(p *repo.NewPurchase) { p.AccountID = repo.NewID() }, repo.ErrBuyerUnknown},
			{func(p *repo.NewPurchase) { p.AlbumID = -1 }, repo.ErrPurchaseAlbumUnknown},
			{func(p *repo.NewPurchase) { p.AlbumID = -1 }, repo.ErrForeignKey},
			{func(p *repo.NewPurchase) { p.PaymentRef = "" }, repo.ErrPaymentRefInvalid},
			{func(p *repo.NewPurchase) { p.PaymentRef = strings.Repeat("x", 201) }, repo.ErrPaymentRefInvalid},
			{func(p *repo.NewPurchase) { p.AmountPaidCents = -1 }, repo.ErrAmountPaidInvalid},
			{func(p *repo.NewPurchase) { p.Description = strings.Repeat("x", 1001) }, repo.ErrDescriptionInvalid},
			{func(p *repo.NewPurchase) { p.Description = "\x00" }, repo.ErrInvalid},
		} {
			p := repo.NewPurchase{AccountID: buyer.ID, AlbumID: a.ID, PaymentRef: "1"}
			bad.change(&p)
			_, err := store.RecordPurchase(t.Context(), p)
			require.ErrorIs(t, err, bad.want)
		}
		all, err := store.ListPurchases(t.Context(), buyer.ID, repo.Page{})
		require.NoError(t, err)
		require.Empty(t, all)
	})
}

func TestRepo_GetPurchase_NotFound(t *testing.T) {
	t.Parallel()
	_, err := dbtest.New(t).GetPurchase(t.Context(), 1)
	require.ErrorIs(t, err, repo.ErrNotFound)
}

func TestRepo_ListPurchases(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, time.May, 1, 12, 0, 0, 0, time.UTC)
	store := dbtest.New(t)
	buyer, other := newAccount(t, store, "a@x"), newAccount(t, store, "b@x")
	a, b := newAlbum(t, store, "A", 1), newAlbum(t, store, "B", 1)
	var want []repo.Purchase
	for n := range 5 {
		p, err := store.RecordPurchase(t.Context(), repo.NewPurchase{
			AccountID: buyer.ID, AlbumID: []int64{b.ID, a.ID}[n%2], PaymentRef: string(rune('a' + n)),
			CreatedAt: at.Add(time.Duration(n/2) * time.Hour), // ties
		})
		require.NoError(t, err)
		want = append([]repo.Purchase{p}, want...)
	}
	_, err := store.RecordPurchase(t.Context(), repo.NewPurchase{AccountID: other.ID, AlbumID: a.ID, PaymentRef: "z"})
	require.NoError(t, err)

	var got []repo.Purchase
	page := repo.Page{Limit: 2}
	for {
		purchases, err := store.ListPurchases(t.Context(), buyer.ID, page)
		require.NoError(t, err)
		if len(purchases) == 0 {
			break
		}
		got = append(got, purchases...)
		page.After = repo.AfterPurchase(purchases[len(purchases)-1])
	}
	require.Equal(t, want, got)

	got = nil
	for p, err := range store.AllPurchases(t.Context(), buyer.ID) {
		require.NoError(t, err)
		got = append(got, p)
	}
	require.Equal(t, want, got)

	ids, err := store.ListPurchasedAlbumIDs(t.Context(), buyer.ID)
	require.NoError(t, err)
	require.Equal(t, []int64{a.ID, b.ID}, ids, "each once, in order")
	ids, err = store.ListPurchasedAlbumIDs(t.Context(), repo.NewID())
	require.NoError(t, err)
	require.Equal(t, []int64{}, ids)

	for _, bad := range []repo.Page{{After: "x"}, {After: "1_x"}, {Limit: -1}} {
		_, err = store.ListPurchases(t.Context(), buyer.ID, bad)
		require.ErrorIs(t, err, repo.ErrInvalid)
	}
}
