// Package budget checks what each of the store's operations may cost: how many times it allocates, how many statements
// it sends, and in how many messages, which is how often it waits for the server. None of it depends on the machine.
package budget_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"musicstore/bench/fill"
	"musicstore/internal/dbtest"
	"musicstore/internal/repo"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// Cost is what one call of an operation costs.
type Cost struct {
	Allocations int64 `json:"allocations"`
	Statements  int64 `json:"statements"`
	Messages    int64 `json:"messages"` // to the server, each with its answer waited for
}

const file = "budget.json"

var update = flag.Bool("update", false, "write "+file+" anew")

// over says what costs more than it may. What is new, and what has gone, is no part of the budget yet.
func over(budget, costs map[string]Cost) (complaints []string) {
	for _, name := range slices.Sorted(maps.Keys(costs)) {
		may, known := budget[name]
		if !known {
			complaints = append(complaints, name+" has no budget")
		}
		for _, part := range []struct {
			what    string
			is, may int64
		}{
			{"allocations", costs[name].Allocations, may.Allocations},
			{"statements", costs[name].Statements, may.Statements},
			{"messages", costs[name].Messages, may.Messages},
		} {
			if known && part.is > part.may {
				complaints = append(complaints, fmt.Sprintf("%s: %d %s, %d in the budget", name, part.is, part.what, part.may))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(budget)) {
		if _, measured := costs[name]; !measured {
			complaints = append(complaints, name+" is in the budget only")
		}
	}

	return complaints
}

func readBudget(t *testing.T) map[string]Cost {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	budget := map[string]Cost{}
	require.NoError(t, json.Unmarshal(text, &budget))

	return budget
}

func TestBudget_NothingCostsMore(t *testing.T) { //nolint:paralleltest // allocations are counted for the whole process
	s := newStores(t)
	costs := map[string]Cost{}
	calls := operations(s)
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		costs[name] = s.measure(t, calls[name])
	}
	if *update {
		text, err := json.MarshalIndent(costs, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, append(text, '\n'), 0o600))
	}
	require.Empty(t, over(readBudget(t), costs), "if it has to be so: make bench-update")
}

func TestBudget_SeesOneMoreAllocation(t *testing.T) { //nolint:paralleltest // as above
	s := newStores(t)
	const name = "GetAccountByEmail"
	call := operations(s)[name]
	costs := map[string]Cost{name: s.measure(t, func(ctx context.Context, r *repo.Repo, n int) error {
		sink = new(int64)

		return call(ctx, r, n)
	})}
	want := costs[name]
	want.Allocations--
	require.Equal(t, readBudget(t)[name], want)
	require.Len(t, over(map[string]Cost{name: want}, costs), 1)
}

func TestBudget_SeesOneMoreStatement(t *testing.T) { //nolint:paralleltest // as above
	s := newStores(t)
	const name = "GetAccountByEmail"
	call := operations(s)[name]
	cost := s.measure(t, func(ctx context.Context, r *repo.Repo, n int) error {
		if _, err := r.DB().Exec(ctx, "SELECT 1"); err != nil {
			return err
		}

		return call(ctx, r, n)
	})
	may := readBudget(t)[name]
	require.Equal(t, may.Statements+1, cost.Statements)
	require.Equal(t, may.Messages+1, cost.Messages)
	cost.Allocations = may.Allocations
	require.Equal(t, []string{
		fmt.Sprintf("%s: %d statements, %d in the budget", name, may.Statements+1, may.Statements),
		fmt.Sprintf("%s: %d messages, %d in the budget", name, may.Messages+1, may.Messages),
	}, over(map[string]Cost{name: may}, map[string]Cost{name: cost}))
}

var sink *int64

// stores are two on one database: one with nothing around its connections, whose allocations are counted, and one whose
// statements and messages are.
type stores struct {
	bare, counted *repo.Repo
	statements    atomic.Int64
	messages      atomic.Int64

	tokens []string // of open resets, each for one call
	calls  int
}

const (
	accounts = 2000
	albums   = 120
	// The accounts that redeem a reset, and those that ask for one, none of them twice within a series.
	redeeming, firstAsking, asking = 400, 500, 1400
	runs     = 50 // of an operation, of which the average is taken
	series   = 3  // of which the least is taken
)

func newStores(t *testing.T) *stores {
	t.Helper()
	s := &stores{bare: repo.New(open(t, dbtest.URL(t)))}
	config := s.bare.DB().(*pgxpool.Pool).Config()
	config.ConnConfig.Tracer = counter{&s.statements}
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)

		return countedConn{conn, &s.messages}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s.counted = repo.New(pool)

	require.NoError(t, fill.Accounts(t.Context(), pool, 0, accounts, accounts))
	require.NoError(t, fill.Albums(t.Context(), pool, albums))
	require.NoError(t, fill.Purchases(t.Context(), pool, 0, accounts, accounts, accounts, albums))
	for n := range redeeming {
		_, token, err := s.bare.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: fill.ID(n)})
		require.NoError(t, err)
		s.tokens = append(s.tokens, token)
	}
	_, err = pool.Exec(t.Context(), "VACUUM ANALYZE")
	require.NoError(t, err)

	return s
}

// open returns a pool of one connection, so that no call waits for another's plans.
func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url+"&pool_max_conns=1")
	require.NoError(t, err)
	t.Cleanup(pool.Close)

	return pool
}

// measure returns what a call costs once its statements are prepared. n is another number at each call.
func (s *stores) measure(t *testing.T, call func(ctx context.Context, r *repo.Repo, n int) error) Cost {
	t.Helper()
	ctx := t.Context() // which can be cancelled, like a handler's
	next := func(r *repo.Repo) {
		s.calls++
		require.NoError(t, call(ctx, r, s.calls))
	}
	for range 10 { // after five, PostgreSQL may change its plan
		next(s.bare)
		next(s.counted)
	}
	s.statements.Store(0)
	s.messages.Store(0)
	next(s.counted)
	cost := Cost{Statements: s.statements.Load(), Messages: s.messages.Load()}
	for i := range series {
		runtime.GC()
		allocations := int64(testing.AllocsPerRun(runs, func() {
			s.calls++
			if err := call(ctx, s.bare, s.calls); err != nil {
				panic(err)
			}
		}))
		if i == 0 || allocations < cost.Allocations {
			cost.Allocations = allocations
		}
	}

	return cost
}

type counter struct{ statements *atomic.Int64 }

func (c counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.statements.Add(1)

	return ctx
}

func (counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (counter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (c counter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) { c.statements.Add(1) }

func (counter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

type countedConn struct {
	net.Conn

	messages *atomic.Int64
}

func (c countedConn) Write(b []byte) (int, error) {
	c.messages.Add(1)

	return c.Conn.Write(b)
}

// operations are the store's, by the names of their methods. n is another number at each call.
func operations(s *stores) map[string]func(ctx context.Context, r *repo.Repo, n int) error {
	from := netip.MustParseAddr("192.0.2.7")

	return map[string]func(ctx context.Context, r *repo.Repo, n int) error{
		"GetAccount": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.GetAccount(ctx, aliceID)

			return err
		},
		"GetAccountByEmail": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.GetAccountByEmail(ctx, "user7@example.com")

			return err
		},
		"ListAccounts": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.ListAccounts(ctx, repo.Page{Limit: 50})

			return err
		},
		"CreateAccount": func(ctx context.Context, r *repo.Repo, n int) error {
			email := repo.Email("new" + strconv.Itoa(1_000_000+n) + "@example.com")
			_, err := r.CreateAccount(ctx, repo.NewAccount{Email: email, PasswordHash: fill.PasswordHash})

			return err
		},
		"SetPasswordHash": func(ctx context.Context, r *repo.Repo, _ int) error {
			return r.SetPasswordHash(ctx, aliceID, fill.PasswordHash)
		},
		"CreatePasswordReset": func(ctx context.Context, r *repo.Repo, n int) error {
			_, _, err := r.CreatePasswordReset(ctx, repo.NewPasswordReset{AccountID: fill.ID(firstAsking + n%asking)})

			return err
		},
		"GetAlbum": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.GetAlbum(ctx, 7)

			return err
		},
		"GetAlbumByURL": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.GetAlbumByURL(ctx, "album-7")

			return err
		},
		"ListPublishedAlbums": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.ListPublishedAlbums(ctx, repo.Page{Limit: 100})

			return err
		},
		"CreateAlbum": func(ctx context.Context, r *repo.Repo, n int) error {
			name := "new-" + strconv.Itoa(1_000_000+n)
			_, err := r.CreateAlbum(ctx, repo.NewAlbum{Name: name, URL: name, Year: 1991, Tracks: twelve})

			return err
		},
		"RecordPurchase": func(ctx context.Context, r *repo.Repo, n int) error {
			_, err := r.RecordPurchase(ctx, repo.NewPurchase{
				AccountID: aliceID, AlbumID: 7, PaymentRef: "new_" + strconv.Itoa(1_000_000+n), AmountPaidCents: 999,
			})

			return err
		},
		"ListPurchasedAlbumIDs": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.ListPurchasedAlbumIDs(ctx, bobID)

			return err
		},
		"RedeemPasswordReset": func(ctx context.Context, r *repo.Repo, _ int) error {
			token := s.tokens[0]
			s.tokens = s.tokens[1:]
			_, err := r.RedeemPasswordReset(ctx, token, fill.PasswordHash, from)

			return err
		},
		"DailyNewAccounts": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.DailyNewAccounts(ctx, repo.Days{Last: 30})

			return err
		},
		"DailySales": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.DailySales(ctx, repo.Days{Last: 30})

			return err
		},
		"InTx": func(ctx context.Context, r *repo.Repo, _ int) error {
			return r.InTx(ctx, func(tx *repo.Repo) error {
				_, err := tx.GetAccount(ctx, aliceID)

				return err
			})
		},
	}
}

var (
	aliceID, bobID = fill.ID(7), fill.ID(8)
	twelve         = slices.Repeat([]repo.NewTrack{{Name: "Track", LengthSeconds: 182}}, 12)
)
