package main

import (
	"runtime"
	"strings"
	"time"

	"musicstore/internal/repo"

	"github.com/google/uuid"
)

const idKey = "id"

// measureIDs measures how an id is made, which needs no server: by the store, and by taking the dashes out of a string.
func measureIDs(cycles int) Result {
	const calls = 10_000
	ways := []struct {
		name string
		id   func() string
	}{
		{"without its dashes", func() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }},
		{"musicstore", repo.NewID},
	}
	samples := make([][]sample, len(ways))
	for range cycles {
		for i, way := range ways {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			cpu, start := processCPU(), time.Now()
			for range calls {
				_ = way.id()
			}
			wall, used := time.Since(start), processCPU()-cpu
			runtime.ReadMemStats(&after)
			samples[i] = append(samples[i], sample{
				wall: micros(wall) / calls, cpu: micros(used) / calls,
				bytes:  float64(after.TotalAlloc-before.TotalAlloc) / calls,
				allocs: float64(after.Mallocs-before.Mallocs) / calls,
			})
		}
	}
	b := bench{}
	for _, way := range ways {
		b.contenders = append(b.contenders, goPeer{title: way.name})
	}

	return b.result(&operation{key: idKey, title: "An id of 32 hexadecimal characters", calls: calls}, samples)
}
