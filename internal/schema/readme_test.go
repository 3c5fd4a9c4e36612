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
func TestREADME_ShowsTheSchemaAsItIs(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, block, found := strings.Cut(string(readme), "```mermaid\n")
	require.True(t, found)
	block, _, found = strings.Cut(block, "```")
	require.True(t, found)
	graph, err := schema.Graph(t.Context(), dbtest.Pool(t))
	require.NoError(t, err)
	require.Equal(t, graph, block, "the README's picture is out of date: put there what `musicstore graph` prints")
}
