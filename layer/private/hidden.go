package private

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"unsafe"
)

const redacted = "[redacted]"

// hidden holds a secret behind a pointer to a string. The package fmt follows a pointer only at the top, and only to a
// struct, an array, a slice or a map: of this one it prints the address, also where it does not ask the methods.
type hidden struct {
	_ [0]func() // so that == does not compile
	v *string   // nil is the empty secret
}

func hide(s string) hidden {
	if s == "" {
		return hidden{}
	}

	return hidden{v: &s}
}

// cell is a string and the place of its bytes. It fills a size class of Go's memory.
type cell struct {
	s     string
	bytes [112]byte
}

// hideBytes copies b. It allocates once for what fits into a cell, as most password hashes do, and twice for more.
func hideBytes(b []byte) hidden {
	if len(b) == 0 || len(b) > len(cell{}.bytes) {
		return hide(string(b))
	}
	c := &cell{}
	n := copy(c.bytes[:], b)
	c.s = unsafe.String(&c.bytes[0], n) //nolint:gosec // nobody writes to the bytes from here on

	return hidden{v: &c.s}
}

// Reveal returns the secret.
func (h hidden) Reveal() string {
	if h.v == nil {
		return ""
	}

	return *h.v
}

// IsZero reports whether there is no secret, or an empty one.
func (h hidden) IsZero() bool { return h.v == nil }

func (h hidden) equal(other hidden) bool {
	return subtle.ConstantTimeCompare([]byte(h.Reveal()), []byte(other.Reveal())) == 1
}

// Format writes "[redacted]", whatever the verb. It is a fmt.Formatter and not a fmt.Stringer, because pgx sends a
// Stringer's text to the server.
func (hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is "[redacted]".
func (hidden) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText gives "[redacted]".
func (hidden) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary gives "[redacted]". encoding/gob uses it.
func (hidden) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes the secret. Of "[redacted]", which is what MarshalText gave in its place, it makes the empty one.
func (h *hidden) UnmarshalText(text []byte) error {
	*h = hidden{}
	if string(text) != redacted {
		*h = hideBytes(text)
	}

	return nil
}

// UnmarshalBinary is UnmarshalText.
func (h *hidden) UnmarshalBinary(b []byte) error { return h.UnmarshalText(b) }

// ScanBytes takes a text or bytes that pgx read.
func (h *hidden) ScanBytes(b []byte) error {
	if b == nil {
		return errNull
	}
	*h = hideBytes(b)

	return nil
}

// scan is sql.Scanner, which pgx asks for a type that it does not know. A pgtype.TextScanner would be asked for every
// text, at the price of one more allocation.
func (h *hidden) scan(src any) error {
	switch v := src.(type) {
	case nil:
		return errNull
	case string:
		*h = hide(v)
	case []byte:
		*h = hideBytes(v)
	default:
		return fmt.Errorf("cannot scan %T", src)
	}

	return nil
}

var errNull = errors.New("cannot scan NULL")
