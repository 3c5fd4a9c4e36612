package repo

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"musicstore/internal/dbgen"
	"musicstore/layer/dbtx"
	"musicstore/layer/private"
)

// ResetLifetime is how long a reset can be redeemed when the caller does not say. OWASP asks for a short one.
// https://cheatsheetseries.owasp.org/cheatsheets/Forgot_Password_Cheat_Sheet.html
const ResetLifetime = time.Hour

// ResetInterval is how long after one request an account's next is taken, unless WithResetInterval says otherwise: what
// a stranger can do with an address is one mail a minute.
const ResetInterval = time.Minute

// NewPasswordReset is what CreatePasswordReset takes. AccountID is needed. ID, CreatedAt and ExpiresAt have defaults: a
// new id, the present time of the database, ResetLifetime later. TokenHash is made by the store and must be left zero.
type NewPasswordReset struct {
	ID        string         `json:"id"`
	AccountID string         `json:"account_id"`
	TokenHash private.Digest `json:"token_hash"`
	CreatedAt time.Time      `json:"created_at"`
	ExpiresAt time.Time      `json:"expires_at"`

	// Deprecated: it must be left zero. The reset interval is counted by the database.
	NoneAfter time.Time `json:"none_after"`
}

// All about a reset is judged by one clock, that of the database: when it was created, whether it came too soon, whether it
// has expired. The servers of a shop have clocks that differ. In a test, WithClock's clock takes its place.

// CreatePasswordReset opens a way to set a new password, ends the one that was open before, and returns it with the
// token that goes into the link. The token is a second random id, of 122 random bits; it is returned this once, and
// stored only as its SHA-256. It returns ErrResetTooSoon when the account has a reset that was created less than the
// reset interval ago, ErrResetAccountUnknown when there is no such account, ErrInvalid when a value is not allowed, and
// ErrRowsNotKept when a trigger dropped the reset. A second call with the same id is a second reset: it returns
// ErrResetTooSoon, and the first one's token stays good.
//
// The interval is kept by the statement itself, however many ask at once. A request that was ended by a change of the
// password no longer counts.
func (r *Repo) CreatePasswordReset(ctx context.Context, p NewPasswordReset) (reset PasswordReset, token string, err error) {
	const op = "create password reset"
	if !p.TokenHash.IsZero() {
		return PasswordReset{}, "", derived(op, "token_hash")
	}
	if !p.NoneAfter.IsZero() {
		return PasswordReset{}, "", derived(op, "none_after")
	}
	token = NewID()
	now, interval := r.store.Clock(), r.resetInterval().Seconds()
	reset, err = r.querier.CreatePasswordReset(ctx, dbgen.CreatePasswordResetParams{
		ID: p.ID, AccountID: p.AccountID, TokenHash: private.DigestOf(token),
		CreatedAt: setTime(p.CreatedAt), ExpiresAt: setTime(p.ExpiresAt), LifetimeSeconds: ResetLifetime.Seconds(),
		Now: now, IntervalSeconds: interval,
	})
	if errors.Is(err, ErrNotFound) { // it came too soon, or a trigger dropped the row
		var recent bool
		recent, err = r.HasRecentPasswordReset(ctx, dbgen.HasRecentPasswordResetParams{
			AccountID: p.AccountID, Now: now, IntervalSeconds: interval,
		})
		switch {
		case recent:
			err = dbtx.Wrap(op, ErrResetTooSoon)
		case err == nil:
			err = dbtx.Wrap(op, ErrRowsNotKept)
		}
	}
	if err != nil {
		return PasswordReset{}, "", err
	}

	return reset, token, nil
}

// setTime returns a time that the caller set as it will be stored, and nil for one that is not set.
func setTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}

	return new(dbtx.Stored(t))
}

// GetPasswordReset returns the open reset of a token; ErrResetInvalid when the token is unknown, used, expired or
// superseded. It does not use the token up: what it says may have changed by the time the token is redeemed.
func (r *Repo) GetPasswordReset(ctx context.Context, token string) (PasswordReset, error) {
	reset, err := r.querier.GetPasswordReset(ctx, dbgen.GetPasswordResetParams{
		TokenHash: private.DigestOf(token), Now: r.store.Clock(),
	})

	return reset, noRow("get password reset", err, ErrResetInvalid)
}

// RedeemPasswordReset uses the token up and sets the account's password, in one statement, and returns the account. It
// returns ErrResetInvalid when the token is unknown, used, expired or superseded. It returns ErrInvalid when the hash
// is no PHC string, and ErrRowsNotKept when a trigger dropped the new password; in these two cases the token stays
// good. from is where the request came from, and is kept with the reset; the zero Addr is unknown. Of any number of
// calls with one token, one succeeds.
func (r *Repo) RedeemPasswordReset(ctx context.Context, token string, hash PasswordHash, from netip.Addr) (Account, error) {
	p := dbgen.RedeemPasswordResetParams{TokenHash: private.DigestOf(token), PasswordHash: hash, Now: r.store.Clock()}
	if from.IsValid() {
		p.UsedIP = &private.IP{Addr: from}
	}
	account, err := r.querier.RedeemPasswordReset(ctx, p)

	return account, noRow("redeem password reset", err, ErrResetInvalid)
}

// DeleteExpiredPasswordResets deletes the resets, used or not, that expired before a time, and returns how many. It
// deletes none that is good now. A second call returns 0.
func (r *Repo) DeleteExpiredPasswordResets(ctx context.Context, expiredBefore time.Time) (int64, error) {
	return r.querier.DeleteExpiredPasswordResets(ctx, dbgen.DeleteExpiredPasswordResetsParams{
		ExpiredBefore: expiredBefore, Now: r.store.Clock(),
	})
}

// noRow is err, or what it means that the statement found no row.
func noRow(op string, err, meaning error) error {
	if errors.Is(err, ErrNotFound) {
		return dbtx.Wrap(op, meaning)
	}

	return err
}
