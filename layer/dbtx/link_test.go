package dbtx_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/wireproxy"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// kindsOfQueries are a read, a write with a key and one without, with how many messages to leave out between two faults.
var kindsOfQueries = map[string]int{"GetReader": 15, "CreateReader": 15, "CreatePaper": 15}

func TestRepo_OutlivesItsLink(t *testing.T) {
	t.Parallel()
	// Some messages: all messages of all queries are in TestSoak_EveryQueryOutlivesItsLink.
	for name, step := range kindsOfQueries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "CreateReader" {
				dbtest.Full(t)
			}
			breakEverywhere(t, dbgen.Metadata.Find(name), false, step)
		})
	}
}

func TestSoak_EveryQueryOutlivesItsLink(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	for _, q := range dbgen.Metadata.Queries {
		t.Run(q.Name, func(t *testing.T) {
			t.Parallel()
			breakEverywhere(t, q, false, 1)
		})
		if kindsOfQueries[q.Name] > 0 {
			t.Run(q.Name+"OnANewConnection", func(t *testing.T) {
				t.Parallel()
				breakEverywhere(t, q, true, 1)
			})
		}
	}
}

// breakEverywhere calls a query again and again, with the link broken at its first message, or one soon after, then so many messages
// later, and so on to its last, in every way there is.
func breakEverywhere(t *testing.T, q *dbtx.Query, fresh bool, step int) {
	t.Helper()
	url := dbtest.URL(t)
	direct := open(t, url+"&pool_max_conns=1")
	proxy := wireproxy.New(t, url)
	changes := false // whether a call in calm weather changes a row
	for i, fault := range append([]string{""}, dbtest.Sample(2, slices.Sorted(maps.Keys(dbtxtest.LinkFaults))...)...) {
		if fresh && fault == "CancelledInSilence" {
			continue // the pool goes on to make a connection that nobody waits for, until its connect_timeout
		}
		faults, failed := 0, map[string]int{}
		store := open(t, proxy.URL("pool_max_conns=1"))
		pool := store.DB().(*pgxpool.Pool)
		for at := 1 + 2*i%step; ; at += step { // each fault at other messages
			if fresh {
				pool.Reset()
				proxy.Settle(0)
			} else {
				dbtxtest.Forget(t, pool)
			}
			run := queries.New()
			require.NoError(t, run.Seed(t.Context(), testdb.Store(direct)))
			call, err := run.Prepare(t.Context(), testdb.Store(direct), testdb.Store(store), q)
			require.NoError(t, err)
			if q.Name == "CreateInvitation" { // a reader may have one that is open
				_, err := direct.DB().Exec(t.Context(), "UPDATE invitations SET used_at = now()")
				require.NoError(t, err)
			}
			before := rowsWritten(t, direct, q)
			ctx, cancel := context.WithCancel(t.Context())
			broken := at
			if fault == "" {
				broken = 0
			}
			w := dbtxtest.NewWire(&dbgen.Metadata, broken, func() wireproxy.Action { return dbtxtest.LinkFaults[fault](cancel) })
			where := fmt.Sprintf("%s at message %d", fault, at)

			proxy.Set(w.Rule)
			err = call(ctx)
			proxy.Set(nil)
			cancel()

			// The pool's one connection can be had again, idle and good, and is all that is left.
			require.NoError(t, pool.AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
				require.Equal(t, byte('I'), c.Conn().PgConn().TxStatus(), where)

				return nil
			}), where)
			_, readErr := store.HasInvitation(t.Context(), "")
			require.NoError(t, readErr, where)
			proxy.Settle(1)

			after := rowsWritten(t, direct, q)
			if fault == "" {
				require.NoError(t, err)
				changes = after.hash != before.hash

				break
			}
			broke, runs := w.Result()
			kind := dbtxtest.KindOf(err)
			require.NotEqual(t, "untyped", kind, "%s: %v", where, err)
			require.True(t, q.Write || kind != "outcome unknown", "%s: %v", where, err)
			require.LessOrEqual(t, after.count-before.count, 1, where)
			switch kind {
			case "done":
				require.Equal(t, changes, after.hash != before.hash, where)
			case "outcome unknown":
			default:
				require.Equal(t, before, after, "%s: %v", where, err)
			}
			if !q.Keyed {
				require.LessOrEqual(t, runs, 1, where)
			}
			if !broke { // the call ended before it
				require.NoError(t, err, where)

				break
			}
			faults++
			failed[kind]++
		}
		if fault != "" {
			require.Positive(t, faults)
			t.Logf("%s: %d messages: %v", fault, faults, failed)
		}
		store.Close() // and the pool ends, as does all behind it
		require.Zero(t, pool.Stat().TotalConns())
		proxy.Settle(0)
	}
	var left int
	require.NoError(t, direct.DB().QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND state LIKE 'idle in transaction%'`).Scan(&left))
	require.Zero(t, left, "no session is left in a transaction")
}

// written is what the tables hold that a query writes to.
type written struct {
	hash  string
	count int
}

func rowsWritten(t *testing.T, direct *testdb.Repo, q *dbtx.Query) (all written) {
	t.Helper()
	for _, u := range q.Uses {
		if len(u.Insert) == 0 && len(u.Update) == 0 && !u.Delete {
			continue
		}
		var hash string
		var count int
		require.NoError(t, direct.DB().QueryRow(t.Context(), `SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')), count(*)
			FROM `+u.Table+" AS t").Scan(&hash, &count))
		all = written{all.hash + hash, all.count + count}
	}

	return all
}
