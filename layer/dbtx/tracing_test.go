package dbtx_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/internal/testdb/dbtest"
)

// traced runs every query, twice in error, on a traced store, and returns the spans' names and all that they say.
func traced(t *testing.T, opts ...otelpgx.Option) (names []string, all string) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(recorder))
	tracer := otelpgx.NewTracer(append([]otelpgx.Option{otelpgx.WithTracerProvider(provider)}, opts...)...)
	ctx, span := provider.Tracer("test").Start(t.Context(), "test")
	store, err := testdb.Open(ctx, dbtest.URL(t), testdb.WithTracer(tracer))
	require.NoError(t, err)
	defer store.Close()
	require.NoError(t, everyQuery(ctx, store))
	require.NoError(t, store.InTx(ctx, func(tx *testdb.Repo) error { return everyQuery(ctx, tx) }))
	require.ErrorIs(t, store.InTx(ctx, func(tx *testdb.Repo) error {
		newPaper(t, tx, "Rolled Back")

		return errOwn
	}), errOwn)
	a := newReader(t, store, "taken.person@example.com")
	_, err = store.CreateReader(ctx, testdb.CreateReaderParams{Email: "taken.person@example.com", PasswordHash: hash})
	require.ErrorIs(t, err, testdb.ErrEmailTaken)
	_, err = store.CreateReader(ctx, testdb.CreateReaderParams{ID: a.ID, Email: "b@x", PasswordHash: hash2})
	require.ErrorIs(t, err, testdb.ErrReaderIDTaken)
	span.End()
	var said strings.Builder
	for _, span := range recorder.Ended() {
		names = append(names, span.Name())
		_, _ = fmt.Fprintln(&said, span.Name(), span.Attributes(), span.Events(), span.Status())
	}
	slices.Sort(names)

	return slices.Compact(names), said.String()
}

func TestTracing(t *testing.T) {
	t.Parallel()
	named := otelpgx.WithSpanNameFunc(testdb.StatementName)

	t.Run("NamesTheSpansAfterTheQueries", func(t *testing.T) {
		t.Parallel()
		names, _ := traced(t, named, otelpgx.WithDisableAcquireTracer())
		names = slices.DeleteFunc(names, func(name string) bool { return name == "test" || name == "connect" })
		want := []string{
			"BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "batch start",
			"Copy", "SELECT", // the types of the columns of a COPY are asked for, by us and by pgx
		}
		for _, q := range dbgen.Metadata.Queries {
			if q.Command == dbtx.Copyfrom {
				want = append(want, "copy_from "+pgx.Identifier{q.Uses[0].Table}.Sanitize()) // it carries no name
			} else {
				want = append(want, q.Name)
			}
		}
		require.ElementsMatch(t, want, names)
	})
	t.Run("ShowsNoParametersUnlessToldTo", func(t *testing.T) {
		t.Parallel()
		_, said := traced(t, named)
		require.Contains(t, said, "SELECT")
		require.NotContains(t, said, "$argon2id")
		require.NotContains(t, said, "taken.person")
		require.NotContains(t, said, "pgtdbpass", "the connection's password")
	})
	t.Run("ShowsNoSecretEvenThen", func(t *testing.T) {
		t.Parallel()
		_, said := traced(t, named, otelpgx.WithIncludeQueryParameters())
		require.NotContains(t, said, "$argon2id")
		require.NotContains(t, said, "pgtdbpass")
		require.Contains(t, said, "[redacted]")
		require.Contains(t, said, "taken.person", "but personal data, as docs/echo.md says")
	})
}

func TestStatementName(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"-- name: GetPaper :one\nSELECT 1": "GetPaper",
		"begin":                            "BEGIN",
		"savepoint sp_1":                   "SAVEPOINT",
		"-- why\n  -- and how\nSELECT 1":   "SELECT",
		"\n  SELECT\n1":                    "SELECT",
		"":                                 "",
		"-- ping":                          "",
	} {
		require.Equal(t, want, testdb.StatementName(sql), sql)
	}
}
