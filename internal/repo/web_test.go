package repo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/wireproxy"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// The handler of docs/web.md, which is in example_test.go, beside naive ones that must fail.

func newWeb(store *repo.Repo) web {
	return web{store: store, log: slog.New(slog.DiscardHandler), limit: time.Minute}
}

// signUp is the body of a request for a new account.
const signUp = "email=Ada@Example.COM&password=correct+horse"

// secrets are what must be in no answer: the key and the hash of the account of signUp, their names, and the file of a track.
var secrets = []string{"ada@example.com", "email_key", "EmailKey", "argon2id", "aGFzaGhhc2hoYXNo", "correct horse", "correct+horse", "redacted", "secret.flac"}

// ask sends a request to a handler, and requires that no secret is in the answer.
func ask(t *testing.T, to http.Handler, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	answer := askNaive(t, to, method, target, strings.NewReader(body))
	require.Equal(t, "application/json", answer.Header().Get("Content-Type"))
	require.True(t, json.Valid(answer.Body.Bytes()), answer.Body)
	for _, secret := range secrets {
		require.NotContains(t, answer.Body.String(), secret)
	}
	require.Equal(t, answer.Code == http.StatusServiceUnavailable, answer.Header().Get("Retry-After") != "")

	return answer
}

func askNaive(t *testing.T, to http.Handler, method, target string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), method, target, body)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	to.ServeHTTP(answer, request)

	return answer
}

// naive answers each error with its text and the status 500.
func naive(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := do(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)

			return
		}
		_ = json.NewEncoder(w).Encode(body)
	}
}

func TestWeb_GivesTheErrorsOfARequestTheirStatus(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	s := newWeb(store)
	handler := s.handler()
	require.Equal(t, http.StatusCreated, ask(t, handler, "POST", "/accounts", signUp).Code)
	newAlbum(t, store, "Shown", 2)
	hidden := album("Hidden", 2)
	hidden.IsPublished = false
	_, err := store.CreateAlbum(t.Context(), hidden)
	require.NoError(t, err)

	const post, account = "POST", "/accounts"
	for name, c := range map[string]struct {
		method, target, body string
		status               int
		says                 string
	}{
		"there":               {"GET", "/albums/shown", "", 200, `"tracks":2`},
		"not there":           {"GET", "/albums/none", "", 404, "not found"},
		"not published":       {"GET", "/albums/hidden", "", 404, "not found"},
		"taken":               {post, account, signUp, 409, "e-mail already taken"},
		"taken, spelled anew": {post, account, "email=ADA@example.com&password=correct+horse", 409, "e-mail already taken"},
		"a short password":    {post, account, "email=b@x&password=1234567", 422, "password: must have 8 characters or more"},
		"short in characters": {post, account, "email=b@x&password=" + strings.Repeat("%C3%A9", 7), 422, "password: must have 8 characters"},
		"no address":          {post, account, "email=ada&password=correct+horse", 422, "email: has no @"},
		"a NUL":               {post, account, "email=a%00@b&password=correct+horse", 422, "email"},
		"no place":            {"GET", "/albums?after=x", "", 422, "after: is no place in this list"},
		"SQL for a place":     {"GET", "/albums?after=1991_0%27%20OR%201=1", "", 422, "after: is no place in this list"},
		"no body":             {post, account, "", 422, "password: must have 8 characters or more"},
		"not a form":          {post, account, "%", 422, "password: must have 8 characters or more"},
	} {
		answer := ask(t, handler, c.method, c.target, c.body)
		require.Equal(t, c.status, answer.Code, "%s: %s", name, answer.Body)
		require.Contains(t, answer.Body.String(), c.says, name)
	}
	accounts, err := store.ListAccounts(t.Context(), repo.Page{})
	require.NoError(t, err)
	require.Len(t, accounts, 1)

	require.Equal(t, http.StatusInternalServerError, askNaive(t, naive(s.createAccount), post, account, strings.NewReader(signUp)).Code,
		"the naive handler says of the client's mistake that it is the server's")
}

func TestWeb_TellsConflictsFromValuesThatAreNotAllowed(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	s := newWeb(store)
	buyer, sold := newAccount(t, store, "buyer@x"), newAlbum(t, store, "Sold", 1)
	sale := repo.NewPurchase{AccountID: buyer.ID, AlbumID: sold.ID, PaymentRef: "1"}
	_, err := store.RecordPurchase(t.Context(), sale)
	require.NoError(t, err)
	for _, c := range []struct {
		is     error
		status int
		says   string
		do     func(ctx context.Context) error
	}{
		{repo.ErrForeignKey, 409, "album of the purchase does not exist", func(ctx context.Context) error {
			_, err := store.RecordPurchase(ctx, repo.NewPurchase{AccountID: buyer.ID, AlbumID: -1, PaymentRef: "2"})

			return err
		}},
		{repo.ErrReferenced, 409, "album has purchases", func(ctx context.Context) error {
			_, err := store.DeleteAlbum(ctx, sold.ID)

			return err
		}},
		{repo.ErrUnique, 409, "album name already taken", func(ctx context.Context) error {
			_, err := store.CreateAlbum(ctx, album("Sold", 0))

			return err
		}},
		{repo.ErrCheck, 422, "year must be from 1860 to 2200", func(ctx context.Context) error {
			_, err := store.CreateAlbum(ctx, repo.NewAlbum{Name: "Early", Year: 1859})

			return err
		}},
	} {
		var got error
		do := func(r *http.Request) (any, error) {
			got = c.do(r.Context())

			return nil, got
		}
		answer := ask(t, s.route(http.StatusOK, do), "POST", "/", "")
		require.ErrorIs(t, got, c.is)
		require.Equal(t, c.status, answer.Code, answer.Body)
		require.Contains(t, answer.Body.String(), c.says)

		bad := askNaive(t, naive(do), "POST", "/", nil)
		require.Equal(t, http.StatusInternalServerError, bad.Code)
	}
}

func TestWeb_KeepsTheTextOfItsOwnFaults(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	s := newWeb(store)
	var log dbtxtest.Echo
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	_, err := store.DB().Exec(t.Context(), "ALTER TABLE albums RENAME COLUMN price_cents TO cents")
	require.NoError(t, err)

	answer := ask(t, s.handler(), "GET", "/albums", "")
	require.Equal(t, http.StatusInternalServerError, answer.Code)
	require.JSONEq(t, `{"error": "internal error"}`, answer.Body.String())
	require.Contains(t, log.String(), "SQLSTATE 42703", "who runs the server can read it")
	require.Contains(t, askNaive(t, naive(s.listAlbums), "GET", "/albums", nil).Body.String(), "SQLSTATE 42703")
}

func TestWeb_IsUnavailableWhileTheDatabaseIs(t *testing.T) {
	t.Parallel()
	t.Run("TheReplyToAWriteIsLost", func(t *testing.T) {
		t.Parallel()
		proxy := wireproxy.New(t, dbtest.URL(t))
		store := open(t, proxy.URL("pool_max_conns=1"))
		s := newWeb(store)
		var replies atomic.Int64
		proxy.Set(wireproxy.LoseReply(func(tag string) bool { return tag != "SET" && replies.Add(1) == 1 }))
		var got error
		answer := ask(t, s.route(http.StatusCreated, func(r *http.Request) (any, error) {
			_, got = store.CreateAlbum(r.Context(), album("Unknown", 1))

			return nil, got
		}), "POST", "/", "")
		require.ErrorIs(t, got, repo.ErrOutcomeUnknown)
		require.Equal(t, http.StatusServiceUnavailable, answer.Code, answer.Body)
		require.Contains(t, answer.Body.String(), "may have been done")
		require.Equal(t, http.StatusOK, ask(t, s.handler(), "GET", "/albums/unknown", "").Code, "this one was done")

		// An account has a key, its id. So the store sends it again, and the client does not notice.
		replies.Store(0)
		require.Equal(t, http.StatusCreated, ask(t, s.handler(), "POST", "/accounts", signUp).Code)
		require.Greater(t, replies.Load(), int64(1))
	})
	t.Run("TheConnectionIsCut", func(t *testing.T) {
		t.Parallel()
		proxy := wireproxy.New(t, dbtest.URL(t))
		conn, err := pgx.Connect(t.Context(), proxy.URL(""))
		require.NoError(t, err)
		store := repo.New(conn) // which can't connect again
		proxy.Set(func(wireproxy.Message) wireproxy.Action { return wireproxy.CutBefore })
		_, got := store.GetAlbum(t.Context(), 1)
		require.ErrorIs(t, got, repo.ErrUnavailable)
		answer := ask(t, newWeb(store).handler(), "GET", "/albums", "")
		require.Equal(t, http.StatusServiceUnavailable, answer.Code, answer.Body)
		require.Contains(t, answer.Body.String(), "try again later")

		bad := askNaive(t, naive(newWeb(store).listAlbums), "GET", "/albums", nil)
		require.Equal(t, http.StatusInternalServerError, bad.Code)
		require.Empty(t, bad.Header().Get("Retry-After"))
	})
	t.Run("TheServerIsGone", func(t *testing.T) {
		t.Parallel()
		proxy := wireproxy.New(t, dbtest.URL(t))
		s := newWeb(open(t, proxy.URL("pool_max_conns=1")))
		require.Equal(t, http.StatusOK, ask(t, s.handler(), "GET", "/albums", "").Code)
		proxy.Set(func(wireproxy.Message) wireproxy.Action { return wireproxy.CutBefore })
		s.limit = 200 * time.Millisecond // less than the four seconds for which the store tries
		require.Equal(t, http.StatusServiceUnavailable, ask(t, s.handler(), "GET", "/albums", "").Code)
		proxy.Set(nil)
		s.limit = time.Minute
		require.Equal(t, http.StatusOK, ask(t, s.handler(), "GET", "/albums", "").Code, "it is back")
	})
	t.Run("AllConnectionsAreInUse", func(t *testing.T) {
		t.Parallel()
		s := newWeb(open(t, dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "1")))
		s.limit = 50 * time.Millisecond
		require.NoError(t, s.store.InTx(t.Context(), func(*repo.Repo) error {
			answer := ask(t, s.handler(), "GET", "/albums", "")
			require.Equal(t, http.StatusServiceUnavailable, answer.Code, answer.Body)
			require.Contains(t, answer.Body.String(), "try again later")

			return nil
		}))
	})
}

func TestWeb_WaitsForALockNoLongerThanItsLimit(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	store := open(t, url)
	hasty := open(t, dbtxtest.With(t, url, "lock_timeout", "50ms"))
	other, err := pgx.Connect(t.Context(), dbtxtest.With(t, url, "idle_in_transaction_session_timeout", "60s")) // or a fault hangs
	require.NoError(t, err)
	defer other.Close(context.WithoutCancel(t.Context()))

	// Another transaction has begun to sign the same address up. Nobody knows yet whether it will.
	tx, err := other.Begin(t.Context())
	require.NoError(t, err)
	_, err = repo.New(tx).CreateAccount(t.Context(), repo.NewAccount{Email: "ada@example.com", PasswordHash: hash})
	require.NoError(t, err)

	_, got := hasty.CreateAccount(t.Context(), repo.NewAccount{Email: "ada@example.com", PasswordHash: hash})
	require.ErrorIs(t, got, repo.ErrTimeout)
	answer := ask(t, newWeb(hasty).handler(), "POST", "/accounts", signUp)
	require.Equal(t, http.StatusServiceUnavailable, answer.Code, answer.Body)
	require.Contains(t, answer.Body.String(), "try again later")

	s := newWeb(store)
	require.Equal(t, http.StatusOK, ask(t, s.handler(), "GET", "/albums", "").Code, "and the pool has a connection")
	s.limit = 500 * time.Millisecond // so that the statement is on its way by then, on a busy machine, too
	begun := time.Now()
	answer = ask(t, s.handler(), "POST", "/accounts", signUp)
	require.Equal(t, http.StatusServiceUnavailable, answer.Code, answer.Body)
	require.Contains(t, answer.Body.String(), "may have been done")
	require.GreaterOrEqual(t, time.Since(begun), s.limit)
	require.Less(t, time.Since(begun), 30*time.Second)
	require.Eventually(t, func() bool {
		var waiting int
		err := hasty.DB().QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)

		return err == nil && waiting == 0
	}, time.Minute, 5*time.Millisecond, "the server goes on with a statement that nobody waits for")

	// Of a read that waits it is certain that nothing was done.
	_, err = tx.Exec(t.Context(), "LOCK TABLE albums")
	require.NoError(t, err)
	answer = ask(t, s.handler(), "GET", "/albums", "")
	require.Equal(t, http.StatusServiceUnavailable, answer.Code, answer.Body)
	require.Contains(t, answer.Body.String(), "try again later")

	// http.TimeoutHandler ends the statement, too. But the route can't say any more what happened.
	late := askNaive(t, http.TimeoutHandler(naive(s.createAccount), s.limit, ""), "POST", "/accounts", strings.NewReader(signUp))
	require.Equal(t, http.StatusServiceUnavailable, late.Code)
	require.Empty(t, late.Header().Get("Retry-After"))
	require.Contains(t, late.Body.String(), "<html>")

	// Without a limit the request waits for as long as the other transaction does.
	answered := make(chan int, 1)
	go func() {
		answered <- askNaive(t, naive(s.createAccount), "POST", "/accounts", strings.NewReader(signUp)).Code
	}()
	dbtxtest.AwaitLock(t, hasty.DB())
	select {
	case code := <-answered:
		require.Fail(t, "answered while the row was locked", code)
	case <-time.After(2 * s.limit):
	}
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, http.StatusOK, <-answered)

	s.limit = time.Minute
	require.Equal(t, http.StatusConflict, ask(t, s.handler(), "POST", "/accounts", signUp).Code)
}

func TestWeb_ShowsNoSecret(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	s := newWeb(store)
	audio := "https://example.com/secret.flac"
	with := album("With audio", 1)
	with.Tracks[0].AudioURL = &audio
	_, err := store.CreateAlbum(t.Context(), with)
	require.NoError(t, err)

	answer := ask(t, s.handler(), "POST", "/accounts", signUp+"&email_confirmed=true&is_super_user=true")
	require.Equal(t, http.StatusCreated, answer.Code)
	var account map[string]any
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &account))
	stored, err := store.GetAccountByEmail(t.Context(), "ada@example.com")
	require.NoError(t, err)
	require.Equal(t, hash.Reveal(), stored.PasswordHash.Reveal())
	require.False(t, stored.EmailConfirmed || stored.IsSuperUser, "the form sets only what the code reads")
	require.Equal(t, map[string]any{
		"id": stored.ID, "email": "Ada@Example.COM", "created_at": stored.CreatedAt.Format(time.RFC3339Nano),
	}, account)
	for _, target := range []string{"/albums", "/albums/with-audio"} {
		require.Contains(t, ask(t, s.handler(), "GET", target, "").Body.String(), `"With audio"`)
	}

	whole := naive(func(r *http.Request) (any, error) { return store.GetAccountByEmail(r.Context(), "ada@example.com") })
	body := askNaive(t, whole, "GET", "/", nil).Body.String()
	require.Contains(t, body, `"email_key":"ada@example.com"`)
	require.NotContains(t, body, hash.Reveal(), "this one hides itself")
	whole = naive(func(r *http.Request) (any, error) { return store.GetAlbumByURL(r.Context(), "with-audio") })
	require.Contains(t, askNaive(t, whole, "GET", "/", nil).Body.String(), audio)
}

// counted counts the bytes that are read of a body.
type counted struct {
	io.Reader

	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n

	return n, err
}

func TestWeb_ReadsNoMoreOfABodyThanIsAllowed(t *testing.T) {
	t.Parallel()
	s := newWeb(dbtest.New(t))
	const size = 1 << 20
	for name, body := range map[string]string{
		"a long value":   "email=ada@example.com&password=" + strings.Repeat("a", size),
		"a field behind": signUp + "&" + strings.Repeat("a", size),
	} {
		all := &counted{Reader: strings.NewReader(body)}
		answer := askNaive(t, s.handler(), "POST", "/accounts", all)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Code, "%s: %s", name, answer.Body)
		require.Less(t, all.n, 3*4096, name)
	}
	accounts, err := s.store.ListAccounts(t.Context(), repo.Page{})
	require.NoError(t, err)
	require.Empty(t, accounts)

	all := &counted{Reader: strings.NewReader(signUp + "&" + strings.Repeat("a", size))}
	askNaive(t, naive(s.createAccount), "POST", "/accounts", all)
	require.Greater(t, all.n, size)
	require.Equal(t, http.StatusConflict, ask(t, s.handler(), "POST", "/accounts", signUp+"&"+strings.Repeat("a", 4096-len(signUp)-1)).Code,
		"as many bytes as are allowed")
}

// walkPages follows the links of a list from its first page, and returns what is on them. Between two pages it does something.
func walkPages(t *testing.T, to http.Handler, between func(page int)) (names []string, pages int) {
	t.Helper()
	for target := "/albums"; target != ""; pages++ {
		answer := ask(t, to, "GET", target, "")
		require.Equal(t, http.StatusOK, answer.Code, answer.Body)
		var page struct {
			Albums []struct {
				Name string `json:"name"`
			} `json:"albums"`
			Next string `json:"next"`
		}
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &page))
		require.NotNil(t, page.Albums, "an empty list is [], not null")
		for _, a := range page.Albums {
			names = append(names, a.Name)
		}
		target = page.Next
		between(pages)
	}

	return names, pages
}

func TestWeb_WalksAllPages(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	s := newWeb(store)
	none, pages := walkPages(t, s.handler(), func(int) {})
	require.Empty(t, none)
	require.Equal(t, 1, pages)

	var want []string
	publish := func(from, to int) {
		var albums []repo.NewAlbum
		for i := from; i < to; i++ {
			a := album(fmt.Sprint("Album ", i), 1)
			a.Year = int32(2000 - i/7) // many have one year
			albums, want = append(albums, a), append(want, a.Name)
		}
		hidden := album(fmt.Sprint("Hidden ", from), 1)
		hidden.IsPublished = false
		require.NoError(t, store.CreateAlbums(t.Context(), append(albums, hidden)))
	}
	for _, c := range []struct{ albums, pages int }{{19, 2}, {20, 2}, {40, 3}, {45, 4}} { // with an empty page at the end
		publish(len(want), c.albums)
		got, pages := walkPages(t, s.handler(), func(int) {})
		require.ElementsMatch(t, want, got)
		require.Equal(t, c.pages, pages)
	}

	// While somebody reads, albums come and go on the pages before.
	change := func(page int) {
		newer := album(fmt.Sprint("Newer ", page), 1)
		newer.Year = 2100
		for i := range 2 {
			newer.Name, newer.URL = newer.Name+strconv.Itoa(i), ""
			_, err := store.CreateAlbum(t.Context(), newer)
			require.NoError(t, err)
		}
	}
	got, _ := walkPages(t, s.handler(), change)
	require.ElementsMatch(t, want, got)

	byOffset := s.route(http.StatusOK, func(r *http.Request) (any, error) {
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		rows, err := store.DB().Query(r.Context(),
			"SELECT name FROM albums WHERE is_published ORDER BY year DESC, id DESC LIMIT 20 OFFSET $1", offset)
		if err != nil {
			return nil, err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		list, next := make([]map[string]any, len(names)), ""
		for i, name := range names {
			list[i] = map[string]any{"name": name}
		}
		if len(names) == 20 {
			next = fmt.Sprint("/albums?offset=", offset+20)
		}

		return map[string]any{"albums": list, "next": next}, err
	})
	_, err := store.DB().Exec(t.Context(), "DELETE FROM albums WHERE year = 2100")
	require.NoError(t, err)
	got, _ = walkPages(t, byOffset, change)
	require.Greater(t, len(got), len(want), "the naive pages show albums twice")
}

func TestWeb_BlamesNobodyWhenTheClientHasLeft(t *testing.T) {
	t.Parallel()
	s := newWeb(dbtest.New(t))
	ctx, leave := context.WithCancel(t.Context())
	leave()
	answer := httptest.NewRecorder()
	var got error
	s.route(http.StatusOK, func(r *http.Request) (any, error) {
		_, got = s.store.GetAlbum(r.Context(), 1)

		return nil, got
	}).ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	require.ErrorIs(t, got, context.Canceled)
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
}
