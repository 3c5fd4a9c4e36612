package dbtx_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/wireproxy"
)

// transactions are transactions that begin with each kind of statement. Each but "nothing" ends by writing the paper.
var transactions = map[string]struct {
	statements int // the paper's included
	alone      bool
	settings   testdb.Settings
	do         func(ctx context.Context, tx *testdb.Repo, paper string) error
}{
	"nothing":              {0, false, nil, func(context.Context, *testdb.Repo, string) error { return nil }},
	"a write":              {1, false, nil, addPaper},
	"settings and a write": {1, false, testdb.Settings{userSetting: "a", "work_mem": "8MB"}, addPaper},
	"a read, then a write": {2, false, nil, func(ctx context.Context, tx *testdb.Repo, name string) error {
		if _, err := tx.GetReaderByEmail(ctx, "buyer@x"); err != nil {
			return err
		}

		return addPaper(ctx, tx, name)
	}},
	"a list, then a write": {2, false, nil, func(ctx context.Context, tx *testdb.Repo, name string) error {
		if _, err := tx.ListPapers(ctx, 3); err != nil {
			return err
		}

		return addPaper(ctx, tx, name)
	}},
	"a batch, then a write": {2, false, nil, func(ctx context.Context, tx *testdb.Repo, name string) error {
		b := &pgx.Batch{}
		b.Queue("SELECT 1")
		b.Queue("SELECT 2")
		if err := testdb.Store(tx).DBTX().SendBatch(ctx, b).Close(); err != nil {
			return err
		}

		return addPaper(ctx, tx, name)
	}},
	"a savepoint": {3, true, nil, func(ctx context.Context, tx *testdb.Repo, name string) error {
		return tx.InTx(ctx, func(tx *testdb.Repo) error { return addPaper(ctx, tx, name) })
	}},
}

func addPaper(ctx context.Context, tx *testdb.Repo, name string) error {
	return tx.AddPaper(ctx, testdb.AddPaperParams(paper(name)))
}

// A transaction takes a round trip for each statement and one for COMMIT, once its statements are prepared.
func TestStore_InTx_SendsBeginWithTheFirstStatement(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	newReader(t, open(t, url), "buyer@x")
	proxy := wireproxy.New(t, dbtxtest.With(t, url, "default_query_exec_mode", "cache_statement"))
	store := open(t, proxy.URL("pool_max_conns=1"))
	var trips atomic.Int64
	count := func(do func() error) int64 {
		trips.Store(0)
		proxy.Set(func(m wireproxy.Message) wireproxy.Action {
			switch m.Is.(type) {
			case *pgproto3.Sync, *pgproto3.Query:
				trips.Add(1)
			}

			return wireproxy.Pass
		})
		defer proxy.Set(nil)
		require.NoError(t, do())

		return trips.Load()
	}
	for name, tx := range transactions {
		inTx := func() error {
			opts := testdb.TxOptions{Settings: tx.settings}

			return store.InTxWith(t.Context(), opts, func(r *testdb.Repo) error { return tx.do(t.Context(), r, testdb.NewID()) })
		}
		require.NoError(t, inTx(), "its statements are prepared")
		want := int64(tx.statements) + 1
		switch {
		case tx.statements == 0:
			want = 0
		case tx.alone:
			want++
		}
		require.Equal(t, want, count(inTx), name)
	}
	require.EqualValues(t, 3, count(func() error {
		return pgx.BeginFunc(t.Context(), store.DB().(*pgxpool.Pool), func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "SELECT 1", pgx.QueryExecModeExec)

			return err
		})
	}), "the control: pgx alone")
}

// A COPY that begins a transaction takes three round trips. No other session can change the columns between their look-up and the COPY.
func TestStore_InTx_CopiesTheTypesOfNow(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	direct := open(t, url)
	proxy := wireproxy.New(t, dbtxtest.With(t, url, "default_query_exec_mode", "cache_statement"))
	store := open(t, proxy.URL("pool_max_conns=1"))
	table, columns := pgx.Identifier{"weights"}, []string{"grams"}
	rows := func() pgx.CopyFromSource { return pgx.CopyFromRows([][]any{{2}}) }
	inTx := func() error {
		return store.InTx(t.Context(), func(tx *testdb.Repo) error {
			_, err := testdb.Store(tx).DBTX().CopyFrom(t.Context(), table, columns, rows())

			return err
		})
	}
	naive := func() error {
		return pgx.BeginFunc(t.Context(), store.DB().(*pgxpool.Pool), func(tx pgx.Tx) error {
			_, err := tx.CopyFrom(t.Context(), table, columns, rows())

			return err
		})
	}
	exec := func(sql string) error {
		_, err := direct.DB().Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)

		return err
	}
	for _, test := range []struct {
		name  string
		copy  func() error
		state string // of a change just before the COPY
		right bool
	}{
		{"here", inTx, "55P03", true},
		{"the control: pgx alone", naive, "", false}, // it writes an integer's bytes, which are those of another real
	} {
		require.NoError(t, exec("DROP TABLE IF EXISTS weights; CREATE TABLE weights (grams integer)"))
		require.NoError(t, test.copy(), test.name)
		require.NoError(t, test.copy(), test.name)
		trips, during := 0, ""
		proxy.Set(func(m wireproxy.Message) wireproxy.Action {
			switch is := m.Is.(type) {
			case *pgproto3.Sync:
				trips++
			case *pgproto3.Query:
				if trips++; strings.HasPrefix(is.String, "copy ") {
					during = dbtxtest.SQLState(exec("BEGIN; SET LOCAL lock_timeout = 100; ALTER TABLE weights ALTER COLUMN grams TYPE real; COMMIT"))
				}
			}

			return wireproxy.Pass
		})
		require.NoError(t, test.copy(), test.name)
		proxy.Set(nil)
		require.Equal(t, test.state, during, test.name)
		require.Equal(t, 3, trips, test.name)
		require.NoError(t, exec("ALTER TABLE weights ALTER COLUMN grams TYPE real"))
		require.NoError(t, test.copy(), test.name)
		require.NoError(t, test.copy(), test.name)
		var sum float32
		require.NoError(t, direct.DB().QueryRow(t.Context(), "SELECT sum(grams) FROM weights").Scan(&sum))
		require.Equal(t, test.right, sum == 10, "%s: %v", test.name, sum)
	}
}

// The link breaks at each message of a transaction, the one between the answers to BEGIN and to the first statement among them. What was
// cut before COMMIT runs again. After that its outcome is unknown.
func TestSoak_InTxOutlivesItsLinkAtEveryMessage(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	for name, tx := range transactions {
		if tx.statements == 0 {
			continue // it sends no message
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t)
			direct := open(t, url)
			newReader(t, direct, "buyer@x")
			proxy := wireproxy.New(t, url)
			store := open(t, proxy.URL("pool_max_conns=1"))
			pool := store.DB().(*pgxpool.Pool)
			kept := func(name string) (n int) {
				require.NoError(t, direct.DB().QueryRow(t.Context(), "SELECT count(*) FROM papers WHERE name = $1", name).Scan(&n))

				return n
			}
			var between atomic.Int64
			var written atomic.Bool // and its caller knows it
			doubled := 0
			for fault, breaks := range dbtxtest.LinkFaults {
				for at := 1; ; at++ {
					// call has the link broken at this message, and returns whether it came so far.
					call := func(inTx func(ctx context.Context) error) (broken bool, runs int, err error) {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						written.Store(false)
						var begun, inserted atomic.Bool
						w := dbtxtest.NewWire(&dbgen.Metadata, at, func() wireproxy.Action {
							if begun.Load() {
								between.Add(1)
							}

							return breaks(cancel)
						})
						proxy.Set(func(m wireproxy.Message) wireproxy.Action {
							do := w.Rule(m)
							begun.Store(false)
							switch is := m.Is.(type) {
							case *pgproto3.CommandComplete:
								begun.Store(string(is.CommandTag) == "BEGIN")
								inserted.Store(inserted.Load() || string(is.CommandTag) == "INSERT 0 1")
							case *pgproto3.ReadyForQuery:
								written.Store(written.Load() || inserted.Load() && do != wireproxy.CutBefore && do != wireproxy.Stall)
							}

							return do
						})
						err = inTx(ctx)
						proxy.Set(nil)
						broken, runs = w.Result()

						return broken, runs, err
					}
					dbtxtest.Forget(t, pool)
					id := testdb.NewID()
					broken, runs, err := call(func(ctx context.Context) error {
						opts := testdb.TxOptions{Settings: tx.settings}

						return store.InTxWith(ctx, opts, func(r *testdb.Repo) error { return tx.do(ctx, r, id) })
					})
					kind := dbtxtest.KindOf(err)
					require.NotEqual(t, "untyped", kind, "%s at message %d: %v", fault, at, err)
					require.LessOrEqual(t, runs, 1, "%s at message %d: COMMIT was sent so often", fault, at)
					switch kind {
					case "done":
						require.Equal(t, 1, kept(id), "%s at message %d", fault, at)
					case "outcome unknown":
						require.True(t, written.Load(), "%s at message %d", fault, at)
					default:
						require.Zero(t, kept(id), "%s at message %d: %v", fault, at, err)
					}
					require.NoError(t, pool.AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
						require.Equal(t, byte('I'), c.Conn().PgConn().TxStatus(), "%s at message %d", fault, at)

						return nil
					}))
					_, err = store.HasInvitation(t.Context(), "")
					require.NoError(t, err, "%s at message %d", fault, at)
					proxy.Settle(1)
					if !broken {
						break
					}

					// The control: who runs each transaction again that failed does some of them twice.
					conn, err := pgx.Connect(t.Context(), proxy.URL(""))
					require.NoError(t, err)
					id = testdb.NewID()
					if _, _, err := call(func(ctx context.Context) error {
						return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return addPaper(ctx, testdb.New(tx), id) })
					}); err != nil {
						doubled += kept(id)
					}
					_ = conn.Close(t.Context())
					proxy.Settle(1)
				}
			}
			require.Positive(t, doubled, "the control")
			if !tx.alone {
				require.Positive(t, between.Load(), "between the answers to BEGIN and to the first statement")
			}
		})
	}
}

func TestStore_InTx_TakesSeveralStatementsAtOnceFirst(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		require.NoError(t, open(t, dbtxtest.With(t, url, "default_query_exec_mode", mode)).InTx(t.Context(), func(tx *testdb.Repo) error {
			tag, err := tx.DB().Exec(t.Context(), "SELECT 1; SELECT 2 WHERE false")
			require.Equal(t, "SELECT 0", tag.String(), mode)

			return err
		}), mode)
	}
}

// What can't be sent fails in the first statement as it does in a later one, and costs the caller no connection of its own.
func TestStore_InTx_RefusesTheFirstStatementLikeALaterOne(t *testing.T) {
	t.Parallel()
	url := dbtxtest.With(t, dbtest.URL(t), "default_query_exec_mode", "cache_statement")
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	batch := func(statements ...string) func(dbtx.DBTX) error {
		return func(db dbtx.DBTX) error {
			b := &pgx.Batch{}
			for _, sql := range statements {
				if sql == "BEGIN" {
					b.BeginTx(pgx.TxOptions{})
				} else {
					b.Queue(sql)
				}
			}

			return db.SendBatch(t.Context(), b).Close()
		}
	}
	exec := func(sql string, args ...any) func(dbtx.DBTX) error {
		return func(db dbtx.DBTX) error {
			_, err := db.Exec(t.Context(), sql, args...)

			return err
		}
	}
	for _, store := range []*testdb.Repo{open(t, url), testdb.New(conn)} {
		for name, do := range map[string]func(dbtx.DBTX) error{
			"syntax":              exec("SELEC 1"),
			"too many arguments":  exec("SELECT $1::integer", 1, 2),
			"an unfit argument":   exec("SELECT $1::integer", make(chan int)),
			"a batch's syntax":    batch("SELECT 1", "SELEC 2"),
			"a batch's own BEGIN": batch("BEGIN", "SELECT 1"),
		} {
			inTx := func(before string) error {
				return store.InTx(t.Context(), func(tx *testdb.Repo) error {
					if before != "" {
						require.NoError(t, exec(before)(testdb.Store(tx).DBTX()))
					}

					return do(testdb.Store(tx).DBTX())
				})
			}
			later := inTx("SELECT 1")
			require.Error(t, later, name)
			require.EqualError(t, inTx(""), later.Error(), name)
			require.False(t, conn.IsClosed(), name)
			require.Equal(t, byte('I'), conn.PgConn().TxStatus(), name)
		}
	}
}

// An answer to BEGIN that is not BEGIN's is another's: nothing runs as if the transaction had begun.
func TestRepo_InTx_RunsNothingAfterAnAnswerThatIsNotToBegin(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pool := dbtest.Pool(t)
	proxy := wireproxy.New(t, pool.Config().ConnString())
	alone := func(m wireproxy.Message) wireproxy.Action { // the answer to BEGIN by itself says that no transaction has begun
		if ready, ok := m.Is.(*pgproto3.ReadyForQuery); ok && ready.TxStatus == 'T' {
			m.Become(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		}

		return wireproxy.Pass
	}
	// The answer to BEGIN with a statement is that to an empty one. In some query modes BEGIN travels by itself.
	first := func(m wireproxy.Message) wireproxy.Action {
		if done, ok := m.Is.(*pgproto3.CommandComplete); ok && string(done.CommandTag) == "BEGIN" {
			m.Become(&pgproto3.EmptyQueryResponse{})
		}

		return wireproxy.Pass
	}
	write := func(store *testdb.Repo) error {
		return store.InTx(ctx, func(tx *testdb.Repo) error { return addPaper(ctx, tx, testdb.NewID()) })
	}
	conn := func() *pgx.Conn {
		conn, err := pgx.Connect(ctx, proxy.URL("default_query_exec_mode=cache_statement"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(ctx)) })

		return conn
	}

	own := conn()
	proxy.Set(alone)
	require.EqualError(t, write(testdb.New(own)), "add paper: the database is not available: the server's reply is out of step, and so the connection is closed")
	require.True(t, own.IsClosed())
	wrong, all := 0, open(t, dbtxtest.With(t, proxy.URL("pool_max_conns=1"), "default_query_exec_mode", cacheStatement))
	proxy.Set(func(m wireproxy.Message) wireproxy.Action {
		if wrong == 0 {
			first(m)
		}
		if done, ok := m.Is.(*pgproto3.CommandComplete); ok && string(done.CommandTag) == "BEGIN" {
			wrong++
		}

		return wireproxy.Pass
	})
	require.NoError(t, write(all), "on a pool it runs again, on another connection")
	require.Equal(t, 2, wrong)
	require.Equal(t, 1, countPapers(t, testdb.New(pool)))

	// The control: pgx itself goes on.
	naive := conn()
	proxy.Set(alone)
	_, err := naive.Begin(ctx)
	require.NoError(t, err)
	proxy.Set(nil)
	naive = conn()
	proxy.Set(first)
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{})
	b.Queue("SELECT 1")
	require.NoError(t, naive.SendBatch(ctx, b).Close())
}
