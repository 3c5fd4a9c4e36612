package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/schema"
)

func TestGraph(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	want, err := schema.Graph(t.Context(), open(t, url).DB())
	require.NoError(t, err)
	require.Equal(t, result{ok, want, ""}, musicstore(t, "graph", "--database-url", url))
	require.Contains(t, want, "\n    albums ||--o{ tracks : \"album_id\"\n")
}
