package main

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"musicstore/bench/peers"

	"github.com/stretchr/testify/require"
)

// echo returns a connection to a server that sends back what it gets, over a link.
func echo(t *testing.T) (*link, net.Conn) {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	l, err := openLink(t.Context(), server.Addr().String())
	require.NoError(t, err)
	t.Cleanup(l.close)
	conn, err := net.Dial("tcp", l.address())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })

	return l, conn
}

// roundTrips returns how long the fastest of ten round trips takes.
func roundTrips(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	fastest := time.Hour
	for range 10 {
		start := time.Now()
		_, err := conn.Write([]byte{1})
		require.NoError(t, err)
		_, err = io.ReadFull(conn, make([]byte, 1))
		require.NoError(t, err)
		fastest = min(fastest, time.Since(start))
	}

	return fastest
}

func TestLink_DelaysEachDirection(t *testing.T) {
	t.Parallel()
	const delay = 20 * time.Millisecond
	l, conn := echo(t)
	require.Less(t, roundTrips(t, conn), 2*delay, "without a delay")
	l.set(delay)
	require.GreaterOrEqual(t, roundTrips(t, conn), 2*delay)
}

func TestLink_KeepsTheOrderAndEndsBothSides(t *testing.T) {
	t.Parallel()
	l, conn := echo(t)
	const numbers = 2000
	go func() {
		for i := range uint32(numbers) {
			l.set(time.Duration(i%7) * time.Millisecond) // what is sent later would be due earlier
			_, _ = conn.Write(binary.BigEndian.AppendUint32(nil, i))
		}
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	for i := range uint32(numbers) {
		var got uint32
		require.NoError(t, binary.Read(conn, binary.BigEndian, &got))
		require.Equal(t, i, got)
	}
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestLink_CountsRoundTrips(t *testing.T) {
	t.Parallel()
	l, conn := echo(t)
	l.set(20 * time.Millisecond)
	roundTrips(t, conn)
	require.InDelta(t, 10, l.count(), 0)
	for range 3 { // without waiting in between
		_, err := conn.Write([]byte{1})
		require.NoError(t, err)
	}
	_, err := io.ReadFull(conn, make([]byte, 3))
	require.NoError(t, err)
	require.InDelta(t, 11, l.count(), 0)
}

// The peers are compared by their round trips, so these are known here of those that are written by hand.
func TestNetwork_RoundTripsOfThePeers(t *testing.T) { //nolint:paralleltest // other tests would take its time
	ctx := t.Context()
	server, address, err := secureServer(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	b := bench{url: server.URL("postgres"), accounts: 200, albums: 110}
	require.NoError(t, b.load(ctx))
	t.Cleanup(b.store.Close)
	require.NoError(t, b.connect(ctx, address))
	t.Cleanup(b.link.close)
	require.NoError(t, b.open(ctx, peers.Store, &Report{}))
	t.Cleanup(b.close)
	b.link.set(5 * time.Millisecond)

	want := map[string]map[string]float64{
		"account-by-email": {peers.Best: 1, peers.Pgx: 1, peers.Store: 1},
		"album-by-id":      {peers.Best: 1, peers.Pgx: 2, peers.Store: 1},
		"list-albums":      {peers.Best: 1, peers.Pgx: 2, peers.Store: 1},
		"create-album":     {peers.Best: 1, peers.Pgx: 1, peers.Store: 1},
		"record-purchase":  {peers.Best: 1, peers.Pgx: 1, peers.Store: 1},
		"buy":              {peers.Best: 3, peers.Pgx: 4, peers.Store: 3},
	}
	chosen, err := choose("", true)
	require.NoError(t, err)
	require.Len(t, chosen, len(networkOperations))
	for _, op := range chosen {
		require.NoError(t, b.same(ctx, &op), op.key)
	}
	for _, op := range chosen {
		samples, err := b.measure(ctx, &op, 1, time.Minute)
		require.NoError(t, err)
		for i, c := range b.of(&op) {
			if trips, known := want[op.key][c.name()]; known {
				require.InDelta(t, trips, samples[i][0].trips, 0, "%s: %s", op.key, c.name())
			}
			require.GreaterOrEqual(t, samples[i][0].wall, 10_000*samples[i][0].trips, "%s: %s", op.key, c.name())
		}
	}
	require.Equal(t, []string{peers.Best, peers.Pgx, peers.Store}, namesOf(b.contenders), "the one to compare with is the first")
	require.True(t, b.allSecure(ctx, t))
}

func namesOf(contenders []contender) (names []string) {
	for _, c := range contenders {
		names = append(names, c.name())
	}

	return names
}

// allSecure reports whether all peers have connections, and only with TLS.
func (b *bench) allSecure(ctx context.Context, t *testing.T) bool {
	t.Helper()
	rows, err := b.db.Query(ctx, `SELECT application_name, bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
		WHERE client_addr IS NOT NULL GROUP BY 1 ORDER BY 1`)
	require.NoError(t, err)
	defer rows.Close()
	var names []string
	all := true
	for rows.Next() {
		var name string
		var secure bool
		require.NoError(t, rows.Scan(&name, &secure))
		names, all = append(names, name), all && secure
	}
	want := namesOf(b.contenders)
	slices.Sort(want)
	slices.Sort(names)
	require.Equal(t, want, names)

	return all
}

func TestParseDelays(t *testing.T) {
	t.Parallel()
	delays, err := parseDelays("500us,2ms")
	require.NoError(t, err)
	require.Equal(t, []time.Duration{500 * time.Microsecond, 2 * time.Millisecond}, delays)
	for _, text := range []string{"", "2", "0s", "-1ms", "1ms,"} {
		_, err := parseDelays(text)
		require.ErrorContains(t, err, "-delays", text)
	}
}
