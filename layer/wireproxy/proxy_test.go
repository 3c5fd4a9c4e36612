package wireproxy_test

import (
	"context"
	"strings"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/wireproxy"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// link returns a connection through a proxy, and the same database without it, with a table of numbers.
func link(t *testing.T) (p *wireproxy.Proxy, through, direct *pgx.Conn) {
	t.Helper()
	url := dbtest.EmptyURL(t)
	p = wireproxy.New(t, url)
	direct = connect(t, url)
	exec(t, direct, "CREATE TABLE numbers (n int)")

	return p, connect(t, p.URL("application_name=through")), direct
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = conn.Close(ctx)
		<-conn.PgConn().CleanupDone()
	})

	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func count(t *testing.T, conn *pgx.Conn) (n int) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM numbers").Scan(&n))

	return n
}

func TestProxy_PassesEverythingOn(t *testing.T) {
	t.Parallel()
	p, through, direct := link(t)
	var name string
	require.NoError(t, through.QueryRow(t.Context(), "SELECT current_setting('application_name')").Scan(&name))
	require.Equal(t, "through", name)
	var long string
	require.NoError(t, through.QueryRow(t.Context(), "SELECT repeat($1, 1000000)", "x").Scan(&long))
	require.Equal(t, strings.Repeat("x", 1000000), long)
	n, err := through.CopyFrom(t.Context(), pgx.Identifier{"numbers"}, []string{"n"},
		pgx.CopyFromSlice(5, func(i int) ([]any, error) { return []any{i}, nil }))
	require.NoError(t, err)
	require.Equal(t, int64(5), n)
	_, err = through.Exec(t.Context(), "SELECT 1/0")
	require.ErrorAs(t, err, new(*pgconn.PgError))
	require.Equal(t, 5, count(t, direct))
	require.Zero(t, p.Cuts())
}

func TestProxy_CutsBeforeAndAfterAMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule wireproxy.Rule
		want int // rows
		ok   bool
	}{
		"BeforeTheQuery":  {wireproxy.Nth[*pgproto3.Query](1, wireproxy.CutBefore), 0, false},
		"AfterTheQuery":   {wireproxy.Nth[*pgproto3.Query](1, wireproxy.CutAfter), 1, false},
		"BeforeTheReply":  {wireproxy.Nth[*pgproto3.CommandComplete](1, wireproxy.CutBefore), 1, false},
		"BeforeItIsReady": {wireproxy.Nth[*pgproto3.ReadyForQuery](1, wireproxy.CutBefore), 1, false},
		"AfterItIsReady":  {wireproxy.Nth[*pgproto3.ReadyForQuery](1, wireproxy.CutAfter), 1, true},
		"InPlaceOfTheReply": {wireproxy.LoseReply(func(tag string) bool {
			return strings.HasPrefix(tag, "INSERT")
		}), 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, through, direct := link(t)
			p.Set(func(m wireproxy.Message) wireproxy.Action {
				if _, ok := m.Is.(*pgproto3.CancelRequest); ok { // pgx's, when it finds itself cut off
					return wireproxy.Drop
				}

				return c.rule(m)
			})
			_, err := through.Exec(t.Context(), "INSERT INTO numbers VALUES (1)", pgx.QueryExecModeSimpleProtocol)
			require.Equal(t, c.ok, err == nil, err)
			require.Equal(t, 1, p.Cuts())
			p.Settle(0)
			require.Equal(t, c.want, count(t, direct))
		})
	}
}

func TestProxy_LosesTheReplyToACommit(t *testing.T) {
	t.Parallel()
	p, through, direct := link(t)
	p.Set(wireproxy.LoseReply(func(tag string) bool { return tag == "COMMIT" }))
	tx, err := through.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "INSERT INTO numbers VALUES (1)")
	require.NoError(t, err)
	require.Zero(t, p.Cuts())
	require.Error(t, tx.Commit(t.Context()))
	require.Equal(t, 1, p.Cuts())
	p.Settle(0)
	require.Equal(t, 1, count(t, direct))
}

func TestProxy_RollsBackWhatWasCutBeforeItsCommit(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	p, through, direct := link(t)
	exec(t, through, "BEGIN; INSERT INTO numbers VALUES (1)")
	p.Set(wireproxy.Nth[pgproto3.Message](1, wireproxy.CutBefore))
	_, err := through.Exec(t.Context(), "COMMIT")
	require.Error(t, err)
	p.Settle(0)
	require.Zero(t, count(t, direct))
}

func TestProxy_DelaysAMessage(t *testing.T) {
	t.Parallel()
	p, through, direct := link(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	p.Set(func(m wireproxy.Message) wireproxy.Action {
		if _, ok := m.Is.(*pgproto3.Query); ok {
			close(arrived)
			m.Wait(release)
		}

		return wireproxy.Pass
	})
	done := make(chan error, 1)
	go func() {
		_, err := through.Exec(t.Context(), "INSERT INTO numbers VALUES (1)", pgx.QueryExecModeSimpleProtocol)
		done <- err
	}()
	<-arrived
	require.Zero(t, count(t, direct))
	close(release)
	require.NoError(t, <-done)
	require.Equal(t, 1, count(t, direct))
}

func TestProxy_DropsAMessageAndGoesOn(t *testing.T) {
	t.Parallel()
	p, through, _ := link(t)
	p.Set(wireproxy.Nth[*pgproto3.ParameterStatus](1, wireproxy.Drop))
	exec(t, through, "SET application_name = 'unheard'")
	require.Equal(t, "through", through.PgConn().ParameterStatus("application_name"))
	exec(t, through, "SET application_name = 'heard'")
	require.Equal(t, "heard", through.PgConn().ParameterStatus("application_name"))
	require.Zero(t, p.Cuts())
}

func TestProxy_StallsUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	p, through, direct := link(t)
	ctx, cancel := context.WithCancel(t.Context())
	p.Set(func(m wireproxy.Message) wireproxy.Action {
		if !m.FromClient() {
			return wireproxy.Pass
		}
		cancel()

		return wireproxy.Stall
	})
	_, err := through.Exec(ctx, "INSERT INTO numbers VALUES (1)")
	require.ErrorIs(t, err, context.Canceled)
	<-through.PgConn().CleanupDone()
	p.Settle(0)
	require.Zero(t, count(t, direct))
}

func TestProxy_CutsWhileAConnectionIsMade(t *testing.T) {
	t.Parallel()
	p := wireproxy.New(t, dbtest.EmptyURL(t))
	for name, rule := range map[string]wireproxy.Rule{
		"StartupMessage":   wireproxy.Nth[*pgproto3.StartupMessage](1, wireproxy.CutBefore),
		"AuthenticationOk": wireproxy.Nth[*pgproto3.AuthenticationOk](1, wireproxy.CutBefore),
		"ReadyForQuery":    wireproxy.Nth[*pgproto3.ReadyForQuery](1, wireproxy.CutBefore),
	} {
		p.Set(rule)
		_, err := pgx.Connect(t.Context(), p.URL(""))
		require.ErrorAs(t, err, new(*pgconn.ConnectError), name)
	}
	require.Equal(t, 3, p.Cuts())
}
