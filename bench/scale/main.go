// Command scale shows what becomes of the store's operations as its tables grow: `make bench-scale`. It fills a small
// store and a large one side by side, and calls each operation on the one and the other in turn.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"musicstore/bench/calls"
	"musicstore/bench/fill"
	"musicstore/internal/repo"
	"musicstore/internal/schema"
	"musicstore/layer/localpg"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	smallAccounts = 10_000
	largeAccounts = 10_000_000
	perAccount    = 3 // purchases
	rounds        = 9
	albums        = 1000
	flat          = 1.5    // the most that an operation may take of the large store, by its time of the small one
	memory        = 12_000 // MB of the server's, at full scale
	indexGain     = 1000   // the least that the index on accounts.created_at must save, at full scale
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	scale := flag.Float64("scale", 1, "the size of the large store; 1 is ten million accounts and thirty million purchases")
	runs := flag.Int("runs", 100, "how many calls of each operation to take a median of, in each of some rounds")
	flag.Parse()
	accounts := int(*scale * largeAccounts)
	if accounts <= smallAccounts {
		return fmt.Errorf("a scale of %g is no more than the small store's %d accounts", *scale, smallAccounts)
	}

	server, err := start(ctx, fmt.Sprintf("shared_buffers=%dMB", 128+int(*scale*memory)), "max_wal_size=8GB")
	if err != nil {
		return err
	}
	defer server.Stop()
	small, err := filled(ctx, server, "small", smallAccounts)
	if err != nil {
		return err
	}
	defer small.Close()
	large, err := filled(ctx, server, "large", accounts)
	if err != nil {
		return err
	}
	defer large.Close()

	grown, err := compare(ctx, small, large, accounts, *runs)
	if err != nil {
		return err
	}
	gain, err := reports(ctx, large)
	if err != nil {
		return err
	}
	// Timings of a short run are too rough to fail for, and so is the gain of an index on a small table.
	if *scale >= 1 && (len(grown) > 0 || gain < indexGain) {
		return fmt.Errorf("not flat: %v; the index is worth %.0f times", grown, gain)
	}

	return nil
}

// start starts a server, with its memory in huge pages if the machine has enough of them. In small ones each 4 kB of a
// table or an index cost every backend a page fault when it first looks there, and a larger table has more of them.
// https://www.postgresql.org/docs/current/kernel-resources.html#LINUX-HUGE-PAGES
func start(ctx context.Context, settings ...string) (*localpg.Server, error) {
	server, err := localpg.Temp(ctx, append(slices.Clone(settings), "huge_pages=on")...)
	if err == nil {
		fmt.Println("the server's memory is in huge pages")

		return server, nil
	}
	fmt.Println("the server's memory is not in huge pages, of which this machine has too few (vm.nr_hugepages)")

	return localpg.Temp(ctx, settings...)
}

// filled makes a database with so many accounts, and says how fast it was filled.
func filled(ctx context.Context, server *localpg.Server, name string, accounts int) (*repo.Repo, error) {
	admin, err := repo.Open(ctx, server.URL("postgres"))
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	if _, err := admin.DB().Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, err
	}
	r, err := repo.Open(ctx, server.URL(name), repo.WithResetInterval(0))
	if err != nil {
		return nil, err
	}
	db := r.DB()
	if _, err := schema.Bootstrap(ctx, db); err != nil {
		return nil, err
	}
	if err := fill.Albums(ctx, db, albums); err != nil {
		return nil, err
	}
	purchases := perAccount * accounts
	err = inSteps(name+": accounts", accounts, func(first, end int) error {
		return fill.Accounts(ctx, db, first, end, accounts)
	})
	if err != nil {
		return nil, err
	}
	err = inSteps(name+": purchases", purchases, func(first, end int) error {
		return fill.Purchases(ctx, db, first, end, purchases, accounts, albums)
	})
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if _, err := db.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return nil, err
	}
	if _, err := db.Exec(ctx, "CHECKPOINT"); err != nil {
		return nil, err
	}
	var size float64
	err = db.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&size)
	fmt.Printf("%s: vacuumed in %.0f s, %.2f GB\n", name, time.Since(start).Seconds(), size/1e9)

	return r, err
}

// inSteps loads rows a million at a time, half of them over each of two connections.
func inSteps(what string, rows int, load func(first, end int) error) error {
	const step, atOnce = 1_000_000, 2
	start := time.Now()
	for first := 0; first < rows; first += step {
		end := min(first+step, rows)
		errs := make([]error, atOnce)
		var wg sync.WaitGroup
		for i := range atOnce {
			wg.Go(func() {
				errs[i] = load(first+(end-first)*i/atOnce, first+(end-first)*(i+1)/atOnce)
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	seconds := time.Since(start).Seconds()
	fmt.Printf("%s: %d in %.0f s, %.0f a second\n", what, rows, seconds, float64(rows)/seconds)

	return nil
}

// compare prints how long each operation takes of the small store and of the large one, medians of some rounds, with the
// median of the rounds' ratios, and returns those that have become slower than may be.
func compare(ctx context.Context, small, large *repo.Repo, accounts, runs int) (grown []string, err error) {
	stores := [2]struct {
		repo *repo.Repo
		all  map[string]calls.Call
	}{{repo: small}, {repo: large}}
	for i, n := range []int{smallAccounts, accounts} {
		s := calls.New(n, albums)
		stores[i].all = s.All()
		if err := s.OpenResets(ctx, stores[i].repo, min((calls.Spread+runs)*rounds, n/2)); err != nil {
			return nil, err
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\t%d accounts\t%d accounts\tratio\t\n", smallAccounts, accounts)
	for _, name := range slices.Sorted(maps.Keys(stores[0].all)) {
		if name == "DailyNewAccounts" || name == "DailySales" {
			continue // a report on more rows takes longer: its cost is below
		}
		var took [2][]time.Duration // the median of each round
		var ratios []float64
		for round := range rounds {
			var each [2][]time.Duration
			// A backend stays on a processor, the caller's own or another, which is half of what a look-up takes: other
			// backends, other places.
			for _, s := range stores {
				s.repo.DB().(*pgxpool.Pool).Reset()
			}
			for n := range calls.Spread + runs {
				for i, s := range stores {
					start := time.Now()
					if err := s.all[name](ctx, s.repo, (calls.Spread+runs)*round+n); err != nil {
						return nil, fmt.Errorf("%s: %w", name, err)
					}
					if n >= calls.Spread { // those before have mapped the rows' pages
						each[i] = append(each[i], time.Since(start))
					}
				}
			}
			for i := range took {
				took[i] = append(took[i], median(each[i]))
			}
			ratios = append(ratios, float64(took[1][round])/float64(took[0][round]))
		}
		ratio := median(ratios)
		s, l := median(took[0]), median(took[1])
		fmt.Fprintf(w, "%s\t%s\t%s\t%.2f\t\n", name, s.Round(time.Microsecond), l.Round(time.Microsecond), ratio)
		if ratio > flat {
			grown = append(grown, name)
		}
	}

	return grown, w.Flush()
}

// reports prints what the reports cost, and what today's would without its index: how many times more is returned.
func reports(ctx context.Context, r *repo.Repo) (gain float64, err error) {
	timed := func(what string, times int, call func() error) (time.Duration, error) {
		took := make([]time.Duration, times)
		for i := range took {
			start := time.Now()
			if err := call(); err != nil {
				return 0, err
			}
			took[i] = time.Since(start)
		}
		fmt.Printf("%-58s %s\n", what, median(took).Round(time.Microsecond))

		return median(took), nil
	}
	today := func(condition string) func() error {
		return func() error {
			var n int64

			return r.DB().QueryRow(ctx, "SELECT count(*) FROM accounts WHERE "+condition).Scan(&n)
		}
	}
	const sinceMidnight = "created_at >= date_trunc('day', now(), 'Europe/Berlin')"
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return 0, err
	}
	days := func(last int) func() error {
		return func() error {
			_, err := r.DailyNewAccounts(ctx, repo.Days{Last: last, In: berlin})

			return err
		}
	}
	sales := func() error {
		_, err := r.DailySales(ctx, repo.Days{Last: 30, In: berlin})

		return err
	}
	grouped := func() error {
		_, err := r.DB().Exec(ctx, `SELECT date_trunc('day', created_at, 'Europe/Berlin') AS day, count(*) FROM accounts
			WHERE created_at >= date_trunc('day', now(), 'Europe/Berlin') - interval '29 days' GROUP BY day ORDER BY day`)

		return err
	}
	// As autovacuum does behind what was just written.
	if _, err := r.DB().Exec(ctx, "VACUUM ANALYZE accounts, purchases"); err != nil {
		return 0, err
	}
	with, err := timed("accounts created today", 21, days(1))
	if err != nil {
		return 0, err
	}
	for _, report := range []struct {
		what string
		call func() error
	}{
		{"accounts per day, 30 days", days(30)},
		{"accounts per day, 30 days, by date_trunc and GROUP BY", grouped},
		{"sales per day, 30 days", sales},
	} {
		if _, err := timed(report.what, 7, report.call); err != nil {
			return 0, err
		}
	}
	if _, err := timed("accounts created today, the column in a function", 3, today("created_at::date = current_date")); err != nil {
		return 0, err
	}
	if _, err := r.DB().Exec(ctx, "DROP INDEX accounts_created_at_id_idx"); err != nil {
		return 0, err
	}
	without, err := timed("accounts created today, without the index", 3, today(sinceMidnight))
	gain = float64(without) / float64(with)
	fmt.Printf("the index makes it %.0f times as fast\n", gain)

	return gain, err
}

func median[T cmp.Ordered](took []T) T {
	slices.Sort(took)

	return took[len(took)/2]
}
