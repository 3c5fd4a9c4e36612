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
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"musicstore/bench/calls"
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
	all := s.calls.All()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		costs[name] = s.measure(t, all[name])
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
	call := s.calls.All()[name]
	costs := map[string]Cost{name: s.measure(t, func(ctx context.Context, r *repo.Repo, n int) error {
		sink = new(int64)

		return call(ctx, r, n)
	})}
	want := costs[name]
	want.Allocations--
	require.Equal(t, want, readBudget(t)[name])
	require.Len(t, over(map[string]Cost{name: want}, costs), 1)
}

func TestBudget_SeesOneMoreStatement(t *testing.T) { //nolint:paralleltest // as above
	s := newStores(t)
	const name = "GetAccountByEmail"
	call := s.calls.All()[name]
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

	calls *calls.Store
	n     int // how many calls there were
}

const (
	accounts = 2000
	albums   = 120
	resets   = 400
	runs     = 50 // of an operation, of which the average is taken
	series   = 3  // of which the least is taken
)

func newStores(t *testing.T) *stores {
	t.Helper()
	s := &stores{bare: repo.New(open(t, dbtest.URL(t))), calls: calls.New(accounts, albums)}
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
	require.NoError(t, s.calls.OpenResets(t.Context(), s.bare, resets))
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
func (s *stores) measure(t *testing.T, call calls.Call) Cost {
	t.Helper()
	ctx := t.Context() // which can be cancelled, like a handler's
	next := func(r *repo.Repo) {
		s.n++
		require.NoError(t, call(ctx, r, s.n))
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
			s.n++
			if err := call(ctx, s.bare, s.n); err != nil {
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

func (c counter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {
	c.statements.Add(1)
}

func (c counter) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	c.statements.Add(1)

	return ctx
}

func (counter) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}

func (counter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

type countedConn struct {
	net.Conn

	messages *atomic.Int64
}

func (c countedConn) Write(b []byte) (int, error) {
	c.messages.Add(1)

	return c.Conn.Write(b)
}
