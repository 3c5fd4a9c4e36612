package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
)

// TestSoak_ATableCostsSQLAlone does in a copy of the project what somebody does who wants a new table: it adds the SQL of
// testdata/playlists and runs `make generate`. No Go is written but what uses the table.
func TestSoak_ATableCostsSQLAlone(t *testing.T) { //nolint:paralleltest // it builds the project
	dbtest.Soak(t)
	root, project := "../..", t.TempDir()
	for _, folder := range []string{"cmd", "db", "internal"} {
		require.NoError(t, os.CopyFS(filepath.Join(project, folder), os.DirFS(filepath.Join(root, folder))))
	}
	add := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(project, to), text, 0o600))
	}
	for _, file := range []string{"go.mod", "go.sum", "sqlc.yaml", "defaults.yaml", "Makefile", "README.md"} {
		add(filepath.Join(root, file), file)
	}
	url := dbtest.URL(t)
	// run returns what a program of the project prints, and whether it succeeded.
	run := func(name string, args ...string) (string, bool) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = project, append(os.Environ(), "MUSICSTORE_SOAK=")
		out, err := cmd.CombinedOutput()
		t.Logf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)

		return string(out), err == nil
	}
	musicstore := func(args ...string) (string, bool) {
		t.Helper()

		return run("./musicstore", append(args, "--database-url", url)...)
	}

	add("testdata/playlists/060_playlists.sql", "db/schema/060_playlists.sql")
	add("testdata/playlists/070_playlist_tracks.sql", "db/schema/070_playlist_tracks.sql")
	add("testdata/playlists/playlists.sql", "db/queries/playlists.sql")
	_, ok := run("make", "generate")
	require.True(t, ok)
	_, ok = run("go", "build", "-o", "musicstore", "./cmd/musicstore")
	require.True(t, ok)

	// A database from before has the other tables.
	out, ok := musicstore("check")
	require.False(t, ok)
	require.Contains(t, out, "table playlists is missing")
	require.Contains(t, out, "table playlist_tracks is missing")
	out, ok = musicstore("init")
	require.True(t, ok)
	require.Equal(t, "created playlists\ncreated playlist_tracks\n", out)
	out, ok = musicstore("check")
	require.True(t, ok, out)
	out, ok = musicstore("graph")
	require.True(t, ok)
	require.Contains(t, out, `accounts ||--o{ playlists : "account_id"`)
	require.Contains(t, out, `playlists ||--o{ playlist_tracks : "playlist_id"`)
	require.Contains(t, out, `tracks ||--o{ playlist_tracks : "track_id"`)
	out, ok = musicstore("grants", "shop")
	require.True(t, ok)
	require.Contains(t, out, `INSERT ("account_id", "name", "created_at"), DELETE ON TABLE "public"."playlists" TO "shop";`)
	require.Contains(t, out, `GRANT SELECT ("playlist_id", "display_order", "track_id"), INSERT ("playlist_id", "display_order", "track_id") `+
		`ON TABLE "public"."playlist_tracks" TO "shop";`)

	// All tests hold but for the README's picture; so do those of the new table, with typed errors, echo, transactions.
	add("testdata/playlists/playlists_test.go.txt", "internal/repo/playlists_test.go")
	// One test is left out because it may use the private database of whoever runs this.
	out, ok = run("go", "test", "-skip", "README|Init_WithoutURL", "./...")
	require.True(t, ok, out)
	out, _ = run("go", "test", "-run", "README", "./internal/schema")
	require.Contains(t, out, "playlist_tracks", "the picture has to be made again")
	out, ok = run("make", "plans")
	require.True(t, ok)
	require.Contains(t, out, "ListPlaylistTracks")

	// The control: the same, but a query that no index serves.
	query := filepath.Join(project, "db/queries/playlists.sql")
	text, err := os.ReadFile(query)
	require.NoError(t, err)
	const slow = `
-- name: ListPlaylistsByName :many
-- ListPlaylistsByName returns all of a name.
SELECT id
FROM playlists
WHERE name = @name
ORDER BY id;
`
	require.NoError(t, os.WriteFile(query, append(text, slow...), 0o600))
	out, ok = run("make", "plans")
	require.False(t, ok)
	require.Contains(t, out, "ListPlaylistsByName")
	require.Contains(t, out, "playlists")
}
