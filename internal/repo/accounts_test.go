package repo_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"

	"github.com/stretchr/testify/require"
)

func TestRepo_CreateAccount(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, time.February, 29, 23, 30, 0, 123456789, time.FixedZone("", -9*3600))

	t.Run("ReturnsWhatIsStored", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a, err := store.CreateAccount(t.Context(), repo.NewAccount{
			Email: " Ada@Example.com ", PasswordHash: hash, EmailConfirmed: true, IsSuperUser: true,
		})
		require.NoError(t, err)
		require.Equal(t, repo.Email("Ada@Example.com"), a.Email)
		require.Equal(t, repo.Email("ada@example.com"), a.EmailKey)
		require.Equal(t, hash, a.PasswordHash)
		require.True(t, a.EmailConfirmed)
		require.True(t, a.IsSuperUser)
		read, err := store.GetAccount(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, a, read)
	})
	t.Run("MakesAnIDThatNobodyCanGuess", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a, b := newAccount(t, store, "a@example.com"), newAccount(t, store, "b@example.com")
		require.Regexp(t, `^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`, a.ID)
		require.NotEqual(t, a.ID, b.ID)
	})
	t.Run("SetsTheTimeOfTheCall", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		before := time.Now().Truncate(time.Microsecond)
		a := newAccount(t, store, "a@example.com")
		require.WithinRange(t, a.CreatedAt, before, time.Now())
		require.Equal(t, time.UTC, a.CreatedAt.Location())
	})
	t.Run("CallsTheDefaultsOncePerRow", func(t *testing.T) {
		t.Parallel()
		var clocks, ids int
		store := dbtest.New(t,
			repo.WithClock(func() time.Time { clocks++; return at.Add(time.Duration(clocks) * time.Hour) }),
			repo.WithIDs(func() string { ids++; return strings.Repeat("0", 31) + string(rune('0'+ids)) }))
		a, b := newAccount(t, store, "a@example.com"), newAccount(t, store, "b@example.com")
		require.Equal(t, 2, clocks)
		require.Equal(t, 2, ids)
		require.Equal(t, "00000000000000000000000000000001", a.ID)
		require.Equal(t, "00000000000000000000000000000002", b.ID)
		require.Equal(t, at.Add(time.Hour).UTC().Truncate(time.Microsecond), a.CreatedAt)
		require.Equal(t, time.Hour, b.CreatedAt.Sub(a.CreatedAt))
	})
	t.Run("KeepsTheIDAndTimeTheCallerSet", func(t *testing.T) {
		t.Parallel()
		fail := func() string { t.Error("the default was called"); return "" }
		store := dbtest.New(t, repo.WithIDs(fail), repo.WithClock(func() time.Time { fail(); return at }))
		id := strings.Repeat("ab", 16)
		a, err := store.CreateAccount(t.Context(), repo.NewAccount{ID: id, CreatedAt: at, Email: "a@b", PasswordHash: hash})
		require.NoError(t, err)
		require.Equal(t, id, a.ID)
		require.Equal(t, at.UTC().Truncate(time.Microsecond), a.CreatedAt, "in UTC, to the microsecond")
	})
	t.Run("TakesTheSameAccountTwiceAsOne", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		p := repo.NewAccount{ID: repo.NewID(), CreatedAt: at, Email: "a@b", PasswordHash: hash}
		first, err := store.CreateAccount(t.Context(), p)
		require.NoError(t, err)
		second, err := store.CreateAccount(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, first, second)
	})
	t.Run("RefusesAnAddressThatIsTaken", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		newAccount(t, store, "ada@example.com")
		_, err := store.CreateAccount(t.Context(), repo.NewAccount{Email: "ADA@EXAMPLE.COM", PasswordHash: hash})
		require.ErrorIs(t, err, repo.ErrEmailTaken)
		require.ErrorIs(t, err, repo.ErrUnique)
		require.NotErrorIs(t, err, repo.ErrInvalid)
		require.EqualError(t, err, "create account: e-mail already taken")
		var c *repo.ConstraintError
		require.ErrorAs(t, err, &c)
		require.Equal(t, "accounts", c.Table)
		require.Equal(t, "email", c.Column)
		require.Equal(t, "accounts_email_key", c.Constraint)
	})
	t.Run("RefusesAnIDThatIsTaken", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a := newAccount(t, store, "a@example.com")
		_, err := store.CreateAccount(t.Context(), repo.NewAccount{ID: a.ID, Email: "b@example.com", PasswordHash: hash})
		require.ErrorIs(t, err, repo.ErrAccountIDTaken)
		require.ErrorIs(t, err, repo.ErrUnique)
		require.EqualError(t, err, "create account: account id already taken")
		read, err := store.GetAccount(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, a, read)
	})
	t.Run("RefusesWhatCannotBe", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		good := repo.NewAccount{Email: "a@b", PasswordHash: hash}
		for name, bad := range map[string]struct {
			change func(*repo.NewAccount)
			want   string
		}{
			"ID in upper case":   {func(a *repo.NewAccount) { a.ID = strings.Repeat("AB", 16) }, "id must be 32 lower-case"},
			"ID with dashes":     {func(a *repo.NewAccount) { a.ID = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6" }, "id must be 32"},
			"no e-mail":          {func(a *repo.NewAccount) { a.Email = "" }, "email: is missing"},
			"a key of their own": {func(a *repo.NewAccount) { a.EmailKey = "x@y" }, "email_key: is made by the store"},
			"a plain password":   {func(a *repo.NewAccount) { a.PasswordHash = repo.NewPasswordHash("hunter2") }, "password_hash: is not a password hash"},
			"no password hash":   {func(a *repo.NewAccount) { a.PasswordHash = repo.PasswordHash{} }, "password_hash: is not a password hash"},
			"a hash too long": {func(a *repo.NewAccount) {
				a.PasswordHash = repo.NewPasswordHash(hash.Reveal() + strings.Repeat("x", 512))
			}, "password_hash must be in PHC string format"},
		} {
			a := good
			bad.change(&a)
			_, err := store.CreateAccount(t.Context(), a)
			require.ErrorIs(t, err, repo.ErrInvalid, name)
			require.ErrorContains(t, err, "create account: "+bad.want, name)
		}
		accounts, err := store.ListAccounts(t.Context(), repo.Page{})
		require.NoError(t, err)
		require.Empty(t, accounts)
	})
	t.Run("NeverSendsWhatMayBeAPassword", func(t *testing.T) {
		t.Parallel()
		tracer := &dbtxtest.Tracer{}
		store := dbtest.Open(t, repo.WithTracer(tracer))
		tracer.Reset()
		_, err := store.CreateAccount(t.Context(), repo.NewAccount{Email: "a@b", PasswordHash: repo.NewPasswordHash("$hunter2")})
		require.ErrorIs(t, err, repo.ErrInvalid)
		require.NotContains(t, err.Error(), "hunter2")
		require.ErrorContains(t, tracer.LastError(), "to encode", "it was refused on the way out")
	})
}

func TestRepo_GetAccountByEmail(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a := newAccount(t, store, "Zoë.Kelvin@Exämple.com")

	t.Run("FindsEverySpelling", func(t *testing.T) {
		t.Parallel()
		for _, spelling := range []string{
			"zoë.kelvin@exämple.com", "ZOË.KELVIN@EXÄMPLE.COM", "zoe\u0308.kelvin@exa\u0308mple.com",
			"  Zoë.\u212Aelvin@Exämple.com\n", "ｚoë.kelvin＠exämple.com",
		} {
			found, err := store.GetAccountByEmail(t.Context(), spelling)
			require.NoError(t, err, spelling)
			require.Equal(t, a, found)
		}
	})
	t.Run("KeepsLookAlikesApart", func(t *testing.T) {
		t.Parallel()
		for _, other := range []string{"zoë.kelvın@exämple.com", "zоë.kelvin@exämple.com", "zoe.kelvin@exämple.com"} {
			_, err := store.GetAccountByEmail(t.Context(), other)
			require.ErrorIs(t, err, repo.ErrNotFound, other)
			require.EqualError(t, err, "get account by email: not found")
		}
	})
	t.Run("RefusesWhatIsNoAddress", func(t *testing.T) {
		t.Parallel()
		_, err := store.GetAccountByEmail(t.Context(), "zoë")
		require.ErrorIs(t, err, repo.ErrInvalid)
		require.EqualError(t, err, "get account by email: email: has no @")
	})
}

func TestRepo_GetAccount_IsNotFoundUnderAnIDThatIsNone(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	for _, id := range []string{"", "x", repo.NewID(), "' OR 1=1 --"} {
		_, err := store.GetAccount(t.Context(), id)
		require.ErrorIs(t, err, repo.ErrNotFound)
	}
}

func TestRepo_SetPasswordHash(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a := newAccount(t, store, "a@example.com")

	_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
	require.NoError(t, err)
	require.NoError(t, store.SetPasswordHash(t.Context(), a.ID, hash2))
	read, err := store.GetAccount(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, hash2, read.PasswordHash)
	_, err = store.GetPasswordReset(t.Context(), token)
	require.ErrorIs(t, err, repo.ErrResetInvalid, "the open reset has ended")

	require.ErrorIs(t, store.SetPasswordHash(t.Context(), repo.NewID(), hash2), repo.ErrNotFound)
	require.ErrorIs(t, store.SetPasswordHash(t.Context(), a.ID, repo.NewPasswordHash("hunter2")), repo.ErrInvalid)
}

func TestRepo_AccountFlags(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a := newAccount(t, store, "a@example.com")
	require.False(t, a.EmailConfirmed || a.IsSuperUser)

	a, err := store.ConfirmEmail(t.Context(), a.ID)
	require.NoError(t, err)
	require.True(t, a.EmailConfirmed)
	a, err = store.GrantSuperUser(t.Context(), a.ID)
	require.NoError(t, err)
	require.True(t, a.IsSuperUser)
	a, err = store.RevokeSuperUser(t.Context(), a.ID)
	require.NoError(t, err)
	require.False(t, a.IsSuperUser)
	require.True(t, a.EmailConfirmed)

	_, err = store.ConfirmEmail(t.Context(), repo.NewID())
	require.EqualError(t, err, "confirm email: not found")
	_, err = store.GrantSuperUser(t.Context(), repo.NewID())
	require.ErrorIs(t, err, repo.ErrNotFound)
	_, err = store.RevokeSuperUser(t.Context(), repo.NewID())
	require.ErrorIs(t, err, repo.ErrNotFound)
}

func TestRepo_DeleteAccount(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a := newAccount(t, store, "a@example.com")
	_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
	require.NoError(t, err)

	t.Run("IsRefusedWhileThereArePurchases", func(t *testing.T) {
		t.Parallel()
		buyer := newAccount(t, store, "buyer@example.com")
		bought := newAlbum(t, store, "Bought", 1)
		_, err := store.RecordPurchase(t.Context(), repo.NewPurchase{AccountID: buyer.ID, AlbumID: bought.ID, PaymentRef: "1"})
		require.NoError(t, err)
		_, err = store.DeleteAccount(t.Context(), buyer.ID)
		require.ErrorIs(t, err, repo.ErrAccountHasPurchases)
		require.ErrorIs(t, err, repo.ErrReferenced)
		require.NotErrorIs(t, err, repo.ErrBuyerUnknown)
		require.EqualError(t, err, "delete account: account has purchases")
	})
	t.Run("TakesTheResetsAlong", func(t *testing.T) {
		t.Parallel()
		deleted, err := store.DeleteAccount(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, a, deleted)
		_, err = store.GetPasswordReset(t.Context(), token)
		require.ErrorIs(t, err, repo.ErrResetInvalid)
		_, err = store.DeleteAccount(t.Context(), a.ID)
		require.ErrorIs(t, err, repo.ErrNotFound)
	})
}

func TestRepo_ListAccounts(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, time.May, 1, 12, 0, 0, 0, time.UTC)
	store := dbtest.New(t, repo.WithClock(func() time.Time { return at })) // all at one time: the id breaks the ties
	made := map[string]bool{}
	for _, email := range []repo.Email{"a@x", "b@x", "c@x", "d@x", "e@x"} {
		made[newAccount(t, store, email).ID] = true
	}
	var seen []string
	page := repo.Page{Limit: 2}
	for {
		accounts, err := store.ListAccounts(t.Context(), page)
		require.NoError(t, err)
		if len(accounts) == 0 {
			break
		}
		require.LessOrEqual(t, len(accounts), 2)
		for _, a := range accounts {
			seen = append(seen, a.ID)
		}
		page.After = repo.AfterAccount(accounts[len(accounts)-1])
	}
	require.Len(t, seen, 5)
	require.IsIncreasing(t, seen)
	for _, id := range seen {
		require.True(t, made[id])
	}

	t.Run("WalksAll", func(t *testing.T) {
		t.Parallel()
		var walked []string
		for a, err := range store.AllAccounts(t.Context()) {
			require.NoError(t, err)
			walked = append(walked, a.ID)
		}
		require.Equal(t, seen, walked)
	})
	t.Run("StopsWhenTheCallerDoes", func(t *testing.T) {
		t.Parallel()
		n := 0
		for range store.AllAccounts(t.Context()) {
			n++

			break
		}
		require.Equal(t, 1, n)
	})
	t.Run("EndsAtAnError", func(t *testing.T) {
		t.Parallel()
		closed := dbtest.Open(t)
		closed.Close()
		var errs []error
		for _, err := range closed.AllAccounts(t.Context()) {
			errs = append(errs, err)
		}
		require.Len(t, errs, 1)
		require.Error(t, errors.Join(errs...))
	})
}
