package budget_test

import (
	"runtime"
	"testing"

	"musicstore/bench/fill"
	"musicstore/internal/dbtest"

	"github.com/stretchr/testify/require"
)

// A million accounts are some 300 MB; a walk must hold no more than its page.
func TestWalk_SoakAMillionAccountsInLessThan64MB(t *testing.T) { //nolint:paralleltest // the heap is the whole process's
	dbtest.Soak(t)
	const million = 1_000_000
	r := dbtest.New(t)
	for first := 0; first < million; first += million / 10 {
		require.NoError(t, fill.Accounts(t.Context(), r.DB(), first, first+million/10, million))
	}

	walked, peak := 0, uint64(0)
	for _, err := range r.AllAccounts(t.Context()) {
		require.NoError(t, err)
		if walked++; walked%10_000 == 0 {
			peak = max(peak, heap())
		}
	}
	require.Equal(t, million, walked)
	require.Less(t, peak, uint64(64<<20))
	t.Logf("at most %.1f MB of heap, garbage included", float64(peak)/(1<<20))

	// The control: what keeps every account is over it.
	kept := make([]any, 0, million)
	for account, err := range r.AllAccounts(t.Context()) {
		require.NoError(t, err)
		kept = append(kept, account)
	}
	require.Greater(t, heap(), uint64(64<<20))
	runtime.KeepAlive(kept)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return m.HeapAlloc
}
