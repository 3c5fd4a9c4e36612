package private_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	htmltemplate "html/template"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"text/template"

	"musicstore/layer/private"

	"github.com/stretchr/testify/require"
)

const (
	phc   = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"
	email = private.Email("Ada.Lovelace@example.com")
	code  = "XMAS-2026-FREE"
)

var (
	hash   = private.NewPasswordHash(phc)
	digest = private.DigestOf("token")
	ip     = private.IP{Addr: netip.MustParseAddr("198.51.100.7")}
)

// Row is what a generated row looks like. H, D, S and B are the types of its secrets.
type Row[H, D, S, B any] struct {
	ID     string
	Hash   H
	Digest D
	Secret S
	Bytes  B
	Hashes []H
	Maybe  *H
	Other  struct{ Hash H }
	none   *H
	inside H
}

// secrets are the values that must not be shown, in all that they can be found in.
func secrets() map[string]any {
	return within(hash, digest, private.NewSecret(code), private.NewSecretBytes([]byte(code)))
}

// bare are the same values in types that hide themselves by their methods alone, for the controls.
func bare() map[string]any {
	return within(polite(phc), politeBytes(digest.Reveal()), polite(code), politeBytes(code))
}

type (
	polite      string
	politeBytes []byte
)

func (polite) Format(f fmt.State, _ rune)      { _, _ = io.WriteString(f, "[redacted]") }
func (politeBytes) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }
func (polite) MarshalText() ([]byte, error)    { return []byte("[redacted]"), nil }

func within[H, D, S, B any](h H, d D, s S, b B) map[string]any {
	r := Row[H, D, S, B]{ID: "visible", Hash: h, Digest: d, Secret: s, Bytes: b, Hashes: []H{h}, Maybe: &h, none: &h, inside: h}
	r.Other.Hash = h
	p, at := &h, &r

	return map[string]any{
		"a hash":                            h,
		"a pointer to a hash":               &h,
		"a pointer to a pointer":            &p,
		"hashes":                            []H{h, h},
		"pointers to hashes":                []*H{&h},
		"an array of hashes":                [1]H{h},
		"an array of arrays":                [1][1]H{{h}},
		"a map of hashes":                   map[string]H{"visible": h},
		"a map of pointers":                 map[string]*H{"visible": &h},
		"a digest":                          d,
		"a pointer to a digest":             &d,
		"digests":                           []D{d, d},
		"a secret":                          s,
		"secrets":                           []S{s},
		"bytes":                             b,
		"bytes of bytes":                    []B{b},
		"a row":                             r,
		"a pointer to a row":                &r,
		"a pointer to a pointer to a row":   &at,
		"rows":                              []Row[H, D, S, B]{r, r},
		"pointers to rows":                  []*Row[H, D, S, B]{&r},
		"a map of pointers to rows":         map[int]*Row[H, D, S, B]{1: &r},
		"a row in a row":                    struct{ R *Row[H, D, S, B] }{&r},
		"a row in an unexported field":      struct{ r Row[H, D, S, B] }{r},
		"a pointer in an unexported field":  struct{ r *Row[H, D, S, B] }{&r},
		"a hash in an unexported field":     struct{ h H }{h},
		"a digest in an unexported field":   struct{ d D }{d},
		"hashes in an unexported field":     struct{ h []H }{[]H{h}},
		"a map in an unexported field":      struct{ h map[string]H }{map[string]H{"visible": h}},
		"anything in an unexported field":   struct{ v any }{h},
		"anything":                          []any{h, d, s, b, r, &h, &d, &r},
		"pointers to anything":              struct{ V any }{&r},
		"a struct of no name":               struct{ H H }{h},
		"an embedded struct":                struct{ Row[H, D, S, B] }{r},
		"an embedded pointer to a struct":   struct{ *Row[H, D, S, B] }{&r},
		"a map of anything":                 map[string]any{"h": h, "d": d, "r": r, "p": &r},
		"a value by reflection":             reflect.ValueOf(&r).Elem(),
		"a field by reflection":             reflect.ValueOf(&r).Elem().FieldByName("inside"),
		"a hash by reflection":              reflect.ValueOf(h),
		"a pointer to a struct of a digest": &struct{ D D }{d},
	}
}

// verbs are those of fmt and some that are none.
func verbs() (all []string) {
	for _, flags := range []string{"", "+", "#", " ", "-20", "+#", "80.40"} {
		for verb := rune('!'); verb <= '~'; verb++ {
			if verb != '%' && !strings.ContainsRune("0123456789+-#. *[", verb) {
				all = append(all, "%"+flags+string(verb))
			}
		}
	}

	return append(all, "%é", "%")
}

// shown says what a text shows of the secrets, in the ways that bytes are written.
func shown(text string) (found []string) {
	for written, what := range needles() {
		if strings.Contains(text, written) {
			found = append(found, what)
		}
	}

	return found
}

var needles = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for _, secret := range []string{
		"c2FsdHNhbHQ", "aGFzaGhhc2hoYXNo", code, digest.Reveal()[:8], digest.Reveal()[24:],
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
			all[written] = way + " of " + fmt.Sprintf("%x", secret)
		}
	}

	return all
})

func TestShown_FindsEveryWay(t *testing.T) {
	t.Parallel()
	h, d := phc, [32]byte([]byte(digest.Reveal()))
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
			const wrap = "it is %w" // which vet refuses for what is no error
			text := &strings.Builder{}
			_, _ = fmt.Fprintln(text, fmt.Sprint(v), fmt.Sprintln(v), fmt.Errorf(strings.Clone(wrap), v))
			for _, verb := range verbs() {
				_, _ = fmt.Fprintf(text, verb+"\n", v)
			}
			require.Empty(t, shown(text.String()), name)
		}
		for _, v := range []any{hash, &hash, digest, []private.PasswordHash{hash}, Row[private.PasswordHash, int, int, int]{Hash: hash}} {
			require.Contains(t, fmt.Sprint(v), "[redacted]")
		}

		// The control: methods alone hide them from most verbs, but not from all.
		polite := bare()
		for verb, name := range map[string]string{
			"%s": "pointers to rows", "%v": "a hash in an unexported field", "%p": "a row", "%w": "a hash",
		} {
			require.Empty(t, shown(fmt.Sprintf("%v", polite["a hash"])))
			require.NotEmpty(t, shown(fmt.Sprintf(verb, polite[name])), "%s of %s", verb, name)
		}
	})
	t.Run("AreShownByNoPanic", func(t *testing.T) {
		t.Parallel()
		values := map[string]any{"hash": hash, "pointer": &hash, "digest": digest, "row": secrets()["a row"]}
		for name := range values {
			require.Empty(t, shown(panics(t, name)), name)
		}
		require.NotEmpty(t, shown(panics(t, "control")))
	})
	t.Run("AreShownByNoEncoding", func(t *testing.T) {
		t.Parallel()
		for name, v := range secrets() {
			if _, ok := v.(reflect.Value); ok {
				continue
			}
			for _, text := range encoded(v) {
				require.Empty(t, shown(text), name)
			}
		}
		for _, v := range []any{hash, digest, private.NewSecret(code), private.NewSecretBytes([]byte(code))} {
			text, err := json.Marshal(v)
			require.NoError(t, err)
			require.JSONEq(t, `"[redacted]"`, string(text))
			text, err = xml.Marshal(v)
			require.NoError(t, err)
			require.Contains(t, string(text), ">[redacted]<")
			require.Contains(t, encoded(v)["gob"], "[redacted]")
			require.Equal(t, "[redacted]", encoded(v)["template"])
		}
		row := secrets()["a row"]
		require.Contains(t, encoded(row)["gob"], "visible", "a row can be encoded")
		require.NotEmpty(t, shown(encoded(bare()["a row"])["gob"]), "the control")
	})
	t.Run("AreShownByNoLog", func(t *testing.T) {
		t.Parallel()
		for name, v := range secrets() {
			for _, text := range logged(v) {
				require.Empty(t, shown(text), name)
			}
		}
		for _, v := range []any{hash, digest} {
			require.Equal(t, slog.StringValue("[redacted]"), slog.AnyValue(v).Resolve(), "what other handlers get")
		}
	})
	t.Run("AreShownOnRequest", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo", hash.Reveal())
		require.Equal(t, "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0", hex.EncodeToString([]byte(digest.Reveal())))
		require.Equal(t, code, private.NewSecret(code).Reveal())
		require.Equal(t, code, private.NewSecretBytes([]byte(code)).Reveal())
	})
	t.Run("HideThatThereIsNone", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "[redacted] [redacted]", fmt.Sprint(private.PasswordHash{}, " ", private.Digest{}))
	})
	t.Run("AreReadFromJSON", func(t *testing.T) {
		t.Parallel()
		var got struct {
			Hash     private.PasswordHash `json:"hash"`
			Redacted private.PasswordHash `json:"redacted"`
			Code     *private.Secret      `json:"code"`
			None     *private.Secret      `json:"none"`
		}
		const text = `{"hash": "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo", "redacted": "[redacted]", "code": "x"}`
		require.NoError(t, json.Unmarshal([]byte(text), &got))
		require.True(t, got.Hash.Equal(hash))
		require.True(t, got.Redacted.IsZero(), "it was not kept")
		require.True(t, got.Code.Equal(private.NewSecret("x")))
		require.Nil(t, got.None)
	})
	t.Run("AreEqualByWhatTheyHold", func(t *testing.T) {
		t.Parallel()
		long := strings.Repeat("x", 500)
		for _, a := range []string{"", "a", phc, long} {
			for _, b := range []string{"", "a", "b", phc, phc + "x", long} {
				require.Equal(t, a == b, private.NewPasswordHash(a).Equal(private.NewPasswordHash(b)))
				require.Equal(t, a == b, private.NewSecret(a).Equal(private.NewSecret(b)))
				require.Equal(t, a == b, private.NewSecretBytes([]byte(a)).Equal(private.NewSecretBytes([]byte(b))))
				require.Equal(t, a == b, private.DigestOf(a).Equal(private.DigestOf(b)))
				require.Equal(t, a == b, reflect.DeepEqual(private.NewSecret(a), private.NewSecret(b)), "so say tests")
			}
			require.Equal(t, a == "", private.NewPasswordHash(a).IsZero())
		}
		require.False(t, reflect.TypeFor[private.PasswordHash]().Comparable(), "== would compare addresses")
		b := []byte("mine")
		s := private.NewSecretBytes(b)
		b[0] = 'M'
		require.Equal(t, "mine", s.Reveal(), "the caller's bytes were copied")
	})
}

// asPanic is set where the test binary is to panic with a value of that name.
const asPanic = "MUSICSTORE_TEST_AS_PANIC"

func panicWith(name string) {
	panic(map[string]any{
		"hash": hash, "pointer": &hash, "digest": digest, "row": secrets()["a row"], "control": polite(phc),
	}[name])
}

// panics returns what a process prints that panics.
func panics(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asPanic+"="+name, "GOTRACEBACK=system")
	text, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(text), "panic: ")

	return string(text)
}

// encoded returns a value in all encodings that take it, by their names.
func encoded(v any) map[string]string {
	texts := map[string]string{}
	if b, err := json.Marshal(v); err == nil {
		texts["json"] = string(b)
	}
	if b, err := xml.Marshal(v); err == nil {
		texts["xml"] = string(b)
	}
	var b bytes.Buffer
	_ = gob.NewEncoder(&b).Encode(v)
	texts["gob"] = b.String() // also where it ended in the midst
	for name, text := range map[string]string{"template": "{{.}}", "template with a verb": `{{printf "%s %d %q" . . .}}`} {
		var b strings.Builder
		_ = template.Must(template.New("").Parse(text)).Execute(&b, v)
		texts[name] = b.String()
		b.Reset()
		_ = htmltemplate.Must(htmltemplate.New("").Parse("<p title='"+text+"'>"+text+"<script>x = {{.}}</script>")).Execute(&b, v)
		texts["HTML "+name] = b.String()
	}

	return texts
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
	require.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hex.EncodeToString([]byte(d.Reveal())))
	require.False(t, d.Equal(private.DigestOf("abd")))
}
