package schema_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"musicstore/internal/dbtest"
	"musicstore/internal/schema"

	"github.com/stretchr/testify/require"
)

var (
	comment  = regexp.MustCompile(`--.*`)
	fileName = regexp.MustCompile(`^schema/[0-9]{3}_([a-z_]+)\.sql$`)
	form     = regexp.MustCompile(`^CREATE (TABLE|(?:UNIQUE )?INDEX) IF NOT EXISTS (\w+) (?:ON (\w+) (?:USING \w+ )?)?\(`)
)

// statements returns the statements of a file without its comments.
func statements(sql string) []string {
	var found []string
	for s := range strings.SplitSeq(comment.ReplaceAllString(sql, "")+"\n", ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			found = append(found, s)
		}
	}

	return found
}

// misfits says what of the files Bootstrap would not see, or what would not be safe to run twice.
func misfits(files []schema.File) []string {
	var found []string
	for _, f := range files {
		table := ""
		if match := fileName.FindStringSubmatch(f.Name); match != nil {
			table = match[1]
		} else {
			found = append(found, f.Name+": is not named NNN_table.sql")
		}
		var names []string
		for i, s := range statements(f.SQL) {
			match := form.FindStringSubmatch(s)
			switch {
			case match == nil:
				found = append(found, f.Name+": not CREATE … IF NOT EXISTS: "+s)

				continue
			case (match[1] == "TABLE") != (i == 0):
				found = append(found, f.Name+": not one table, then its indexes: "+s)
			case match[1] == "TABLE" && match[2] != table, match[1] != "TABLE" && match[3] != table:
				found = append(found, f.Name+": is of another table: "+s)
			}
			names = append(names, match[2])
		}
		if seen, tableOf := schema.Creations([]schema.File{f}); !slices.Equal(names, seen) || tableOf[table] != "" {
			found = append(found, fmt.Sprintf("%s: Bootstrap sees %v of %v", f.Name, seen, names))
		}
	}

	return found
}

func TestFiles(t *testing.T) {
	t.Parallel()
	files, err := schema.Files()
	require.NoError(t, err)

	t.Run("AreAllOfTheFolder", func(t *testing.T) {
		t.Parallel()
		entries, err := os.ReadDir("../../db/schema")
		require.NoError(t, err)
		require.Len(t, files, len(entries), "a file that is not *.sql is not embedded")
		for i, entry := range entries {
			require.Equal(t, "schema/"+entry.Name(), files[i].Name)
			text, err := os.ReadFile("../../db/schema/" + entry.Name())
			require.NoError(t, err)
			require.Equal(t, string(text), files[i].SQL)
		}
	})
	t.Run("AreOfTheFormThatBootstrapKnows", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, misfits(files))
		names, tableOf := schema.Creations(files)
		require.Len(t, tableOf, len(names), "no name stands twice")
		n := 0
		for _, f := range files {
			n += len(statements(f.SQL))
		}
		require.Len(t, names, n)
		require.Equal(t, tables, slices.DeleteFunc(names, func(name string) bool { return tableOf[name] != "" }))
	})
	t.Run("WouldBeFoundOutInAnyOther", func(t *testing.T) {
		t.Parallel()
		const songs = "CREATE TABLE IF NOT EXISTS songs (id bigint);\n"
		require.Empty(t, misfits([]schema.File{{Name: "schema/010_songs.sql", SQL: songs}}))
		for name, f := range map[string]schema.File{
			"a name without number": {Name: "schema/songs.sql", SQL: songs},
			"another's name":        {Name: "schema/010_albums.sql", SQL: songs},
			"no IF NOT EXISTS":      {Name: "schema/010_songs.sql", SQL: "CREATE TABLE songs (id bigint);\n"},
			"not at line start":     {Name: "schema/010_songs.sql", SQL: "  " + songs},
			"lower case":            {Name: "schema/010_songs.sql", SQL: strings.ToLower(songs)},
			"a quoted name":         {Name: "schema/010_songs.sql", SQL: `CREATE TABLE IF NOT EXISTS "songs" (id bigint);`},
			"a named schema":        {Name: "schema/010_songs.sql", SQL: "CREATE TABLE IF NOT EXISTS public.songs (id bigint);"},
			"two tables":            {Name: "schema/010_songs.sql", SQL: songs + songs},
			"other statements":      {Name: "schema/010_songs.sql", SQL: songs + "ALTER TABLE songs ADD name text;\n"},
			"a nameless index":      {Name: "schema/010_songs.sql", SQL: songs + "CREATE INDEX ON songs (id);\n"},
			"another's index": {
				Name: "schema/010_songs.sql",
				SQL:  songs + "CREATE INDEX IF NOT EXISTS albums_name_idx ON albums (name);\n",
			},
		} {
			require.NotEmpty(t, misfits([]schema.File{f}), name)
		}
	})
}

// version is Version of other files.
func version(t *testing.T, files []schema.File) string {
	t.Helper()
	files = slices.Clone(files)
	for _, name := range []string{"bootstrap.go", "split.go"} {
		code, err := os.ReadFile(name)
		require.NoError(t, err)
		files = append(files, schema.File{Name: name, SQL: string(code)})
	}
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s %d %s", f.Name, len(f.SQL), f.SQL)
	}

	return hex.EncodeToString(h.Sum(nil))[:16]
}

func TestVersion(t *testing.T) {
	t.Parallel()
	files, err := schema.Files()
	require.NoError(t, err)
	current, err := schema.Version()
	require.NoError(t, err)

	require.Regexp(t, `^[0-9a-f]{16}$`, current)
	require.Equal(t, version(t, files), current, "a hash of the files and of the code, of nothing else")
	again, err := schema.Version()
	require.NoError(t, err)
	require.Equal(t, current, again)

	for i, f := range files {
		changed := slices.Clone(files)
		changed[i].SQL += " "
		require.NotEqual(t, current, version(t, changed), "%s has changed", f.Name)
		changed[i] = schema.File{Name: f.Name + "x", SQL: f.SQL}
		require.NotEqual(t, current, version(t, changed), "%s is renamed", f.Name)
		require.NotEqual(t, current, version(t, slices.Delete(changed, i, i+1)), "%s is gone", f.Name)
	}
}

// rules are what holds of every table, each with a query for what breaks it and a change that does.
var rules = map[string]struct {
	offenders, change string
	want              []string
}{
	"no column has a default: they live in Go": {
		`SELECT adrelid::regclass || '.' || attname
		 FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
		 ORDER BY 1`,
		"ALTER TABLE albums ALTER COLUMN year SET DEFAULT 1991, ADD COLUMN twice bigint GENERATED ALWAYS AS (2 * year) STORED",
		[]string{"albums.twice", "albums.year"},
	},
	"every constraint is named after its table and kind": {
		`SELECT conname
		 FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
		 WHERE connamespace = current_schema()::regnamespace AND contype <> 'n' -- NOT NULL is one since PostgreSQL 18
		     AND conname !~ ('^' || relname || CASE contype
		         WHEN 'p' THEN '_pkey$' WHEN 'u' THEN '_.+_key$' WHEN 'f' THEN '_.+_fkey$' WHEN 'c' THEN '_.+_check$'
		     END) IS NOT FALSE
		 ORDER BY 1`,
		`ALTER TABLE albums ADD CHECK (year > 0); -- gets a name with a number
		 ALTER TABLE tracks ADD CONSTRAINT tracks_name UNIQUE (name), ADD CONSTRAINT name_key UNIQUE (name);
		 ALTER TABLE tracks ADD CONSTRAINT tracks_name_excl EXCLUDE (name WITH =)`,
		[]string{"albums_year_check1", "name_key", "tracks_name", "tracks_name_excl"},
	},
	"every index is named after its table": {
		`SELECT indexname FROM pg_indexes
		 WHERE schemaname = current_schema() AND indexname !~ ('^' || tablename || '_(pkey|.+_(idx|key))$')
		 ORDER BY 1`,
		"CREATE INDEX by_name ON tracks (name); CREATE INDEX ON albums (year, id)",
		[]string{"albums_year_id_idx1", "by_name"},
	},
	"every foreign key says what a deletion does": {
		"SELECT conname FROM pg_constraint WHERE contype = 'f' AND confdeltype NOT IN ('c', 'r') ORDER BY 1",
		`ALTER TABLE tracks ADD CONSTRAINT tracks_silent_fkey FOREIGN KEY (album_id) REFERENCES albums (id);
		 ALTER TABLE tracks ADD CONSTRAINT tracks_null_fkey FOREIGN KEY (album_id) REFERENCES albums ON DELETE SET NULL`,
		[]string{"tracks_null_fkey", "tracks_silent_fkey"},
	},
	"every foreign key has an index that begins with its columns": {
		`SELECT conname FROM pg_constraint
		 WHERE contype = 'f' AND NOT EXISTS (
		     SELECT FROM pg_index
		     WHERE indrelid = conrelid AND indisvalid AND indpred IS NULL
		         AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey
		 )
		 ORDER BY 1`,
		`DROP INDEX purchases_album_id_idx, password_resets_account_id_idx; -- the other one of account_id is partial
		 CREATE INDEX purchases_second_idx ON purchases (created_at, album_id)`,
		[]string{"password_resets_account_id_fkey", "purchases_album_id_fkey"},
	},
}

func TestSchema_KeepsTheRules(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.URL(t))
	for name, rule := range rules {
		require.Empty(t, list(t, db, rule.offenders), name)
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		run(t, tx, rule.change)
		require.Equal(t, rule.want, list(t, tx, rule.offenders), "the query finds what breaks the rule: %s", name)
		require.NoError(t, tx.Rollback(t.Context()))
	}
}
