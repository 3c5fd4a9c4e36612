package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	layerschema "musicstore/layer/schema"
)

// metadataOf returns what make generate knows of a schema.
func metadataOf(t *testing.T, sql string) *dbtx.Metadata {
	t.Helper()
	root := project(t, map[string]string{
		"db/schema/010_all.sql": sql, "db/queries/all.sql": "-- name: One :one\nSELECT 1::integer AS one;\n",
		"defaults.yaml": "internal/dbgen:\n  store: internal/store\n  defaults:\n    \"*.id\": { on: insert, value: id }\n    \"*.created_at\": { on: insert, value: now }\n",
	})
	raw, blocks, err := readConfig(root)
	require.NoError(t, err)
	require.NoError(t, readDefaults(root, blocks))
	ps := &problems{}
	c, sources := blocks[0], map[string]*source{}
	for _, name := range slices.Concat(c.schema, c.queries) {
		sources[name], err = readSource(root, name, ps)
		require.NoError(t, err)
	}
	scratch := t.TempDir()
	requests, err := runSQLC(t.Context(), root, scratch, raw, blocks, sources)
	require.NoError(t, err)
	s := readSchema(c, requests[0], c.schemaFiles(sources), ps)
	require.NoError(t, ps.err())
	m := &dbtx.Metadata{}
	for _, file := range c.schemaFiles(sources) {
		m.Schema = append(m.Schema, file.Schema()...)
	}
	for _, table := range s.tables {
		known := table.metadata()
		m.Tables = append(m.Tables, &known)
	}

	return m
}

// psql runs a file.
func psql(t *testing.T, url, text string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestSoak_MigrateEvolves(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	folders, err := filepath.Glob("testdata/evolve/*")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(folders), 14)
	for i, folder := range folders {
		folders[i] = filepath.Base(folder)
	}
	evolves(t, folders...)
}

// evolves migrates from one schema to the other, with the pairs in testdata/evolve.
func evolves(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		folder := filepath.Join("testdata/evolve", name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := func(name string) string {
				b, err := os.ReadFile(filepath.Join(folder, name))
				if !os.IsNotExist(err) {
					require.NoError(t, err)
				}

				return string(b)
			}
			check := func(db *pgx.Conn, m *dbtx.Metadata) {
				differences, err := layerschema.Check(t.Context(), db, m)
				require.NoError(t, err)
				require.Empty(t, slices.DeleteFunc(differences, func(d layerschema.Difference) bool {
					return strings.HasPrefix(d.Name, "somebody") // what rows.sql makes for somebody else
				}))
			}
			was, m := metadataOf(t, text("old.sql")), metadataOf(t, text("new.sql"))
			old := func() (url string, db *pgx.Conn) {
				url = newDatabase(t)
				db = connect(t, url)
				_, err := layerschema.Bootstrap(t.Context(), db, was)
				require.NoError(t, err)
				psql(t, url, text("rows.sql"))

				return url, db
			}
			_, db := old()
			flags := strings.Fields(text("flags"))
			opts := layerschema.MigrateOptions{
				AllowRewrite: slices.Contains(flags, "--allow-rewrite"), AllowLoss: slices.Contains(flags, "--allow-loss"),
				Prune:    slices.Contains(flags, "--prune"),
				Progress: func(s layerschema.Step, _ int) { t.Log(s.SQL) },
			}
			_, err := layerschema.Migrate(t.Context(), db, dbtx.SQL{Metadata: m}, opts)
			if strings.TrimSpace(text("expect")) == "refused" {
				require.ErrorIs(t, err, layerschema.ErrRefused)
				require.Regexp(t, strings.TrimSpace(text("says")), err.Error())
				require.NotContains(t, err.Error(), "secret", "a value of a row")
			} else {
				require.NoError(t, err)
				check(db, m)
				again, err := layerschema.Migrate(t.Context(), db, dbtx.SQL{Metadata: m}, opts)
				require.NoError(t, err)
				require.Empty(t, again)

				// The same by psql.
				url, other := old()
				plan, err := layerschema.PlanOf(t.Context(), other, m, opts)
				require.NoError(t, err)
				sql, err := plan.SQL()
				require.NoError(t, err)
				psql(t, url, sql)
				check(other, m)
			}
			var want bool
			require.NoError(t, db.QueryRow(t.Context(), text("want.sql")).Scan(&want))
			require.True(t, want)
		})
	}
}
