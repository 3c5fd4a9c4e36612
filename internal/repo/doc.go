// Package repo is the music store: the generated queries, and around them what SQL cannot say.
//
// A *Repo has every query of db/queries as a method. Where Go adds something to a query, an invariant or a shape, the method of that
// name here comes before the generated one. What holds for every query is in the layer's package dbtx: defaults, typed errors,
// retries, transactions and the echo.
package repo

import (
	"errors"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/private"
)

// The types of the columns that hide themselves from logs, errors and the echo.
type (
	// Email is an e-mail address. It prints as it is, but not in a log.
	Email = private.Email
	// PasswordHash is a password's hash as a PHC string. Nothing prints it; its method Reveal returns it. Two are
	// compared with Equal.
	PasswordHash = private.PasswordHash
)

// NewPasswordHash returns the hash of a PHC string, such as "$argon2id$…". It checks nothing: a text that is no PHC
// string is refused with ErrInvalid by the operation that it is given to.
func NewPasswordHash(phc string) PasswordHash { return private.NewPasswordHash(phc) }

var (
	// ErrResetInvalid means that the reset token is unknown, used, expired or superseded. Which one it is, is not said.
	ErrResetInvalid = errors.New("reset token is not valid")

	// ErrResetTooSoon means that the account's last reset was asked for less than the reset interval ago.
	ErrResetTooSoon = errors.New("a reset was asked for a moment ago")
)

type resetIntervalKey struct{}

// WithResetInterval sets how long after one password reset an account's next is taken, instead of ResetInterval. 0 is
// no limit.
func WithResetInterval(d time.Duration) Option { return dbtx.WithValue(resetIntervalKey{}, d) }

// resetInterval returns what WithResetInterval has set.
func (r *Repo) resetInterval() time.Duration {
	if d, ok := r.store.Value(resetIntervalKey{}).(time.Duration); ok {
		return d
	}

	return ResetInterval
}
