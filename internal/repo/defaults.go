package repo

import (
	"encoding/hex"
	"time"

	"musicstore/internal/dbtx"

	"github.com/google/uuid"
)

// Defaults are functions, called once for a row at the time of the call. defaults.yaml says which columns they are for, and
// fill.go calls them. What the caller has set is kept. The schema has no default of its own for these columns.

// defaults has the sources of the values that a caller leaves out.
type defaults struct {
	now         func() time.Time
	newID       func() string
	derivations map[string]dbtx.Derivation
}

// NewID returns a random id of 32 lower-case hexadecimal characters: a version 4 UUID (RFC 9562, section 5.4) from
// crypto/rand, without the dashes. Of its 128 bits 122 are random, so nobody can guess one.
func NewID() string {
	id := uuid.New()
	var text [32]byte
	hex.Encode(text[:], id[:])

	return string(text[:])
}

// clock returns the time that WithClock's clock shows; nil for the database's own.
func (o *options) clock() *time.Time {
	if !o.ownClock {
		return nil
	}

	return new(stored(o.now()))
}

// stored returns t in UTC and cut to the microseconds that PostgreSQL keeps, so that what the caller holds equals what
// is stored.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
