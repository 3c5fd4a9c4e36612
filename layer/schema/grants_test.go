package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/schema"
)

// grantsFor is Grants for other tables and queries.
func grantsFor(tb testing.TB, role, in string, m *dbtx.Metadata) []string {
	tb.Helper()
	grants, err := schema.Grants(role, in, m)
	require.NoError(tb, err)

	return grants
}

// That a role with the grants can run the store, and no more, TestGrants of repo shows.
func TestGrants(t *testing.T) {
	t.Parallel()

	t.Run("AreOneStatementATable", func(t *testing.T) {
		t.Parallel()
		grants, err := schema.Grants("shop", "public", own)
		require.NoError(t, err)
		require.Equal(t, `GRANT USAGE ON SCHEMA "public" TO "shop";`, grants[0])
		for i, table := range tables {
			require.Regexp(t, `^GRANT SELECT \(.* ON TABLE "public"."`+table+`" TO "shop";$`, grants[1+i])
		}
		for _, grant := range grants[1+len(tables):] {
			require.Regexp(t, `^GRANT USAGE ON SEQUENCE "public"."\w+_id_seq" TO "shop";$`, grant)
		}
	})
	t.Run("CoverWhatQueriesDo", func(t *testing.T) {
		t.Parallel()
		clippings := &dbtx.Table{Name: "clippings", Columns: []dbtx.Column{
			{Name: "id", Sequence: "clippings_id_seq"}, {Name: "name"}, {Name: "n", Sequence: "own.numbers"}, {Name: "Odd, name"},
		}}
		sequences := []string{
			`GRANT USAGE ON SEQUENCE "news"."clippings_id_seq" TO "shop";`, `GRANT USAGE ON SEQUENCE "own"."numbers" TO "shop";`,
		}
		for want, use := range map[string]dbtx.Use{
			`SELECT ("id", "name", "n", "Odd, name")`:  {Read: true, Select: []string{"Odd, name", "n", "id", "name"}},
			`SELECT ("name", "ctid", "xmin")`:          {Read: true, Select: []string{"xmin", "ctid", "name"}},
			`SELECT ("id")`:                            {Read: true},
			`INSERT ("Odd, name")`:                     {Insert: []string{"Odd, name"}},
			`UPDATE ("name")`:                          {Update: []string{"name"}},
			`SELECT ("name"), UPDATE ("id")`:           {Select: []string{"name"}, Lock: true},
			`SELECT ("name"), UPDATE ("name"), DELETE`: {Select: []string{"name"}, Update: []string{"name"}, Lock: true, Delete: true},
			`DELETE`: {Delete: true},
		} {
			grants := []string{`GRANT USAGE ON SCHEMA "news" TO "shop";`, `GRANT ` + want + ` ON TABLE "news"."clippings" TO "shop";`}
			if use.Insert != nil {
				grants = append(grants, sequences...)
			}
			use.Table = "clippings"
			m := dbtx.Metadata{Tables: []*dbtx.Table{clippings}, Queries: []*dbtx.Query{{Uses: []dbtx.Use{use}}}}
			require.Equal(t, grants, grantsFor(t, "shop", "news", &m))
		}
		require.Len(t, grantsFor(t, "shop", "news", &dbtx.Metadata{Tables: []*dbtx.Table{clippings}}), 1, "no query needs it")
	})
	t.Run("HaveTRUNCATE", func(t *testing.T) {
		t.Parallel()
		m := dbtx.Metadata{
			Tables:  []*dbtx.Table{{Name: "papers", Columns: []dbtx.Column{{Name: "id"}}}},
			Queries: []*dbtx.Query{{Uses: []dbtx.Use{{Table: "papers", Empty: true}}, Utility: true}},
		}
		require.Equal(t, []string{`GRANT USAGE ON SCHEMA "news" TO "shop";`, `GRANT TRUNCATE ON TABLE "news"."papers" TO "shop";`},
			grantsFor(t, "shop", "news", &m))
	})
	t.Run("CoverATableOfAnotherSchema", func(t *testing.T) {
		t.Parallel()
		m := dbtx.Metadata{
			Tables:  []*dbtx.Table{{Name: "auth.users", Columns: []dbtx.Column{{Name: "id"}}}},
			Queries: []*dbtx.Query{{Uses: []dbtx.Use{{Table: "auth.users", Select: []string{"id"}}}}},
		}
		require.Equal(t, []string{
			`GRANT USAGE ON SCHEMA "news" TO "shop";`, `GRANT USAGE ON SCHEMA "auth" TO "shop";`,
			`GRANT SELECT ("id") ON TABLE "auth"."users" TO "shop";`,
		}, grantsFor(t, "shop", "news", &m))
	})
	t.Run("NameTheSequencesAsPostgreSQLDoes", func(t *testing.T) {
		t.Parallel()
		db := connect(t, databases.URL(t))
		for _, table := range dbgen.Metadata.Tables {
			for _, c := range table.Columns {
				var sequence string
				require.NoError(t, db.QueryRow(t.Context(), "SELECT coalesce(pg_get_serial_sequence($1, $2), '')", table.Name, c.Name).Scan(&sequence))
				require.Equal(t, strings.TrimPrefix(sequence, "public."), c.Sequence, c.Name)
			}
		}
	})
	t.Run("RefuseARoleThatIsMoreThanOne", func(t *testing.T) {
		t.Parallel()
		for _, role := range []string{
			"public", "PUBLIC", "Public", "none", "current_user", "session_user", "CURRENT_ROLE", "user", "pg_monitor", "pg_x",
			strings.Repeat("x", 64), "a\x1b[2J", "a\nb", "a\x00b", "\xff", "a\u202eb",
		} {
			_, err := schema.Grants(role, "public", own)
			require.ErrorContains(t, err, "grants: role", "%q", role)
		}
		for _, name := range []string{strings.Repeat("x", 64), "a\x00"} {
			_, err := schema.Grants("shop", name, own)
			require.ErrorContains(t, err, "grants: schema", "%q", name)
		}
		for _, role := range []string{"shop", "my shop", "publicly", "Ünï", strings.Repeat("x", 63), `"public"`} {
			_, err := schema.Grants(role, "public", own)
			require.NoError(t, err, role)
		}
	})
}

// PostgreSQL itself says what each query does.
func TestUses_AreWhatPostgreSQLFindsOfEachQuery(t *testing.T) {
	t.Parallel()
	db := connect(t, databases.URL(t))
	require.Greater(t, len(dbgen.Metadata.Queries), 20)
	dbtxtest.RequireUses(t, db, &dbgen.Metadata)

	// The control: what a query does and is not known to do is found.
	q := dbgen.Metadata.Find("UpdatePaper")
	want, err := dbtxtest.Uses(t.Context(), db, q.SQL)
	require.NoError(t, err)
	less := slices.Clone(q.Uses)
	less[0].Update = less[0].Update[1:]
	require.ErrorContains(t, dbtxtest.Compare(want, less), "updates of papers")
}
