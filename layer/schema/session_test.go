package schema_test

import (
	"strings"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/schema"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// odd are settings that change what SQL means, or how the server prints a definition.
var odd = []string{
	"standard_conforming_strings = off", "client_encoding = 'LATIN1'", "quote_all_identifiers = on", "transform_null_equals = on",
	"array_nulls = off", "backslash_quote = on", "DateStyle = 'SQL, DMY'", "IntervalStyle = 'iso_8601'", "TimeZone = 'Asia/Tokyo'",
	"extra_float_digits = -15", "bytea_output = 'escape'", "xmlbinary = 'hex'", "check_function_bodies = off",
	"default_text_search_config = 'pg_catalog.german'", "row_security = off", "default_transaction_isolation = 'serializable'",
}

func oddly(settings ...string) func(*pgx.ConnConfig) {
	return func(c *pgx.ConnConfig) {
		for _, setting := range settings {
			name, value, _ := strings.Cut(setting, " = ")
			c.RuntimeParams[name] = strings.Trim(value, "'")
		}
	}
}

// definitions returns what the database says of its tables, read by a session with the server's own settings.
func definitions(t *testing.T, url string) []string {
	t.Helper()

	return list(t, connect(t, url), `
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid <> 0
UNION ALL
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
ORDER BY 1`)
}

func TestBootstrap_MakesTheSameUnderAnySettings(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	want := definitions(t, databases.URL(t))
	url := dbtest.EmptyURL(t)
	odds := connect(t, url, oddly(odd...))
	created, err := schema.Bootstrap(t.Context(), odds, own)
	require.NoError(t, err)
	require.Equal(t, tables, created)
	require.Equal(t, want, definitions(t, url))
	require.Equal(t, []string{"off"}, list(t, odds, "SHOW standard_conforming_strings"), "the session is as it was")

	// The control: the files as they are.
	files := ownFiles(t)
	url = dbtest.EmptyURL(t)
	require.NoError(t, naive(t.Context(), connect(t, url, oddly("standard_conforming_strings = off")), files))
	require.NotEqual(t, want, definitions(t, url))
}

func TestBootstrap_LeavesTheCallersTransactionItsSettings(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.EmptyURL(t), oddly("quote_all_identifiers = on", "lock_timeout = 3s"))
	tx, err := db.Begin(t.Context())
	require.NoError(t, err)
	run(t, tx, "SET LOCAL IntervalStyle = iso_8601")
	_, err = schema.Bootstrap(t.Context(), tx, own)
	require.NoError(t, err)
	_, err = schema.Check(t.Context(), tx, own)
	require.NoError(t, err)
	_, err = schema.Graph(t.Context(), tx)
	require.NoError(t, err)
	for name, want := range map[string]string{
		"quote_all_identifiers": "on", "lock_timeout": "3s", "IntervalStyle": "iso_8601", "search_path": `"$user", public`,
	} {
		require.Equal(t, []string{want}, list(t, tx, "SHOW "+name))
	}
	require.NoError(t, tx.Rollback(t.Context()))
}

func TestCheck_FindsTheSameUnderAnySettings(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	sameUnder(t, strings.Join(odd, "; ")) // one may hide another, which `make soak` sees
	// What was made under such settings by the files as they are is found.
	files := ownFiles(t)
	odds := connect(t, dbtest.EmptyURL(t), oddly("standard_conforming_strings = off"))
	require.NoError(t, naive(t.Context(), odds, files))
	differences, err := schema.Check(t.Context(), odds, own)
	require.NoError(t, err)
	require.NotEmpty(t, differences)
}

func TestSoak_CheckFindsTheSameUnderEachSetting(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	sameUnder(t, odd...)
}

// sameUnder checks and draws a database in a session for each text of settings.
func sameUnder(t *testing.T, settings ...string) {
	t.Helper()
	url := databases.URL(t)
	graph, err := schema.Graph(t.Context(), connect(t, url))
	require.NoError(t, err)
	for _, setting := range settings {
		db := connect(t, url, oddly(strings.Split(setting, "; ")...))
		differences, err := schema.Check(t.Context(), db, own)
		require.NoError(t, err, setting)
		require.Empty(t, differences, setting)
		drawn, err := schema.Graph(t.Context(), db)
		require.NoError(t, err, setting)
		require.Equal(t, graph, drawn, setting)
	}
}

func TestEncoding_ThatIsNotUTF8IsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	refusesEncodings(t, "LATIN1")
}

func TestSoak_EncodingsThatAreNotUTF8AreRefused(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	refusesEncodings(t, "SQL_ASCII", "EUC_JP", "WIN1252")
}

func refusesEncodings(t *testing.T, encodings ...string) {
	t.Helper()
	admin := connect(t, dbtest.AdminURL(t))
	for _, encoding := range encodings {
		name := "schema_encoding_" + strings.ToLower(encoding)
		run(t, admin, "CREATE DATABASE "+name+" TEMPLATE template0 LOCALE 'C' ENCODING '"+encoding+"'")
		db := connect(t, dbtest.AdminURL(t), func(c *pgx.ConnConfig) { c.Database = name })
		_, err := schema.Bootstrap(t.Context(), db, own)
		require.ErrorIs(t, err, schema.ErrSettings)
		require.EqualError(t, err, "bootstrap: the encoding of the database is "+encoding+
			" and must be UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0")
		require.Empty(t, relations(t, db), "nothing was made")
		_, err = schema.Check(t.Context(), db, own)
		require.ErrorIs(t, err, schema.ErrSettings)
		require.NoError(t, db.Close(t.Context()))
		run(t, admin, "DROP DATABASE "+name)
	}
}

// Objects of an extension in a schema of the search_path are found and printed as before.
func TestCheck_KnowsTypesOfOtherSchemas(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	db := connect(t, dbtest.EmptyURL(t), searchPath("shop, types, pg_catalog"))
	run(t, db, "CREATE SCHEMA shop; CREATE SCHEMA types; CREATE TYPE types.mood AS ENUM ('blue', 'red')")
	files := []file{{Name: "010_songs.sql", SQL: `
CREATE TABLE IF NOT EXISTS poems (id bigint, mood mood NOT NULL DEFAULT 'blue', CHECK (mood <> 'red' OR id > 1));`}}
	_, err := schema.Bootstrap(t.Context(), db, of(t, files))
	require.NoError(t, err)
	differences, err := schema.Check(t.Context(), db, of(t, files))
	require.NoError(t, err)
	require.Empty(t, differences)
	graph, err := schema.Graph(t.Context(), db)
	require.NoError(t, err)
	require.Contains(t, graph, "        mood mood\n")
}
