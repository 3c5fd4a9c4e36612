package repo_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/internal/schema"
	"musicstore/layer/dbtx/dbtxtest"
)

// everyLocale chooses all locales.
func everyLocale(all []string) []string { return all }

// inTurkish chooses a locale of Turkish, whose letters have other cases than elsewhere. Where there is none, it is another
// locale than C, if there is one.
func inTurkish(all []string) []string {
	best := slices.MaxFunc(all, func(a, b string) int {
		rank := func(locale string) int {
			switch {
			case strings.Contains(locale, "'tr"):
				return 2
			case locale != localeC:
				return 1
			default:
				return 0
			}
		}

		return cmp.Compare(rank(a), rank(b))
	})

	return []string{best}
}

const localeC = "LOCALE 'C'"

// inLocales calls fn with a store in a database of each of the locales that are chosen among all that the server can have: C
// everywhere, others of the system, those of ICU since PostgreSQL 15, PostgreSQL's own since 17.
func inLocales(t *testing.T, choose func(all []string) []string, fn func(locale string, store *repo.Repo)) {
	t.Helper()
	admin, err := pgx.Connect(t.Context(), dbtest.AdminURL(t))
	require.NoError(t, err)
	defer admin.Close(t.Context())
	rows, err := admin.Query(t.Context(), `
		SELECT 'LOCALE ''C'''
		UNION
		SELECT 'LOCALE ''' || collname || '''' FROM pg_collation
		WHERE collname IN ('C.UTF-8', 'C.utf8', 'en_US.UTF-8', 'en_US.utf8', 'tr_TR.UTF-8', 'tr_TR.utf8')
		UNION
		SELECT 'LOCALE_PROVIDER icu LOCALE ''C'' ICU_LOCALE ''' || locale || '''' FROM unnest(ARRAY['en', 'tr']) AS locale
		WHERE current_setting('server_version_num')::int >= 150000 AND EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu')
		UNION
		SELECT 'LOCALE_PROVIDER builtin LOCALE ''C'' BUILTIN_LOCALE ''C.UTF-8'''
		WHERE current_setting('server_version_num')::int >= 170000`)
	require.NoError(t, err)
	locales, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Contains(t, locales, localeC)
	for _, locale := range choose(locales) {
		t.Log(locale)
		name := "locale" + repo.NewID()
		_, err := admin.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING UTF8 "+locale)
		require.NoError(t, err)
		func() {
			defer func() {
				_, err := admin.Exec(context.WithoutCancel(t.Context()), "DROP DATABASE "+name)
				require.NoError(t, err)
			}()
			config := admin.Config().Copy()
			config.Database = name
			db, err := pgx.ConnectConfig(t.Context(), config)
			require.NoError(t, err)
			defer db.Close(context.WithoutCancel(t.Context()))
			_, err = db.Exec(t.Context(), "REVOKE CREATE ON SCHEMA public FROM PUBLIC") // as from PostgreSQL 15 on
			require.NoError(t, err)
			_, err = schema.Bootstrap(t.Context(), db)
			require.NoError(t, err)
			fn(locale, repo.New(db))
		}()
	}
}

// whiteSpace is all characters that Unicode calls white space.
const whiteSpace = "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

func TestSchema_IsOneRuleInEveryLocale(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	isOneRule(t, localeC, dbtest.New(t)) // which is the locale of all tests
	inLocales(t, inTurkish, func(locale string, store *repo.Repo) { isOneRule(t, locale, store) })
}

func TestSoak_SchemaIsOneRuleInEveryLocale(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	inLocales(t, everyLocale, func(locale string, store *repo.Repo) { isOneRule(t, locale, store) })
}

func isOneRule(t *testing.T, locale string, store *repo.Repo) {
	t.Helper()
	buyer, of := newAccount(t, store, "a@x"), newAlbum(t, store, "A", 1)
	ordered := []string{"Sort a 1", "Sort ա 2", "Sort ა 3"} // ICU has Georgian before Armenian
	for _, name := range ordered {
		newAlbum(t, store, name, 0)
	}
	var names []string
	for hit, err := range store.AllCatalogHits(t.Context(), "sort", repo.Search{Sort: repo.ByName, Page: repo.Page{Limit: 1}, UnpublishedToo: true}) {
		require.NoError(t, err)
		names = append(names, hit.Name)
	}
	require.Equal(t, ordered, names, locale)

	differ := 0
	for _, r := range whiteSpace + "\u200b\u180e\u001c\u001f\u2800ıİſ\u212a٣é" {
		blank := unicode.IsSpace(r)
		name := string(r) + string(r)
		a := album(name, 0)
		a.URL = fmt.Sprintf("u%d", r)
		_, err := store.CreateAlbum(t.Context(), a)
		require.Equal(t, blank, dbtxtest.IsAny(err, repo.ErrAlbumNameInvalid), "%U %v", r, err)
		_, err = store.DB().Exec(t.Context(), "UPDATE tracks SET name = $1", name)
		require.Equal(t, blank, err != nil && strings.Contains(err.Error(), "tracks_name_check"), "%U %v", r, err)
		_, err = store.RecordPurchase(t.Context(), repo.NewPurchase{AccountID: buyer.ID, AlbumID: of.ID, PaymentRef: name})
		require.Equal(t, blank, dbtxtest.IsAny(err, repo.ErrPaymentRefInvalid), "%U %v", r, err)
		a = album("U"+name, 0)
		a.URL = "a" + string(r)
		_, err = store.CreateAlbum(t.Context(), a)
		require.ErrorIs(t, err, repo.ErrAlbumURLInvalid, "%U", r)
		_, err = store.DB().Exec(t.Context(), "UPDATE accounts SET password_hash = password_hash || $1", string(r))
		require.ErrorContains(t, err, "accounts_password_hash_check", "%U", r)
		var bySpace bool // the control: what the locale calls white space
		require.NoError(t, store.DB().QueryRow(t.Context(), `SELECT $1::text !~ '\S'`, name).Scan(&bySpace))
		if blank != bySpace {
			differ++
		}
	}
	if locale == localeC {
		require.Positive(t, differ)
	}
	t.Logf(`%s: \S differs for %d characters`, locale, differ)
}
