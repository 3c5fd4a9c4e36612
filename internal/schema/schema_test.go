package schema_test

import (
	"os"
	"testing"

	"musicstore/internal/dbtest"
	"musicstore/internal/schema"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// rules are what holds of the store's own tables, each with a query for what breaks it, with its table, and a change that does.
var rules = map[string]struct {
	offenders, change string
	want              []string
}{
	"no column has a default: they live in Go": {
		`SELECT adrelid::regclass::text, adrelid::regclass || '.' || attname
		 FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
		 ORDER BY 2`,
		"ALTER TABLE albums ALTER COLUMN year SET DEFAULT 1991, ADD COLUMN twice bigint GENERATED ALWAYS AS (2 * year) STORED",
		[]string{"albums.twice", "albums.year"},
	},
	"every constraint is named after its table and kind": {
		`SELECT relname::text, conname::text
		 FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
		 WHERE connamespace = current_schema()::regnamespace AND contype <> 'n' -- NOT NULL is one since PostgreSQL 18
		     AND conname !~ ('^' || relname || CASE contype
		         WHEN 'p' THEN '_pkey$' WHEN 'u' THEN '_.+_key$' WHEN 'f' THEN '_.+_fkey$' WHEN 'c' THEN '_.+_check$'
		     END) IS NOT FALSE
		 ORDER BY 2`,
		`ALTER TABLE albums ADD CHECK (year > 0); -- gets a name with a number
		 ALTER TABLE tracks ADD CONSTRAINT tracks_name UNIQUE (name), ADD CONSTRAINT name_key UNIQUE (name);
		 ALTER TABLE tracks ADD CONSTRAINT tracks_name_excl EXCLUDE (name WITH =)`,
		[]string{"albums_year_check1", "name_key", "tracks_name", "tracks_name_excl"},
	},
	"every index is named after its table": {
		`SELECT tablename::text, indexname::text FROM pg_indexes
		 WHERE schemaname = current_schema() AND indexname !~ ('^' || tablename || '_(pkey|.+_(idx|key))$')
		 ORDER BY 2`,
		"CREATE INDEX by_name ON tracks (name); CREATE INDEX ON albums (year, id)",
		[]string{"albums_year_id_idx1", "by_name"},
	},
	"every foreign key says what a deletion does": {
		"SELECT conrelid::regclass::text, conname::text FROM pg_constraint WHERE contype = 'f' AND confdeltype NOT IN ('c', 'r') ORDER BY 2",
		`ALTER TABLE tracks ADD CONSTRAINT tracks_silent_fkey FOREIGN KEY (album_id) REFERENCES albums (id);
		 ALTER TABLE tracks ADD CONSTRAINT tracks_null_fkey FOREIGN KEY (album_id) REFERENCES albums ON DELETE SET NULL`,
		[]string{"tracks_null_fkey", "tracks_silent_fkey"},
	},
	"every foreign key has an index that begins with its columns": {
		`SELECT conrelid::regclass::text, conname::text FROM pg_constraint
		 WHERE contype = 'f' AND NOT EXISTS (
		     SELECT FROM pg_index
		     WHERE indrelid = conrelid AND indisvalid AND indpred IS NULL
		         AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey
		 )
		 ORDER BY 2`,
		`DROP INDEX purchases_album_id_idx, password_resets_account_id_idx; -- the other one of account_id is partial
		 CREATE INDEX purchases_second_idx ON purchases (created_at, album_id)`,
		[]string{"password_resets_account_id_fkey", "purchases_album_id_fkey"},
	},
}

func TestSchema_KeepsTheRules(t *testing.T) {
	t.Parallel()
	db := dbtest.Pool(t)
	for name, rule := range rules {
		require.Empty(t, offenders(t, db, rule.offenders), name)
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), rule.change)
		require.NoError(t, err)
		require.Equal(t, rule.want, offenders(t, tx, rule.offenders), "the query finds what breaks the rule: %s", name)
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

// ours reports whether a table is one of the store's own, which have Go in package repo. A table that somebody adds need not keep the
// rules of the house.
func ours(table string) bool {
	_, err := os.Stat("../repo/" + table + ".go")

	return err == nil
}

// offenders returns the names that a query gives of the store's own tables.
func offenders(tb testing.TB, db schema.DB, sql string) (names []string) {
	tb.Helper()
	rows, err := db.Query(tb.Context(), sql)
	require.NoError(tb, err)
	var table, name string
	_, err = pgx.ForEachRow(rows, []any{&table, &name}, func() error {
		if ours(table) {
			names = append(names, name)
		}

		return nil
	})
	require.NoError(tb, err)

	return names
}
