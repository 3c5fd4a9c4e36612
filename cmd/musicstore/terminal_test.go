package main

import (
	"bytes"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestBar(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		n, most int64
		columns int
		want    string
	}{
		{0, 0, 8, ""},
		{0, 10, 8, ""},
		{1, 1_000_000, 8, "▏"},
		{5, 10, 8, "████"},
		{9, 16, 4, "██▎"},
		{10, 10, 8, "████████"},
		{1 << 62, 1 << 62, 3, "███"},
	} {
		require.Equal(t, test.want, bar(test.n, test.most, test.columns), "%d of %d", test.n, test.most)
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Ágætis\ufffd[2J\ufffdbyrjun 🎺", printable("Ágætis\x1b[2J\nbyrjun 🎺"))
}

func TestProgress(t *testing.T) {
	t.Parallel()
	// at shows what an import of 1000 bytes prints that calls every step for so many times.
	at := func(columns int, size int64, step time.Duration, times int64) string {
		var out bytes.Buffer
		now := time.Date(2024, time.May, 3, 12, 0, 0, 0, time.UTC)
		p := &progress{w: &out, columns: columns, size: size, now: func() time.Time { return now }, started: now, shown: now}
		for i := range times {
			now = now.Add(step)
			p.at((i+1)*100, counts{Albums: int(i + 1), Tracks: int(10 * (i + 1))})
		}
		p.end()

		return out.String()
	}

	t.Run("IsALineEveryFiveSeconds", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "20 %  2 albums with 20 tracks, 4 tracks/s, 0:20 left\n40 %  4 albums with 40 tracks, 4 tracks/s, 0:15 left\n",
			at(0, 1000, 2500*time.Millisecond, 5))
	})
	t.Run("IsNothingForWhatIsQuick", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, at(0, 1000, time.Second, 4))
		require.Empty(t, at(80, 1000, 9*time.Millisecond, 10))
	})
	t.Run("DoesNotGuessWhereTheEndIs", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "1 album with 10 tracks, 2 tracks/s\n", at(0, 0, 5*time.Second, 1))
	})
	t.Run("IsABarThatFitsTheTerminalAndGoes", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "\r 50 %  1 album with 10 tracks, 10 tracks/s, 0:01 left  ████████████\x1b[K\r\x1b[K",
			at(80, 200, time.Second, 1))
		for columns := 1; columns < 100; columns++ {
			shown := at(columns, 200, time.Second, 1)
			shown = shown[len("\r") : len(shown)-len("\x1b[K\r\x1b[K")]
			require.Less(t, utf8.RuneCountInString(shown), columns+1, "%d columns", columns)
		}
	})
}
