package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"musicstore/bench/peers"

	"github.com/stretchr/testify/require"
)

func reportOf(keys ...string) Report {
	r := Report{Accounts: 1000, Server: settings}
	for _, key := range keys {
		r.Operations = append(r.Operations, Result{Key: key, Title: key, Cycles: 1, Peers: []Row{
			{Peer: "pgx", Micros: 10, Ratio: Ratio{1, 1, 1}},
			{Peer: peers.Store, Micros: 11, Ratio: Ratio{1.05, 1.1, 1.2}},
			{Peer: "ent", Micros: 200, Ratio: Ratio{18, 20, 22}, Store: .055},
			{Peer: "SQLAlchemy", Missing: "no Python"},
		}})
	}

	return r
}

func written(t *testing.T, dir string) (r Report) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &r))

	return r
}

func TestReport_KeepsWhatWasNotMeasuredAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := reportOf("list-albums", "account-by-email", idKey)
	first.Machine.SQLAlchemy = "1.4"
	require.NoError(t, first.write(dir))
	again := reportOf("list-albums", "create-album")
	again.Operations[0].Peers[1].Micros = 12
	require.NoError(t, again.write(dir))

	got := written(t, dir)
	require.Equal(t, "1.4", got.Machine.SQLAlchemy, "a run without it is no other machine")
	keys := make([]string, len(got.Operations))
	for i, op := range got.Operations {
		keys[i] = op.Key
	}
	require.Equal(t, []string{"account-by-email", "list-albums", "create-album", idKey}, keys, "in the order of the list")
	require.InDelta(t, 12, got.Operations[1].Peers[1].Micros, 0)
	page, err := os.ReadFile(filepath.Join(dir, "README.md"))
	require.NoError(t, err)
	for _, key := range keys {
		require.FileExists(t, filepath.Join(dir, key+".svg"))
		require.Contains(t, string(page), "\n## "+key+"\n\n!["+key+"]("+key+".svg)\n")
	}
	require.Contains(t, string(page), "| ent | 200 µs | 20.00 | 18.00 to 22.00 | 0.06 | 0 µs |")
	require.Contains(t, string(page), "| SQLAlchemy: no Python | – |")

	other := reportOf("create-album")
	other.Machine.Processors = 64
	require.NoError(t, other.write(dir))
	require.Len(t, written(t, dir).Operations, 1, "what another machine measured goes")
}

func TestResult_HasItsRatiosOfEachCycle(t *testing.T) {
	t.Parallel()
	op := operation{calls: 1}
	samples := [][]sample{{{wall: 10}, {wall: 20}}, {{wall: 11}, {wall: 24}}, {{wall: 20}, {wall: 30}}}
	b := bench{contenders: []contender{goPeer{title: "pgx"}, goPeer{title: peers.Store}, goPeer{title: "ent"}}}
	rows := b.result(&op, samples).Peers
	require.InDelta(t, (2+1.5)/2, rows[2].Ratio.Median, 1e-9)
	require.InDelta(t, (11./20+24./30)/2, rows[2].Store, 1e-9)
	require.InDelta(t, 1, rows[1].Store, 0)

	b.contenders[1] = goPeer{title: "sqlc"}
	require.Zero(t, b.result(&op, samples).Peers[2].Store, "the store was not measured")
}

func TestReport_OfANetworkHasAPageOfItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, reportOf("buy").write(dir))
	over := func(delay time.Duration, keys ...string) Report {
		r := reportOf(keys...)
		r.Network = true
		for _, op := range r.Operations {
			op.Peers[0] = Row{Peer: peers.Best, Micros: 10, Ratio: Ratio{1, 1, 1}, Store: 1.1, Trips: 1}
			op.Peers[1].Trips = 4
		}
		for i := range r.Operations {
			r.Operations[i].Delay = delay
		}

		return r
	}
	require.NoError(t, over(2*time.Millisecond, "buy", "list-albums").write(dir))
	require.NoError(t, over(time.Millisecond/2, "buy").write(dir))
	text, err := os.ReadFile(filepath.Join(dir, "net.md"))
	require.NoError(t, err)
	page := string(text)
	require.Contains(t, page, "| buy | 0.5 ms | pgx at its best | 1.10 | 4 | 1 |\n", "it says what lost")
	require.Contains(t, page, "| buy | 2 ms | 1 | 4 | 10 µs | 11 µs | 1.10 | 1.05 to 1.20 |\n")
	require.Contains(t, page, "## list-albums, 2 ms in each direction\n")
	require.Less(t, strings.Index(page, "## buy, 0.5 ms"), strings.Index(page, "## buy, 2 ms"))
	require.Contains(t, page, "| ent | 200 µs | 20.00 | 18.00 to 22.00 | 0.06 | 0 |\n")
	require.Len(t, written(t, dir).Operations, 1, "what was measured without a network stays")
}

func TestReport_OfANetworkIsSlowEarlier(t *testing.T) {
	t.Parallel()
	r := reportOf("buy")
	require.NoError(t, r.slow())
	r.Network = true
	require.ErrorContains(t, r.slow(), "the store's ratio is 1.05, more than 1.03")
	r.Operations[0].Peers[1].Ratio.Q1 = networkBand
	require.NoError(t, r.slow())
}

func TestReport_IsSlowBeyondTheBand(t *testing.T) {
	t.Parallel()
	r := reportOf("list-albums", "create-album")
	require.NoError(t, r.slow(), "others may be slower")
	r.Operations[1].Peers[1].Ratio.Q1 = band + .01
	require.ErrorContains(t, r.slow(), "create-album: the lower quartile")
}
