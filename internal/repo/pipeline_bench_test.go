package repo_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

// BenchmarkPipelining looks accounts up from some goroutines at once: by hand-written pgx, by a store, and by one with
// pipelining. A cycle (b.N counts them) has a block of each, in random order, so that what else the machine does is
// shared by all; the ratio to pgx is taken per cycle. It reports medians:
//
//	go test -run - -bench Pipelining -benchtime 150x ./internal/repo
func BenchmarkPipelining(b *testing.B) {
	url := dbtest.URL(b)
	open := func(opts ...repo.Option) *repo.Repo {
		store, err := repo.Open(b.Context(), url, opts...)
		require.NoError(b, err)
		b.Cleanup(store.Close)

		return store
	}
	stores := map[string]*repo.Repo{"pgx": open(), "plain": open(), "pipelined": open(repo.WithPipelining())}
	const accounts = 1000
	emails := make([]string, accounts)
	for i := range emails {
		emails[i] = fmt.Sprintf("account%d@x", i)
		newAccount(b, stores["plain"], repo.Email(emails[i]))
	}
	pool := stores["pgx"].DB().(*pgxpool.Pool)
	const sql = `SELECT id, email, email_key, password_hash, created_at, email_confirmed, is_super_user
		FROM accounts WHERE email_key = $1`
	look := map[string]func(ctx context.Context, email string) error{
		"pgx": func(ctx context.Context, email string) error {
			var a repo.Account

			return pool.QueryRow(ctx, sql, email).Scan(&a.ID, &a.Email, &a.EmailKey, &a.PasswordHash, &a.CreatedAt,
				&a.EmailConfirmed, &a.IsSuperUser)
		},
	}
	for _, name := range []string{"plain", "pipelined"} {
		look[name] = func(ctx context.Context, email string) error {
			_, err := stores[name].GetAccountByEmail(ctx, email)

			return err
		}
	}
	// block is what a look-up takes, of so many that goroutines share: in wall time, and in CPU time of both sides.
	block := func(name string, goroutines, n int) (wall, cpu float64) {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		pids := backends(b, stores[name])
		cpuBefore, start := cpuTime(b, pids), time.Now()
		var next atomic.Int64
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for i := next.Add(1); i <= int64(n); i = next.Add(1) {
					if err := look[name](ctx, emails[rand.IntN(accounts)]); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		wall = float64(time.Since(start).Nanoseconds()) / float64(n)

		return wall, float64((cpuTime(b, pids) - cpuBefore).Nanoseconds()) / float64(n)
	}
	for _, goroutines := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			names := []string{"pgx", "plain", "pipelined"}
			n := max(300, 20*goroutines)
			var pgx []float64
			wallRatios, cpuRatios := map[string][]float64{}, map[string][]float64{}
			for cycle := -5; cycle < b.N; cycle++ { // the first few warm up
				rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
				wall, cpu := map[string]float64{}, map[string]float64{}
				for _, name := range names {
					wall[name], cpu[name] = block(name, goroutines, n)
				}
				if cycle < 0 {
					continue
				}
				pgx = append(pgx, wall["pgx"])
				for _, name := range names {
					wallRatios[name] = append(wallRatios[name], wall[name]/wall["pgx"])
					cpuRatios[name] = append(cpuRatios[name], cpu[name]/cpu["pgx"])
				}
			}
			b.ReportMetric(0, "ns/op") // of a cycle: it says nothing
			b.ReportMetric(median(pgx), "pgx-ns")
			for _, name := range []string{"plain", "pipelined"} {
				b.ReportMetric(median(wallRatios[name]), name+"/pgx")
				b.ReportMetric(median(cpuRatios[name]), name+"/pgx-cpu")
			}
		})
	}
}

// backends are the process ids of the server's side of a store's pool.
func backends(b *testing.B, store *repo.Repo) (pids []uint32) {
	b.Helper()
	for _, conn := range store.DB().(*pgxpool.Pool).AcquireAllIdle(b.Context()) {
		pids = append(pids, conn.Conn().PgConn().PID())
		conn.Release()
	}

	return pids
}

// cpuTime is what this process and some others have used of the processors since they began.
// https://docs.kernel.org/scheduler/sched-stats.html
func cpuTime(b *testing.B, pids []uint32) time.Duration {
	b.Helper()
	var own syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &own))
	sum := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
		if err != nil {
			continue
		}
		var ns time.Duration
		_, err = fmt.Sscan(string(stat), &ns)
		require.NoError(b, err)
		sum += ns
	}

	return sum
}

func median(of []float64) float64 {
	slices.Sort(of)

	return of[len(of)/2]
}
