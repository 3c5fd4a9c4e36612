package dbtxtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"musicstore/layer/dbtx"
	"musicstore/layer/wireproxy"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// LinkFaults are the ways in which a link breaks at a message, by a rule that is asked once. cancel ends the context of the call.
var LinkFaults = map[string]func(cancel context.CancelFunc) wireproxy.Action{
	"CutBefore": func(context.CancelFunc) wireproxy.Action { return wireproxy.CutBefore },
	"CutAfter":  func(context.CancelFunc) wireproxy.Action { return wireproxy.CutAfter },
	"CancelledInSilence": func(cancel context.CancelFunc) wireproxy.Action {
		cancel()

		return wireproxy.Stall
	},
	"CancelledInPassing": func(cancel context.CancelFunc) wireproxy.Action {
		cancel()

		return wireproxy.Pass
	},
}

// Wire counts the messages of one call, breaks the link at one of them, and notes what reached the server.
type Wire struct {
	metadata *dbtx.Metadata
	at       int
	fault    func() wireproxy.Action

	mu     sync.Mutex
	seen   int
	broken bool
	parsed map[string]string // the SQL of the prepared statements, by connection and name
	bound  map[int]string    // the SQL of the portal, by connection
	runs   int
	inTx   map[int]bool

	readOnly map[int]bool // the transaction that was begun last is
}

// NewWire returns a wire that asks fault for what to do at message number at; 0 is none. The metadata says which statements only read.
func NewWire(m *dbtx.Metadata, at int, fault func() wireproxy.Action) *Wire {
	return &Wire{metadata: m, at: at, fault: fault, parsed: map[string]string{}, bound: map[int]string{}, inTx: map[int]bool{}, readOnly: map[int]bool{}}
}

// Rule is the rule for a proxy.
func (w *Wire) Rule(m wireproxy.Message) wireproxy.Action {
	w.mu.Lock()
	defer w.mu.Unlock()
	do := wireproxy.Pass
	if _, cancels := m.Is.(*pgproto3.CancelRequest); !cancels {
		if w.seen++; w.seen == w.at {
			w.broken = true
			do = w.fault()
		}
	}
	if do == wireproxy.CutBefore || do == wireproxy.Stall {
		return do
	}
	switch is := m.Is.(type) {
	case *pgproto3.ReadyForQuery:
		w.inTx[m.Link] = is.TxStatus != 'I'
	case *pgproto3.Parse:
		w.parsed[fmt.Sprint(m.Link, is.Name)] = is.Query
	case *pgproto3.Bind:
		w.bound[m.Link] = w.parsed[fmt.Sprint(m.Link, is.PreparedStatement)]
	case *pgproto3.Execute:
		sql := w.bound[m.Link]
		switch word := dbtx.StatementName(sql); {
		case word == "BEGIN":
			w.inTx[m.Link] = true // before the server says so: a statement may come with it
			w.readOnly[m.Link] = strings.HasSuffix(sql, " read only")
		case word == "COMMIT" && w.readOnly[m.Link]: // it changes nothing
		case !w.inTx[m.Link] && !w.reads(sql):
			w.runs++
		}
	case *pgproto3.Query:
		if is.String == "commit" {
			w.runs++
		}
	}

	return do
}

// reads reports whether a statement changes nothing.
func (w *Wire) reads(sql string) bool {
	if q := w.metadata.Query(sql); q != nil {
		return !q.Write
	}
	word := dbtx.StatementName(sql)

	return word == "SELECT" || word == "BEGIN" || word == "SAVEPOINT"
}

// Result returns whether the link was broken, and how often a statement that changes something outside a transaction, or COMMIT,
// went to the server.
func (w *Wire) Result() (broken bool, runs int) {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.broken, w.runs
}

// Forget makes a pool's one connection as a new one is, to which no statement is known yet.
func Forget(tb testing.TB, pool *pgxpool.Pool) {
	tb.Helper()
	require.NoError(tb, pool.AcquireFunc(tb.Context(), func(c *pgxpool.Conn) error {
		clear(c.Conn().PgConn().CustomData())

		return c.Conn().DeallocateAll(tb.Context())
	}))
}

// KindOf says in words what the error of a call on a broken link means: "done", "outcome unknown", "unavailable", "cancelled", or
// "untyped", which none may be.
func KindOf(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, dbtx.ErrOutcomeUnknown):
		return "outcome unknown"
	case errors.Is(err, dbtx.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	default:
		return "untyped"
	}
}
