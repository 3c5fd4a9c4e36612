package dbtx_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
)

// logged is a record as JSON.
type logged struct {
	Level    string `json:"level"`
	Msg      string `json:"msg"`
	Query    string `json:"query"`
	Duration int64  `json:"duration"`
	Rows     int64  `json:"rows"`
	Error    string `json:"error"`
}

// logger returns a logger, and what takes the records that it has written.
func logger(level slog.Level) (*slog.Logger, func(*testing.T) []logged) {
	var mu sync.Mutex
	var out bytes.Buffer
	l := slog.New(slog.NewJSONHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()

		return out.Write(p)
	}), &slog.HandlerOptions{Level: level}))

	return l, func(t *testing.T) (records []logged) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		for line := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n") {
			var r logged
			if line != "" {
				require.NoError(t, json.Unmarshal([]byte(line), &r), line)
				records = append(records, r)
			}
		}
		out.Reset()

		return records
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWithLogger(t *testing.T) {
	t.Parallel()
	t.Run("LogsEachStatement", func(t *testing.T) {
		t.Parallel()
		l, take := logger(slog.LevelDebug)
		store := open(t, dbtest.URL(t), testdb.WithLogger(l))
		a := newPaper(t, store, "A")
		newArticles(t, store, a, 3)
		_, err := store.GetPaper(t.Context(), 0)
		require.ErrorIs(t, err, testdb.ErrNotFound)
		require.ErrorIs(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			_, err := tx.CreatePaper(t.Context(), paper("A"))

			return err
		}), testdb.ErrUnique)
		var got []string
		for _, r := range take(t) {
			require.Positive(t, r.Duration)
			got = append(got, fmt.Sprintf("%s %s: %s, %d: %s", r.Level, r.Msg, r.Query, r.Rows, r.Error))
		}
		require.Equal(t, []string{
			"DEBUG statement: CreatePaper, 1: ",
			"DEBUG statement: LoadArticles, 3: ",
			"DEBUG statement: ListArticlesOfPapers, 3: ",
			"DEBUG statement: GetPaper, 0: ",
			"DEBUG statement: BEGIN, 0: ",
			"DEBUG statement failed: CreatePaper, 0: ERROR: duplicate key value violates unique constraint \"papers_name_key\" (SQLSTATE 23505)",
			"DEBUG statement: ROLLBACK, 0: ",
		}, got)
		_, err = store.LoadArticles(t.Context(), []testdb.LoadArticlesParams{{PaperID: a.ID, Name: "\x00"}})
		require.ErrorIs(t, err, testdb.ErrInvalid)
		refused := take(t)[0]
		require.Equal(t, []string{"DEBUG", "LoadArticles", err.Error()}, []string{refused.Level, refused.Query, refused.Error})
	})
	t.Run("HasALevelForEachOutcome", func(t *testing.T) {
		t.Parallel()
		l, take := logger(slog.LevelDebug)
		store := open(t, dbtest.URL(t), testdb.WithLogger(l), testdb.WithSlowStatements(500*time.Millisecond))
		db := testdb.Store(store).DBTX()
		const soon, late = 50 * time.Millisecond, 600 * time.Millisecond
		for _, test := range []struct {
			sql  string
			ends time.Duration
			args []any
			want string
		}{
			{"SELECT 1", 0, nil, "DEBUG statement"},
			{"SELECT pg_sleep(0.51)", 0, nil, "WARN slow statement"},
			{"SELECT $1::integer / $2::integer", 0, []any{1, 0}, "DEBUG statement failed"},
			{"DO $$ BEGIN RAISE EXCEPTION 'x'; END $$", 0, nil, "DEBUG statement failed"},
			{"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$", 0, nil, "WARN statement failed"},
			{"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '55P03'; END $$", 0, nil, "ERROR statement failed"},
			{"SELECT no_such_column", 0, nil, "ERROR statement failed"},
			{"SELECT pg_sleep(9)", soon, nil, "DEBUG statement failed"},
			{"SELECT pg_sleep(9)", late, nil, "WARN statement failed"},
			{"DO $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END $$", 0, nil, "ERROR statement failed"},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(test.ends, time.Minute))
			_, _ = db.Exec(ctx, test.sql, test.args...)
			cancel()
			records := take(t)
			require.NotEmpty(t, records, test.sql)
			require.Equal(t, test.want, records[0].Level+" "+records[0].Msg, test.sql)
		}
	})
	t.Run("LogsWhatCouldNotBeSent", func(t *testing.T) {
		t.Parallel()
		l, take := logger(slog.LevelDebug)
		m := &dbtx.Metrics{}
		store := open(t, dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "1"), testdb.WithLogger(l), testdb.WithMetrics(m))
		a := newPaper(t, store, "A")
		load := func(ctx context.Context) error {
			_, err := store.LoadArticles(ctx, []testdb.LoadArticlesParams{{PaperID: a.ID, Name: "x", DisplayOrder: 1}})

			return err
		}
		for want, run := range map[string]func(context.Context) error{
			"LoadArticles": load,
			"GetPaper":     func(ctx context.Context) error { _, err := store.GetPaper(ctx, a.ID); return err },
			"SELECT": func(ctx context.Context) error {
				_, await := counts(ctx, new(int))

				return testdb.Store(store).Snapshot(ctx, await)
			},
			"BEGIN": func(ctx context.Context) error { return store.InTx(ctx, func(*testdb.Repo) error { return nil }) },
		} {
			held, err := store.DB().(*pgxpool.Pool).Acquire(t.Context())
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			take(t)
			require.ErrorIs(t, run(ctx), context.DeadlineExceeded)
			cancel()
			held.Release()
			records := take(t)
			require.Len(t, records, 1, want)
			if want == "SELECT" { // a snapshot is told of as its BEGIN
				want = "BEGIN"
			}
			require.Equal(t, []string{want, "context deadline exceeded"}, []string{records[0].Query, records[0].Error})
		}
		_, err := store.DB().Exec(t.Context(), "DROP TABLE articles")
		require.NoError(t, err)
		require.EqualError(t, load(t.Context()), "load articles: ERROR: relation does not exist (SQLSTATE 42P01)")
		records := take(t)
		require.Equal(t, []string{"ERROR", "LoadArticles"}, []string{records[len(records)-1].Level, records[len(records)-1].Query})
	})
	t.Run("ShowsNoSecret", func(t *testing.T) {
		t.Parallel()
		l, take := logger(slog.LevelDebug)
		store := open(t, dbtest.URL(t), testdb.WithLogger(l))
		const address = "somebody@example.com"
		newReader(t, store, address)
		_, err := store.CreateReader(t.Context(), testdb.CreateReaderParams{Email: address, PasswordHash: hash})
		require.ErrorIs(t, err, testdb.ErrUnique)
		text, err := json.Marshal(take(t))
		require.NoError(t, err)
		require.Contains(t, string(text), "CreateReader")
		require.NotContains(t, string(text), "somebody")
		require.NotContains(t, string(text), hash.Reveal())
	})
	t.Run("GoesOnWhenTheHandlerPanics", func(t *testing.T) {
		t.Parallel()
		store := open(t, dbtest.URL(t), testdb.WithLogger(slog.New(slog.NewTextHandler(writerFunc(func([]byte) (int, error) { panic(errOwn) }), nil))),
			testdb.WithSlowStatements(time.Nanosecond))
		newArticles(t, store, newPaper(t, store, "A"), 3)
		require.Zero(t, acquired(store))
	})
	t.Run("IsSilentBelowItsLevel", func(t *testing.T) {
		t.Parallel()
		l, take := logger(slog.LevelInfo)
		store := open(t, dbtest.URL(t), testdb.WithLogger(l), testdb.WithSlowStatements(0))
		require.NoError(t, everyQuery(t.Context(), store))
		require.Empty(t, take(t))
	})
}

func TestWithMetrics(t *testing.T) {
	t.Parallel()
	const callers, rounds = 8, 25
	m := dbtx.NewMetrics()
	require.Empty(t, m.Queries())
	store := open(t, dbtest.URL(t), testdb.WithMetrics(m))
	another := open(t, dbtest.URL(t), testdb.WithMetrics(m))
	a := newPaper(t, store, "A")
	require.Equal(t, make([]error, callers), dbtxtest.AtOnce(callers, func(int) error {
		for round := range rounds {
			if _, err := store.GetPaper(t.Context(), a.ID); err != nil {
				return err
			}
			if _, err := another.GetPaper(t.Context(), 0); !errors.Is(err, testdb.ErrNotFound) {
				return err
			}
			if err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
				_, err := tx.CreatePaper(t.Context(), paper("A"))

				return err
			}); !errors.Is(err, testdb.ErrUnique) {
				return fmt.Errorf("round %d: %w", round, err)
			}
		}

		return nil
	}))
	_, err := store.DB().(*pgxpool.Pool).Exec(t.Context(), "SELECT 1") // the caller's own pool is not the store's
	require.NoError(t, err)
	db := testdb.Store(store).DBTX()
	_, err = db.Exec(t.Context(), "-- a comment\n select pg_sleep(0.03)")
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), "ANALYZE papers")
	require.NoError(t, err)
	newArticles(t, store, a, 2)

	counted := map[string]dbtx.QueryMetrics{}
	for _, q := range m.Queries() {
		counted[q.Name] = q
		require.Equal(t, q.Count, q.Buckets[len(q.Buckets)-1].Count)
		require.Positive(t, q.Seconds)
	}
	counts := func(name string) []uint64 { return []uint64{counted[name].Count, counted[name].Errors} }
	const all = callers * rounds
	require.Equal(t, []uint64{2 * all, 0}, counts("GetPaper"))
	require.Equal(t, []uint64{all + 1, all}, counts("CreatePaper"))
	require.Equal(t, []uint64{all, 0}, counts("BEGIN"))
	require.Equal(t, []uint64{all, 0}, counts("ROLLBACK"))
	require.Equal(t, []uint64{1, 0}, counts("SELECT"))
	require.Equal(t, []uint64{1, 0}, counts("other"))
	require.Equal(t, []uint64{1, 0}, counts("LoadArticles"))
	require.NotContains(t, counted, "COMMIT")
	slept := counted["SELECT"].Seconds
	require.GreaterOrEqual(t, slept, .03)
	for _, bucket := range counted["SELECT"].Buckets {
		require.Equal(t, bucket.Seconds >= slept, bucket.Count == 1, "%v", bucket)
	}

	var _ expvar.Var = m
	var parsed map[string]dbtx.QueryMetrics
	require.NoError(t, json.Unmarshal([]byte(m.String()), &parsed))
	require.Len(t, parsed, len(counted))
	require.Equal(t, counted["GetPaper"].Count, parsed["GetPaper"].Count)

	var out strings.Builder
	n, err := m.WriteTo(&out)
	require.NoError(t, err)
	require.EqualValues(t, out.Len(), n)
	for _, line := range []string{
		`(?m)^# TYPE store_statement_duration_seconds histogram$`,
		`(?m)^store_statement_duration_seconds_bucket\{query="GetPaper",le="0.0005"\} \d+$`,
		`(?m)^store_statement_duration_seconds_bucket\{query="GetPaper",le="\+Inf"\} 400$`,
		`(?m)^store_statement_duration_seconds_sum\{query="GetPaper"\} [0-9.e-]+$`,
		`(?m)^store_statement_duration_seconds_count\{query="GetPaper"\} 400$`,
		`(?m)^# TYPE store_statement_errors_total counter$`,
		`(?m)^store_statement_errors_total\{query="CreatePaper"\} 200$`,
	} {
		require.Regexp(t, line, out.String())
	}
	_, err = m.WriteTo(writerFunc(func([]byte) (int, error) { return 0, errOwn }))
	require.ErrorIs(t, err, errOwn)
}

// toNowhere is a logger that writes records of this level and above, and nobody reads them.
func toNowhere(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: level})) //nolint:sloglint // it is to do the work
}

// A logger and metrics that are off cost no allocation. Metrics that are on cost none either.
func TestObserver_CostsNoAllocation(t *testing.T) { //nolint:paralleltest // it counts allocations
	pool := dbtest.Pool(t)
	off := testdb.New(pool)
	a := newReader(t, off, "a@x")
	get := func(opts ...testdb.Option) float64 {
		r := testdb.New(pool, opts...)

		return allocations(func() {
			if _, err := r.GetReader(t.Context(), a.ID); err != nil {
				t.Error(err)
			}
		})
	}
	plain := get()
	silent := toNowhere(slog.LevelInfo)
	require.Less(t, get(testdb.WithLogger(nil), testdb.WithMetrics(nil)), plain+.5)
	require.Less(t, get(testdb.WithMetrics(dbtx.NewMetrics())), plain+.5)
	require.Less(t, get(testdb.WithLogger(silent)), plain+.5, "below its level")
	require.Greater(t, get(testdb.WithEcho(io.Discard)), plain+.5, "the control")
}

// What the observers cost: go test -run '^$' -bench Observer -count 10 ./layer/dbtx measures it.
func BenchmarkObserver(b *testing.B) {
	pool, err := pgxpool.New(b.Context(), dbtest.URL(b))
	require.NoError(b, err)
	defer pool.Close()
	id, err := testdb.New(pool).CreatePaper(b.Context(), paper("A"))
	require.NoError(b, err)
	for _, bench := range []struct {
		name string
		opts []testdb.Option
	}{
		{"off", nil},
		{"metrics", []testdb.Option{testdb.WithMetrics(dbtx.NewMetrics())}},
		{"logger below its level", []testdb.Option{testdb.WithLogger(toNowhere(slog.LevelInfo))}},
		{"logger", []testdb.Option{testdb.WithLogger(toNowhere(slog.LevelDebug))}},
		{"echo", []testdb.Option{testdb.WithEcho(io.Discard)}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			store := testdb.New(pool, bench.opts...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := store.GetPaper(b.Context(), id.ID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
