package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtest"
)

func TestGenerate_LeavesTheOldTree(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	leavesTheOldTree(t, nil)
}

func TestSoak_GenerateLeavesTheOldTree(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	leavesTheOldTree(t, map[string]string{
		"a syntax error":            "-- name: A :one\nSELEC 1;\n",
		"a command that is missing": "-- name: A :some\nSELECT 1;\n",
	})
}

// leavesTheOldTree makes a project, breaks it in different ways, and looks whether what was generated
// before is as it was. A column that is missing is always among them.
func leavesTheOldTree(t *testing.T, broken map[string]string) {
	t.Helper()
	root := project(t, nil)
	require.NoError(t, generate(t.Context(), root, t.Output()))
	query := filepath.Join(root, "db/queries/more.sql")
	for name, text := range broken {
		write(t, query, text)
		before := tree(t, root)
		err := generate(t.Context(), root, t.Output())
		require.ErrorContains(t, err, "db/queries/more.sql:", name)
		require.Equal(t, before, tree(t, root), name)
	}
	write(t, query, "-- name: A :one\n-- +plan filters books: few\nSELECT nothing FROM books;\n")
	before := tree(t, root)
	require.ErrorContains(t, generate(t.Context(), root, t.Output()), "db/queries/more.sql:3: column \"nothing\" does not exist",
		"the line is that of the file, which sqlc does not read")
	require.Equal(t, before, tree(t, root))

	require.NoError(t, os.Remove(query))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before = tree(t, root)
	require.ErrorIs(t, generate(ctx, root, t.Output()), context.Canceled)
	require.Equal(t, before, tree(t, root))
}

// TestSwap_IsFinishedByTheNextRun ends a run after each of its steps, as a kill does, and lets the next one go on.
func TestSwap_IsFinishedByTheNextRun(t *testing.T) {
	t.Parallel()
	for done := range 7 {
		root := t.TempDir()
		scratch := filepath.Join(root, scratchName)
		write(t, filepath.Join(root, "folder/old.go"), "old")
		write(t, filepath.Join(root, "types.go"), "old")
		write(t, filepath.Join(root, "gone.go"), "old")
		write(t, filepath.Join(scratch, "0/new.go"), "new")
		write(t, filepath.Join(scratch, "types.go"), "new")
		moves := []move{
			{filepath.Join(scratch, "0"), filepath.Join(root, "folder")},
			{filepath.Join(scratch, "types.go"), filepath.Join(root, "types.go")},
			{"", filepath.Join(root, "gone.go")},
		}
		text, err := json.Marshal(moves)
		require.NoError(t, err)
		old := tree(t, root)
		steps := []func() error{
			func() error { return os.WriteFile(filepath.Join(scratch, journal), text, 0o600) },
			func() error { return os.Rename(moves[0].To, backup(scratch, 0)) },
			func() error { return os.Rename(moves[0].From, moves[0].To) },
			func() error { return os.Link(moves[1].To, backup(scratch, 1)) },
			func() error { return os.Rename(moves[1].From, moves[1].To) },
			func() error { return os.Rename(moves[2].To, backup(scratch, 2)) },
		}
		for _, step := range steps[:done] {
			require.NoError(t, step())
		}
		require.NoError(t, finish(scratch))
		want := map[string]string{"folder/new.go": "new", "types.go": "new"}
		if done == 0 { // nothing says that everything is made
			want = map[string]string{"folder/old.go": old["folder/old.go"], "types.go": "old", "gone.go": "old"}
		}
		require.Equal(t, want, tree(t, root), "killed after %d steps", done)
	}
}

// TestSwap_TakesEverythingBack puts a folder where a file has to go, so that the last move fails.
func TestSwap_TakesEverythingBack(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	scratch := filepath.Join(root, scratchName)
	write(t, filepath.Join(root, "folder/old.go"), "old")
	write(t, filepath.Join(root, "types.go"), "old")
	write(t, filepath.Join(root, "last.go/in_the_way"), "old")
	before := tree(t, root)
	write(t, filepath.Join(scratch, "0/new.go"), "new")
	write(t, filepath.Join(scratch, "types.go"), "new")
	write(t, filepath.Join(scratch, "fresh.go"), "new")
	write(t, filepath.Join(scratch, "last.go"), "new")
	err := swap(scratch, []move{
		{filepath.Join(scratch, "0"), filepath.Join(root, "folder")},
		{filepath.Join(scratch, "types.go"), filepath.Join(root, "types.go")},
		{filepath.Join(scratch, "fresh.go"), filepath.Join(root, "fresh.go")},
		{filepath.Join(scratch, "last.go"), filepath.Join(root, "last.go")},
	})
	require.Error(t, err)
	require.Equal(t, before, tree(t, root))
}
