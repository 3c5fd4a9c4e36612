package schema_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/schema"

	"github.com/stretchr/testify/require"
)

// Each kind of change, with nobody beside it: the plan, the file for psql, the steps that programs of the version before survive, the rest,
// and a second run. TestMigrate_NobodyWaits and its like have the load.
func TestMigrate_EachKindOfChange(t *testing.T) {
	t.Parallel()
	const rows = 100
	url := dbtest.EmptyURL(t)
	admin := connect(t, url)
	var version int
	require.NoError(t, admin.QueryRow(t.Context(), "SELECT current_setting('server_version_num')::integer / 10000").Scan(&version))
	w := world{rows: rows}
	first := chosen([]string{"column added, derived", "text to enum"})
	for i, k := range dbtest.Sample(len(first), append(first, allKinds...)...) {
		if version < k.since || strings.Contains(k.old, "pg_index") { // a superuser alone may do that
			continue
		}
		name := fmt.Sprintf("kind_%d", i)
		run(t, admin, "CREATE SCHEMA "+name)
		in := url + "&search_path=" + name + ",public"
		seed(t, in, rows)
		db := connect(t, in)
		run(t, db, k.old)
		m := k.metadata(t)
		sql := dbtx.SQL{Metadata: m, Derivations: k.derive}
		if k.dirty != "" {
			w.inTheWay(t, k, db, sql)
		}
		plan, err := schema.PlanOf(t.Context(), db, m, k.opts)
		require.NoError(t, err, k.name)
		require.Equal(t, k.refused, len(plan.Refusals) > 0, "%s: %v", k.name, plan.Refusals)
		if k.refused {
			continue
		}
		text, err := plan.SQL()
		if k.derive != nil {
			require.ErrorIs(t, err, schema.ErrNoSQL)
		} else {
			require.NoError(t, err)
			require.Contains(t, text, plan.Steps[0].SQL)
		}
		done := 0
		for _, expand := range []bool{true, false} {
			opts := k.opts
			opts.Expand = expand
			applied, err := schema.Migrate(t.Context(), db, sql, opts)
			require.NoError(t, err, k.name)
			done += len(applied)
		}
		require.NotZero(t, done, k.name)
		differences, err := schema.Check(t.Context(), db, m)
		require.NoError(t, err, k.name)
		require.Empty(t, inWords(differences), k.name)
		again, err := schema.Migrate(t.Context(), db, sql, k.opts)
		require.NoError(t, err, k.name)
		require.Empty(t, again, k.name)
		log, err := schema.Log(t.Context(), db, m)
		require.NoError(t, err, k.name)
		require.Len(t, log, done, k.name)
		require.NoError(t, db.Close(t.Context()))
	}
}

// To drop a foreign key locks the table that it refers to, too.
func TestPlan_SaysWhatADroppedForeignKeyLocks(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.EmptyURL(t))
	run(t, db, "CREATE TABLE papers (id integer PRIMARY KEY); CREATE TABLE notes (paper integer REFERENCES papers)")
	plan, err := schema.PlanOf(t.Context(), db, of(t, []file{{
		"all.sql", "CREATE TABLE papers (id integer PRIMARY KEY);\nCREATE TABLE notes (paper integer);\n",
	}}), schema.MigrateOptions{})
	require.NoError(t, err)
	require.Len(t, plan.Steps, 1)
	require.Equal(t, []string{"notes", "papers"}, plan.Steps[0].On)
}

// Programs of the version before insert the default of the domain, so that NOT NULL does not wait for them.
func TestPlan_ExpandsByTheDefaultOfADomain(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.EmptyURL(t))
	run(t, db, "CREATE DOMAIN levels AS integer DEFAULT 7; CREATE TABLE t (id integer); INSERT INTO t VALUES (1)")
	m := of(t, []file{{"all.sql", "CREATE DOMAIN levels AS integer DEFAULT 7;\nCREATE TABLE t (id integer, level levels NOT NULL);\n"}})
	m.Tables = []*dbtx.Table{{Name: "t", Columns: []dbtx.Column{{Name: "id"}, {Name: "level", Fill: "1"}}}}
	plan, err := schema.PlanOf(t.Context(), db, m, schema.MigrateOptions{Expand: true})
	require.NoError(t, err)
	require.Empty(t, plan.Refusals)
	require.Empty(t, plan.Later)
}

// A change of a table's columns and checks locks the tables that inherit from it, and INHERIT the parent.
func TestPlan_SaysWhichHeirsAreLocked(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.EmptyURL(t))
	run(t, db, "CREATE TABLE p (id integer, n integer, o integer); CREATE TABLE c () INHERITS (p); CREATE TABLE d () INHERITS (c); CREATE TABLE e (id bigint, m integer, k integer)")
	m := of(t, []file{{"all.sql", "CREATE TABLE p (id bigint, m integer, k integer, CONSTRAINT p_check CHECK (m > 0));\n" +
		"CREATE TABLE c () INHERITS (p);\nCREATE TABLE d () INHERITS (c);\nCREATE TABLE e (id bigint, m integer, k integer, CONSTRAINT p_check CHECK (m > 0)) INHERITS (p);\n"}})
	m.Tables = []*dbtx.Table{{Name: "p", Columns: []dbtx.Column{{Name: "id"}, {Name: "m", Was: "n"}, {Name: "k"}}}}
	plan, err := schema.PlanOf(t.Context(), db, m, schema.MigrateOptions{AllowRewrite: true, AllowLoss: true})
	require.NoError(t, err)
	require.Empty(t, plan.Refusals)
	for _, step := range plan.Steps {
		want := []string{"p", "c", "d"}
		switch {
		case strings.Contains(step.SQL, " INHERIT "):
			want = []string{"e", "p"}
		case strings.HasPrefix(step.SQL, `ALTER TABLE "e"`):
			want = []string{"e"}
		}
		require.Equal(t, want, step.On, step.SQL)
	}
	require.Len(t, plan.Steps, 9)
}

// What needs another type, or comes with what waits, waits as well.
func TestMigrate_ExpandsWithoutWhatNeedsTheRest(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	cases := map[string][2]string{
		"another type": {
			"CREATE TABLE t (id integer, status text); CREATE INDEX t_idx ON t (id) WHERE status = 'open'; CREATE VIEW v AS SELECT id FROM t WHERE status = 'open'",
			"CREATE TYPE statuses AS ENUM ('open');\nCREATE TABLE t (id integer, status statuses);\nCREATE INDEX t_idx ON t (id) WHERE status = 'open';\n" +
				"CREATE VIEW v AS SELECT id FROM t WHERE status = 'open';\nCREATE VIEW w AS SELECT status FROM t;\nCREATE VIEW x AS SELECT status FROM w WHERE status = 'open';\n",
		},
		"an heir's": {
			"CREATE TABLE p (id integer, n integer); CREATE TABLE c (n integer) INHERITS (p); CREATE INDEX c_idx ON c (id) WHERE n > 0",
			"CREATE TABLE p (id integer, n text);\nCREATE TABLE c (n text) INHERITS (p);\nCREATE INDEX c_idx ON c (id) WHERE n > '0';\n",
		},
		"a comment": {
			"CREATE TABLE p (id integer); CREATE TABLE c () INHERITS (p)",
			"CREATE TABLE p (id integer, n integer NOT NULL, CONSTRAINT ids CHECK (id > 0));\nCREATE TABLE c () INHERITS (p);\nCOMMENT ON CONSTRAINT ids ON c IS 'x';\nCOMMENT ON COLUMN c.n IS 'x';\n",
		},
		"a parent": {
			"CREATE TABLE p (id integer); CREATE TABLE c (id integer)",
			"CREATE TABLE p (id integer, n integer NOT NULL);\nCREATE TABLE c (id integer, n integer NOT NULL) INHERITS (p);\n",
		},
		"a renamed column": {
			"CREATE TABLE logs (at date NOT NULL, height integer NOT NULL, CONSTRAINT logs_key UNIQUE (height, at)) PARTITION BY RANGE (at)",
			"CREATE TABLE logs (at date NOT NULL, depth integer NOT NULL, CONSTRAINT logs_key UNIQUE (depth, at)) PARTITION BY RANGE (at);\n" +
				"CREATE TABLE logs_2026 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');\n",
		},
		"a primary key": {
			"CREATE TABLE t (id integer, n integer, CONSTRAINT t_pkey PRIMARY KEY (id, n))",
			"CREATE TABLE t (id integer NOT NULL, n integer, CONSTRAINT t_pkey PRIMARY KEY (id));\n",
		},
	}
	for _, name := range dbtest.Sample(2, slices.Sorted(maps.Keys(cases))...) {
		sql := cases[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := connect(t, dbtest.EmptyURL(t))
			run(t, db, sql[0])
			m := of(t, []file{{"all.sql", sql[1]}})
			m.Tables = []*dbtx.Table{{Name: "logs", Columns: []dbtx.Column{{Name: "at"}, {Name: "depth", Was: "height"}}}}
			opts := schema.MigrateOptions{Expand: true, AllowRewrite: true}
			_, err := schema.Migrate(t.Context(), db, dbtx.SQL{Metadata: m}, opts)
			require.NoError(t, err)
			opts.Expand = false
			_, err = schema.Migrate(t.Context(), db, dbtx.SQL{Metadata: m}, opts)
			require.NoError(t, err)
			differences, err := schema.Check(t.Context(), db, m)
			require.NoError(t, err)
			require.Empty(t, differences)
		})
	}
}
