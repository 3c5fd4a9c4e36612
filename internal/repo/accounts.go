package repo

import (
	"context"
	"errors"
	"strings"

	"musicstore/internal/dbgen"
	"musicstore/layer/dbtx"
)

// NewAccount is what CreateAccount takes. Email and PasswordHash, a PHC string such as "$argon2id$…", are needed. ID
// and CreatedAt have defaults: a new id, the present time. The store makes EmailKey of Email; it must be left empty.
type NewAccount = dbgen.CreateAccountParams

// CreateAccount inserts an account and returns it as stored. It returns ErrEmailTaken when the address, in any of its
// spellings, has an account; ErrInvalid when a value is not allowed; ErrAccountIDTaken when the id that the caller set
// is another account's; and ErrRowsNotKept when a trigger dropped the account. A second call with the very same
// account, its id and time included, returns the stored one.
func (r *Repo) CreateAccount(ctx context.Context, a NewAccount) (Account, error) {
	a.Email = Email(strings.TrimSpace(string(a.Email)))
	account, err := r.querier.CreateAccount(ctx, a)
	if errors.Is(err, ErrAccountIDTaken) { // unless a trigger dropped the row
		if _, found := r.GetAccount(ctx, a.ID); errors.Is(found, ErrNotFound) {
			return Account{}, dbtx.Wrap("create account", ErrRowsNotKept)
		} else if found != nil {
			err = found
		}
	}

	return account, err
}

// GetAccountByEmail returns the account that an address belongs to, however it is spelled; ErrNotFound when there is
// none, ErrInvalid when it is no address.
func (r *Repo) GetAccountByEmail(ctx context.Context, email string) (Account, error) {
	key, err := emailKey(Email(email))
	if err != nil {
		return Account{}, dbtx.Underived("get account by email", "email", err)
	}

	return r.querier.GetAccountByEmail(ctx, key)
}

// SetPasswordHash replaces the account's password and ends its open reset, in one statement. ErrNotFound when there is
// no such account, ErrInvalid when the hash is no PHC string, ErrRowsNotKept when a trigger dropped the new password.
func (r *Repo) SetPasswordHash(ctx context.Context, accountID string, hash PasswordHash) error {
	_, err := r.querier.SetPasswordHash(ctx, dbgen.SetPasswordHashParams{ID: accountID, PasswordHash: hash})

	return err
}

// derived is the error of a value that the caller set, though the store makes it.
func derived(op, field string) error {
	return &InvalidError{Op: op, Field: field, Reason: "is made by the store: leave it empty"}
}
