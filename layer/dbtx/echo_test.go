package dbtx_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/private"
)

func TestWithEcho(t *testing.T) {
	t.Parallel()

	t.Run("PrintsNameSQLArgumentsRowsAndTime", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo), testdb.WithIDs(func() string { return strings.Repeat("1", 32) }))
		a := newReader(t, store, "ada@example.com")
		_, err := store.GetReader(t.Context(), a.ID)
		require.NoError(t, err)
		lines := echo.Take()
		require.Len(t, lines, 2)
		require.Regexp(t, `^CreateReader \| INSERT INTO readers \(id, email, .* RETURNING id, .* \| `+
			`id="1{32}", email=\[personal\], email_key=\[personal\], password_hash=\[redacted\], `+
			`created_at=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z, email_confirmed=false, is_super_user=false \| `+
			`1 row \| \d+(\.\d+)?(µs|ms|s)$`, lines[0])
		require.Regexp(t, `^GetReader \| SELECT id, .* FROM readers WHERE id = \$1 \| id="1{32}" \| 1 row \| \S+$`, lines[1])
	})
	t.Run("PrintsErrorsAndRowCounts", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		newArticles(t, store, newPaper(t, store, "A"), 3)
		echo.Take()
		_, err := store.CreatePaper(t.Context(), paper("A"))
		require.Error(t, err)
		_, err = store.GetPaper(t.Context(), -1)
		require.Error(t, err)
		papers, err := store.ListPapers(t.Context(), 50)
		require.NoError(t, err)
		_, err = store.ListArticlesOfPapers(t.Context(), []int64{papers[0].ID})
		require.NoError(t, err)
		lines := echo.Take()
		require.Len(t, lines, 4)
		require.Regexp(t, `\| 0 rows \| \S+ \| ERROR: duplicate key value violates unique constraint "papers_name_key" \(SQLSTATE 23505\)$`, lines[0])
		require.Regexp(t, `^GetPaper .*\| id=-1 \| 0 rows \| \S+ \| no rows in result set$`, lines[1])
		require.Regexp(t, `^ListPapers .*\| 1 row \| `, lines[2])
		require.Regexp(t, `^ListArticlesOfPapers .*\| paper_ids=\[\d+\] \| 3 rows \| `, lines[3])
	})
	t.Run("PrintsTransactions", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			newPaper(t, tx, "A")

			return nil
		}))
		require.ErrorIs(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			newPaper(t, tx, "B")

			return errOwn
		}), errOwn)
		require.NoError(t, store.InTx(t.Context(), func(*testdb.Repo) error { return nil }), "which sends nothing")
		require.ErrorIs(t, store.InTx(t.Context(), func(*testdb.Repo) error { return errOwn }), errOwn, "which sends nothing")
		lines := echo.Take()
		require.Len(t, lines, 6)
		require.Regexp(t, `^BEGIN \| 0 rows \| \S+$`, lines[0])
		require.Regexp(t, `^COMMIT \| `, lines[2])
		require.Regexp(t, `^BEGIN \| `, lines[3])
		require.Regexp(t, `^ROLLBACK \| `, lines[5])
	})
	t.Run("ShowsNoSecretAndNobodysData", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		a := newReader(t, store, "ada.lovelace@example.com")
		token := testdb.NewID()
		newInvitation(t, store, a, token)
		_, err := store.GetInvitation(t.Context(), private.DigestOf(token))
		require.NoError(t, err)
		redeem := testdb.RedeemInvitationParams{TokenHash: private.DigestOf(token), UsedIP: &private.IP{Addr: from}}
		_, err = store.RedeemInvitation(t.Context(), redeem)
		require.NoError(t, err)
		_, err = store.RedeemInvitation(t.Context(), redeem)
		require.Error(t, err)
		_, err = store.SetPasswordHash(t.Context(), testdb.SetPasswordHashParams{ID: a.ID, PasswordHash: hash2})
		require.NoError(t, err)
		_, err = store.GetReaderByEmail(t.Context(), "ada.lovelace@example.com")
		require.NoError(t, err)
		_, err = store.CreateReader(t.Context(), testdb.CreateReaderParams{Email: "ada.lovelace@example.com", PasswordHash: hash})
		require.ErrorIs(t, err, testdb.ErrEmailTaken)
		digest := []byte(private.DigestOf(token).Reveal())
		printed := strings.ToLower(echo.String())
		require.Len(t, echo.Take(), 8)
		for name, secret := range map[string]string{
			"hash": hash.Reveal(), "another hash": hash2.Reveal(), "token": token, "address": "lovelace", "IP": from.String(),
			"digest": hex.EncodeToString(digest), "digest in decimal": fmt.Sprint([4]byte(digest[:4])),
		} {
			require.NotContains(t, printed, strings.ToLower(strings.Trim(secret, "[]")), name)
		}
		require.Contains(t, printed, "token_hash=[redacted]")
		require.Contains(t, printed, "used_ip=[personal]")
	})
	t.Run("KeepsALineALine", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		_, err := store.GetPaperByURL(t.Context(), "a\nCOMMIT | forged\x1b[31m")
		require.ErrorIs(t, err, testdb.ErrNotFound)
		require.Len(t, echo.Take(), 1)
		_, err = store.GetPaperByURL(t.Context(), strings.Repeat("ä", 1000))
		require.ErrorIs(t, err, testdb.ErrNotFound)
		require.Less(t, len(echo.Take()[0]), 500)
	})
	t.Run("PrintsArgumentsOfEveryKind", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		_, err := testdb.Store(store).DBTX().Exec(t.Context(), "SELECT $1::text, $2::text, $3::bytea, $4::bigint[], $5::inet, $6::text",
			(*string)(nil), new("x"), []byte("raw"), []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, (*private.IP)(nil), nil)
		require.NoError(t, err)
		require.Contains(t, echo.Take()[0],
			`$1=NULL, $2="x", $3=3 bytes, $4=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, … 12 in all], $5=NULL, $6=NULL`)
	})
	t.Run("DoesNotMixLines", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		errs := dbtxtest.AtOnce(16, func(int) error {
			_, err := store.ListReaders(t.Context(), 50)

			return err
		})
		require.Equal(t, make([]error, 16), errs)
		for _, line := range echo.Take() {
			require.Regexp(t, `^ListReaders \| .* \| 0 rows \| \S+$`, line)
		}
	})
	t.Run("CombinesWithATracer", func(t *testing.T) {
		t.Parallel()
		echo, tracer := &dbtxtest.Echo{}, &dbtxtest.Tracer{}
		store := dbtest.Open(t, testdb.WithEcho(echo), testdb.WithTracer(tracer))
		tracer.Reset()
		require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
			_, err := tx.ListReaders(t.Context(), 50)

			return err
		}))
		require.Len(t, echo.Take(), 3)
		sqls := tracer.Statements()
		require.Len(t, sqls, 3)
		require.Equal(t, "begin", sqls[0])
		require.True(t, strings.HasPrefix(sqls[1], "-- name: ListReaders :many\n"))
	})
	t.Run("IsOffForANilWriter", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t, testdb.WithEcho(io.Discard), testdb.WithEcho(nil))
		newPaper(t, store, "A")
	})
}

func TestWithEcho_IsFreeWhenOff(t *testing.T) { //nolint:paralleltest // it counts allocations
	store := dbtest.New(t)
	a := newReader(t, store, "a@x")
	get := func(r *testdb.Repo) func() {
		return func() {
			if _, err := r.GetReader(t.Context(), a.ID); err != nil {
				t.Error(err)
			}
		}
	}
	// The text as sqlc has it: in the mode simple_protocol its length counts.
	const getReader = "-- name: GetReader :one\nSELECT id, email, email_key, password_hash, created_at, " +
		"email_confirmed, is_super_user\nFROM readers\nWHERE id = $1\n"
	off := allocations(get(store))
	on := allocations(get(testdb.New(store.DB(), testdb.WithEcho(io.Discard))))
	plain := allocations(func() {
		var got testdb.Reader
		if err := store.DB().QueryRow(t.Context(), getReader, a.ID).Scan(&got.ID, &got.Email,
			&got.EmailKey, &got.PasswordHash, &got.CreatedAt, &got.EmailConfirmed, &got.IsSuperUser); err != nil {
			t.Error(err)
		}
	})
	t.Logf("allocations: %.2f with echo, %.2f without, %.2f by pgx alone", on, off, plain)
	require.Greater(t, on, off+1)
	require.Less(t, off, plain+1.5, "one more than pgx: the row that gives errors their types")

	nothing, err := testdb.Open(t.Context(), store.DB().(*pgxpool.Pool).Config().ConnString(), testdb.WithEcho(nil), testdb.WithTracer(nil))
	require.NoError(t, err)
	defer nothing.Close()
	require.Less(t, allocations(get(nothing)), off+.5, "an echo and a tracer of nil are none")
	alone, err := testdb.Open(t.Context(), store.DB().(*pgxpool.Pool).Config().ConnString(), testdb.WithPipelining())
	require.NoError(t, err)
	defer alone.Close()
	require.Less(t, allocations(get(alone)), off+1.5, "one more: the row that may be gathered")
}

// allocations returns how many allocations a call makes, a mean with its fraction, which testing.AllocsPerRun cuts off:
// the race detector has a sync.Pool lose a part of what it is given, so that the mean of one and the same call moves a
// little from run to run, across a whole number at times.
func allocations(call func()) float64 {
	const runs = 150
	call()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		call()
	}
	runtime.ReadMemStats(&after)

	return float64(after.Mallocs-before.Mallocs) / runs
}

func TestStatement(t *testing.T) {
	t.Parallel()

	t.Run("IsNamedInWords", func(t *testing.T) {
		t.Parallel()
		for name, want := range map[string]string{
			"CreateReader": "create reader", "GetPaperByURL": "get paper by URL", "ListPaperIDsOfReader": "list paper IDs of reader",
		} {
			require.Equal(t, want, dbtx.Operation(&dbgen.Metadata, dbgen.Metadata.Find(name).SQL))
		}
		require.Equal(t, "select", dbtx.Operation(&dbgen.Metadata, "select 1"))
		require.Empty(t, dbtx.Operation(&dbgen.Metadata, ""))
	})
	t.Run("ReadsWhenNothingInItWrites", func(t *testing.T) {
		t.Parallel()
		for name, want := range map[string]bool{
			"GetPaper": true, "CountSales": true, "LockPaper": true, "CreatePaper": false, "AddPaper": false, "DeletePaper": false,
		} {
			require.Equal(t, want, dbtx.Reads(&dbgen.Metadata, dbgen.Metadata.Find(name).SQL), name)
		}
		for sql, want := range map[string]bool{
			"  select 1": true, "BEGIN": true, "INSERT INTO a VALUES (1)": false, "COPY a FROM STDIN": false, "": false,
		} {
			require.Equal(t, want, dbtx.Reads(&dbgen.Metadata, sql), sql)
		}
	})
	t.Run("WritesToATable", func(t *testing.T) {
		t.Parallel()
		for name, want := range map[string]bool{
			"RenameArticle": true, "LoadArticles": true, "CreatePaper": false, "DeletePaper": false, "ListArticlesOfPapers": false,
		} {
			require.Equal(t, want, dbtx.WritesTo(&dbgen.Metadata, sqlOf(dbgen.Metadata.Find(name)), "articles"), name)
		}
		require.True(t, dbtx.WritesTo(&dbgen.Metadata, `COPY "articles" ("id") FROM STDIN BINARY`, "articles"))
	})
	t.Run("KnowsItsParametersByName", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		require.NoError(t, everyQuery(t.Context(), store))
		seen := map[string]bool{}
		for _, line := range echo.Take() {
			name, _, _ := strings.Cut(line, " ")
			seen[name] = true
			require.NotContains(t, line, "| $1=", "its parameters have names")
		}
		want := queryNames()
		require.ElementsMatch(t, want, slices.Collect(maps.Keys(seen)), "every query ran")
		require.Equal(t, "$2", dbtx.ParamOf(&dbgen.Metadata, "SELECT $1, $2", 1))
	})
}

// sqlOf returns the statement that a query sends.
func sqlOf(q *dbtx.Query) string {
	if q.Command != dbtx.Copyfrom {
		return q.SQL
	}

	return "COPY " + pgx.Identifier{q.Uses[0].Table}.Sanitize() + " FROM STDIN BINARY"
}

// A text is quoted whatever its type is: sqlc gives an enum a type of its own.
func TestWithEcho_QuotesEveryKindOfText(t *testing.T) {
	t.Parallel()
	type name string
	type blob []byte
	echo := &dbtxtest.Echo{}
	store := dbtest.New(t, testdb.WithEcho(echo))
	evil := name("a\n\x1b[31m")
	for want, arg := range map[string]any{
		`"a\n\x1b[31m"`: evil, `["a\n\x1b[31m"]`: []name{evil}, `5 bytes`: blob("a\nb\x1bc"),
		`"` + strings.Repeat("é", 120) + `"…`: name(strings.Repeat("é", 200)), "7": int64(7), "true": true,
		`"{a\n\x1b[31m true}"`: pgtype.Text{String: string(evil), Valid: true},
	} {
		var got string
		_ = testdb.Store(store).DBTX().QueryRow(t.Context(), "SELECT $1", arg).Scan(&got)
		lines := echo.Take()
		require.Len(t, lines, 1)
		require.Contains(t, lines[0], " | $1="+want+" | ")
	}
}
