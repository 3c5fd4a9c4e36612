package repo_test

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/exaring/otelpgx"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/internal/schema"
	"musicstore/layer/dbtx"
)

// example opens a store on a new database that has the schema, and returns what closes it. In a program that is
//
//	store, err := repo.Open(ctx, os.Getenv("DATABASE_URL"))
func example(ctx context.Context, opts ...repo.Option) (store *repo.Repo, done func()) {
	databaseURL, end := dbtest.ExampleStoreURL()
	store, err := repo.Open(ctx, databaseURL, opts...)
	if err != nil {
		panic(err)
	}

	return store, func() { store.Close(); end() }
}

// A shop, from an empty database to its first sale.
func Example() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL()
	defer drop()

	if err := firstSale(ctx, databaseURL); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1991 Year of the Snake, 2 tracks, 9.99
	// create account: e-mail already taken
	// sold: 1
}

func firstSale(ctx context.Context, databaseURL string) error {
	store, err := repo.Open(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer store.Close()

	// Creates what is missing, changes nothing that exists. Many processes may do it at once.
	if _, err := schema.Bootstrap(ctx, store.DB()); err != nil {
		return err
	}

	// An album with its tracks is one statement.
	_, err = store.CreateAlbum(ctx, repo.NewAlbum{
		Name: "Year of the Snake", Year: 1991, PriceCents: 999, IsPublished: true,
		Tracks: []repo.NewTrack{{Name: "Code Like It's 1999", LengthSeconds: 182}, {Name: "Index Scan", LengthSeconds: 61}},
	})
	if err != nil {
		return err
	}

	// One round trip for all albums of the page and their tracks.
	albums, err := store.ListPublishedAlbums(ctx, repo.Page{Limit: 20})
	if err != nil {
		return err
	}
	for _, a := range albums {
		fmt.Printf("%d %s, %d tracks, %d.%02d\n", a.Year, a.Name, len(a.Tracks), a.PriceCents/100, a.PriceCents%100)
	}

	// The id and the time are made in Go, unless you set them. The hash comes from your password library, in PHC form.
	ada, err := store.CreateAccount(ctx, repo.NewAccount{Email: "Ada@example.com", PasswordHash: argon2id("correct horse")})
	if err != nil {
		return err
	}

	// A constraint of the database refuses the same address. The error has a name in Go.
	_, err = store.CreateAccount(ctx, repo.NewAccount{Email: "ADA@EXAMPLE.COM", PasswordHash: argon2id("battery")})
	if errors.Is(err, repo.ErrEmailTaken) {
		fmt.Println(err)
	}

	// The payment provider may call twice. Two calls with the same reference make one purchase.
	sale := repo.NewPurchase{AccountID: ada.ID, AlbumID: albums[0].ID, PaymentRef: "pi_3MtwBw", AmountPaidCents: 999}
	for range 2 {
		if _, err := store.RecordPurchase(ctx, sale); err != nil {
			return err
		}
	}
	ids, err := store.ListPurchasedAlbumIDs(ctx, ada.ID)
	fmt.Println("sold:", len(ids))

	return err
}

// argon2id stands for the caller's password library.
func argon2id(string) repo.PasswordHash { return hash }

func ExampleOpen() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL()
	defer drop()

	store, err := repo.Open(ctx, databaseURL)
	if err != nil {
		fmt.Println(err)

		return
	}
	defer store.Close()

	created, err := schema.Bootstrap(ctx, store.DB())
	fmt.Println(created[0], err)
	again, err := schema.Bootstrap(ctx, store.DB())
	fmt.Println(again, err)
	// Output:
	// accounts <nil>
	// [] <nil>
}

func ExampleWithSchemaCheck() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL() // an empty database
	defer drop()
	start := func() error {
		store, err := repo.Open(ctx, databaseURL, repo.WithSchemaCheck())
		if err != nil {
			return err
		}
		defer store.Close()

		return nil
	}

	err := start()
	fmt.Println(errors.Is(err, schema.ErrUnfit), err)
	// Output:
	// true open: this program can't work on the schema: schema public has none of this program's tables (the schema is older than this program: run migrate)
}

func ExampleRepo_CreateAccount() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()

	ada, err := store.CreateAccount(ctx, repo.NewAccount{Email: "Ada@Example.com", PasswordHash: argon2id("secret")})
	fmt.Println(len(ada.ID), ada.Email, ada.PasswordHash, err)

	found, err := store.GetAccountByEmail(ctx, "ada@example.com")
	fmt.Println(found.ID == ada.ID, err)

	_, err = store.CreateAccount(ctx, repo.NewAccount{Email: "ada at example.com", PasswordHash: argon2id("secret")})
	fmt.Println(errors.Is(err, repo.ErrInvalid), err)
	// Output:
	// 32 Ada@Example.com [redacted] <nil>
	// true <nil>
	// true create account: email: has no @
}

func ExampleRepo_RedeemPasswordReset() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()
	ada, err := store.CreateAccount(ctx, repo.NewAccount{Email: "ada@example.com", PasswordHash: argon2id("forgotten")})
	if err != nil {
		fmt.Println(err)

		return
	}

	// The token goes into the mail's link. It is returned this once; the table has its SHA-256.
	reset, token, err := store.CreatePasswordReset(ctx, repo.NewPasswordReset{AccountID: ada.ID})
	fmt.Println(reset.ExpiresAt.Sub(reset.CreatedAt), err)

	// Using the reset and setting the password is one statement: of any number of calls, one succeeds.
	from := netip.MustParseAddr("192.0.2.7")
	account, err := store.RedeemPasswordReset(ctx, token, argon2id("new"), from)
	fmt.Println(account.ID == ada.ID, err)
	_, err = store.RedeemPasswordReset(ctx, token, argon2id("newer"), from)
	fmt.Println(errors.Is(err, repo.ErrResetInvalid), err)
	// Output:
	// 1h0m0s <nil>
	// true <nil>
	// true redeem password reset: reset token is not valid
}

func ExampleRepo_InTx() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()

	err := store.InTx(ctx, func(tx *repo.Repo) error {
		if _, err := tx.CreateAlbum(ctx, repo.NewAlbum{Name: "First", Year: 1991}); err != nil {
			return err
		}
		_, err := tx.CreateAlbum(ctx, repo.NewAlbum{Name: "First", Year: 1992})

		return err // and neither album is kept
	})
	fmt.Println(errors.Is(err, repo.ErrAlbumNameTaken), err)
	albums, err := store.ListAlbums(ctx, repo.Page{})
	fmt.Println(len(albums), err)
	// Output:
	// true create album: album name already taken
	// 0 <nil>
}

func ExampleRepo_InTxWith() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()
	account, err := store.CreateAccount(ctx, repo.NewAccount{Email: "ada@example.com", PasswordHash: argon2id("x")})
	if err != nil {
		fmt.Println(err)
	}
	var purchases []repo.Purchase

	opts := repo.TxOptions{Settings: repo.Settings{"app.user_id": account.ID, "statement_timeout": "2s"}}
	err = store.InTxWith(ctx, opts, func(tx *repo.Repo) error {
		purchases, err = tx.ListPurchases(ctx, account.ID, repo.Page{})

		return err
	})
	fmt.Println(len(purchases), err)
	// Output:
	// 0 <nil>
}

func ExampleRepo_Snapshot() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()
	_, err := store.CreateAccount(ctx, repo.NewAccount{Email: "ada@example.com", PasswordHash: argon2id("x")})
	if err != nil {
		fmt.Println(err)
	}
	var account repo.Account
	var albums []repo.BestSeller

	// Both queries are one round trip, and see the database at one moment.
	err = store.Snapshot(ctx,
		func(r *repo.Repo) (err error) {
			account, err = r.GetAccountByEmail(ctx, "ada@example.com")

			return err
		},
		func(r *repo.Repo) (err error) {
			albums, err = r.ListBestSellers(ctx, repo.Days{Last: 7}, 10)

			return err
		},
	)
	fmt.Println(account.IsSuperUser, len(albums), err)
	// Output:
	// false 0 <nil>
}

func ExampleRepo_AllAccounts() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()
	for _, email := range []repo.Email{"ada@example.com", "bea@example.com"} {
		if _, err := store.CreateAccount(ctx, repo.NewAccount{Email: email, PasswordHash: argon2id("x")}); err != nil {
			fmt.Println(err)
		}
	}

	// Page by page, so that memory does not grow with the table.
	for account, err := range store.AllAccounts(ctx) {
		fmt.Println(account.Email, err)
	}
	// Output:
	// ada@example.com <nil>
	// bea@example.com <nil>
}

func ExampleRepo_ListAccounts() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()
	for _, email := range []repo.Email{"ada@example.com", "bea@example.com"} {
		if _, err := store.CreateAccount(ctx, repo.NewAccount{Email: email, PasswordHash: argon2id("x")}); err != nil {
			fmt.Println(err)
		}
	}
	if err := twoPages(ctx, store); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ada@example.com
	// bea@example.com
	// list albums: after: is a place in another list
}

func twoPages(ctx context.Context, store *repo.Repo) error {
	// A page, and the one behind it.
	page := repo.Page{Limit: 1}
	for range 2 {
		accounts, err := store.ListAccounts(ctx, page)
		if err != nil {
			return err
		}
		fmt.Println(accounts[0].Email)
		page.After = repo.AfterAccount(accounts[0])
	}

	// A place belongs to its list.
	_, err := store.ListAlbums(ctx, page)
	fmt.Println(err) // list albums: after: is a place in another list

	return nil
}

func ExampleRepo_SearchCatalog() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()
	_, err := store.CreateAlbum(ctx, repo.NewAlbum{
		Name: "Ágætis byrjun", Year: 1999, PriceCents: 999, IsPublished: true,
		Tracks: []repo.NewTrack{{Name: "Svefn-g-englar"}, {Name: "Ágætis byrjun"}},
	})
	if err != nil {
		fmt.Println(err)
	}

	// Albums and tracks with all words, in any order; the last may be the beginning of one.
	search := repo.Search{YearFrom: 1990, YearTo: 1999, Sort: repo.ByPrice}
	hits, err := store.SearchCatalog(ctx, "byrjun agae", search)
	for _, hit := range hits {
		fmt.Println(hit.Kind, hit.Name, hit.AlbumURL, hit.Year, hit.PriceCents)
	}
	fmt.Println(err)
	// Output:
	// album Ágætis byrjun agaetis-byrjun 1999 999
	// track Ágætis byrjun agaetis-byrjun 1999 999
	// <nil>
}

func ExampleWithEcho() {
	ctx := context.Background()
	var out strings.Builder // os.Stderr, say
	store, done := example(ctx, repo.WithEcho(&out))
	defer done()

	_, err := store.GetPurchase(ctx, 7)
	line, _, _ := strings.Cut(out.String(), " | 0 rows | ") // the time it took, which differs
	fmt.Println(line)
	fmt.Println(err)
	// Output:
	// GetPurchase | SELECT id, account_id, album_id, payment_ref, description, amount_paid_cents, created_at FROM purchases WHERE id = $1 | id=7
	// get purchase: not found
}

func ExampleWithLogger() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL()
	defer drop()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" { // which differ
				return slog.Attr{}
			}

			return a
		},
	}))

	// Slow statements are logged at Warn, faults at Error, and nearly all others at Debug.
	store, err := repo.Open(ctx, databaseURL, repo.WithLogger(logger), repo.WithSlowStatements(200*time.Millisecond))
	if err != nil {
		fmt.Println(err)

		return
	}
	defer store.Close()

	_, err = store.GetAccountByEmail(ctx, "ada@example.com") // there is no table yet
	fmt.Println(err)
	// Output:
	// level=ERROR msg="statement failed" query=GetAccountByEmail rows=0 error="ERROR: relation \"accounts\" does not exist (SQLSTATE 42P01)"
	// get account by email: ERROR: relation "accounts" does not exist (SQLSTATE 42P01)
}

func ExampleWithMetrics() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL()
	defer drop()
	mux := http.NewServeMux()

	metrics := dbtx.NewMetrics()
	store, err := repo.Open(ctx, databaseURL, repo.WithMetrics(metrics))
	if err != nil {
		fmt.Println(err)

		return
	}
	defer store.Close()

	// For Prometheus.
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", dbtx.MetricsContentType)
		_, _ = metrics.WriteTo(w)
	})
	// For expvar: http.DefaultServeMux shows it at /debug/vars.
	expvar.Publish("statements", metrics)

	if _, err := schema.Bootstrap(ctx, store.DB()); err != nil {
		fmt.Println(err)
	}
	_, err = store.GetAccountByEmail(ctx, "ada@example.com")
	fmt.Println(err)
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(answer.Body.String()) {
		if strings.Contains(line, "_count") || strings.Contains(line, "_errors_total{") {
			fmt.Print(line)
		}
	}
	// Output:
	// get account by email: not found
	// store_statement_duration_seconds_count{query="GetAccountByEmail"} 1
	// store_statement_errors_total{query="GetAccountByEmail"} 0
}

func ExampleWithPipelining() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL()
	defer drop()

	// For a server whose many goroutines look things up at once.
	store, err := repo.Open(ctx, databaseURL, repo.WithPipelining())
	if err != nil {
		fmt.Println(err)

		return
	}
	defer store.Close()
	if _, err := schema.Bootstrap(ctx, store.DB()); err != nil {
		fmt.Println(err)

		return
	}

	var wg sync.WaitGroup
	for id := range int64(32) {
		wg.Go(func() {
			if _, err := store.GetAlbum(ctx, id); !errors.Is(err, repo.ErrNotFound) {
				fmt.Println(id, err)
			}
		})
	}
	wg.Wait()
	fmt.Println("each has its own answer")
	// Output:
	// each has its own answer
}

func ExampleWithTracer() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL()
	defer drop()
	recorder := tracetest.NewSpanRecorder() // in a program, an exporter
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(recorder))

	// A span for each statement, named after its query. Parameters are left out, unless you ask for them.
	tracer := otelpgx.NewTracer(
		otelpgx.WithTracerProvider(provider),
		otelpgx.WithSpanNameFunc(repo.StatementName),
		otelpgx.WithDisableAcquireTracer(),
	)
	store, err := repo.Open(ctx, databaseURL, repo.WithTracer(tracer))
	if err != nil {
		fmt.Println(err)

		return
	}
	defer store.Close()
	if _, err := schema.Bootstrap(ctx, store.DB()); err != nil {
		fmt.Println(err)

		return
	}
	ctx, request := provider.Tracer("shop").Start(ctx, "sign in") // a statement's span is part of another
	_, err = store.GetAccountByEmail(ctx, "ada@example.com")
	request.End()
	fmt.Println(err)
	spans := map[string]bool{}
	for _, span := range recorder.Ended() {
		spans[span.Name()] = true
	}
	fmt.Println(slices.Sorted(maps.Keys(spans)))
	// Output:
	// get account by email: not found
	// [GetAccountByEmail sign in]
}

func ExampleRepo_Stats() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()

	// http.DefaultServeMux shows it at /debug/vars.
	expvar.Publish("musicstore", expvar.Func(func() any { return store.Stats() }))

	var stats repo.Stats
	err := json.Unmarshal([]byte(expvar.Get("musicstore").String()), &stats)
	fmt.Println(stats.AcquiredConns, "of", stats.MaxConns, "connections in use", err)
	// Output:
	// 0 of 16 connections in use <nil>
}

func ExampleRepo_LoadTracks() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()
	album, err := store.CreateAlbum(ctx, repo.NewAlbum{Name: "Query Plans", Year: 1996})
	if err != nil {
		panic(err)
	}

	// By COPY, all of them or none. Whoever loads tracks numbers them.
	loaded, err := store.LoadTracks(ctx, []repo.LoadTracksParams{
		{AlbumID: album.ID, Name: "Sequential Scan", LengthSeconds: 95, DisplayOrder: 1},
		{AlbumID: album.ID, Name: "Bitmap Heap Scan", LengthSeconds: 142, DisplayOrder: 2},
	})
	fmt.Println(loaded, err)

	// Output: 2 <nil>
}

// When the rule for keys has changed, the table's owner makes the keys of all accounts again. Two accounts that now have one
// key need a decision: they are printed, and keep their keys. So is an address that is none any more.
func ExampleEmailKey() {
	ctx := context.Background()
	store, done := example(ctx)
	defer done()
	// Two accounts from before domains were known by their A-labels.
	for _, email := range []repo.Email{"a@bücher.example", "a@xn--bcher-kva.example", "b@Bücher.example."} {
		old := strings.ToLower(string(email))
		_, err := store.DB().Exec(ctx, `INSERT INTO accounts VALUES ($1, $2, $3, $4, now(), false, false)`,
			repo.NewID(), string(email), old, "$argon2id$c2FsdA$aGFzaA")
		if err != nil {
			fmt.Println(err)
		}
	}

	for a, err := range store.AllAccounts(ctx) {
		if err != nil {
			fmt.Println(err)

			return
		}
		key, err := repo.EmailKey(string(a.Email))
		if err != nil {
			fmt.Println("no address any more:", a.Email, err)

			continue
		}
		if key == string(a.EmailKey) {
			continue
		}
		if other, err := store.GetAccountByEmail(ctx, key); err == nil {
			fmt.Println("one address, two accounts:", a.Email, other.Email)

			continue
		}
		if _, err := store.DB().Exec(ctx, "UPDATE accounts SET email_key = $1 WHERE id = $2", key, a.ID); err != nil {
			fmt.Println(err)
		}
	}
	b, err := store.GetAccountByEmail(ctx, "b@bücher.example")
	fmt.Println(b.EmailKey, err)
	// Output:
	// one address, two accounts: a@bücher.example a@xn--bcher-kva.example
	// b@xn--bcher-kva.example <nil>
}

// web is the store behind net/http.
type web struct {
	store *repo.Repo
	log   *slog.Logger
	limit time.Duration // how long a request may wait for the database
}

func (s web) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /albums", s.route(http.StatusOK, s.listAlbums))
	mux.Handle("GET /albums/{url}", s.route(http.StatusOK, s.getAlbum))
	mux.Handle("POST /accounts", s.route(http.StatusCreated, s.createAccount))

	return http.MaxBytesHandler(mux, 4096) // no more of a body is read
}

// route limits the time of a request, and writes what do returns as JSON.
func (s web) route(success int, do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), s.limit)
		defer cancel()
		status := success
		body, err := do(r.WithContext(ctx))
		if err != nil {
			var text string
			status, text = s.problem(w.Header(), err)
			body = map[string]string{"error": text}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // an error here means that the client has left
	}
}

// problem returns the status of an error and the text that the client may read.
func (s web) problem(header http.Header, err error) (status int, text string) {
	var refused *repo.ConstraintError
	switch {
	case errors.Is(err, repo.ErrNotFound):
		return http.StatusNotFound, "not found"
	case errors.Is(err, repo.ErrInvalid): // a value is not allowed
		return http.StatusUnprocessableEntity, err.Error()
	case errors.As(err, &refused): // another row is in the way, or does not exist
		return http.StatusConflict, err.Error()
	case errors.Is(err, repo.ErrUnavailable), errors.Is(err, repo.ErrTimeout), errors.Is(err, repo.ErrOutcomeUnknown),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		header.Set("Retry-After", "5") // seconds
		return http.StatusServiceUnavailable, "try again later. A change may have been done: look before you repeat it"
	default:
		s.log.Error("request failed", "error", err)
		return http.StatusInternalServerError, "internal error"
	}
}

// public is what everybody may see of an album. It leaves out the audio_url of the tracks, which the store sells.
func public(a repo.AlbumWithTracks) any {
	return map[string]any{"name": a.Name, "url": a.URL, "year": a.Year, "price_cents": a.PriceCents, "tracks": len(a.Tracks)}
}

func (s web) listAlbums(r *http.Request) (any, error) {
	albums, err := s.store.ListPublishedAlbums(r.Context(), repo.Page{After: r.URL.Query().Get("after"), Limit: 20})
	list, next := []any{}, ""
	for _, a := range albums {
		list = append(list, public(a))
		next = "/albums?after=" + url.QueryEscape(repo.AfterPublishedAlbum(a))
	}

	return map[string]any{"albums": list, "next": next}, err
}

func (s web) getAlbum(r *http.Request) (any, error) {
	a, err := s.store.GetAlbumByURL(r.Context(), r.PathValue("url"))
	if err == nil && !a.IsPublished {
		err = repo.ErrNotFound
	}

	return public(a), err
}

// createAccount returns named fields. An Account has more: its email_key, and whatever somebody adds to the table later.
func (s web) createAccount(r *http.Request) (any, error) {
	password := r.PostFormValue("password")
	if utf8.RuneCountInString(password) < 8 {
		return nil, &repo.InvalidError{Field: "password", Reason: "must have 8 characters or more"}
	}
	a, err := s.store.CreateAccount(r.Context(), repo.NewAccount{
		Email: repo.Email(r.PostFormValue("email")), PasswordHash: argon2id(password),
	})

	return map[string]any{"id": a.ID, "email": a.Email, "created_at": a.CreatedAt}, err
}

func Example_web() {
	ctx := context.Background()
	ids := 0
	newID := func() string { ids++; return fmt.Sprintf("%032x", ids) }
	now := func() time.Time { return time.Date(1999, time.December, 31, 23, 59, 0, 0, time.UTC) }
	store, done := example(ctx, repo.WithIDs(newID), repo.WithClock(now))
	defer done()
	_, err := store.CreateAlbum(ctx, repo.NewAlbum{Name: "Year of the Snake", Year: 1991, PriceCents: 999, IsPublished: true})
	if err != nil {
		fmt.Println(err)
	}

	handler := web{store: store, log: slog.New(slog.DiscardHandler), limit: 10 * time.Second}.handler()
	ask := func(method, target, body string) {
		answer := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		handler.ServeHTTP(answer, request)
		fmt.Print(answer.Code, " ", answer.Body)
	}
	ask("GET", "/albums", "")
	ask("GET", "/albums/none", "")
	ask("POST", "/accounts", "email=Ada@example.com&password=correct+horse")
	ask("POST", "/accounts", "email=ADA@EXAMPLE.COM&password=battery+staple")
	ask("POST", "/accounts", "email=ada+at+example.com&password=correct+horse")
	// Output:
	// 200 {"albums":[{"name":"Year of the Snake","price_cents":999,"tracks":0,"url":"year-of-the-snake","year":1991}],"next":"/albums?after=iqomrnb7eg.1991.1"}
	// 404 {"error":"not found"}
	// 201 {"created_at":"1999-12-31T23:59:00Z","email":"Ada@example.com","id":"00000000000000000000000000000001"}
	// 409 {"error":"create account: e-mail already taken"}
	// 422 {"error":"create account: email: has no @"}
}
