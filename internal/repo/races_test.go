package repo_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

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
