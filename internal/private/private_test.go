package private_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"musicstore/internal/private"

	"github.com/stretchr/testify/require"
)

const (
	hash  = private.PasswordHash("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo")
	email = private.Email("Ada.Lovelace@example.com")
)

var (
	digest = private.DigestOf("token")
	ip     = private.IP{Addr: netip.MustParseAddr("198.51.100.7")}
)

// Row is what a generated row looks like.
type Row struct {
	ID     string
	Hash   private.PasswordHash
	Digest private.Digest
	Hashes []private.PasswordHash
	Other  struct{ Hash private.PasswordHash }
}

// secrets are values that must not be shown, in what they are found in.
func secrets() map[string]any {
	h, d := hash, digest
	r := Row{ID: "visible", Hash: h, Digest: d, Hashes: []private.PasswordHash{h}}
	r.Other.Hash = h

	return map[string]any{
		"a hash":                h,
		"a pointer to a hash":   &h,
		"hashes":                []private.PasswordHash{h, h},
		"an array of hashes":    [1]private.PasswordHash{h},
		"a map of hashes":       map[string]private.PasswordHash{"visible": h},
		"a digest":              d,
		"a pointer to a digest": &d,
		"digests":               []private.Digest{d, d},
		"a map of digests":      map[string]private.Digest{"visible": d},
		"a row":                 r,
		"a pointer to a row":    &r,
		"rows":                  []Row{r, r},
		"anything":              []any{h, d, r, &h, &d},
		"a struct of no name":   struct{ H private.PasswordHash }{h},
		"an embedded struct":    struct{ Row }{r},
		"a map of anything":     map[string]any{"h": h, "d": d, "r": r},
		"pointers in a row":     struct{ H *private.PasswordHash }{&h},
		"a pointer to a struct": &struct{ D private.Digest }{d},
	}
}

// shown says what a text shows of the secrets, in the ways that bytes are written.
func shown(text string) []string {
	var found []string
	for _, secret := range []string{
		string(hash), "c2FsdHNhbHQ", "aGFzaGhhc2hoYXNo", string(digest[:]), string(digest[:8]), string(digest[24:]),
	} {
		b := []byte(secret)
		decimals := strings.Trim(fmt.Sprintf("%d", b), "[]")
		for way, written := range map[string]string{
			"plain":       secret,
			"hex":         hex.EncodeToString(b),
			"HEX":         strings.ToUpper(hex.EncodeToString(b)),
			"spaced hex":  fmt.Sprintf("% x", b),
			"0x hex":      strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}"),
			"base64":      strings.TrimRight(base64.StdEncoding.EncodeToString(b), "="),
			"URL base64":  base64.RawURLEncoding.EncodeToString(b),
			"decimal":     decimals,
			"JSON array":  strings.ReplaceAll(decimals, " ", ","),
			"Go's quotes": strings.Trim(fmt.Sprintf("%q", b), `"`),
		} {
			if strings.Contains(text, written) {
				found = append(found, way+" of "+fmt.Sprintf("%x", secret))
			}
		}
	}

	return found
}

func TestShown_FindsEveryWay(t *testing.T) {
	t.Parallel()
	h, d := string(hash), [32]byte(digest)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d"} {
		require.NotEmpty(t, shown(fmt.Sprintf(verb, []byte(h))), verb)
		require.NotEmpty(t, shown(fmt.Sprintf(verb, d)), verb)
	}
	for _, v := range []any{h, d, d[:]} {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotEmpty(t, shown(string(text)))
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()

	t.Run("AreShownByNoVerb", func(t *testing.T) {
		t.Parallel()
		for name, v := range secrets() {
			for _, verb := range []string{
				"%v", "%+v", "%#v", "%s", "%q", "%+q", "%#q", "%x", "%X", "% x", "%#x", "%d", "%+d", "%b", "%o", "%O", "%c",
				"%U", "%t", "%e", "%G", "%08v", "%-20s", "%.3s", "%80.40v", "%y", "%",
			} {
				text := fmt.Sprintf(verb, v)
				require.Empty(t, shown(text), "%s of %s", verb, name)
			}
			text := fmt.Sprint(v) + fmt.Sprintln(v) + fmt.Errorf("it is %v", v).Error()
			require.Empty(t, shown(text), name)
			require.Contains(t, text, "[redacted]", name)
		}
	})
	t.Run("AreShownByNoJSON", func(t *testing.T) {
		t.Parallel()
		for name, v := range secrets() {
			text, err := json.Marshal(v)
			require.NoError(t, err, name)
			require.Empty(t, shown(string(text)), name)
			require.Contains(t, string(text), "[redacted]", name)
		}
		text, err := json.Marshal(hash)
		require.NoError(t, err)
		require.JSONEq(t, `"[redacted]"`, string(text))
	})
	t.Run("AreShownByNoLog", func(t *testing.T) {
		t.Parallel()
		for name, v := range secrets() {
			for _, text := range logged(v) {
				require.Empty(t, shown(text), name)
				require.Contains(t, text, "[redacted]", name)
			}
		}
		for _, v := range []any{hash, digest} {
			require.Equal(t, slog.StringValue("[redacted]"), slog.AnyValue(v).Resolve(), "what other handlers get")
		}
	})
	t.Run("AreShownOnRequest", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo", string(hash))
		require.Equal(t, "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0", hex.EncodeToString(digest[:]))
	})
	t.Run("HideThatThereIsNone", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "[redacted] [redacted]", fmt.Sprint(private.PasswordHash(""), " ", private.Digest{}))
	})
}

// logged returns the lines of both handlers for a value, as an attribute, in a group and in With.
func logged(v any) []string {
	var text, js bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&js, nil)} {
		log := slog.New(handler)
		log.Info("message", "value", v)
		log.Info("message", slog.Group("group", slog.Any("value", v)))
		log.With("value", v).Info("message")
	}

	return []string{text.String(), js.String()}
}

func TestPersonalData(t *testing.T) {
	t.Parallel()
	e, addr := email, ip

	t.Run("Prints", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "Ada.Lovelace@example.com Ada.Lovelace@example.com", fmt.Sprintf("%v %s", email, email))
		require.Equal(t, "198.51.100.7 198.51.100.7", fmt.Sprintf("%v %s", ip, ip))
		require.Equal(t, "198.51.100.7", fmt.Sprint(&addr))
		text, err := json.Marshal(map[string]any{"email": email, "ip": &addr})
		require.NoError(t, err)
		require.JSONEq(t, `{"email": "Ada.Lovelace@example.com", "ip": "198.51.100.7"}`, string(text))
	})
	t.Run("IsNotInGoSyntax", func(t *testing.T) {
		t.Parallel()
		for _, v := range []any{
			e, &e,
			[]private.Email{e},
			struct{ E private.Email }{e},
			map[string]private.Email{"": e},
			addr, &addr,
			[]private.IP{addr},
			struct{ I private.IP }{addr},
		} {
			text := fmt.Sprintf("%#v", v)
			require.NotContains(t, text, "Ada")
			require.NotContains(t, text, "198")
			require.NotContains(t, text, "0xc6")
			require.Contains(t, text, "[personal]")
		}
	})
	t.Run("IsNotInALog", func(t *testing.T) {
		t.Parallel()
		for _, v := range []any{e, &e, addr, &addr} {
			for _, text := range logged(v) {
				require.NotContains(t, text, "Ada")
				require.NotContains(t, text, "198.51")
				require.Contains(t, text, "[personal]")
			}
		}
	})
}

func TestDigestOf_IsSHA256(t *testing.T) {
	t.Parallel()
	d := private.DigestOf("abc") // of FIPS 180-2
	require.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hex.EncodeToString(d[:]))
	require.NotEqual(t, d, private.DigestOf("abd"))
}
