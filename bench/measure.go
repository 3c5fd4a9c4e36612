package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"musicstore/bench/peers"

	"golang.org/x/sync/errgroup"
)

// sample is what a call cost, on the average of a block.
type sample struct{ wall, cpu, server, bytes, allocs, trips float64 } // times in µs

// contender is a peer that can be measured.
type contender interface {
	name() string
	check(ctx context.Context, op *operation, in any) (any, error)
	block(ctx context.Context, op *operation, in []any) (sample, error)
	close()
}

type goPeer struct {
	peers.Peer

	title string
}

func (p goPeer) name() string { return p.title }

func (p goPeer) close() { p.Close() }

func (p goPeer) check(ctx context.Context, op *operation, in any) (result any, err error) {
	err = op.call(ctx, p.Peer, in, func(r any) { result = r })

	return result, err
}

func (p goPeer) block(parent context.Context, op *operation, in []any) (sample, error) {
	// A context that can be cancelled, as every handler has: with one that can't be, database/sql looks half as slow.
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	runtime.GC() // so that everybody pays for its own garbage
	run := calls(ctx, op, p.Peer, in)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := processCPU(), time.Now()
	err := run()
	wall, used := time.Since(start), processCPU()-cpu
	runtime.ReadMemStats(&after)
	n := float64(len(in))

	return sample{
		wall: micros(wall) / n, cpu: micros(used) / n,
		bytes:  float64(after.TotalAlloc-before.TotalAlloc) / n,
		allocs: float64(after.Mallocs-before.Mallocs) / n,
	}, err
}

// calls returns what does a block's calls, in goroutines that are there.
func calls(ctx context.Context, op *operation, p peers.Peer, in []any) (run func() error) {
	threads := max(op.threads, 1)
	some := func(first int) error {
		for i := first; i < len(in); i += threads {
			if err := op.call(ctx, p, in[i], nil); err != nil {
				return err
			}
		}

		return nil
	}
	if threads == 1 {
		return func() error { return some(0) }
	}
	begin := make(chan struct{})
	var ready sync.WaitGroup
	var group errgroup.Group
	for t := range threads {
		ready.Add(1)
		group.Go(func() error {
			growStack()
			ready.Done()
			<-begin

			return some(t)
		})
	}
	ready.Wait()

	return func() error {
		close(begin)

		return group.Wait()
	}
}

// growStack makes the goroutine's stack as large as that of one that has made calls before. A new one's is too small for
// any peer, and a block has few calls of each goroutine: who needs a little more than half of a size would pay for that,
// and for nothing else.
//
//go:noinline
func growStack() byte {
	var used [32 << 10]byte

	return used[rand.IntN(len(used))]
}

type pythonPeer struct{ *peers.SQLAlchemy }

func (p pythonPeer) name() string { return "SQLAlchemy" }

func (p pythonPeer) close() { p.Close() }

func (p pythonPeer) check(_ context.Context, op *operation, in any) (any, error) {
	return p.Check(op.method, in)
}

func (p pythonPeer) block(_ context.Context, op *operation, in []any) (sample, error) {
	wall, cpu, err := p.Block(op.method, max(op.threads, 1), in)
	n := float64(len(in))

	return sample{wall: micros(wall) / n, cpu: micros(cpu) / n}, err
}

// of returns the contenders that an operation is measured by.
func (b *bench) of(op *operation) []contender {
	return slices.DeleteFunc(slices.Clone(b.contenders), func(c contender) bool {
		return c.name() == peers.Pipelined && !op.lookUp || c.name() == peers.Best && b.link == nil && !op.batched
	})
}

// measure runs all peers in cycles: a block of calls of each, one peer after the other, in a new order every time.
func (b *bench) measure(ctx context.Context, op *operation, cycles int, longest time.Duration) ([][]sample, error) {
	if op.cycles > 0 {
		cycles = min(cycles, op.cycles)
	}
	if _, err := b.db.Exec(ctx, op.setup); err != nil {
		return nil, err
	}
	contenders := b.of(op)
	samples := make([][]sample, len(contenders))
	for i, c := range contenders { // until its connections are there and its statements prepared
		if _, err := b.block(ctx, op, c, max(op.calls, 4*op.threads)); err != nil {
			return nil, err
		}
		samples[i] = make([]sample, 0, cycles)
	}
	pids := b.backends(ctx)
	for start := time.Now(); cycles > 0 && time.Since(start) < longest; cycles-- {
		for _, i := range rand.Perm(len(contenders)) {
			c := contenders[i]
			if op.calls > 1 || b.link != nil { // what the others have displaced from the caches is not this one's to pay for, nor a ping
				if _, err := b.block(ctx, op, c, max(op.threads, 1)); err != nil {
					return nil, err
				}
			}
			server, trips := serverCPU(pids[c.name()]), b.link.count()
			s, err := b.block(ctx, op, c, op.calls)
			if err != nil {
				return nil, err
			}
			s.server = (serverCPU(pids[c.name()]) - server) / float64(op.calls)
			s.trips = (b.link.count() - trips) / float64(op.calls)
			samples[i] = append(samples[i], s)
		}
	}

	return samples, nil
}

func (b *bench) block(ctx context.Context, op *operation, c contender, n int) (sample, error) {
	in, err := op.prepare(ctx, b, n)
	if err != nil {
		return sample{}, err
	}
	s, err := c.block(ctx, op, in)
	if err != nil {
		return s, fmt.Errorf("%s: %s: %w", op.key, c.name(), err)
	}
	if op.after != nil {
		err = op.after(ctx, b)
	}

	return s, err
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// processCPU is how long the processors have been busy with this process, garbage collection included.
func processCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}

	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// backends returns the processes of the server that work for each peer.
func (b *bench) backends(ctx context.Context) map[string][]int {
	pids := map[string][]int{}
	rows, err := b.db.Query(ctx, "SELECT application_name, pid FROM pg_stat_activity WHERE application_name <> ''")
	if err != nil {
		return pids
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var pid int
		if rows.Scan(&name, &pid) == nil {
			pids[name] = append(pids[name], pid)
		}
	}

	return pids
}

// serverCPU is how long the processors have been busy with these processes, in µs; 0 where there is no Linux.
func serverCPU(pids []int) float64 {
	sum := 0.0
	for _, pid := range pids {
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/schedstat")
		busy, _, _ := strings.Cut(string(text), " ")
		ns, _ := strconv.ParseFloat(busy, 64)
		sum += ns / 1000
	}

	return sum
}
