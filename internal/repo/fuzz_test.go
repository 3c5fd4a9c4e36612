package repo_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

// The fuzz tests run their seeds and the corpus of testdata with every `go test`; one of them runs on with
// `go test -fuzz FuzzEmailKey ./internal/repo`.

func FuzzEmailKey(f *testing.F) {
	for _, seed := range []string{
		"ada@example.com", " Ada@EXAMPLE.com ", "Zoë@x", "zoe\u0308@x", "\u212A@x", "ß@x", "İ@x", "ı@x", "ﷺ@x", "ﬃ@x",
		"a\u200b@x", "@", "a@b@c", "a\x00@b", "\xff@x", "ϒ\u0301@x", "\u0345\u0301α@x", "ͺ@x", "a＠b", "a﹫b", "¼@½", "ẞ@ſ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, email string) {
		key, err := repo.EmailKey(email)
		if err != nil {
			require.ErrorIs(t, err, repo.ErrInvalid)
			require.Empty(t, key)

			return
		}
		again, err := repo.EmailKey(key)
		require.NoError(t, err)
		require.Equal(t, key, again, "a key is its own key")
		require.Equal(t, 1, strings.Count(key, "@"))
		require.False(t, strings.ContainsFunc(key, unicode.IsSpace))
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			other, err := repo.EmailKey(form.String(email))
			if err == nil { // a longer form may be too long
				require.Equal(t, key, other, "all forms of an address have one key")
			}
		}
		upper, err := repo.EmailKey(strings.ToLower(email))
		if err == nil && !strings.ContainsRune(email, 'İ') { // whose ToLower drops the dot that folding keeps
			require.Equal(t, key, upper)
		}
	})
}

func FuzzAlbumURL(f *testing.F) {
	for _, seed := range []string{"Year of the Snake", "Ágætis byrjun", "Кино", "../..", "a/b?c#d%2e", "\xff", "!!!", "日本", "…&…", strings.Repeat("日", 200), strings.Repeat("a-", 300)} {
		f.Add(seed)
	}
	safe := regexp.MustCompile(`^[a-z0-9_-]*$`)
	f.Fuzz(func(t *testing.T, name string) {
		url := repo.AlbumURL(name)
		require.Regexp(t, safe, url, "it is safe in a path")
		require.LessOrEqual(t, len(url), 200)
		require.Equal(t, url, repo.AlbumURL(url), "the URL of a URL is itself")
	})
}

// FuzzInput gives any text to everything that takes one: a typed error or success, and the store is what it was.
func FuzzInput(f *testing.F) {
	store := dbtest.New(f)
	for _, seed := range []string{
		"", "x", "0", "1_1", "-9223372036854775808_x", "9223372036854775807_9223372036854775807", "253402214400000001_1",
		"99999999999999999999_1", "' OR 1=1 --", "\x00", "\xff", "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
		"urn:uuid:f81d4fae-7dec-41d0-a765-00a0c91e6bf6", strings.Repeat("ab", 16), strings.Repeat("AB", 16), "1_\x00", "0_\xff",
		strings.Repeat("x", 10_000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ctx := t.Context()
		typed := func(err error) {
			t.Helper()
			if err != nil && !isAny(err, repo.ErrInvalid, repo.ErrNotFound, repo.ErrResetInvalid, repo.ErrForeignKey) {
				t.Errorf("%q: %v", text, err)
			}
		}
		page := repo.Page{After: text}
		calls := []func() error{
			func() error { _, err := store.GetAccount(ctx, text); return err },
			func() error { _, err := store.GetAccountByEmail(ctx, text); return err },
			func() error { _, err := store.GetAlbumByURL(ctx, text); return err },
			func() error { _, err := store.ListAccounts(ctx, page); return err },
			func() error { _, err := store.ListAlbums(ctx, page); return err },
			func() error { _, err := store.ListPublishedAlbums(ctx, page); return err },
			func() error { _, err := store.ListPurchases(ctx, text, page); return err },
			func() error { _, err := store.ListPurchasedAlbumIDs(ctx, text); return err },
			func() error { _, err := store.GetPasswordReset(ctx, text); return err },
			func() error { _, err := store.RedeemPasswordReset(ctx, text, hash, from); return err },
			func() error { _, err := store.ConfirmEmail(ctx, text); return err },
			func() error { return store.SetPasswordHash(ctx, text, hash) },
			func() error { return store.SetPasswordHash(ctx, repo.NewID(), repo.PasswordHash(text)) },
			func() error {
				_, _, err := store.CreatePasswordReset(ctx, repo.NewPasswordReset{AccountID: text, ID: text})

				return err
			},
			func() error {
				_, err := store.RecordPurchase(ctx, repo.NewPurchase{AccountID: text, PaymentRef: text, Description: text})

				return err
			},
		}
		for _, call := range calls {
			typed(call())
		}
		made, err := store.CreateAlbum(ctx, repo.NewAlbum{
			Name: text, Year: 1991, ImageURL: &text, Tracks: []repo.NewTrack{{Name: text, AudioURL: &text}},
		})
		typed(err)
		if err == nil {
			read, err := store.GetAlbum(ctx, made.ID)
			require.NoError(t, err)
			require.Equal(t, made, read)
			require.Equal(t, text, read.Name)
			_, err = store.DeleteAlbum(ctx, made.ID)
			require.NoError(t, err)
		}
	})
}
