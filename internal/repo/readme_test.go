package repo_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestREADME_ShowsWhatCompiles(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	var text strings.Builder
	for _, page := range append(pages, "../../README.md") {
		page, err := os.ReadFile(page)
		require.NoError(t, err)
		text.Write(page)
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(text.String(), -1)
	require.NotEmpty(t, snippets)
	files, err := filepath.Glob("../*/example_test.go")
	require.NoError(t, err)
	var examples strings.Builder
	for _, file := range append(files, "../../examples/library/schema_test.go") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		examples.Write(text)
	}
	for _, snippet := range snippets {
		require.Contains(t, examples.String(), snippet[1], "a snippet of the README or of docs/ is in no example")
	}
}

func TestREADME_AddsTheTableThatIsTested(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	snippets := regexp.MustCompile("(?s)```sql\n-- db/\\w+/(\\w+\\.sql)\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.Len(t, snippets, 2)
	for _, snippet := range snippets {
		text, err := os.ReadFile("testdata/playlists/" + snippet[1])
		require.NoError(t, err)
		require.Contains(t, string(text), snippet[2])
	}
}

func TestREADME_NamesWhatExists(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, path := range regexp.MustCompile("`((?:db|internal|cmd|layer|docs)/[a-z/._]*)`").FindAllStringSubmatch(string(readme), -1) {
		_, err := os.Stat(filepath.Join("../..", path[1]))
		require.NoError(t, err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	for _, target := range regexp.MustCompile("`make ([a-z-]+)`").FindAllStringSubmatch(string(readme), -1) {
		require.Contains(t, string(makefile), "\n"+target[1]+": ")
	}
}
