package dbtx_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/wireproxy"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

func TestRepo_ALostReplyLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	loseReplies(t, 40, 3)
}

func TestSoak_ALostReplyLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	loseReplies(t, 10_000, 450)
}

func loseReplies(t *testing.T, writes, cuts int) {
	t.Helper()
	direct := dbtest.Pool(t)
	proxy := wireproxy.New(t, direct.Config().ConnString())
	store, err := testdb.Open(t.Context(), proxy.URL("pool_max_conns=4"))
	require.NoError(t, err)
	t.Cleanup(store.Close)
	buyer, sold := newReader(t, store, "a@x"), newPaper(t, store, "A")

	// soak has four workers do the writes, each of which a number names, while the reply to every few is cut away after
	// the server committed it. It returns how many were cut, lost and doubled, and what errors reached the caller.
	soak := func(reply string, write func(n int) error) (cut, lost, doubled int, errs []error) {
		_, err := direct.Exec(t.Context(), "DELETE FROM sales")
		require.NoError(t, err)
		before := proxy.Cuts()
		now := dbtxtest.EveryNth(int64(writes/cuts) - 2)
		proxy.Set(wireproxy.LoseReply(func(tag string) bool { return strings.HasPrefix(tag, reply) && now() }))
		const workers = 4
		for _, err := range dbtxtest.AtOnce(workers, func(worker int) error {
			var errs []error
			for n := worker; n < writes; n += workers {
				errs = append(errs, write(n))
			}

			return errors.Join(errs...)
		}) {
			if err != nil {
				errs = append(errs, err)
			}
		}
		proxy.Set(nil)
		require.NoError(t, direct.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE n = 0), count(*) FILTER (WHERE n > 1)
			FROM (SELECT count(p.id) AS n FROM generate_series(0, $1 - 1) AS amount
				LEFT JOIN sales AS p ON p.amount_paid_cents = amount GROUP BY amount) AS w`, writes).Scan(&lost, &doubled))

		return proxy.Cuts() - before, lost, doubled, errs
	}
	sale := func(n int) testdb.RecordSaleParams {
		return testdb.RecordSaleParams{ReaderID: buyer.ID, PaperID: sold.ID, PaymentRef: testdb.NewID(), AmountPaidCents: int64(n)}
	}

	cut, lost, doubled, errs := soak("INSERT", func(n int) error {
		_, err := store.RecordSale(t.Context(), sale(n))

		return err
	})
	t.Logf("keyed: %d writes, %d cuts, %d lost, %d doubled, %d errors", writes, cut, lost, doubled, len(errs))
	require.GreaterOrEqual(t, cut, cuts)
	require.Empty(t, errs)
	require.Zero(t, lost)
	require.Zero(t, doubled)

	// In a transaction it is the reply to COMMIT that is lost. The store can't know what the closure would do twice, and
	// says so; the caller, whose write has a key, repeats it.
	var told atomic.Int64
	cut, lost, doubled, errs = soak("COMMIT", func(n int) error {
		p := sale(n)
		for {
			err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
				_, err := tx.RecordSale(t.Context(), p)

				return err
			})
			if !errors.Is(err, testdb.ErrOutcomeUnknown) {
				return err
			}
			told.Add(1)
		}
	})
	t.Logf("keyed, in transactions: %d cuts, %d lost, %d doubled, %d errors, %d told", cut, lost, doubled, len(errs), told.Load())
	require.GreaterOrEqual(t, cut, cuts)
	require.EqualValues(t, cut, told.Load(), "each is said to be unknown")
	require.Empty(t, errs)
	require.Zero(t, lost)
	require.Zero(t, doubled)

	// The control: the write has no key, and is repeated after any error.
	cut, lost, doubled, errs = soak("INSERT", func(n int) error {
		const insert = `INSERT INTO sales (reader_id, paper_id, payment_ref, description, amount_paid_cents, created_at)
			VALUES ($1, $2, $3, '', $4, now())`
		for {
			_, err := store.DB().Exec(t.Context(), insert, buyer.ID, sold.ID, testdb.NewID(), n)
			if err == nil {
				return nil
			}
		}
	})
	t.Logf("blind: %d writes, %d cuts, %d lost, %d doubled, %d errors", writes, cut, lost, doubled, len(errs))
	require.GreaterOrEqual(t, cut, cuts)
	require.Zero(t, lost)
	require.Positive(t, doubled, "the control must fail")
}

func TestRepo_AKeyedWriteWhoseLaterTriesNeverLeaveIsNotSaidToBeUndone(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	url := dbtest.URL(t)
	proxy := wireproxy.New(t, url)
	store, err := testdb.Open(t.Context(), proxy.URL("pool_max_conns=1"))
	require.NoError(t, err)
	t.Cleanup(store.Close)
	ctx, cancel := context.WithCancel(t.Context())
	lose := wireproxy.LoseReply(func(string) bool { return true })
	var tries atomic.Int64
	proxy.Set(func(m wireproxy.Message) wireproxy.Action {
		if _, ok := m.Is.(*pgproto3.StartupMessage); ok {
			if tries.Add(1) == 3 {
				cancel()
			}

			return wireproxy.CutBefore
		}

		return lose(m)
	})
	_, err = store.CreateReader(ctx, testdb.CreateReaderParams{Email: "a@x", PasswordHash: hash})
	require.ErrorIs(t, err, testdb.ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.Canceled)
	proxy.Set(nil)
	_, err = store.GetReaderByEmail(t.Context(), "a@x")
	require.NoError(t, err, "it was done by its first try")
}

func TestRepo_AListOutlivesItsLinkInTheMidstOfItsRows(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	direct, err := testdb.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(direct.Close)
	proxy := wireproxy.New(t, url)
	store, err := testdb.Open(t.Context(), proxy.URL("pool_max_conns=1"))
	require.NoError(t, err)
	t.Cleanup(store.Close)
	a := newPaper(t, direct, "A")
	want := newArticles(t, direct, a, 5)
	// cut cuts the link once, after n rows, and does something before.
	cut := func(n int32, before func()) {
		var rows atomic.Int32
		proxy.Set(func(m wireproxy.Message) wireproxy.Action {
			if _, ok := m.Is.(*pgproto3.DataRow); ok && rows.Add(1) == n {
				before()

				return wireproxy.CutAfter
			}

			return wireproxy.Pass
		})
	}
	for n := range int32(5) {
		cut(n+1, func() {})
		articles, err := store.ListArticlesOfPapers(t.Context(), []int64{a.ID})
		require.NoError(t, err)
		require.Equal(t, want, articles, "as if it had been there at once")
	}
	require.Equal(t, 5, proxy.Cuts())

	change := func(sql string) func() {
		return func() {
			if _, err := direct.DB().Exec(t.Context(), sql); err != nil {
				t.Error(err)
			}
		}
	}
	cut(3, change("UPDATE articles SET name = 'other' WHERE display_order = 4"))
	articles, err := store.ListArticlesOfPapers(t.Context(), []int64{a.ID})
	require.NoError(t, err)
	require.Equal(t, "other", articles[3].Name, "what was not shown yet may be new")
	cut(3, change("UPDATE articles SET name = 'mixed' WHERE display_order = 2"))
	_, err = store.ListArticlesOfPapers(t.Context(), []int64{a.ID})
	require.ErrorIs(t, err, testdb.ErrUnavailable, "of two states there is no one list")
	change("UPDATE articles SET audio_url = 'https://a.example.com', video_url = NULL WHERE display_order = 1")()
	cut(3, change("UPDATE articles SET video_url = audio_url, audio_url = NULL WHERE display_order = 1"))
	_, err = store.ListArticlesOfPapers(t.Context(), []int64{a.ID})
	require.ErrorIs(t, err, testdb.ErrUnavailable, "the same values in other columns are another row")
	cut(3, change("DELETE FROM articles WHERE display_order > 2"))
	_, err = store.ListArticlesOfPapers(t.Context(), []int64{a.ID})
	require.ErrorIs(t, err, testdb.ErrUnavailable)
	articles, err = store.ListArticlesOfPapers(t.Context(), []int64{a.ID})
	require.NoError(t, err)
	require.Len(t, articles, 2)

	// The control: pgx alone.
	cut(1, func() {})
	rows, err := store.DB().Query(t.Context(), "SELECT name FROM articles")
	require.NoError(t, err)
	_, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.Error(t, err)
}

func TestRaces_MoneyIsNeitherMadeNorLost(t *testing.T) {
	t.Parallel()
	serializable := pgx.TxOptions{IsoLevel: pgx.Serializable}
	// A bank whose customers are the prices of papers.
	const customers, each = 4, 1000
	bank := func(t *testing.T) (store *testdb.Repo, ids []int64) {
		t.Helper()
		store = dbtest.New(t)
		for n := range customers {
			a := paper(fmt.Sprintf("Customer %d", n))
			a.PriceCents = each
			made, err := store.CreatePaper(t.Context(), a)
			require.NoError(t, err)
			ids = append(ids, made.ID)
		}

		return store, ids
	}
	total := func(t *testing.T, store *testdb.Repo) (sum int64) {
		t.Helper()
		for _, a := range allPapers(t, store) {
			sum += a.PriceCents
		}

		return sum
	}
	// transfer reads both customers, then writes both.
	transfer := func(tx *testdb.Repo, from, to, cents int64, read func()) error {
		var both [2]testdb.Paper
		for i, id := range []int64{from, to} {
			var err error
			if both[i], err = tx.GetPaper(t.Context(), id); err != nil {
				return err
			}
		}
		read()
		for i, change := range []int64{-cents, cents} {
			a := both[i]
			_, err := tx.UpdatePaper(t.Context(), testdb.UpdatePaperParams{
				ID: a.ID, Name: a.Name, URL: a.URL, Year: a.Year, PriceCents: a.PriceCents + change,
			})
			if dbtxtest.IsAny(err, testdb.ErrPaperPriceInvalid) {
				return errOwn // not enough: nothing is transferred
			}
			if err != nil {
				return err
			}
		}

		return nil
	}

	t.Run("ByManyTransfersAtOnce", func(t *testing.T) {
		t.Parallel()
		const workers, transfers = 6, 15
		store, ids := bank(t)
		var runs atomic.Int64
		require.Equal(t, make([]error, workers), dbtxtest.AtOnce(workers, func(i int) error {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range transfers {
				chosen, cents := r.Perm(customers), r.Int64N(50)
				err := store.InTxOptions(t.Context(), serializable, func(tx *testdb.Repo) error {
					runs.Add(1)

					return transfer(tx, ids[chosen[0]], ids[chosen[1]], cents, func() {})
				})
				if err != nil && !dbtxtest.IsAny(err, errOwn) {
					return err
				}
			}

			return nil
		}))
		require.EqualValues(t, customers*each, total(t, store))
		t.Logf("%d transfers took %d runs: %d reruns", workers*transfers, runs.Load(), runs.Load()-workers*transfers)
	})
}
