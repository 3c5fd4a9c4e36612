package repo

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"musicstore/internal/dbgen"
	"musicstore/internal/private"
)

// ResetLifetime is how long a reset can be redeemed when the caller does not say. OWASP asks for a short one.
// https://cheatsheetseries.owasp.org/cheatsheets/Forgot_Password_Cheat_Sheet.html
const ResetLifetime = time.Hour

// ResetInterval is how long after one request an account's next is taken, unless WithResetInterval says otherwise: what
// a stranger can do with an address is one mail a minute.
const ResetInterval = time.Minute

// NewPasswordReset is what CreatePasswordReset takes. AccountID is needed. ID, CreatedAt and ExpiresAt have defaults: a
// new id, the present time, ResetLifetime later. TokenHash and NoneAfter are made by the store and must be left zero.
type NewPasswordReset = dbgen.CreatePasswordResetParams

// CreatePasswordReset opens a way to set a new password, ends the one that was open before, and returns it with the
// token that goes into the link. The token is a second random id, of 122 random bits; it is returned this once, and
// stored only as its SHA-256. ErrResetTooSoon when less than the reset interval has gone by since the account's last
// request; ErrResetAccountUnknown when there is no such account; ErrInvalid when something can't be.
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
	p.ID = r.opts.idOr(p.ID)
	p.CreatedAt = r.opts.timeOr(p.CreatedAt)
	if p.ExpiresAt.IsZero() {
		p.ExpiresAt = p.CreatedAt.Add(ResetLifetime)
	}
	p.ExpiresAt = stored(p.ExpiresAt)
	p.NoneAfter = endOfTime
	if r.opts.resetInterval > 0 {
		p.NoneAfter = p.CreatedAt.Add(-r.opts.resetInterval)
	}
	token = NewID()
	p.TokenHash = private.DigestOf(token)
	if reset, err = r.Querier.CreatePasswordReset(ctx, p); err != nil {
		return PasswordReset{}, "", noRow(op, err, ErrResetTooSoon)
	}

	return reset, token, nil
}

// GetPasswordReset returns the open reset of a token; ErrResetInvalid when the token is unknown, used, expired or
// superseded. It does not use the token up: what it says may have changed by the time the token is redeemed.
func (r *Repo) GetPasswordReset(ctx context.Context, token string) (PasswordReset, error) {
	reset, err := r.Querier.GetPasswordReset(ctx, dbgen.GetPasswordResetParams{
		TokenHash: private.DigestOf(token), Now: r.opts.timeOr(time.Time{}),
	})

	return reset, noRow("get password reset", err, ErrResetInvalid)
}

// RedeemPasswordReset uses the token up and sets the account's password, in one statement, and returns the account;
// ErrResetInvalid when the token is unknown, used, expired or superseded, ErrInvalid when the hash is no PHC string, and
// then the token stays good. from is where the request came from, kept with the reset; the zero Addr is unknown. Of any
// number of calls with one token, one succeeds.
func (r *Repo) RedeemPasswordReset(ctx context.Context, token string, hash PasswordHash, from netip.Addr) (Account, error) {
	p := dbgen.RedeemPasswordResetParams{
		TokenHash: private.DigestOf(token), PasswordHash: hash, UsedAt: r.opts.timeOr(time.Time{}),
	}
	if from.IsValid() {
		p.UsedIP = &private.IP{Addr: from}
	}
	account, err := r.Querier.RedeemPasswordReset(ctx, p)

	return account, noRow("redeem password reset", err, ErrResetInvalid)
}

// noRow is err, or what it means that the statement found no row.
func noRow(op string, err, meaning error) error {
	if errors.Is(err, ErrNotFound) {
		return &opError{op: op, errs: []error{meaning}, text: meaning.Error()}
	}

	return err
}
