package repo_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"
)

// The fuzz tests run their seeds and the corpus of testdata with every `go test`; `make fuzz` goes on from there.

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

// FuzzInput gives any text to everything that takes one: a typed error or success, and what others have stays as it was.
func FuzzInput(f *testing.F) {
	store := dbtest.New(f, repo.WithResetInterval(0))
	world := newBystanders(f, store)
	for _, seed := range dbtest.Sample(3, append(injections,
		"", "x", "0", "1_1", "-9223372036854775808_x", "9223372036854775807_9223372036854775807", "253402214400000001_1",
		"99999999999999999999_1", "\x00", "\xff", "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
		"urn:uuid:f81d4fae-7dec-41d0-a765-00a0c91e6bf6", strings.Repeat("ab", 16), strings.Repeat("AB", 16), "1_\x00", "0_\xff",
		strings.Repeat("x", 10_000), "a & b | !c <-> 'd':*", `\':*`, "!(", strings.Repeat("(㉼", 100), strings.Repeat("ﷺ", 200),
		"日本 \u3099 😀",
	)...) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { giveText(t, store, world, text) })
}

// injections are what would be SQL if text ever became part of a statement.
var injections = []string{
	"' OR 1=1 --", "'; DELETE FROM purchases; --", "\\'; DELETE FROM purchases; --", "$1); DELETE FROM purchases; --",
	"') ; DELETE FROM purchases; --", "/* ' */ ; DELETE FROM purchases; --", "1; DELETE FROM purchases", "$$; DELETE FROM purchases; $$",
	"x' UNION SELECT password_hash FROM accounts --", "%", "_%", "$1", "$2::int", "\u02bc; DELETE FROM purchases; --", "?", ":name", "@id",
}

func TestRepo_TextIsNeverSQL(t *testing.T) {
	t.Parallel()
	for _, mode := range dbtest.Sample(1, "simple_protocol", cacheStatement) { // in the former, pgx puts text into the statement
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			store := openMode(t, dbtest.URL(t), mode)
			world := newBystanders(t, store)
			for _, text := range dbtest.Sample(6, injections...) {
				giveText(t, store, world, text)
			}
		})
	}
	t.Run("UnlessItIsPastedIn", func(t *testing.T) { // the control
		t.Parallel()
		store := openMode(t, dbtest.URL(t), "simple_protocol")
		world := newBystanders(t, store)
		_, err := store.DB().Exec(t.Context(), "SELECT FROM accounts WHERE email_key = '"+injections[1]+"'")
		require.NoError(t, err)
		require.NotEqual(t, world.before, world.rows(t, store))
	})
}

// bystanders are rows that hostile text must not reach.
type bystanders struct {
	account repo.Account
	album   repo.AlbumWithTracks
	before  string
}

func newBystanders(tb testing.TB, store *repo.Repo) bystanders {
	tb.Helper()
	w := bystanders{account: newAccount(tb, store, "bystander@x"), album: newAlbum(tb, store, "Bystander", 2)}
	_, err := store.RecordPurchase(tb.Context(), repo.NewPurchase{AccountID: w.account.ID, AlbumID: w.album.ID, PaymentRef: "theirs"})
	require.NoError(tb, err)
	_, _, err = store.CreatePasswordReset(tb.Context(), repo.NewPasswordReset{AccountID: w.account.ID})
	require.NoError(tb, err)
	w.before = w.rows(tb, store)

	return w
}

// rows is all that there is, as one text.
func (bystanders) rows(tb testing.TB, store *repo.Repo) (all string) {
	tb.Helper()
	require.NoError(tb, store.DB().QueryRow(tb.Context(), `SELECT concat_ws(E'\n',
		(SELECT string_agg(a::text, E'\n' ORDER BY a) FROM accounts AS a), (SELECT string_agg(a::text, E'\n' ORDER BY a) FROM albums AS a),
		(SELECT string_agg(t::text, E'\n' ORDER BY t) FROM tracks AS t), (SELECT string_agg(p::text, E'\n' ORDER BY p) FROM purchases AS p),
		(SELECT string_agg(p::text, E'\n' ORDER BY p) FROM password_resets AS p))`).Scan(&all))

	return all
}

// giveText gives a text to every parameter that takes one, in a world of its own, and looks at what came of it.
func giveText(t *testing.T, store *repo.Repo, world bystanders, text string) {
	t.Helper()
	ctx := t.Context()
	page, pasted := repo.Page{After: text}, repo.NewPasswordHash("$argon2id$"+text)
	undo := errors.New("undo")
	for _, call := range []func(*repo.Repo) error{
		func(r *repo.Repo) error { _, err := r.GetAccount(ctx, text); return err },
		func(r *repo.Repo) error { _, err := r.GetAccountByEmail(ctx, text); return err },
		func(r *repo.Repo) error { _, err := r.GetAccountByEmail(ctx, text+"@x"); return err },
		func(r *repo.Repo) error { _, err := r.GetAlbumByURL(ctx, text); return err },
		func(r *repo.Repo) error { _, err := r.ListAccounts(ctx, page); return err },
		func(r *repo.Repo) error { _, err := r.ListAlbums(ctx, page); return err },
		func(r *repo.Repo) error { _, err := r.ListPublishedAlbums(ctx, page); return err },
		func(r *repo.Repo) error { _, err := r.ListPurchases(ctx, text, page); return err },
		func(r *repo.Repo) error { _, err := r.ListPurchasedAlbumIDs(ctx, text); return err },
		func(r *repo.Repo) error { _, err := r.SearchCatalog(ctx, text, repo.Search{}); return err },
		func(r *repo.Repo) error { _, err := r.SearchCatalog(ctx, "x", repo.Search{Page: page}); return err },
		func(r *repo.Repo) error {
			_, err := r.SearchCatalog(ctx, "x", repo.Search{Sort: repo.SearchSort(text)})

			return err
		},
		func(r *repo.Repo) error {
			s := repo.Search{Sort: repo.ByName, Page: page}
			s.After = repo.AfterCatalogHit("x", s, repo.CatalogHit{Kind: repo.KindTrack, Name: text})
			_, err := r.SearchCatalog(ctx, "x", s)

			return err
		},
		func(r *repo.Repo) error { _, err := r.GetPasswordReset(ctx, text); return err },
		func(r *repo.Repo) error { _, err := r.RedeemPasswordReset(ctx, text, hash, from); return err },
		func(r *repo.Repo) error { _, err := r.ConfirmEmail(ctx, text); return err },
		func(r *repo.Repo) error { _, err := r.GrantSuperUser(ctx, text); return err },
		func(r *repo.Repo) error { _, err := r.DeleteAccount(ctx, text); return err },
		func(r *repo.Repo) error { return r.SetPasswordHash(ctx, text, hash) },
		func(r *repo.Repo) error { return r.SetPasswordHash(ctx, repo.NewID(), repo.NewPasswordHash(text)) },
		func(r *repo.Repo) error { return r.SetPasswordHash(ctx, world.account.ID, pasted) },
		func(r *repo.Repo) error {
			_, _, err := r.CreatePasswordReset(ctx, repo.NewPasswordReset{AccountID: text, ID: text})

			return err
		},
		func(r *repo.Repo) error {
			_, err := r.CreateAccount(ctx, repo.NewAccount{Email: repo.Email(text + "@y"), PasswordHash: pasted})

			return err
		},
		func(r *repo.Repo) error {
			_, err := r.CreateAccount(ctx, repo.NewAccount{ID: text, Email: "y@y", PasswordHash: hash})

			return err
		},
		func(r *repo.Repo) error {
			_, err := r.RecordPurchase(ctx, repo.NewPurchase{AccountID: text, PaymentRef: text, Description: text})

			return err
		},
		func(r *repo.Repo) error {
			_, err := r.RecordPurchase(ctx, repo.NewPurchase{
				AccountID: world.account.ID, AlbumID: world.album.ID, PaymentRef: text, Description: text,
			})

			return err
		},
		func(r *repo.Repo) error {
			_, err := r.UpdateAlbum(ctx, repo.UpdateAlbumParams{ID: world.album.ID, Name: text, URL: text, ImageURL: &text, Year: 1991})

			return err
		},
		func(r *repo.Repo) error {
			_, err := r.AddTrack(ctx, world.album.ID, repo.NewTrack{Name: text, AudioURL: &text, VideoURL: &text}, 1)

			return err
		},
		func(r *repo.Repo) error {
			made, err := r.CreateAlbum(ctx, repo.NewAlbum{
				Name: text, Year: 1991, ImageURL: &text, Tracks: []repo.NewTrack{{Name: text, AudioURL: &text}},
			})
			if err != nil {
				return err
			}
			read, err := r.GetAlbum(ctx, made.ID)
			require.NoError(t, err)
			require.Equal(t, made, read)
			require.Equal(t, text, read.Name)

			return nil
		},
	} {
		err := store.InTx(ctx, func(tx *repo.Repo) error {
			if err := call(tx); err != nil {
				return err
			}
			var there bool
			err := tx.DB().QueryRow(ctx, "SELECT EXISTS (SELECT FROM purchases WHERE payment_ref = 'theirs')").Scan(&there)
			require.NoError(t, err)
			require.True(t, there, "%q deleted it", text)

			return undo
		})
		if !dbtxtest.IsAny(err, undo, repo.ErrInvalid, repo.ErrNotFound, repo.ErrResetInvalid, repo.ErrForeignKey) {
			t.Errorf("%q: %v", text, err)
		}
	}
	require.Equal(t, world.before, world.rows(t, store))
}
