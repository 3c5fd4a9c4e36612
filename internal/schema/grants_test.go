package schema_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/schema"
)

// That the grants are those that the store needs, neither more nor less, TestGrants of repo shows.
func TestGrants(t *testing.T) {
	t.Parallel()

	t.Run("AreOneStatementATable", func(t *testing.T) {
		t.Parallel()
		grants, err := schema.Grants("shop", "public")
		require.NoError(t, err)
		require.Len(t, grants, 1+len(tables))
		require.Equal(t, `GRANT USAGE ON SCHEMA "public" TO "shop";`, grants[0])
		for i, table := range tables {
			require.Regexp(t, `^GRANT SELECT.* ON TABLE "public"."`+table+`" TO "shop";$`, grants[1+i])
		}
	})
	t.Run("CoverANewTableThatHasSQLAlone", func(t *testing.T) {
		t.Parallel()
		files := []schema.File{{"060_playlists.sql", "CREATE TABLE IF NOT EXISTS playlists (\n);\n" +
			"CREATE INDEX IF NOT EXISTS playlists_name_idx ON playlists (name);"}}
		for query, want := range map[string]string{
			"SELECT * FROM playlists":                                                      "SELECT",
			"SELECT *\nFROM albums\nLEFT JOIN playlists\n    ON true":                      "SELECT",
			"SELECT * FROM playlists\nFOR UPDATE":                                          "SELECT, UPDATE",
			"SELECT * FROM playlists FOR KEY SHARE":                                        "SELECT, UPDATE",
			"INSERT INTO playlists (name) VALUES (@name)":                                  "INSERT",
			"INSERT INTO playlists (name) VALUES (@name) RETURNING id":                     "SELECT, INSERT",
			"INSERT INTO playlists (name) VALUES (@n) ON CONFLICT (name) DO NOTHING":       "SELECT, INSERT",
			"INSERT INTO playlists (name) VALUES (@n)\nON CONFLICT (n) DO UPDATE\nSET n=1": "SELECT, INSERT, UPDATE",
			"UPDATE playlists\nSET name = @name WHERE id = @id":                            "SELECT, UPDATE",
			"DELETE FROM playlists USING albums WHERE playlists.id = albums.id":            "SELECT, DELETE",
			"DELETE FROM albums USING playlists WHERE playlists.id = albums.id":            "SELECT",
			"WITH gone AS (DELETE FROM playlists) SELECT * FROM gone":                      "SELECT, DELETE",
		} {
			require.Equal(t, []string{
				`GRANT USAGE ON SCHEMA "music" TO "shop";`, `GRANT ` + want + ` ON TABLE "music"."playlists" TO "shop";`,
			}, schema.GrantsFor("shop", "music", files, []string{query}), query)
		}
		require.Len(t, schema.GrantsFor("shop", "music", files, []string{"SELECT 1 -- FROM playlists"}), 1)
	})
}
