package repo_test

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/private"
)

// from is where a request came from: an address of RFC 5737.
var from = netip.MustParseAddr("192.0.2.7")

// clock is a clock that a test moves.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(time.Date(2024, time.May, 1, 12, 0, 0, 0, time.UTC).UnixMicro())

	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()) }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

func TestRepo_PasswordReset(t *testing.T) {
	t.Parallel()

	t.Run("LivesItsLife", func(t *testing.T) {
		t.Parallel()
		clock := newClock()
		store := dbtest.New(t, repo.WithClock(clock.now))
		a := newAccount(t, store, "a@example.com")
		reset, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.NoError(t, err)
		require.Regexp(t, `^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`, reset.ID)
		require.Regexp(t, `^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`, token)
		require.NotEqual(t, reset.ID, token)
		require.Equal(t, clock.now().UTC(), reset.CreatedAt)
		require.Equal(t, repo.ResetLifetime, reset.ExpiresAt.Sub(reset.CreatedAt))
		require.Nil(t, reset.UsedAt)

		read, err := store.GetPasswordReset(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, reset, read)

		clock.advance(time.Minute)
		redeemed, err := store.RedeemPasswordReset(t.Context(), token, hash2, from)
		require.NoError(t, err)
		require.Equal(t, a.ID, redeemed.ID)
		require.Equal(t, hash2, redeemed.PasswordHash)

		var usedAt time.Time
		var usedIP netip.Addr
		require.NoError(t, store.DB().QueryRow(t.Context(),
			`SELECT used_at, used_ip FROM password_resets WHERE id = $1`, reset.ID).Scan(&usedAt, &usedIP))
		require.True(t, usedAt.Equal(clock.now()))
		require.Equal(t, from, usedIP)
	})
	t.Run("StoresOnlyTheDigestOfTheToken", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAccount(t, store, "a@example.com")
		_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.NoError(t, err)
		var row string
		var sha256 bool
		require.NoError(t, store.DB().QueryRow(t.Context(),
			`SELECT password_resets::text, token_hash = sha256($1::bytea) FROM password_resets`,
			[]byte(token)).Scan(&row, &sha256))
		require.NotContains(t, row, token)
		require.True(t, sha256)
	})
	t.Run("KeepsWhatTheCallerSet", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAccount(t, store, "a@example.com")
		id, at := repo.NewID(), time.Now().Add(-time.Minute).UTC().Truncate(time.Microsecond)
		reset, _, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{
			ID: id, AccountID: a.ID, CreatedAt: at, ExpiresAt: at.Add(time.Hour + time.Nanosecond),
		})
		require.NoError(t, err)
		require.Equal(t, id, reset.ID)
		require.Equal(t, at, reset.CreatedAt)
		require.Equal(t, at.Add(time.Hour), reset.ExpiresAt)
	})
	t.Run("TakesAnUnknownAddress", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAccount(t, store, "a@example.com")
		_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.NoError(t, err)
		_, err = store.RedeemPasswordReset(t.Context(), token, hash2, netip.Addr{})
		require.NoError(t, err)
		var unknown bool
		require.NoError(t, store.DB().QueryRow(t.Context(), `SELECT used_ip IS NULL FROM password_resets`).Scan(&unknown))
		require.True(t, unknown)
	})
	t.Run("GivesOneErrorForEveryTokenThatOpensNothing", func(t *testing.T) {
		t.Parallel()
		clock := newClock()
		store := dbtest.New(t, repo.WithClock(clock.now), repo.WithResetInterval(0))
		newToken := func(email repo.Email) string {
			_, token, err := store.CreatePasswordReset(t.Context(),
				repo.NewPasswordReset{AccountID: newAccount(t, store, email).ID})
			require.NoError(t, err)

			return token
		}
		used, expired := newToken("used@x"), newToken("expired@x")
		_, err := store.RedeemPasswordReset(t.Context(), used, hash2, from)
		require.NoError(t, err)
		clock.advance(repo.ResetLifetime)
		superseded, ended := newToken("superseded@x"), newToken("ended@x")
		again, err := store.GetAccountByEmail(t.Context(), "superseded@x")
		require.NoError(t, err)
		_, current, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: again.ID})
		require.NoError(t, err)
		changed, err := store.GetAccountByEmail(t.Context(), "ended@x")
		require.NoError(t, err)
		require.NoError(t, store.SetPasswordHash(t.Context(), changed.ID, hash2))

		for name, token := range map[string]string{
			"unknown": repo.NewID(), "none": "", "not a token": "x'; --", "NUL": "\x00",
			"used": used, "expired": expired, "superseded": superseded, "password changed": ended,
		} {
			_, err := store.GetPasswordReset(t.Context(), token)
			require.ErrorIs(t, err, repo.ErrResetInvalid, name)
			require.EqualError(t, err, "get password reset: reset token is not valid", name)
			_, err = store.RedeemPasswordReset(t.Context(), token, hash, from)
			require.ErrorIs(t, err, repo.ErrResetInvalid, name)
			require.EqualError(t, err, "redeem password reset: reset token is not valid", name)
		}
		_, err = store.RedeemPasswordReset(t.Context(), current, hash2, from)
		require.NoError(t, err, "the newest is good")
	})
	t.Run("IsGoodUntilTheLastMoment", func(t *testing.T) {
		t.Parallel()
		clock := newClock()
		store := dbtest.New(t, repo.WithClock(clock.now))
		a := newAccount(t, store, "a@x")
		_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.NoError(t, err)
		clock.advance(repo.ResetLifetime - time.Microsecond)
		_, err = store.RedeemPasswordReset(t.Context(), token, hash2, from)
		require.NoError(t, err)
	})
	t.Run("StaysGoodWhenTheNewHashIsRefused", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAccount(t, store, "a@x")
		_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.NoError(t, err)
		_, err = store.RedeemPasswordReset(t.Context(), token, repo.NewPasswordHash("hunter2"), from)
		require.ErrorIs(t, err, repo.ErrInvalid)
		_, err = store.RedeemPasswordReset(t.Context(), token, hash2, from)
		require.NoError(t, err)
	})
	t.Run("RefusesWhatCannotBe", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAccount(t, store, "a@x")
		at := time.Now()
		for _, bad := range []struct {
			p    repo.NewPasswordReset
			want error
		}{
			{repo.NewPasswordReset{AccountID: repo.NewID()}, repo.ErrResetAccountUnknown},
			{repo.NewPasswordReset{AccountID: a.ID, ID: "x"}, repo.ErrResetIDInvalid},
			{repo.NewPasswordReset{AccountID: a.ID, CreatedAt: at, ExpiresAt: at.Add(-time.Hour)}, repo.ErrResetExpiryInvalid},
			{repo.NewPasswordReset{AccountID: a.ID, TokenHash: private.DigestOf("mine")}, repo.ErrInvalid},
			{repo.NewPasswordReset{AccountID: a.ID, NoneAfter: at}, repo.ErrInvalid},
		} {
			_, token, err := store.CreatePasswordReset(t.Context(), bad.p)
			require.ErrorIs(t, err, bad.want)
			require.Empty(t, token)
		}
	})
	t.Run("IsRedeemedOnceHoweverManyTry", func(t *testing.T) {
		t.Parallel()
		const tokens, racers = 8, 8 // many more in TestSoak_Tokens
		store := dbtest.New(t)
		redeemOnce(t, store, tokens, racers)
	})
	t.Run("IsOneAnAccountHoweverManyAskAtOnce", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store := dbtest.New(t, repo.WithResetInterval(0))
		a := newAccount(t, store, "a@x")
		tokens := make([]string, 16)
		errs := dbtxtest.AtOnce(16, func(i int) error {
			var err error
			_, tokens[i], err = store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})

			return err
		})
		require.Equal(t, make([]error, 16), errs)
		open := 0
		for _, token := range tokens {
			if _, err := store.GetPasswordReset(t.Context(), token); err == nil {
				open++
			}
		}
		require.Equal(t, 1, open)
	})
	t.Run("NeverLocksOutAChangeOfPassword", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		store := dbtest.New(t, repo.WithResetInterval(0))
		a := newAccount(t, store, "a@x")
		for range 20 {
			_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
			require.NoError(t, err)
			errs := dbtxtest.AtOnce(8, func(i int) error {
				if i%2 == 0 {
					return store.SetPasswordHash(t.Context(), a.ID, hash)
				}
				if _, err := store.RedeemPasswordReset(t.Context(), token, hash2, from); !dbtxtest.IsAny(err, repo.ErrResetInvalid) {
					return err
				}

				return nil
			})
			require.Equal(t, make([]error, 8), errs)
			_, err = store.GetPasswordReset(t.Context(), token)
			require.ErrorIs(t, err, repo.ErrResetInvalid)
		}
	})
}

func TestRepo_DeleteExpiredPasswordResets(t *testing.T) {
	t.Parallel()
	clock := newClock()
	store := dbtest.New(t, repo.WithClock(clock.now))
	for _, email := range []repo.Email{"a@x", "b@x"} {
		_, _, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: newAccount(t, store, email).ID})
		require.NoError(t, err)
	}
	clock.advance(time.Hour)
	_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: newAccount(t, store, "c@x").ID})
	require.NoError(t, err)
	clock.advance(time.Minute)
	n, err := store.DeleteExpiredPasswordResets(t.Context(), clock.now())
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
	n, err = store.DeleteExpiredPasswordResets(t.Context(), clock.now())
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = store.GetPasswordReset(t.Context(), token)
	require.NoError(t, err)
}

func TestWithResetInterval(t *testing.T) {
	t.Parallel()
	ask := func(t *testing.T, store *repo.Repo, account repo.Account) (string, error) {
		t.Helper()
		_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: account.ID})

		return token, err
	}

	t.Run("IsAMinuteUnlessSet", func(t *testing.T) {
		t.Parallel()
		for interval, opts := range map[time.Duration][]repo.Option{
			time.Minute: nil, 5 * time.Minute: {repo.WithResetInterval(5 * time.Minute)},
		} {
			clock := newClock()
			store := dbtest.New(t, append(opts, repo.WithClock(clock.now))...)
			a, other := newAccount(t, store, "a@x"), newAccount(t, store, "b@x")
			first, err := ask(t, store, a)
			require.NoError(t, err)
			clock.advance(interval - time.Microsecond)
			_, err = ask(t, store, a)
			require.ErrorIs(t, err, repo.ErrResetTooSoon)
			require.EqualError(t, err, "create password reset: a reset was asked for a moment ago")
			_, err = store.GetPasswordReset(t.Context(), first)
			require.NoError(t, err, "the open one stays good")
			_, err = ask(t, store, other)
			require.NoError(t, err, "another account's does not count")
			clock.advance(time.Microsecond)
			_, err = ask(t, store, a)
			require.NoError(t, err)
		}
	})
	t.Run("CountsAUsedResetToo", func(t *testing.T) {
		t.Parallel()
		clock := newClock()
		store := dbtest.New(t, repo.WithClock(clock.now))
		a := newAccount(t, store, "a@x")
		token, err := ask(t, store, a)
		require.NoError(t, err)
		_, err = store.RedeemPasswordReset(t.Context(), token, hash2, from)
		require.NoError(t, err)
		_, err = ask(t, store, a)
		require.ErrorIs(t, err, repo.ErrResetTooSoon)
		clock.advance(time.Minute)
		_, err = ask(t, store, a)
		require.NoError(t, err)
	})
	t.Run("HoldsHoweverManyAskAtOnce", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		clock := newClock()
		store := dbtest.New(t, repo.WithClock(clock.now))
		for _, email := range []repo.Email{"a@x", "b@x", "c@x", "d@x", "e@x"} {
			a := newAccount(t, store, email)
			errs := dbtxtest.AtOnce(16, func(int) error { _, err := ask(t, store, a); return err })
			require.Equal(t, 1, succeeded(errs))
		}

		// The control: look when the last was asked for, then ask.
		naive := newAccount(t, store, "naive@x")
		unlimited := repo.New(store.DB(), repo.WithClock(clock.now), repo.WithResetInterval(0))
		looked := dbtxtest.NewBarrier(16)
		errs := dbtxtest.AtOnce(16, func(int) error {
			var n int
			err := store.DB().QueryRow(t.Context(),
				`SELECT count(*) FROM password_resets WHERE account_id = $1`, naive.ID).Scan(&n)
			looked.Wait()
			if err != nil || n > 0 {
				return errors.Join(err, repo.ErrResetTooSoon)
			}
			_, err = ask(t, unlimited, naive)

			return err
		})
		require.Greater(t, succeeded(errs), 1)
	})
	t.Run("CountsTheSameIDTooAndItsTokenStays", func(t *testing.T) {
		t.Parallel()
		clock := newClock()
		store := dbtest.New(t, repo.WithClock(clock.now))
		a := newAccount(t, store, "a@x")
		p := repo.NewPasswordReset{ID: repo.NewID(), AccountID: a.ID}
		_, token, err := store.CreatePasswordReset(t.Context(), p)
		require.NoError(t, err)
		_, none, err := store.CreatePasswordReset(t.Context(), p)
		require.ErrorIs(t, err, repo.ErrResetTooSoon)
		require.Empty(t, none)
		_, err = store.GetPasswordReset(t.Context(), token)
		require.NoError(t, err)
		clock.advance(time.Minute)
		_, next, err := store.CreatePasswordReset(t.Context(), p)
		require.NoError(t, err)
		require.NotEqual(t, token, next)
	})
	t.Run("TakesTheSameStatementTwiceAsOne", func(t *testing.T) { // as a write that is sent again because its reply was lost
		t.Parallel()
		store := dbtest.New(t)
		a := newAccount(t, store, "a@x")
		p := repo.CreatePasswordResetParams{
			ID: repo.NewID(), AccountID: a.ID, TokenHash: private.DigestOf("t"), LifetimeSeconds: 60, IntervalSeconds: 60,
		}
		one, err := repo.Generated(store).CreatePasswordReset(t.Context(), p)
		require.NoError(t, err)
		two, err := repo.Generated(store).CreatePasswordReset(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, one, two)
	})
}

func TestRepo_ResetsGoByOneClock(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) repo.Option {
		return repo.WithClock(func() time.Time { return time.Now().Add(d) })
	}

	t.Run("ServersWhoseClocksDifferAgree", func(t *testing.T) {
		t.Parallel()
		for _, ahead := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
			one := dbtest.New(t, at(ahead))
			two := repo.New(one.DB())
			for n, pair := range [][2]*repo.Repo{{one, two}, {two, one}} {
				a := newAccount(t, one, repo.Email(rune('a'+n))+"@x")
				reset, token, err := pair[0].CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
				require.NoError(t, err)
				read, err := pair[1].GetPasswordReset(t.Context(), token)
				require.NoError(t, err)
				require.Equal(t, reset, read)
				_, err = pair[1].RedeemPasswordReset(t.Context(), token, hash2, from)
				require.NoError(t, err, "what Get calls good, Redeem takes")
			}
			// The control: the time at which it is used, as one's clock has it, is no time at which it can be used.
			reset, _, err := one.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: newAccount(t, one, "c@x").ID})
			require.NoError(t, err)
			if ahead > 0 {
				_, err = one.DB().Exec(t.Context(), "UPDATE password_resets SET used_at = now() WHERE id = $1", reset.ID)
				require.ErrorContains(t, err, "password_resets_used_at_check")
			}
		}
	})
	t.Run("WhichIsTheDatabases", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAccount(t, store, "a@x")
		reset, _, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.NoError(t, err)
		var seconds float64
		require.NoError(t, store.DB().QueryRow(t.Context(),
			"SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM password_resets").Scan(&seconds))
		require.InDelta(t, 30, seconds, 30)
		require.Equal(t, repo.ResetLifetime, reset.ExpiresAt.Sub(reset.CreatedAt))
		_, _, err = store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.ErrorIs(t, err, repo.ErrResetTooSoon)
	})
	t.Run("AClockYearsAheadBlocksNothing", func(t *testing.T) {
		t.Parallel()
		const years = 10 * 365 * 24 * time.Hour
		store := dbtest.New(t)
		for n, ahead := range []*repo.Repo{repo.New(store.DB(), at(years)), repo.New(store.DB(), at(-years))} {
			for _, use := range []bool{false, true} {
				a := newAccount(t, store, repo.Email([]rune{rune('a' + n), 'x', '0'})+repo.Email(map[bool]string{true: "u"}[use])+"@x")
				_, token, err := ahead.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
				require.NoError(t, err)
				if use {
					_, err = ahead.RedeemPasswordReset(t.Context(), token, hash2, from)
					require.NoError(t, err)
				}
				_, token, err = store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
				require.NoError(t, err)
				_, err = store.RedeemPasswordReset(t.Context(), token, hash2, from)
				require.NoError(t, err)
			}
		}
	})
	t.Run("ACallersOwnTimeBlocksNothing", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAccount(t, store, "a@x")
		_, _, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{
			AccountID: a.ID, CreatedAt: time.Now().AddDate(10, 0, 0),
		})
		require.NoError(t, err)
		_, _, err = store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.NoError(t, err)
	})
	t.Run("WhatIsGoodIsNotDeletedByAClockAhead", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: newAccount(t, store, "a@x").ID})
		require.NoError(t, err)
		n, err := store.DeleteExpiredPasswordResets(t.Context(), time.Now().AddDate(10, 0, 0))
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = store.GetPasswordReset(t.Context(), token)
		require.NoError(t, err)
	})
}

// redeemOnce has each of many tokens redeemed by many at once.
func redeemOnce(t *testing.T, store *repo.Repo, tokens, racers int) {
	t.Helper()
	for range tokens {
		a := newAccount(t, store, repo.Email(repo.NewID())+"@x")
		_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.NoError(t, err)
		errs := dbtxtest.AtOnce(racers, func(int) error {
			_, err := store.RedeemPasswordReset(t.Context(), token, hash2, from)

			return err
		})
		require.Equal(t, 1, succeeded(errs))
		for _, err := range errs {
			if err != nil {
				require.ErrorIs(t, err, repo.ErrResetInvalid)
			}
		}
	}

	// The control: look whether the token is open, then mark it used.
	twice := 0
	for range tokens {
		a := newAccount(t, store, repo.Email(repo.NewID())+"@control")
		reset, _, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.NoError(t, err)
		var redeemed atomic.Int64
		looked := dbtxtest.NewBarrier(racers)
		dbtxtest.AtOnce(racers, func(int) error {
			var open bool
			err := store.DB().QueryRow(t.Context(),
				`SELECT used_at IS NULL FROM password_resets WHERE id = $1`, reset.ID).Scan(&open)
			looked.Wait()
			if err != nil || !open {
				return err
			}
			redeemed.Add(1)
			_, err = store.DB().Exec(t.Context(),
				`UPDATE password_resets SET used_at = created_at WHERE id = $1`, reset.ID)

			return err
		})
		if redeemed.Load() > 1 {
			twice++
		}
	}
	require.Equal(t, tokens, twice, "each was redeemed more than once")
	t.Logf("%d tokens, %d redeemers each: all redeemed once; by looking first, %d more than once", tokens, racers, twice)
}
