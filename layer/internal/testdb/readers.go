package testdb

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb/dbgen"
)

// NewReader is what CreateReader takes. Email and PasswordHash, a PHC string such as "$argon2id$…", are needed. ID
// and CreatedAt have defaults: a new id, the present time. The store makes EmailKey of Email; it must be left empty.
type NewReader = dbgen.CreateReaderParams

// CreateReader inserts a reader and returns it as stored. It returns ErrEmailTaken when the address, in any of its
// spellings, has a reader; ErrInvalid when a value is not allowed; ErrReaderIDTaken when the id that the caller set
// is another reader's; and ErrRowsNotKept when a trigger dropped the reader. A second call with the very same
// reader, its id and time included, returns the stored one.
func (r *Repo) CreateReader(ctx context.Context, a NewReader) (Reader, error) {
	a.Email = Email(strings.TrimSpace(string(a.Email)))
	reader, err := r.querier.CreateReader(ctx, a)
	if errors.Is(err, ErrReaderIDTaken) { // unless a trigger dropped the row
		if _, found := r.GetReader(ctx, a.ID); errors.Is(found, ErrNotFound) {
			return Reader{}, dbtx.Wrap("create reader", ErrRowsNotKept)
		} else if found != nil {
			err = found
		}
	}

	return reader, err
}

// GetReaderByEmail returns the reader that an address belongs to, however it is spelled; ErrNotFound when there is
// none, ErrInvalid when it is no address.
func (r *Repo) GetReaderByEmail(ctx context.Context, email string) (Reader, error) {
	key, err := emailKey(Email(email))
	if err != nil {
		return Reader{}, dbtx.Underived("get reader by email", "email", err)
	}

	return r.querier.GetReaderByEmail(ctx, key)
}

// SetPasswordHash replaces the reader's password and ends its open reset, in one statement. ErrNotFound when there is
// no such reader, ErrInvalid when the hash is no PHC string, ErrRowsNotKept when a trigger dropped the new password.
func (r *Repo) SetPasswordHash(ctx context.Context, readerID string, hash PasswordHash) error {
	_, err := r.querier.SetPasswordHash(ctx, dbgen.SetPasswordHashParams{ID: readerID, PasswordHash: hash})

	return err
}

// ListReaders returns a page of the readers, in the order of their sign-up. The page after it is at
// AfterReader(last).
func (r *Repo) ListReaders(ctx context.Context, page Page) ([]Reader, error) {
	const op = "list readers"
	at, limit, err := page.read(op, position{time.Time{}.UnixMicro(), ""})
	if err != nil {
		return nil, err
	}
	created, err := at.time(op)
	if err != nil {
		return nil, err
	}

	return r.querier.ListReaders(ctx, dbgen.ListReadersParams{
		AfterCreatedAt: created, AfterID: at.id, PageSize: limit,
	})
}

// AfterReader is the place in ListReaders behind a reader.
func AfterReader(a Reader) string { return position{a.CreatedAt.UnixMicro(), a.ID}.String() }

// AllReaders walks all readers in the order of their sign-up, a page at a time. An error ends the walk, as its last
// pair.
func (r *Repo) AllReaders(ctx context.Context) iter.Seq2[Reader, error] {
	return walk(AfterReader, func(page Page) ([]Reader, error) { return r.ListReaders(ctx, page) })
}

// derived is the error of a value that the caller set, though the store makes it.
func derived(op, field string) error {
	return &InvalidError{Op: op, Field: field, Reason: "is made by the store: leave it empty"}
}
