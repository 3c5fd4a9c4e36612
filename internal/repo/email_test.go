package repo_test

import (
	"strings"
	"testing"

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
