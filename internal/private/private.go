// Package private has the types of the columns that must not be shown. sqlc.yaml gives them to the columns, once;
// from there on the value hides itself, whatever prints it.
//
// Secrets (PasswordHash, Digest) are shown by nothing: every verb of fmt, encoding/json and log/slog print the word
// "[redacted]". Personal data (Email, IP) can be printed, because a store has to write to its customers, but logs, the
// echo and the errors of encoding show "[personal]" in its place.
//
// A value can hide only where it is asked: fmt does not ask one in an unexported field, encoding/json does not ask the
// key of a map, and log/slog asks an attribute but not a field of a struct, so there personal data shows.
package private

import (
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

const (
	redacted = "[redacted]"
	personal = "[personal]"
)

// ErrNotPHC is what a PasswordHash that is none gives before it is sent: the text could be a password.
var ErrNotPHC = errors.New("is not a password hash in PHC string format, such as $argon2id$v=19$m=…$salt$hash")

// isPHC reports whether s is in the PHC string format, https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md,
// read loosely enough for bcrypt: $name, and two or more further parts. The schema checks the same.
func isPHC(s string) bool {
	rest, found := strings.CutPrefix(s, "$")
	name, rest, _ := strings.Cut(rest, "$")
	if !found || len(name) > 32 || !consists(name, inName) {
		return false
	}
	parts := 0
	for part := range strings.SplitSeq(rest, "$") {
		if !consists(part, inPart) {
			return false
		}
		parts++
	}

	return parts >= 2
}

func inName(b byte) bool { return 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == '-' }

func inPart(b byte) bool {
	return inName(b) || 'A' <= b && b <= 'Z' || strings.IndexByte("/+.=,", b) >= 0
}

// consists reports whether s has bytes, and all of them are in a set.
func consists(s string, in func(byte) bool) bool {
	for i := range len(s) {
		if !in(s[i]) {
			return false
		}
	}

	return s != ""
}

// PasswordHash is a password's hash as a PHC string. Only string(h) shows it.
type PasswordHash string

// Format writes "[redacted]", whatever the verb. It is a fmt.Formatter and not a fmt.Stringer, because pgx sends a
// Stringer's text to the server.
func (PasswordHash) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is "[redacted]".
func (PasswordHash) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText gives "[redacted]".
func (PasswordHash) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// TextValue gives pgx the hash to send, or ErrNotPHC.
func (h PasswordHash) TextValue() (pgtype.Text, error) {
	if !isPHC(string(h)) {
		return pgtype.Text{}, ErrNotPHC
	}

	return pgtype.Text{String: string(h), Valid: true}, nil
}

// ScanText takes the hash that pgx read.
func (h *PasswordHash) ScanText(t pgtype.Text) error { return scanText((*string)(h), t) }

// Digest is the SHA-256 of a token.
type Digest [sha256.Size]byte

// DigestOf returns the digest of a token.
func DigestOf(token string) Digest { return sha256.Sum256([]byte(token)) }

// Format writes "[redacted]", whatever the verb.
func (Digest) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue is "[redacted]".
func (Digest) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText gives "[redacted]".
func (Digest) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// BytesValue gives pgx the bytes to send.
func (d Digest) BytesValue() ([]byte, error) { return d[:], nil }

// Value is BytesValue for the query modes in which pgx does not know the type of a parameter.
func (d Digest) Value() (driver.Value, error) { return d[:], nil }

// ScanBytes takes the bytes that pgx read.
func (d *Digest) ScanBytes(b []byte) error {
	if len(b) != len(d) {
		return fmt.Errorf("a digest of %d bytes, not %d", len(b), len(d))
	}
	copy(d[:], b)

	return nil
}

// Email is an e-mail address, or the key made of one. It prints as it is, but not in a log.
type Email string

// LogValue is "[personal]".
func (Email) LogValue() slog.Value { return slog.StringValue(personal) }

// GoString is "[personal]": it is what pgx puts in its errors.
func (Email) GoString() string { return personal }

// TextValue gives pgx the address to send.
func (e Email) TextValue() (pgtype.Text, error) {
	return pgtype.Text{String: string(e), Valid: true}, nil
}

// ScanText takes the address that pgx read.
func (e *Email) ScanText(t pgtype.Text) error { return scanText((*string)(e), t) }

// IP is the address that somebody came from. It prints as it is, but not in a log.
type IP struct{ netip.Addr }

// LogValue is "[personal]".
func (IP) LogValue() slog.Value { return slog.StringValue(personal) }

// GoString is "[personal]": it is what pgx puts in its errors.
func (IP) GoString() string { return personal }

// NetipPrefixValue gives pgx the address to send, as the one host of its network.
func (ip IP) NetipPrefixValue() (netip.Prefix, error) {
	return netip.PrefixFrom(ip.WithZone(""), ip.BitLen()), nil
}

// Value is NetipPrefixValue for the query modes in which pgx does not know the type of a parameter.
func (ip IP) Value() (driver.Value, error) { return ip.WithZone("").String(), nil }

// ScanNetipPrefix takes the address that pgx read.
func (ip *IP) ScanNetipPrefix(p netip.Prefix) error {
	ip.Addr = p.Addr()

	return nil
}

func scanText(dst *string, t pgtype.Text) error {
	if !t.Valid {
		return errors.New("cannot scan NULL")
	}
	*dst = t.String

	return nil
}
