//go:build verify

package schema_test

import (
	"os"
	"strings"
	"testing"

	"musicstore/internal/dbtest"
	"musicstore/internal/schema"

	"github.com/stretchr/testify/require"
)

// `make verify` runs this. It is no part of `make test`, which takes a table that somebody adds.
func TestDocs_ShowTheSchemaAsItIs(t *testing.T) {
	t.Parallel()
	const name = "../../docs/graph.md"
	page, err := os.ReadFile(name)
	require.NoError(t, err)
	before, block, found := strings.Cut(string(page), "```mermaid\n")
	require.True(t, found)
	block, after, found := strings.Cut(block, "```")
	require.True(t, found)
	graph, err := schema.Graph(t.Context(), dbtest.Pool(quiet{t}))
	require.NoError(t, err)
	if os.Getenv("MUSICSTORE_GRAPH") != "" { // `make graph` sets it
		require.NoError(t, os.WriteFile(name, []byte(before+"```mermaid\n"+graph+"```"+after), 0o600))

		return
	}
	if graph != block {
		t.Error("the picture of docs/graph.md is not that of db/schema: run make graph")
	}
}
