// Command bench measures the store beside what else there is, on a private server. `make bench` runs it; README.md says
// how it measures.
package main

import (
	"cmp"
	"context"
	"errors"
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
		network  = flag.Bool("net", false, "measure over links with a delay, with TLS")
		delays   = flag.String("delays", "500us,2ms", "the delays of the links in each direction, separated by commas")
		cycles   = flag.Int("cycles", 0, "how many blocks of each peer to take the median of; 600 if 0, or 60 over links")
		ops      = flag.String("ops", "", "the operations, by their keys, separated by commas; all but the longest if empty")
		names    = flag.String("peers", "", "the peers, separated by commas; pgx is always one; all if empty")
		longest  = flag.Duration("longest", 0, "when to stop the cycles of an operation; 4m if 0, or 1m over links")
		out      = flag.String("out", "results", "the folder to write to; nothing is written if empty")
		database = flag.String("database-url", "", "an empty database to use instead of a private server's")
	)
	flag.IntVar(&b.accounts, "accounts", 1_000_000, "how many accounts there are")
	flag.IntVar(&b.albums, "albums", 10_000, "how many albums there are, with 10 tracks each")
	flag.Parse()

	chosen, err := choose(*ops, *network)
	if err != nil {
		return err
	}
	links := []time.Duration{0}
	report := Report{Accounts: b.accounts, Albums: b.albums, PoolSize: peers.PoolSize, Server: settings, Network: *network}
	switch b.url, b.peersURL = *database, *database; {
	case *network:
		if *database != "" {
			return errors.New("-net needs a server with TLS, and starts one: leave out -database-url")
		}
		*cycles, *longest = cmp.Or(*cycles, 60), cmp.Or(*longest, time.Minute)
		if links, err = parseDelays(*delays); err != nil {
			return err
		}
		server, address, err := secureServer(ctx, settings...)
		if err != nil {
			return err
		}
		defer server.Stop()
		b.url = server.URL("postgres")
		if err := b.connect(ctx, address); err != nil {
			return err
		}
		defer b.link.close()
		report.Server = append(slices.Clone(settings), "ssl=on")
	case b.url == "":
		server, err := localpg.Temp(ctx, settings...)
		if err != nil {
			return err
		}
		defer server.Stop()
		b.url = server.URL("postgres")
		b.peersURL = b.url
	}
	*cycles, *longest = cmp.Or(*cycles, 600), cmp.Or(*longest, 4*time.Minute)
	if err := b.load(ctx); err != nil {
		return err
	}
	defer b.store.Close()
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
	for _, delay := range links {
		if b.link != nil {
			b.link.set(delay)
		}
		for _, op := range chosen {
			samples, err := b.measure(ctx, &op, *cycles, *longest)
			if err != nil {
				return err
			}
			result := b.result(&op, samples)
			result.Delay = delay
			result.table(os.Stdout)
			report.Operations = append(report.Operations, result)
		}
	}
	if *ops == "" && !*network || slices.Contains(strings.Split(*ops, ","), idKey) {
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
func choose(keys string, network bool) ([]operation, error) {
	var chosen []operation
	wanted := strings.Split(keys, ",")
	for _, op := range operations {
		all := !op.extra
		if network {
			all = slices.Contains(networkOperations, op.key)
			op.calls = min(op.calls, networkCalls)
		}
		if keys == "" && all || slices.Contains(wanted, op.key) {
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
	for _, p := range peers.Go {
		known = append(known, p.Name)
		if p.Name != peers.Pgx && p.Name != peers.Best && names != "" && !slices.Contains(wanted, p.Name) {
			continue
		}
		peer, err := p.Open(ctx, b.peersURL+"&application_name="+url.PathEscape(p.Name))
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		b.contenders = append(b.contenders, goPeer{peer, p.Name})
	}
	if b.link != nil { // the one to compare with is the first
		b.contenders[0], b.contenders[1] = b.contenders[1], b.contenders[0]
	}
	for _, name := range wanted {
		if name != "" && !slices.Contains(known, name) {
			return fmt.Errorf("there is no peer %q, but %s", name, strings.Join(known, ", "))
		}
	}
	if names != "" && !slices.Contains(wanted, python) {
		return nil
	}
	p, err := peers.OpenSQLAlchemy(ctx, b.peersURL+"&application_name="+python)
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
