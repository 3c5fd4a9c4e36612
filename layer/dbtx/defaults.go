package dbtx

import (
	"encoding/hex"
	"time"

	"github.com/google/uuid"
)

// Each default is a Go function, called once for each row. defaults.yaml says which columns have defaults, and fill.go calls the
// functions. A value that the caller set is kept. The schema defines no defaults for these columns.

// defaults has the functions that make the values the caller left unset.
type defaults struct {
	now         func() time.Time
	newID       func() string
	derivations map[string]Derivation
}

// NewID returns a random id of 32 lower-case hexadecimal characters: a version 4 UUID (RFC 9562, section 5.4) from
// crypto/rand, without the dashes. Of its 128 bits 122 are random, so nobody can guess one.
func NewID() string {
	id := uuid.New()
	var text [32]byte
	hex.Encode(text[:], id[:])

	return string(text[:])
}

// Stored returns t in UTC and cut to microseconds, because PostgreSQL keeps no more. So the caller's time equals the stored
// one.
func Stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
