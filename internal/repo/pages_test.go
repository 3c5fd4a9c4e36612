package repo_test

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx"
)

// pagesOf returns all lists with pages of a store, by their names. A list is a method whose last parameter is a Page; the others get
// what guess makes of their types.
func pagesOf(t *testing.T, store *repo.Repo) map[string]func(repo.Page) error {
	t.Helper()
	lists := map[string]func(repo.Page) error{}
	v := reflect.ValueOf(store)
	for i := range v.NumMethod() {
		method, of := v.Method(i), v.Method(i).Type()
		if of.NumIn() < 2 || of.In(of.NumIn()-1) != reflect.TypeFor[repo.Page]() {
			continue
		}
		lists[v.Type().Method(i).Name] = func(page repo.Page) error {
			args := []reflect.Value{reflect.ValueOf(t.Context())}
			for n := 1; n < of.NumIn()-1; n++ {
				args = append(args, reflect.Zero(of.In(n)))
			}
			err, _ := reflect.TypeAssert[error](method.Call(append(args, reflect.ValueOf(page)))[1])

			return err
		}
	}

	return lists
}

func TestPages_RefuseWhatIsNoPlaceInTheList(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	lists := pagesOf(t, store)
	require.GreaterOrEqual(t, len(lists), 4)
	other := dbtx.List{Name: "ListOthers id"}.After(int64(1))
	for name, list := range lists {
		require.NoError(t, list(repo.Page{}), name+": the control")
		require.NoError(t, list(repo.Page{Limit: repo.MaxPage}), name+": the control")
		for _, bad := range []struct {
			page       repo.Page
			field, why string
		}{
			{repo.Page{After: other}, "after", "is a place in another list"},
			{repo.Page{After: other[1:]}, "after", "is no place in this list"},
			{repo.Page{After: "1991_1"}, "after", "is no place in this list"},
			{repo.Page{After: strings.Repeat("'", 9999)}, "after", "is no place in this list"},
			{repo.Page{Limit: -1}, "limit", "must be from 0 to 1000"},
			{repo.Page{Limit: repo.MaxPage + 1}, "limit", "must be from 0 to 1000"},
			{repo.Page{Limit: math.MaxInt}, "limit", "must be from 0 to 1000"},
		} {
			err := list(bad.page)
			require.ErrorIs(t, err, repo.ErrInvalid, name)
			var invalid *repo.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, []string{bad.field, bad.why}, []string{invalid.Field, invalid.Reason}, name)
		}
	}
}

func TestPages_LoseNoRowWhileOthersComeAndGo(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, time.May, 1, 12, 0, 0, 0, time.UTC)
	now := at
	store := dbtest.New(t, repo.WithClock(func() time.Time { return now }))
	ctx := t.Context()
	var stay []string
	for n := range 12 {
		now = at.Add(time.Duration(n/3) * time.Hour) // three of a time
		stay = append(stay, newAccount(t, store, repo.Email(string(rune('a'+n))+"@x")).ID)
	}
	byOffset := func(offset int) (ids []string) {
		rows, err := store.DB().Query(ctx, "SELECT id FROM accounts ORDER BY created_at, id LIMIT 3 OFFSET $1", offset)
		require.NoError(t, err)
		for rows.Next() {
			var id string
			require.NoError(t, rows.Scan(&id))
			ids = append(ids, id)
		}
		require.NoError(t, rows.Err())

		return ids
	}
	seen, seenByOffset := []string{}, []string{}
	for page, n := (repo.Page{Limit: 3}), 0; ; n++ {
		accounts, err := store.ListAccounts(ctx, page)
		require.NoError(t, err)
		seenByOffset = append(seenByOffset, byOffset(3*n)...)
		if len(accounts) == 0 {
			break
		}
		for _, a := range accounts {
			seen = append(seen, a.ID)
		}
		last := accounts[len(accounts)-1]
		page.After = repo.AfterAccount(last)

		// The row at the place goes, and another comes before it.
		_, err = store.DeleteAccount(ctx, last.ID)
		require.NoError(t, err)
		stay = slices.DeleteFunc(stay, func(id string) bool { return id == last.ID })
		_, err = store.CreateAccount(context.WithoutCancel(ctx), repo.NewAccount{
			Email: repo.Email("new" + string(rune('a'+n)) + "@x"), PasswordHash: hash, CreatedAt: at.Add(-time.Hour),
		})
		require.NoError(t, err)
		if n%2 == 0 { // and one more of the first page
			_, err = store.DeleteAccount(ctx, accounts[0].ID)
			require.NoError(t, err)
			stay = slices.DeleteFunc(stay, func(id string) bool { return id == accounts[0].ID })
		}
	}
	sorted := slices.Sorted(slices.Values(seen))
	require.Len(t, slices.Compact(sorted), len(seen), "none twice")
	require.Subset(t, seen, stay, "none is lost")
	require.NotSubset(t, seenByOffset, stay, "the control: pages by OFFSET lose a row")
}
