package dbtx_test

import (
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/wireproxy"
)

// A link whose packets are dropped without a word is given up by the system: after half a minute when it is idle, after
// two minutes when something was sent.
func TestOpen_HasTheSystemNoticeADeadLink(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	option := func(conn *pgx.Conn, name int) (value int) {
		tcp, ok := conn.PgConn().Conn().(*net.TCPConn)
		require.True(t, ok)
		raw, err := tcp.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, name) }))
		require.NoError(t, err)

		return value
	}
	proxy := wireproxy.New(t, dbtest.URL(t))
	for _, setting := range []string{"", "connect_timeout=7"} {
		store, err := testdb.Open(ctx, proxy.URL(setting))
		require.NoError(t, err)
		conn, err := store.DB().(*pgxpool.Pool).Acquire(ctx)
		require.NoError(t, err)
		require.Equal(t, 120_000, option(conn.Conn(), unix.TCP_USER_TIMEOUT))
		require.Equal(t, 15, option(conn.Conn(), unix.TCP_KEEPIDLE))
		require.Equal(t, 5, option(conn.Conn(), unix.TCP_KEEPINTVL))
		require.Equal(t, 3, option(conn.Conn(), unix.TCP_KEEPCNT))
		conn.Release()
		store.Close()
	}
	naive, err := pgx.Connect(ctx, proxy.URL(""))
	require.NoError(t, err)
	defer naive.Close(ctx)
	require.Zero(t, option(naive, unix.TCP_USER_TIMEOUT), "the control: the system would wait for a quarter of an hour")
}
