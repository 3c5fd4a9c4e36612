package layer_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"musicstore/layer/dbtest"

	"github.com/stretchr/testify/require"
)

const module = "musicstore"

// files calls fn with every file of the layer and its text.
func files(t *testing.T, fn func(path, text string)) {
	t.Helper()
	require.NoError(t, fs.WalkDir(os.DirFS("."), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fn(path, string(text))

		return err
	}))
}

// strangers returns the packages of this module outside layer/ that a Go file imports.
func strangers(t *testing.T, path, text string) (imports []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
	require.NoError(t, err)
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		if (name == module || strings.HasPrefix(name, module+"/")) && !strings.HasPrefix(name, module+"/layer/") {
			imports = append(imports, name)
		}
	}

	return imports
}

func TestLayer_ImportsNothingElseOfThisModule(t *testing.T) {
	t.Parallel()
	n := 0
	files(t, func(path, text string) {
		if strings.HasSuffix(path, ".go") {
			n++
			require.Empty(t, strangers(t, path, text), path)
		}
	})
	require.Greater(t, n, 50)
	// The control: such an import is found.
	require.Equal(t, []string{"musicstore/internal/repo"}, strangers(t, "x.go", `package x; import "musicstore/internal/repo"`))
}

// ofTheStore are words of the store that the module is named after. The layer does not know them.
var ofTheStore = []string{"al" + "bum", "tr" + "ack", "acc" + "ount", "purch" + "ase", "mu" + "sic"}

// word is a whole word of a text: also one of a name in CamelCase or with underscores.
var word = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+`)

// wordsOfTheStore returns the words of a text that the layer should not know.
func wordsOfTheStore(text string) (found []string) {
	lower := strings.ToLower(strings.NewReplacer("mu"+"sicstore", "", "MU"+"SICSTORE", "").Replace(text)) // the module's name is in every import
	if !slices.ContainsFunc(ofTheStore, func(w string) bool { return strings.Contains(lower, w) }) {
		return nil // at once, for nearly every file
	}
	text = strings.ReplaceAll(text, "tr"+"ack_counts", "") // a setting of PostgreSQL
	for _, w := range word.FindAllString(text, -1) {
		if slices.Contains(ofTheStore, strings.TrimSuffix(strings.ToLower(w), "s")) {
			found = append(found, w)
		}
	}

	return found
}

func TestLayer_KnowsNoStore(t *testing.T) {
	t.Parallel()
	files(t, func(path, text string) { require.Empty(t, wordsOfTheStore(text), path) })
	// The control: a word is found in a name, and is not found in a part of another word.
	for text, want := range map[string]int{
		"Create" + "Acc" + "ount": 1, "list_" + "al" + "bums": 1, "a " + "TR" + "ACK": 1, "MU" + "SICSTORE backtracks accountable": 0,
	} {
		require.Len(t, wordsOfTheStore(text), want, text)
	}
}

// TestSoak_Layer_PassesAlone compiles the tests of the layer in a copy of the module without db/, internal/ and cmd/, and runs them as
// `make test` does.
func TestSoak_Layer_PassesAlone(t *testing.T) { //nolint:paralleltest // it runs all tests of the layer
	dbtest.Soak(t)
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(folder, "layer"), os.DirFS(".")))
	for _, file := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("..", file))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, file), text, 0o600))
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-timeout=20m", "./layer/...")
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "MUSICSTORE_SOAK=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
