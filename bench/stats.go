package main

import (
	"math"
	"slices"
)

// quartiles of some numbers: a quarter of them is below q1, half below the median, three quarters below q3.
func quartiles(numbers []float64) (q1, median, q3 float64) {
	sorted := slices.Sorted(slices.Values(numbers))
	at := func(q float64) float64 {
		if len(sorted) == 0 {
			return math.NaN()
		}
		place := q * float64(len(sorted)-1)
		low := int(place)
		high := min(low+1, len(sorted)-1)

		return sorted[low] + (place-float64(low))*(sorted[high]-sorted[low])
	}

	return at(.25), at(.5), at(.75)
}

func median(numbers []float64) float64 {
	_, m, _ := quartiles(numbers)

	return m
}
