package repo_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"
)

func TestRaces_ManySpellingsOfOneAddressAreOneAccount(t *testing.T) {
	t.Parallel()
	// Four letters, each in two spellings, in two positions of spaces and two forms of the at sign: 64 of one address.
	var spellings []string
	for _, k := range []string{"k", "\u212A"} {
		for _, z := range []string{"zoë", "ZOE\u0308"} {
			for _, a := range []string{"a", "Ａ"} {
				for _, x := range []string{"example.com", "EXAMPLE.com"} {
					for _, at := range []string{"@", "＠"} {
						for _, space := range []string{"", " "} {
							spellings = append(spellings, space+z+k+a+at+x+space)
						}
					}
				}
			}
		}
	}
	require.Len(t, spellings, 64)
	store := dbtest.New(t)
	signUp := func(email string) error {
		_, err := store.CreateAccount(t.Context(), repo.NewAccount{Email: repo.Email(email), PasswordHash: hash})

		return err
	}
	errs := dbtxtest.AtOnce(64, func(i int) error { return signUp(spellings[i]) })
	require.Equal(t, 1, succeeded(errs))
	for _, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, repo.ErrEmailTaken)
		}
	}

	lookAlikes := []string{"zoëkа@example.com", "zоëka@example.com", "zoëka@exаmple.com", "zoeka@example.com"} // Cyrillic а, о
	for _, other := range lookAlikes {
		_, err := store.GetAccountByEmail(t.Context(), other)
		require.ErrorIs(t, err, repo.ErrNotFound)
		require.NoError(t, signUp(other), "it is another address")
	}
	for _, other := range lookAlikes {
		found, err := store.GetAccountByEmail(t.Context(), strings.ToUpper(other))
		require.NoError(t, err)
		require.Equal(t, repo.Email(other), found.Email)
	}

	// The control: lower() in the database, at its own locale, takes the spellings for many.
	var distinct int
	require.NoError(t, store.DB().QueryRow(t.Context(),
		`SELECT count(DISTINCT lower(trim(e))) FROM unnest($1::text[]) AS e`, spellings).Scan(&distinct))
	require.Greater(t, distinct, 1)
	t.Logf("64 spellings are one account; for lower() they are %d", distinct)
}

func TestRaces_NoOldPasswordComesBack(t *testing.T) {
	t.Parallel()
	noOldPasswordComesBack(t, 6)
}

func TestSoak_NoOldPasswordComesBack(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	noOldPasswordComesBack(t, 200)
}

// noOldPasswordComesBack issues, redeems and changes at once, each change to a hash of its own, while somebody watches:
// a hash that has given way to another is never seen again, and never are two resets open.
func noOldPasswordComesBack(t *testing.T, rounds int) {
	t.Helper()
	store := dbtest.New(t, repo.WithResetInterval(0))
	a := newAccount(t, store, "a@x")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var seen []repo.PasswordHash
	watched := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			now, err := store.GetAccount(t.Context(), a.ID)
			if err != nil {
				watched <- err

				return
			}
			if len(seen) == 0 || !seen[len(seen)-1].Equal(now.PasswordHash) {
				seen = append(seen, now.PasswordHash)
			}
		}
		watched <- nil
	}()

	var hashes atomic.Int64
	next := func() repo.PasswordHash { return repo.NewPasswordHash(fmt.Sprintf("$test$salt$%d", hashes.Add(1))) }
	errs := dbtxtest.AtOnce(6, func(i int) error {
		for range rounds {
			var err error
			if i%3 == 0 {
				err = store.SetPasswordHash(t.Context(), a.ID, next())
			} else {
				var token string
				_, token, err = store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
				if err == nil {
					_, err = store.RedeemPasswordReset(t.Context(), token, next(), from)
				}
			}
			if err != nil && !dbtxtest.IsAny(err, repo.ErrResetInvalid) { // another was quicker
				return err
			}
			var open int
			if err := store.DB().QueryRow(t.Context(),
				`SELECT count(*) FROM password_resets WHERE used_at IS NULL`).Scan(&open); err != nil || open > 1 {
				return fmt.Errorf("%d resets are open: %w", open, err)
			}
		}

		return nil
	})
	stop()
	require.NoError(t, <-watched)
	require.Equal(t, make([]error, 6), errs)
	twice := map[string]bool{}
	for _, h := range seen {
		require.False(t, twice[h.Reveal()], "a password that had been replaced is back")
		twice[h.Reveal()] = true
	}
	require.Greater(t, len(seen), 2)
}

func TestSoak_Tokens(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	redeemOnce(t, dbtest.New(t), 200, 16)
}

func TestRaces_MoneyIsNeitherMadeNorLost(t *testing.T) {
	t.Parallel()
	serializable := pgx.TxOptions{IsoLevel: pgx.Serializable}
	// A bank whose accounts are the prices of albums.
	const accounts, each = 4, 1000
	bank := func(t *testing.T) (store *repo.Repo, ids []int64) {
		t.Helper()
		store = dbtest.New(t)
		for n := range accounts {
			a := album(fmt.Sprintf("Account %d", n), 0)
			a.PriceCents = each
			made, err := store.CreateAlbum(t.Context(), a)
			require.NoError(t, err)
			ids = append(ids, made.ID)
		}

		return store, ids
	}
	total := func(t *testing.T, store *repo.Repo) (sum int64) {
		t.Helper()
		for a, err := range store.AllAlbums(t.Context()) {
			require.NoError(t, err)
			sum += a.PriceCents
		}

		return sum
	}
	// transfer reads both accounts, then writes both.
	transfer := func(tx *repo.Repo, from, to, cents int64, read func()) error {
		var both [2]repo.AlbumWithTracks
		for i, id := range []int64{from, to} {
			var err error
			if both[i], err = tx.GetAlbum(t.Context(), id); err != nil {
				return err
			}
		}
		read()
		for i, change := range []int64{-cents, cents} {
			a := both[i]
			_, err := tx.UpdateAlbum(t.Context(), repo.UpdateAlbumParams{
				ID: a.ID, Name: a.Name, URL: a.URL, Year: a.Year, PriceCents: a.PriceCents + change,
			})
			if dbtxtest.IsAny(err, repo.ErrAlbumPriceInvalid) {
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
				chosen, cents := r.Perm(accounts), r.Int64N(50)
				err := store.InTxOptions(t.Context(), serializable, func(tx *repo.Repo) error {
					runs.Add(1)

					return transfer(tx, ids[chosen[0]], ids[chosen[1]], cents, func() {})
				})
				if err != nil && !dbtxtest.IsAny(err, errOwn) {
					return err
				}
			}

			return nil
		}))
		require.EqualValues(t, accounts*each, total(t, store))
		t.Logf("%d transfers took %d runs: %d reruns", workers*transfers, runs.Load(), runs.Load()-workers*transfers)
	})
	// Three transfers from one account, each to another, of which all read before any writes.
	fromOne := func(t *testing.T, options pgx.TxOptions) (sum, runs int64) {
		t.Helper()
		store, ids := bank(t)
		all := dbtxtest.NewBarrier(3)
		var n atomic.Int64
		require.Equal(t, make([]error, 3), dbtxtest.AtOnce(3, func(i int) error {
			var once sync.Once

			return store.InTxOptions(t.Context(), options, func(tx *repo.Repo) error {
				n.Add(1)

				return transfer(tx, ids[0], ids[i+1], 10, func() { once.Do(all.Wait) })
			})
		}))

		return total(t, store), n.Load()
	}
	t.Run("ByTransfersThatReadTheSame", func(t *testing.T) {
		t.Parallel()
		sum, runs := fromOne(t, serializable)
		require.EqualValues(t, accounts*each, sum)
		require.GreaterOrEqual(t, runs, int64(5), "two of the three ran again")
	})
	t.Run("UnlessTheirLevelIsTheDefault", func(t *testing.T) { // the control
		t.Parallel()
		sum, runs := fromOne(t, pgx.TxOptions{})
		require.EqualValues(t, accounts*each+20, sum, "of three payments one was taken off")
		require.EqualValues(t, 3, runs)
	})
}
