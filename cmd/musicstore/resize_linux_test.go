package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A bar that is longer than a line would be left on the screen each time that it is shown anew.
func TestProgress_FitsAWindowThatBecomesNarrower(t *testing.T) {
	t.Parallel()
	window, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	defer window.Close()
	require.NoError(t, unix.IoctlSetPointerInt(int(window.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(window.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	defer terminal.Close()

	now := time.Date(2024, time.May, 3, 12, 0, 0, 0, time.UTC)
	p := &progress{w: terminal, columns: 120, size: 1000, now: func() time.Time { return now }, started: now, shown: now}
	shown := func(columns uint16) string {
		require.NoError(t, unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}))
		now = now.Add(time.Second)
		p.at(500, counts{Albums: 5, Tracks: 50})
		text := make([]byte, 4096)
		n, err := window.Read(text)
		require.NoError(t, err)

		return strings.TrimSuffix(strings.TrimPrefix(string(text[:n]), "\r"), eraseRest)
	}
	require.Greater(t, columnsOf(shown(120)), 40, "the control: it would not fit")
	require.Less(t, columnsOf(shown(40)), 40)
	require.Greater(t, columnsOf(shown(120)), 40)
}
