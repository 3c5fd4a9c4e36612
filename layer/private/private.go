// Package private has the types of the columns that must not be shown. sqlc.yaml gives a column its type, once. The
// value then hides itself, whatever prints it.
//
// A secret (PasswordHash, Digest, Secret, SecretBytes) is shown by no verb of fmt at any depth, by no panic, and by none
// of log/slog, encoding/json, encoding/xml, encoding/gob and the templates. Where its methods are asked, they say
// "[redacted]"; where they are not, as in an unexported field, an address is printed. Only Reveal shows the secret, and
// TextValue, BytesValue and Value, which are for the driver. The limit: a program that follows unexported pointers by
// reflection, as spew does, reads it. testify prints the differences of a failed test so, and go-cmp does.
//
// Two secrets are compared with Equal. The operator == does not compile, because it would compare addresses.
//
// Personal data (Email, IP) can be printed, because a store has to write to its customers. Logs, the echo and the errors
// of encoding show "[personal]" in its place. log/slog asks an attribute, but not a field of a struct or the key of a
// map: there, personal data shows.
package private

import (
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

const personal = "[personal]"

// ErrNotPHC is the error of a PasswordHash that is no PHC string. It is not sent, because it could be a password.
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

// PasswordHash is a password's hash as a PHC string. Only Reveal shows it.
type PasswordHash struct{ hidden }

// NewPasswordHash returns the hash of a PHC string, such as "$argon2id$…". It checks nothing: a text that is no PHC
// string is refused when it is to be sent.
func NewPasswordHash(phc string) PasswordHash { return PasswordHash{hide(phc)} }

// Equal reports whether both are the same hash, in a time that does not depend on where they differ.
func (h PasswordHash) Equal(other PasswordHash) bool { return h.equal(other.hidden) }

// TextValue gives pgx the hash to send, or ErrNotPHC.
func (h PasswordHash) TextValue() (pgtype.Text, error) {
	if !isPHC(h.Reveal()) {
		return pgtype.Text{}, ErrNotPHC
	}

	return pgtype.Text{String: h.Reveal(), Valid: true}, nil
}

// Scan takes the hash of a type that pgx does not know.
func (h *PasswordHash) Scan(src any) error { return h.scan(src) }

// Secret is a text that nothing may show, for a column that has any. Only Reveal shows it. The zero value is the empty
// text.
type Secret struct{ hidden }

// NewSecret returns a text as a secret.
func NewSecret(text string) Secret { return Secret{hide(text)} }

// Equal reports whether both are the same text, in a time that does not depend on where they differ.
func (s Secret) Equal(other Secret) bool { return s.equal(other.hidden) }

// TextValue gives pgx the text to send.
func (s Secret) TextValue() (pgtype.Text, error) {
	return pgtype.Text{String: s.Reveal(), Valid: true}, nil
}

// Scan takes the text of a type that pgx does not know.
func (s *Secret) Scan(src any) error { return s.scan(src) }

// SecretBytes are bytes that nothing may show, for a column of bytea. Only Reveal shows them. The zero value has none.
type SecretBytes struct{ hidden }

// NewSecretBytes returns a copy of the bytes as a secret.
func NewSecretBytes(b []byte) SecretBytes { return SecretBytes{hideBytes(b)} }

// Equal reports whether both are the same bytes, in a time that does not depend on where they differ.
func (s SecretBytes) Equal(other SecretBytes) bool { return s.equal(other.hidden) }

// BytesValue gives pgx the bytes to send.
func (s SecretBytes) BytesValue() ([]byte, error) { return []byte(s.Reveal()), nil }

// Value is BytesValue for the query modes in which pgx does not know the type of a parameter.
func (s SecretBytes) Value() (driver.Value, error) { return []byte(s.Reveal()), nil }

// Digest is the SHA-256 of a token. The zero value is none.
type Digest struct{ hidden }

// DigestOf returns the digest of a token.
func DigestOf(token string) Digest {
	sum := sha256.Sum256([]byte(token))

	return Digest{hideBytes(sum[:])}
}

// Equal reports whether both are the same digest, in a time that does not depend on where they differ.
func (d Digest) Equal(other Digest) bool { return d.equal(other.hidden) }

// BytesValue gives pgx the bytes to send.
func (d Digest) BytesValue() ([]byte, error) { return []byte(d.Reveal()), nil }

// Value is BytesValue for the query modes in which pgx does not know the type of a parameter.
func (d Digest) Value() (driver.Value, error) { return []byte(d.Reveal()), nil }

// ScanBytes takes the bytes that pgx read.
func (d *Digest) ScanBytes(b []byte) error {
	if len(b) != sha256.Size {
		return fmt.Errorf("a digest of %d bytes, not %d", len(b), sha256.Size)
	}

	return d.hidden.ScanBytes(b)
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
		return errNull
	}
	*dst = t.String

	return nil
}
