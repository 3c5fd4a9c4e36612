package repo_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// The code on the pages is code that is compiled. comingFrom shows other libraries beside the store: their code is what `make bench`
// compiles and runs, and the SQL and the YAML are the store's own files.
func TestREADME_ShowsWhatCompiles(t *testing.T) {
	t.Parallel()
	const comingFrom = "../../docs/coming-from.md"
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	require.Contains(t, pages, comingFrom)
	examples := textOf(t, "../*/example_test.go", "../../examples/library/schema_test.go")
	sources := map[string]string{"go": examples, "python": ""}
	besideOthers := map[string]string{
		"go":     examples + textOf(t, "../../bench/peers/*.go", "../../bench/peers/schema/*.go"),
		"python": textOf(t, "../../bench/peers/sqlalchemy.py"),
		"sql":    textOf(t, "../../db/schema/*.sql", "../../db/queries/*.sql"),
		"yaml":   textOf(t, "../../defaults.yaml"),
	}
	for _, page := range append(pages, "../../README.md") {
		text := textOf(t, page)
		from := sources
		if page == comingFrom {
			from = besideOthers
		}
		for language, source := range from {
			snippets := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1)
			if page == comingFrom {
				require.NotEmpty(t, snippets, language)
			}
			for _, snippet := range snippets {
				require.Contains(t, source, snippet[1], "%s: a snippet is in no example", page)
			}
		}
	}
}

// textOf returns the files that match the patterns, one after the other. Each pattern must match a file.
func textOf(t *testing.T, patterns ...string) string {
	t.Helper()
	var text strings.Builder
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			text.Write(content)
		}
	}

	return text.String()
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
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, folder := range regexp.MustCompile("`((?:db|internal|cmd|layer|docs)/[a-z/._]*)`").FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join("../..", folder[1]))
			require.NoError(t, err, page)
		}
		for _, target := range regexp.MustCompile("`make ([a-z-]+)`").FindAllStringSubmatch(string(text), -1) {
			require.Contains(t, string(makefile), "\n"+target[1]+": ", page)
		}
	}
}

func TestREADME_LinksToWhatExists(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	pages, err := fs.Glob(root, "docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	pages = append(pages, "README.md", "CHANGELOG.md", "bench/README.md", "bench/results/README.md", "bench/results/net.md", "examples/library/README.md")
	for _, page := range pages {
		require.Empty(t, deadLinks(t, root, page), page)
	}
}

// The README links every page of docs/.
func TestREADME_LinksEveryPage(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	for _, page := range pages {
		require.Contains(t, string(readme), "](docs/"+filepath.Base(page)+")")
	}
}

// The control of TestREADME_LinksToWhatExists: it finds a wrong link.
func TestDeadLinks(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{
		"README.md": {Data: []byte("[a](docs/a.md) [b](docs/a.md#see-it-graph-reports) [c](#here-1) [d](docs) [e](https://example.com/x.md)\n" +
			"`[f](code.md)` [`g`](lost.md) [h](docs/a.md#lost) [i](#lost) [j](../out.md) ![k](lost.svg)\n" +
			"```sh\n# In code\n[l](code.md)\n```\n[m](#in-code)\n## Here\n## Here\n")},
		"docs/a.md": {Data: []byte("## See it: `graph`, [reports](../README.md)\n[n](../README.md#here) [o](README.md)\n")},
	}
	require.Equal(t, []string{"lost.md", "docs/a.md#lost", "#lost", "../out.md", "lost.svg", "#in-code"}, deadLinks(t, root, "README.md"))
	require.Equal(t, []string{"README.md"}, deadLinks(t, root, "docs/a.md"))
}

// What a page of Markdown is made of. To compile them takes longer than to use them, most of all with the race detector.
var (
	codeRE        = regexp.MustCompile("`[^`]*`")
	codeBlockRE   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	headingRE     = regexp.MustCompile(`(?m)^#+ +(.*?) *$`)
	linkRE        = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	linkOfWordsRE = regexp.MustCompile(`\[(.*?)\]\(.*?\)`)
	punctuationRE = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// deadLinks returns the links of a Markdown page that lead to no file of the repository, or to no heading of its file.
func deadLinks(t *testing.T, root fs.FS, page string) (dead []string) {
	t.Helper()
	for _, link := range linkRE.FindAllStringSubmatch(codeRE.ReplaceAllString(prose(t, root, page), ""), -1) {
		if strings.Contains(link[1], "://") {
			continue
		}
		file, anchor, hasAnchor := strings.Cut(link[1], "#")
		target := page
		if file != "" {
			target = path.Join(path.Dir(page), file)
		}
		if _, err := fs.Stat(root, target); err != nil || hasAnchor && !slices.Contains(anchors(prose(t, root, target)), anchor) {
			dead = append(dead, link[1])
		}
	}

	return dead
}

// prose returns a Markdown page without its blocks of code.
func prose(t *testing.T, root fs.FS, page string) string {
	t.Helper()
	text, err := fs.ReadFile(root, page)
	require.NoError(t, err)

	return codeBlockRE.ReplaceAllString(string(text), "")
}

// anchors returns the anchors that GitHub gives the headings of a page: in lower case, without punctuation, with hyphens for spaces,
// and with a number if a heading is there again.
func anchors(page string) (all []string) {
	seen := map[string]int{}
	for _, heading := range headingRE.FindAllStringSubmatch(page, -1) {
		words := linkOfWordsRE.ReplaceAllString(heading[1], "$1")
		words = punctuationRE.ReplaceAllString(strings.ToLower(words), "")
		anchor := strings.ReplaceAll(words, " ", "-")
		if n := seen[anchor]; n > 0 {
			all = append(all, anchor+"-"+strconv.Itoa(n))
		} else {
			all = append(all, anchor)
		}
		seen[anchor]++
	}

	return all
}
