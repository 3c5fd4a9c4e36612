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
	page, err := os.ReadFile("../../docs/graph.md")
	require.NoError(t, err)
	_, block, found := strings.Cut(string(page), "```mermaid\n")
	require.True(t, found)
	block, _, found = strings.Cut(block, "```")
	require.True(t, found)
	graph, err := schema.Graph(t.Context(), dbtest.Pool(t))
	require.NoError(t, err)
	require.Equal(t, graph, block, "the picture of docs/graph.md is out of date: put there what `musicstore graph` prints")
}
