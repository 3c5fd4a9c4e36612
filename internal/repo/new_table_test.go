package repo_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
)

// project is a copy of this one, in which somebody adds to it.
type project struct {
	t      *testing.T
	folder string
	url    string // of a database from before
}

func copyProject(t *testing.T) *project {
	t.Helper()
	const root = "../.."
	p := &project{t: t, folder: t.TempDir(), url: dbtest.URL(t)}
	for _, folder := range []string{"bench", "cmd", "db", "docs", "examples", "internal", "layer"} {
		require.NoError(t, os.CopyFS(filepath.Join(p.folder, folder), os.DirFS(filepath.Join(root, folder))))
	}
	for _, file := range []string{"go.mod", "go.sum", "sqlc.yaml", "defaults.yaml", "Makefile", "README.md", "CHANGELOG.md"} {
		p.add(filepath.Join(root, file), file)
	}

	return p
}

// add copies a file into the project.
func (p *project) add(from, to string) {
	p.t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(p.folder, to), text, 0o600))
}

// edit puts text before a line of a file of the project, or at its end.
func (p *project) edit(file, before, text string) {
	p.t.Helper()
	file = filepath.Join(p.folder, file)
	old, err := os.ReadFile(file)
	require.NoError(p.t, err)
	at := len(old)
	if before != "" {
		at = strings.Index(string(old), before)
		require.Positive(p.t, at, before)
	}
	require.NoError(p.t, os.WriteFile(file, []byte(string(old[:at])+text+string(old[at:])), 0o600))
}

// run returns what a program of the project prints, and whether it succeeded.
func (p *project) run(name string, args ...string) (string, bool) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), name, args...)
	cmd.Dir, cmd.Env = p.folder, append(os.Environ(), "MUSICSTORE_SOAK=")
	out, err := cmd.CombinedOutput()
	p.t.Logf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)

	return string(out), err == nil
}

func (p *project) musicstore(args ...string) (string, bool) {
	p.t.Helper()

	return p.run("./musicstore", append(args, "--database-url", p.url)...)
}

// build makes the code and the program.
func (p *project) build() {
	p.t.Helper()
	_, ok := p.run("make", "generate")
	require.True(p.t, ok)
	_, ok = p.run("go", "build", "-o", "musicstore", "./cmd/musicstore")
	require.True(p.t, ok)
}

// test runs what `make test` runs of the store, without the race detector. The layer and the library do not see db/, so their tests are
// the same here as in the project itself. One test is left out because it may use the private database of whoever runs this.
func (p *project) test() {
	p.t.Helper()
	out, ok := p.run("go", "test", "-parallel", "4", "-skip", "Init_WithoutURL", "./cmd/...", "./internal/...")
	require.True(p.t, ok, out)
}

// TestSoak_TheTenFeaturesCostSQLAlone adds the SQL of ten features that a shop has. No Go is written for their defaults,
// words, retries and secrecy: two lines of sqlc.yaml name the secret, and one of defaults.yaml says that it is made.
func TestSoak_TheTenFeaturesCostSQLAlone(t *testing.T) { //nolint:paralleltest // it builds the project
	dbtest.Soak(t)
	const features = "testdata/features"
	p := copyProject(t)
	require.NoError(t, fs.WalkDir(os.DirFS(features), ".", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".sql") {
			p.add(filepath.Join(features, path), filepath.Join("db", path))
		}

		return err
	}))
	p.edit("sqlc.yaml", "          - { column: accounts.email,", `          - { column: gift_cards.code, go_type: musicstore/layer/private.Secret }
          - { column: gift_card_spends.code, go_type: musicstore/layer/private.Secret }
`)
	p.edit("defaults.yaml", "", `    "gift_cards.code": { on: insert, value: id }`+"\n")
	p.build()

	out, ok := p.musicstore("init")
	require.True(t, ok, out)
	require.Contains(t, out, "created artists\n")
	out, ok = p.musicstore("graph")
	require.True(t, ok, out)
	require.Contains(t, out, `gift_cards ||--o{ gift_card_spends : "code"`)
	out, ok = p.musicstore("grants", "pgtdbuser")
	require.True(t, ok, out)
	require.Contains(t, out, `UPDATE ("rating", "body", "updated_at") ON TABLE "public"."reviews" TO "pgtdbuser";`)
	conn, err := pgx.Connect(t.Context(), p.url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), out)
	require.NoError(t, err, "PostgreSQL takes the grants")
	require.NoError(t, conn.Close(t.Context()))

	p.add(filepath.Join(features, "features_test.go.txt"), "internal/repo/features_test.go")
	out, ok = p.run("go", "test", "-race", "-v", "-run", "TestFeatures", "./internal/repo")
	require.True(t, ok, out)
	require.Equal(t, 6, strings.Count(out, "--- PASS: TestFeatures"))
	p.test()
}

// TestSoak_ATableCostsSQLAlone does in a copy of the project what somebody does who wants a new table: it adds the SQL of
// testdata/playlists and runs `make generate`. No Go is written but what uses the table.
func TestSoak_ATableCostsSQLAlone(t *testing.T) { //nolint:paralleltest // it builds the project
	dbtest.Soak(t)
	p := copyProject(t)
	p.add("testdata/playlists/060_playlists.sql", "db/schema/060_playlists.sql")
	p.add("testdata/playlists/070_playlist_tracks.sql", "db/schema/070_playlist_tracks.sql")
	p.add("testdata/playlists/playlists.sql", "db/queries/playlists.sql")
	p.build()

	// A database from before has the other tables.
	out, ok := p.musicstore("check")
	require.False(t, ok)
	require.Contains(t, out, "table playlists is missing")
	require.Contains(t, out, "table playlist_tracks is missing")
	out, ok = p.musicstore("init")
	require.True(t, ok)
	require.Equal(t, "created playlists\ncreated playlist_tracks\n", out)
	out, ok = p.musicstore("check")
	require.True(t, ok, out)
	out, ok = p.musicstore("graph")
	require.True(t, ok)
	require.Contains(t, out, `accounts ||--o{ playlists : "account_id"`)
	require.Contains(t, out, `playlists ||--o{ playlist_tracks : "playlist_id"`)
	require.Contains(t, out, `tracks ||--o{ playlist_tracks : "track_id"`)
	out, ok = p.musicstore("grants", "shop")
	require.True(t, ok)
	require.Contains(t, out, `INSERT ("account_id", "name", "created_at"), DELETE ON TABLE "public"."playlists" TO "shop";`)
	require.Contains(t, out, `GRANT SELECT ("playlist_id", "display_order", "track_id"), INSERT ("playlist_id", "display_order", "track_id") `+
		`ON TABLE "public"."playlist_tracks" TO "shop";`)

	// All tests hold, and so do those of the new table, with typed errors, echo, transactions.
	p.add("testdata/playlists/playlists_test.go.txt", "internal/repo/playlists_test.go")
	p.test()
	out, ok = p.run("go", "test", "-tags", "verify", "-run", "^TestDocs_Show", "./internal/schema")
	require.False(t, ok)
	require.Contains(t, out, "run make graph")
	out, ok = p.run("make", "graph")
	require.True(t, ok, out)
	out, ok = p.run("go", "test", "-tags", "verify", "-count=1", "-run", "^TestDocs_Show", "./internal/schema")
	require.True(t, ok, out)
	out, ok = p.run("make", "plans")
	require.True(t, ok)
	require.Contains(t, out, "ListPlaylistTracks")

	// The control: the same, but a query that no index serves.
	const slow = `
-- name: ListPlaylistsByName :many
-- ListPlaylistsByName returns all of a name.
SELECT id
FROM playlists
WHERE name = @name
ORDER BY id;
`
	p.edit("db/queries/playlists.sql", "", slow)
	out, ok = p.run("make", "plans")
	require.False(t, ok)
	require.Contains(t, out, "ListPlaylistsByName")
	require.Contains(t, out, "playlists")
}
