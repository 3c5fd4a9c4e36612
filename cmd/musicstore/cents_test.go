package main

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// A database without our checks may have negative amounts.
func TestCents_HasItsSignOnceAndInFront(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0.00", 5: "0.05", 999: "9.99", -5: "-0.05", -30: "-0.30", -100: "-1.00", -999: "-9.99",
		math.MaxInt64: "92233720368547758.07", math.MinInt64: "-92233720368547758.08",
	} {
		require.Equal(t, want, cents(n))
	}
	naive := func(n int64) string { return fmt.Sprintf("%d.%02d", n/100, n%100) }
	require.Equal(t, "0.-5", naive(-5), "the control")
}
