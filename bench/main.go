// Command bench measures the store beside what else there is, on a private server. `make bench` runs it; README.md says
// how it measures.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"

	"musicstore/bench/peers"
	"musicstore/layer/localpg"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// settings are the private server's: memory for all of the rows, as a server of that size has.
var settings = []string{"shared_buffers=2GB", "max_wal_size=8GB"}

func run(ctx context.Context) error {
	var b bench
	var (
		cycles   = flag.Int("cycles", 600, "how many blocks of each peer to take the median of")
		ops      = flag.String("ops", "", "the operations, by their keys, separated by commas; all but the longest if empty")
		names    = flag.String("peers", "", "the peers, separated by commas; pgx is always one; all if empty")
		longest  = flag.Duration("longest", 4*time.Minute, "when to stop the cycles of an operation")
		out      = flag.String("out", "results", "the folder to write to; nothing is written if empty")
		database = flag.String("database-url", "", "an empty database to use instead of a private server's")
	)
	flag.IntVar(&b.accounts, "accounts", 1_000_000, "how many accounts there are")
	flag.IntVar(&b.albums, "albums", 10_000, "how many albums there are, with 10 tracks each")
	flag.Parse()

	chosen, err := choose(*ops)
	if err != nil {
		return err
	}
	if b.url = *database; b.url == "" {
		server, err := localpg.Temp(ctx, settings...)
		if err != nil {
			return err
		}
		defer server.Stop()
		b.url = server.URL("postgres")
	}
	if err := b.load(ctx); err != nil {
		return err
	}
	defer b.store.Close()
	report := Report{Accounts: b.accounts, Albums: b.albums, PoolSize: peers.PoolSize, Server: settings}
	report.Machine.Processors, report.Machine.Go = runtime.NumCPU(), runtime.Version()
	if err := b.db.QueryRow(ctx, "SHOW server_version").Scan(&report.Machine.PostgreSQL); err != nil {
		return err
	}
	if err := b.open(ctx, *names, &report); err != nil {
		return err
	}
	defer b.close()

	for _, op := range chosen {
		if err := b.same(ctx, &op); err != nil {
			return err
		}
	}
	for _, op := range chosen {
		samples, err := b.measure(ctx, &op, *cycles, *longest)
		if err != nil {
			return err
		}
		result := b.result(&op, samples)
		result.table(os.Stdout)
		report.Operations = append(report.Operations, result)
	}
	if *ops == "" || slices.Contains(strings.Split(*ops, ","), idKey) {
		result := measureIDs(*cycles)
		result.table(os.Stdout)
		report.Operations = append(report.Operations, result)
	}
	if *out != "" {
		if err := report.write(*out); err != nil {
			return err
		}
	}

	return report.slow()
}

// choose returns the operations with these keys.
func choose(keys string) ([]operation, error) {
	var chosen []operation
	wanted := strings.Split(keys, ",")
	for _, op := range operations {
		if keys == "" && !op.extra || slices.Contains(wanted, op.key) {
			chosen = append(chosen, op)
		}
	}
	for _, key := range wanted {
		if key != "" && key != idKey && !slices.ContainsFunc(operations, func(op operation) bool { return op.key == key }) {
			all := make([]string, 0, len(operations)+1)
			for _, op := range operations {
				all = append(all, op.key)
			}

			return nil, fmt.Errorf("there is no operation %q, but %s", key, strings.Join(append(all, idKey), ", "))
		}
	}

	return chosen, nil
}

// open opens the peers with these names, and pgx, at once.
func (b *bench) open(ctx context.Context, names string, report *Report) error {
	wanted := strings.Split(names, ",")
	const python = "SQLAlchemy"
	known := []string{python}
	for i, p := range peers.Go {
		known = append(known, p.Name)
		if i > 0 && names != "" && !slices.Contains(wanted, p.Name) {
			continue
		}
		peer, err := p.Open(ctx, b.url+"&application_name="+url.PathEscape(p.Name))
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		b.contenders = append(b.contenders, goPeer{peer, p.Name})
	}
	for _, name := range wanted {
		if name != "" && !slices.Contains(known, name) {
			return fmt.Errorf("there is no peer %q, but %s", name, strings.Join(known, ", "))
		}
	}
	if names != "" && !slices.Contains(wanted, python) {
		return nil
	}
	p, err := peers.OpenSQLAlchemy(ctx, b.url+"&application_name="+python)
	if err != nil {
		b.missing = append(b.missing, Row{Peer: python, Missing: err.Error()})

		return nil //nolint:nilerr // the tables say what is missing
	}
	report.Machine.SQLAlchemy = p.Version
	b.contenders = append(b.contenders, pythonPeer{p})

	return nil
}

func (b *bench) close() {
	for _, c := range b.contenders {
		c.close()
	}
}
