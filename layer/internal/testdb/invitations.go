package testdb

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/private"
)

// ResetLifetime is how long a reset can be redeemed when the caller does not say. OWASP asks for a short one.
// https://cheatsheetseries.owasp.org/cheatsheets/Forgot_Password_Cheat_Sheet.html
const ResetLifetime = time.Hour

// ResetInterval is how long after one request a reader's next is taken, unless WithResetInterval says otherwise: what
// a stranger can do with an address is one mail a minute.
const ResetInterval = time.Minute

// NewInvitation is what CreateInvitation takes. ReaderID is needed. ID, CreatedAt and ExpiresAt have defaults: a
// new id, the present time of the database, ResetLifetime later. TokenHash is made by the store and must be left zero.
type NewInvitation struct {
	ID        string         `json:"id"`
	ReaderID  string         `json:"reader_id"`
	TokenHash private.Digest `json:"token_hash"`
	CreatedAt time.Time      `json:"created_at"`
	ExpiresAt time.Time      `json:"expires_at"`

	// Deprecated: it must be left zero. The reset interval is counted by the database.
	NoneAfter time.Time `json:"none_after"`
}

// All about a reset is judged by one clock, that of the database: when it was created, whether it came too soon, whether it
// has expired. The servers of a shop have clocks that differ. In a test, WithClock's clock takes its place.

// CreateInvitation opens a way to set a new password, ends the one that was open before, and returns it with the
// token that goes into the link. The token is a second random id, of 122 random bits; it is returned this once, and
// stored only as its SHA-256. It returns ErrResetTooSoon when the reader has a reset that was created less than the
// reset interval ago, ErrResetReaderUnknown when there is no such reader, ErrInvalid when a value is not allowed, and
// ErrRowsNotKept when a trigger dropped the reset. A second call with the same id is a second reset: it returns
// ErrResetTooSoon, and the first one's token stays good.
//
// The interval is kept by the statement itself, however many ask at once. A request that was ended by a change of the
// password no longer counts.
func (r *Repo) CreateInvitation(ctx context.Context, p NewInvitation) (reset Invitation, token string, err error) {
	const op = "create invitation"
	if !p.TokenHash.IsZero() {
		return Invitation{}, "", derived(op, "token_hash")
	}
	if !p.NoneAfter.IsZero() {
		return Invitation{}, "", derived(op, "none_after")
	}
	token = NewID()
	now, interval := r.store.Clock(), r.resetInterval().Seconds()
	reset, err = r.querier.CreateInvitation(ctx, dbgen.CreateInvitationParams{
		ID: p.ID, ReaderID: p.ReaderID, TokenHash: private.DigestOf(token),
		CreatedAt: setTime(p.CreatedAt), ExpiresAt: setTime(p.ExpiresAt), LifetimeSeconds: ResetLifetime.Seconds(),
		Now: now, IntervalSeconds: interval,
	})
	if errors.Is(err, ErrNotFound) { // it came too soon, or a trigger dropped the row
		var recent bool
		recent, err = r.HasRecentInvitation(ctx, dbgen.HasRecentInvitationParams{
			ReaderID: p.ReaderID, Now: now, IntervalSeconds: interval,
		})
		switch {
		case recent:
			err = dbtx.Wrap(op, ErrResetTooSoon)
		case err == nil:
			err = dbtx.Wrap(op, ErrRowsNotKept)
		}
	}
	if err != nil {
		return Invitation{}, "", err
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

// GetInvitation returns the open reset of a token; ErrResetInvalid when the token is unknown, used, expired or
// superseded. It does not use the token up: what it says may have changed by the time the token is redeemed.
func (r *Repo) GetInvitation(ctx context.Context, token string) (Invitation, error) {
	reset, err := r.querier.GetInvitation(ctx, dbgen.GetInvitationParams{
		TokenHash: private.DigestOf(token), Now: r.store.Clock(),
	})

	return reset, noRow("get invitation", err, ErrResetInvalid)
}

// RedeemInvitation uses the token up and sets the reader's password, in one statement, and returns the reader. It
// returns ErrResetInvalid when the token is unknown, used, expired or superseded. It returns ErrInvalid when the hash
// is no PHC string, and ErrRowsNotKept when a trigger dropped the new password; in these two cases the token stays
// good. from is where the request came from, and is kept with the reset; the zero Addr is unknown. Of any number of
// calls with one token, one succeeds.
func (r *Repo) RedeemInvitation(ctx context.Context, token string, hash PasswordHash, from netip.Addr) (Reader, error) {
	p := dbgen.RedeemInvitationParams{TokenHash: private.DigestOf(token), PasswordHash: hash, Now: r.store.Clock()}
	if from.IsValid() {
		p.UsedIP = &private.IP{Addr: from}
	}
	reader, err := r.querier.RedeemInvitation(ctx, p)

	return reader, noRow("redeem invitation", err, ErrResetInvalid)
}

// DeleteExpiredInvitations deletes the resets, used or not, that expired before a time, and returns how many. It
// deletes none that is good now. A second call returns 0.
func (r *Repo) DeleteExpiredInvitations(ctx context.Context, expiredBefore time.Time) (int64, error) {
	return r.querier.DeleteExpiredInvitations(ctx, dbgen.DeleteExpiredInvitationsParams{
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
