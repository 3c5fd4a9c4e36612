package plans_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/plans"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// newPaper are the arguments of AddPaper and CreatePaper, in their order.
var newPaper = []string{"The Times", "the-times", "1985", "250", "NULL", "false", "true"}

func explain(t *testing.T, db plans.DB, query string, args []string, opts plans.ExplainOptions) plans.Explained {
	t.Helper()
	e, err := plans.Explain(t.Context(), db, &dbgen.Metadata, query, args, opts)
	require.NoError(t, err)

	return e
}

func number(t *testing.T, db *pgxpool.Pool, sql string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(t.Context(), sql).Scan(&n))

	return n
}

func run(t *testing.T, db *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	_, err := db.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func TestExplain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()

	t.Run("PrintsThePlanOfARead", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		run(t, db, "INSERT INTO papers (name, url, year, price_cents, has_preview, is_published) VALUES ('The Times', 'times', 1985, 1, false, true)")
		e := explain(t, db, "GetPaperByURL", []string{"times"}, plans.ExplainOptions{})
		require.Equal(t, "GetPaperByURL", e.Query)
		require.False(t, e.Generic)
		require.Empty(t, e.Hidden)
		require.Contains(t, e.Plan, "'times'", "the plan is the one for the value")
		require.Regexp(t, `actual time=\S+ rows=1`, e.Plan, "the row was found, so the argument arrived")
		require.Contains(t, e.Plan, "Buffers: shared hit=")
		require.Contains(t, e.Plan, "\nExecution Time: ")
		again := explain(t, db, "GetPaperByURL", []string{"url=time"}, plans.ExplainOptions{})
		require.Regexp(t, `actual time=\S+ rows=0`, again.Plan)
	})
	t.Run("PrintsJSONAndTheGenericPlan", func(t *testing.T) {
		t.Parallel()
		e := explain(t, dbtest.Pool(t), "GetPaperByURL", []string{"times"}, plans.ExplainOptions{Generic: true, JSON: true})
		require.True(t, e.Generic)
		require.NotContains(t, e.Plan, "times")
		require.Contains(t, e.Plan, "$1")
		var plan []struct {
			Plan map[string]any `json:"Plan"`
		}
		require.NoError(t, json.Unmarshal([]byte(e.Plan), &plan))
		require.Contains(t, plan[0].Plan, "Actual Rows")
		require.Contains(t, plan[0].Plan, "Shared Hit Blocks")
	})
	t.Run("TakesArgumentsByNameArraysAndNULL", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		require.Contains(t, explain(t, db, "ListArticlesOfPapers", []string{"{1,2}"}, plans.ExplainOptions{}).Plan, "'{1,2}'::bigint[]")
		args := []string{"is_published=true", "name=a=b' --", "times", "1985", "price_cents=250", "NULL", "no"}
		e := explain(t, db, "AddPaper", args, plans.ExplainOptions{Write: true})
		require.Contains(t, e.Plan, "Insert on papers")
		_, err := plans.Explain(ctx, db, &dbgen.Metadata, "AddPaper", args[1:], plans.ExplainOptions{Write: true})
		require.ErrorContains(t, err, "missing: is_published bool")
		args[1] = "name=NULL"
		_, err = plans.Explain(ctx, db, &dbgen.Metadata, "AddPaper", args, plans.ExplainOptions{Write: true})
		require.ErrorIs(t, err, dbtx.ErrNotNull)
		args[1] = `name="NULL"` // the text
		explain(t, db, "AddPaper", args, plans.ExplainOptions{Write: true})
	})
	t.Run("ReadsAnArgumentAsItsType", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		run(t, db, `CREATE SCHEMA "Odd Place"; CREATE TYPE "Odd Place"."Mood" AS ENUM ('ok', 'it''s bad'); `+
			`CREATE DOMAIN even AS integer CHECK (VALUE % 2 = 0)`)
		m := known("Query :many\nSELECT 1 WHERE @a = 'it''s bad'::\"Odd Place\".\"Mood\" AND @b::even = 4 AND @c::text[] = '{NULL,\"a,b\"}' " +
			"AND @d::timestamptz = '2026-01-02 03:04:05+00' AND @e::bytea = 'é' AND @f::jsonb = '{\"a\":1}' AND @g::int4range = '[1,2)' " +
			"AND @h::\"Odd Place\".\"Mood\"[] = '{ok}' AND @i::float8 = 1e300 AND @j::\"char\" = 'x' AND @k::inet = '::1' AND @l::text IS NULL " +
			"AND @m::varchar(2) = 'ab' AND @n::numeric = 1.50;\n")
		args := []string{
			"it's bad", "4", `{NULL,"a,b"}`, "2026-01-02T03:04:05Z", `\xc3a9`, `{"a": 1}`, "[1,1]", "{ok}", "1e300", "x", "::1", "NULL", "abc", "1.5",
		}
		e, err := plans.Explain(ctx, db, m, "Query", args, plans.ExplainOptions{})
		require.NoError(t, err)
		require.Regexp(t, `actual time=\S+ rows=1`, e.Plan)
		for at, wrong := range map[int]string{0: "bad", 1: "3", 2: "{", 3: "today at noon", 4: `\x0`, 8: "1e999", 10: "::g"} {
			bad := slices.Clone(args)
			bad[at] = wrong
			_, err := plans.Explain(ctx, db, m, "Query", bad, plans.ExplainOptions{})
			require.ErrorIs(t, err, dbtx.ErrInvalid, wrong)
			require.ErrorContains(t, err, "explain Query: "+m.Queries[0].Params[at].Name+": is not a value of the type ")
		}
	})
	t.Run("KeepsTheLengthOfAnArgument", func(t *testing.T) {
		t.Parallel()
		m := known("Query :many\nSELECT 1 WHERE @a::bpchar = 'abc' AND @b::bpchar[] = '{abc,de}' AND @c::varbit = B'101' AND B'101'::bit(3) = @d;\n")
		args := []string{"abc", "{abc,de}", "101", "101"}
		e, err := plans.Explain(ctx, dbtest.Pool(t), m, "Query", args, plans.ExplainOptions{})
		require.NoError(t, err)
		require.Regexp(t, `actual time=\S+ rows=1`, e.Plan)
	})
	t.Run("NamesTheArgumentThatIsNoValueOfItsType", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		run(t, db, "CREATE FUNCTION raised(v text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'bad %', v; END $$; "+
			"CREATE DOMAIN raising AS text CHECK (raised(value))")
		for _, typ := range []string{"tsquery", "jsonpath", "regclass", "raising"} {
			m := known("Query :many\nSELECT 1 WHERE @a::" + typ + " IS NULL;\n")
			_, err := plans.Explain(ctx, db, m, "Query", []string{"x &"}, plans.ExplainOptions{})
			require.ErrorIs(t, err, dbtx.ErrInvalid)
			require.EqualError(t, err, "explain Query: a: is not a value of the type "+typ)
		}
	})
	t.Run("PrintsThePlanOfEveryQuery", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		n := 0
		for _, q := range dbgen.Metadata.Queries {
			args := make([]string, len(q.Params))
			for i := range args {
				args[i] = "NULL"
			}
			e, err := plans.Explain(ctx, db, &dbgen.Metadata, q.Name, args, plans.ExplainOptions{Write: true})
			var refused *dbtx.ConstraintError
			switch {
			case q.Command == dbtx.Copyfrom:
				require.ErrorIs(t, err, plans.ErrNoPlan)
				require.EqualError(t, err, "explain "+q.Name+": a COPY has no plan")
			case errors.As(err, &refused): // NULL in a column that takes none
				require.ErrorIs(t, err, dbtx.ErrNotNull, q.Name)
			default:
				require.NoError(t, err, q.Name)
				require.Contains(t, e.Plan, "Execution Time", q.Name)
				n++
			}
		}
		require.Greater(t, n, 20)
	})
}

func TestExplain_Writes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()

	t.Run("AreRefusedWithoutTheOption", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		for query, args := range map[string][]string{"AddPaper": newPaper, "LockPaper": {"1"}, "RenameArticle": {"x", "1"}} {
			_, err := plans.Explain(ctx, db, &dbgen.Metadata, query, args, plans.ExplainOptions{})
			require.ErrorIs(t, err, plans.ErrWrites)
			require.EqualError(t, err, "explain "+query+": it writes or locks rows")
			explain(t, db, query, args, plans.ExplainOptions{Write: true}) // the control
		}
	})
	t.Run("AreRolledBack", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		e := explain(t, db, "AddPaper", newPaper, plans.ExplainOptions{Write: true})
		require.Contains(t, e.Plan, "Insert on papers")
		require.Zero(t, number(t, db, "SELECT count(*) FROM papers"))
		require.Equal(t, 1, number(t, db, "SELECT last_value FROM papers_id_seq"))

		// The control: the same statement, without the rollback. It also shows what a rollback does not take back.
		args := make([]any, len(newPaper))
		for i, arg := range newPaper {
			if arg != "NULL" {
				args[i] = arg
			}
		}
		run(t, db, dbgen.Metadata.Find("AddPaper").SQL, append([]any{pgx.QueryExecModeExec}, args...)...)
		require.Equal(t, 1, number(t, db, "SELECT count(*) FROM papers"))
		require.Equal(t, 2, number(t, db, "SELECT max(id) FROM papers"))
	})
	t.Run("AreRefusedByPostgreSQLToo", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		// A query of which it is not known that it writes: the function has become one that does.
		m := known("Query :many\nSELECT counted();\n")
		run(t, db, "CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql AS $$ INSERT INTO papers (name, url, year, price_cents, has_preview, is_published) "+
			"VALUES ('The Times', 'times', 1985, 1, false, true) RETURNING id $$")
		_, err := plans.Explain(ctx, db, m, "Query", nil, plans.ExplainOptions{})
		require.ErrorIs(t, err, dbtx.ErrReadOnly)
		_, err = plans.Explain(ctx, db, m, "Query", nil, plans.ExplainOptions{Write: true})
		require.NoError(t, err, "the control")
		require.Zero(t, number(t, db, "SELECT count(*) FROM papers"))
		require.Equal(t, "off", setting(t, db, "transaction_read_only"))
	})
	t.Run("HaveTheErrorsOfTheStore", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		run(t, db, "INSERT INTO papers (name, url, year, price_cents, has_preview, is_published) VALUES ('The Times', 'the-times', 1985, 1, false, true)")
		_, err := plans.Explain(ctx, db, &dbgen.Metadata, "AddPaper", newPaper, plans.ExplainOptions{Write: true})
		require.ErrorIs(t, err, dbtx.ErrUnique)
		require.EqualError(t, err, "explain AddPaper: paper name already taken")
	})
}

func setting(t *testing.T, db plans.DB, name string) (value string) {
	t.Helper()
	require.NoError(t, db.QueryRow(t.Context(), "SELECT coalesce(current_setting($1, true), '')", name).Scan(&value))

	return value
}

func TestExplain_Secrets(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	secret := strings.Repeat("5eC7e7", 8)[:32]
	digest := `\x` + hex.EncodeToString([]byte(secret))
	// shown is a copy of a query that hides nothing, for the controls.
	shown := func(name string) *dbtx.Metadata {
		q := *dbgen.Metadata.Find(name)
		q.Params = append([]dbtx.Param(nil), q.Params...)
		for i := range q.Params {
			q.Params[i].Sensitive = false
		}

		return &dbtx.Metadata{Queries: []*dbtx.Query{&q}}
	}

	t.Run("AreNotInThePlan", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		for query, arg := range map[string]string{"GetInvitation": digest, "GetReaderByEmail": secret} {
			for _, json := range []bool{false, true} {
				e := explain(t, db, query, []string{arg}, plans.ExplainOptions{JSON: json})
				require.True(t, e.Generic)
				require.Len(t, e.Hidden, 1)
				require.NotContains(t, e.Plan, arg)
				require.NotContains(t, e.Plan, arg[2:])
				require.Contains(t, e.Plan, "$1")
				bad, err := plans.Explain(ctx, db, shown(query), query, []string{arg}, plans.ExplainOptions{})
				require.NoError(t, err)
				require.Contains(t, bad.Plan, arg[2:], "the control")
			}
		}
	})
	t.Run("AreNotInThePlanOfAnExpression", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		run(t, db, "CREATE VIEW emails AS SELECT id, email FROM readers")
		of := func(sql string, uses dbtx.Use, compared ...dbtx.ColumnOf) plans.Explained {
			m := known("Query :many\n" + sql + ";\n")
			m.Tables = append(slices.Clone(dbgen.Metadata.Tables), &dbtx.Table{Name: "emails", View: true})
			q := m.Queries[0]
			q.Uses, q.Params[0].Type, q.Params[0].Compared = []dbtx.Use{uses}, "text", compared
			if strings.Contains(sql, "LIMIT") {
				q.Params[0].Type = "int8"
			}
			e, err := plans.Explain(ctx, db, m, "Query", []string{"9876543"}, plans.ExplainOptions{})
			require.NoError(t, err)

			return e
		}
		email := dbtx.Use{Table: "readers", Select: []string{"email"}}
		view := dbtx.Use{Table: "emails", Select: []string{"email"}}
		for _, e := range []plans.Explained{
			of("SELECT 1 FROM readers WHERE lower(email) = lower(@a)", email),
			of("SELECT 1 FROM emails WHERE email = @a", view, dbtx.ColumnOf{Table: "emails", Column: "email"}),
		} {
			require.Equal(t, []string{"a"}, e.Hidden)
			require.NotContains(t, e.Plan, "9876543")
		}
		for _, e := range []plans.Explained{ // the controls
			of("SELECT 1 FROM readers WHERE lower(email) = lower(@a)", dbtx.Use{Table: "readers", Select: []string{"id"}}),
			of("SELECT email FROM readers WHERE id = @a", email, dbtx.ColumnOf{Table: "readers", Column: "id"}),
		} {
			require.Empty(t, e.Hidden)
			require.Contains(t, e.Plan, "9876543")
		}
		require.False(t, of("SELECT email FROM readers LIMIT @a", email).Generic)
	})
	t.Run("AreNotInErrors", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Pool(t)
		for _, test := range []struct {
			args []string
			says string
		}{
			{[]string{digest + "x"}, "token_hash: is not a value of the type bytea"},
			{[]string{digest, secret}, "2 arguments are too many: it has the parameters token_hash bytea"},
			{[]string{"token_hash=" + digest + "é"}, "token_hash: is not a value of the type bytea"},
			{[]string{"token_hash=" + digest, "token_hash=" + secret}, "token_hash: is given twice"},
			{[]string{digest + "\x00"}, "token_hash: has a zero byte, which PostgreSQL can't hold"},
			{[]string{digest + "\xff"}, "token_hash: is not a value of the type bytea"},
		} {
			_, err := plans.Explain(ctx, db, &dbgen.Metadata, "GetInvitation", test.args, plans.ExplainOptions{})
			require.ErrorIs(t, err, dbtx.ErrInvalid)
			require.EqualError(t, err, "explain GetInvitation: "+test.says)
		}
		_, err := plans.Explain(ctx, db, &dbgen.Metadata, "CreateInvitation",
			[]string{strings.Repeat("0", 32), "nobody", digest, "2026-01-01", "2026-01-02"}, plans.ExplainOptions{Write: true})
		require.ErrorIs(t, err, dbtx.ErrForeignKey)
		require.EqualError(t, err, "explain CreateInvitation: reader of the invitation does not exist")
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg)
		require.Empty(t, pg.Detail)
	})
	t.Run("AreNotLeftInTheSession", func(t *testing.T) {
		t.Parallel()
		conn, err := pgx.Connect(ctx, dbtest.URL(t))
		require.NoError(t, err)
		defer conn.Close(context.WithoutCancel(ctx))
		left := func() (prepared int) {
			require.Empty(t, setting(t, conn, "plans.argument_1"))
			require.Equal(t, "auto", setting(t, conn, "plan_cache_mode"))
			require.Equal(t, "off", setting(t, conn, "transaction_read_only"))
			require.NoError(t, conn.QueryRow(ctx, "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'plans%'").Scan(&prepared))

			return prepared
		}
		explain(t, conn, "GetInvitation", []string{digest}, plans.ExplainOptions{})
		require.Zero(t, left())
		_, err = plans.Explain(ctx, conn, &dbgen.Metadata, "GetInvitation", []string{digest + "x"}, plans.ExplainOptions{})
		require.Error(t, err)
		require.Zero(t, left())

		// In a transaction of the caller's, which goes on.
		tx, err := conn.Begin(ctx)
		require.NoError(t, err)
		defer tx.Rollback(ctx)
		_, err = tx.Exec(ctx, "PREPARE plans_control AS SELECT 1; SELECT set_config('plans.control', 'x', true)")
		require.NoError(t, err)
		_, err = plans.Explain(ctx, tx, &dbgen.Metadata, "AddPaper", []string{"", "", "1", "1", "", "true", "true"}, plans.ExplainOptions{Write: true})
		require.ErrorIs(t, err, dbtx.ErrCheck)
		explain(t, tx, "GetPaper", []string{"1"}, plans.ExplainOptions{})
		require.Equal(t, 1, left(), "the control alone")
		_, err = tx.Exec(ctx, "UPDATE papers SET year = year")
		require.NoError(t, err, "the transaction may write, as before")
		require.Equal(t, "x", setting(t, tx, "plans.control"), "the control")
	})
}

func TestExplain_Ends(t *testing.T) {
	t.Parallel()
	db := dbtest.Pool(t)
	m := known("Sleep :many\nINSERT INTO papers (name, url, year, price_cents, has_preview, is_published) "+
		"SELECT 'The Times', 'times', 1985, 1, false, true FROM pg_sleep(600);\n", "Wrong :many\nSELECT x FROM papers;\n")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	_, err := plans.Explain(ctx, db, m, "Sleep", nil, plans.ExplainOptions{Write: true})
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "explain Sleep: context canceled")
	require.Eventually(t, func() bool {
		return number(t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'") == 1
	}, 10*time.Second, 10*time.Millisecond, "the server has stopped it")
	require.Zero(t, number(t, db, "SELECT count(*) FROM papers"))

	_, err = plans.Explain(t.Context(), db, m, "Wrong", nil, plans.ExplainOptions{})
	require.EqualError(t, err, `explain Wrong: ERROR: column "x" does not exist (SQLSTATE 42703)`)
	_, err = plans.Explain(t.Context(), db, &dbgen.Metadata, "getpaper", nil, plans.ExplainOptions{})
	require.EqualError(t, err, "explain: getpaper: no query has this name, but there is GetPaper, GetPaperByURL")
	_, err = plans.Explain(t.Context(), db, known("One :many\nSELECT 1 WHERE 'x' = '@a';\n"), "One", []string{"1"}, plans.ExplainOptions{})
	require.EqualError(t, err, "explain One: the query has 1 parameters, but the server finds 0 in its text")
	_, err = plans.Explain(t.Context(), db, m, "Wrong", []string{"1"}, plans.ExplainOptions{})
	require.EqualError(t, err, "explain Wrong: it has no parameters, so it takes no arguments")
}
