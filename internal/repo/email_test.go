package repo_test

import (
	"strings"
	"testing"
	"unicode"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"

	"github.com/stretchr/testify/require"
)

func TestEmailKey(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]string{
		"ada@example.com":               "ada@example.com",
		"\t Ada@EXAMPLE.com\r\n":        "ada@example.com",
		"Zoe\u0308@x":                   "zoë@x",
		"Ａｄａ＠x":                         "ada@x",
		"\u212A@x":                      "k@x", // Kelvin sign
		"ß@x":                           "ss@x",
		"ΣΑΣ@x":                         "σασ@x",
		"İ@x":                           "i\u0307@x",
		"ı@x":                           "ı@x",
		"ﬁ@x":                           "fi@x",
		"a+tag@x":                       "a+tag@x",
		"a@bücher.example":              "a@xn--bcher-kva.example",
		"a@BU\u0308CHER.example":        "a@xn--bcher-kva.example",
		"a@XN--BCHER-KVA.example":       "a@xn--bcher-kva.example",
		"a@straße.example":              "a@xn--strae-oqa.example",
		"a@STRAẞE.example":              "a@xn--strae-oqa.example",
		"a@strasse.example":             "a@strasse.example",
		"ß@ß.example":                   "ss@xn--zca.example",
		"a@x.example.":                  "a@x.example",
		"a@x。example":                   "a@x.example",
		"a@x．example｡":                  "a@x.example",
		"ä@x_y.example":                 "ä@x_y.example",
		"a@r3---x.example":              "a@r3---x.example",
		"a@[192.0.2.1]":                 "a@[192.0.2.1]",
		"ä@[IPv6:2001:db8::1]":          "ä@[ipv6:2001:db8::1]",
		strings.Repeat("a", 318) + "@x": strings.Repeat("a", 318) + "@x",
	} {
		got, err := repo.EmailKey(email)
		require.NoError(t, err, email)
		require.Equal(t, want, got)
		again, err := repo.EmailKey(got)
		require.NoError(t, err, email)
		require.Equal(t, got, again, "a key is its own key")
	}
	for email, reason := range map[string]string{
		"":                              "is missing",
		" ":                             "is missing",
		"ada":                           "has no @",
		"@x":                            "has nothing before the @",
		"ada@":                          "has nothing behind the @",
		"a@b@c":                         "has more than one @",
		"a b@c":                         "has a space, or a character that cannot be seen",
		"a\u00a0b@c":                    "has a space, or a character that cannot be seen",
		"a\u200bb@c":                    "has a space, or a character that cannot be seen",
		"a\x7fb@c":                      "has a space, or a character that cannot be seen",
		"a\nb@c":                        "has a space, or a character that cannot be seen",
		"a@.":                           "has nothing behind the @",
		"a@x..":                         "has no domain name behind the @",
		"a@.x":                          "has no domain name behind the @",
		"a@x。。y":                        "has no domain name behind the @",
		"a@xn--a.example":               "has no domain name behind the @", // no Punycode
		"a@\u0308x.example":             "has no domain name behind the @", // begins with a mark
		"a\x00@c":                       "has a NUL character",
		"a\xff@c":                       "is not valid UTF-8",
		strings.Repeat("a", 319) + "@x": "has more than 320 characters",
		strings.Repeat("ﷺ", 40) + "@x":  "has a space, or a character that cannot be seen", // folds to words
		strings.Repeat("ﬃ", 200) + "@x": "has more than 320 characters",
	} {
		_, err := repo.EmailKey(email)
		require.ErrorIs(t, err, repo.ErrInvalid, "%q", email)
		require.EqualError(t, err, "email key: email: "+reason, "%q", email)
	}
}

func TestEmailKey_RefusesWhatCannotBeSeen(t *testing.T) {
	t.Parallel()
	blank := []rune("\u034f\ufe0f\ufe00\u3164\u2800\u115f\u1160\u17b4\u17b5\u180b\u180e\u180f\U000e0100\U000e01ef\U000e0020" +
		"\uffa0\u00ad\u061c\u200b\u200c\u200d\u200e\u202e\u2060\u2064\u2065\u206f\ufeff\ufff0\U0001bca0\U0001d173\U000e0fff" +
		"\u00a0\u1680\u2003\u3000\U00013441\U00013442\U00016fe4\U0001d159\u0600\ue000\u0378")
	for r := range rune(unicode.MaxRune) {
		if unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Cf, unicode.White_Space) {
			blank = append(blank, r)
		}
	}
	for _, r := range blank {
		for _, email := range []string{"a" + string(r) + "b@x.example", "a@x" + string(r) + "y.example"} {
			_, err := repo.EmailKey(email)
			require.EqualError(t, err, "email key: email: has a space, or a character that cannot be seen", "%U", r)
		}
	}
	for _, email := range []string{"naïve@x", "日本@x", "e\u0301@x", "क्ष@x", "☕@☕.example", "\U0001f600@x"} {
		_, err := repo.EmailKey(email)
		require.NoError(t, err, "what can be seen is taken")
	}
}

func TestRepo_AnAccountHasOneDomainHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	newAccount(t, store, "a@bücher.example")
	for _, same := range []repo.Email{"a@xn--bcher-kva.example", "A@BÜCHER.EXAMPLE.", "a@bücher。example"} {
		_, err := store.CreateAccount(t.Context(), repo.NewAccount{Email: same, PasswordHash: hash})
		require.ErrorIs(t, err, repo.ErrEmailTaken, same)
	}
	newAccount(t, store, "a@straße.example")
	newAccount(t, store, "a@strasse.example")
}
