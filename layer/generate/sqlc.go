package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// request is what sqlc gives a plugin, as far as it is used here.
type request struct {
	Catalog struct {
		DefaultSchema string `json:"default_schema"`
		Schemas       []struct {
			Name   string `json:"name"`
			Tables []struct {
				Rel     relation     `json:"rel"`
				Columns []sqlcColumn `json:"columns"`
			} `json:"tables"`
			Enums []struct {
				Name   string   `json:"name"`
				Labels []string `json:"vals"`
			} `json:"enums"`
		} `json:"schemas"`
	} `json:"catalog"`
	Queries []struct {
		Text     string `json:"text"`
		Name     string `json:"name"`
		Cmd      string `json:"cmd"`
		Filename string `json:"filename"`
		Params   []struct {
			Number int        `json:"number"`
			Column sqlcColumn `json:"column"`
		} `json:"params"`
		Columns []sqlcColumn `json:"columns"`
	} `json:"queries"`
}

type relation struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
}

type sqlcColumn struct {
	Name         string   `json:"name"`
	OriginalName string   `json:"original_name"`
	NotNull      bool     `json:"not_null"`
	IsArray      bool     `json:"is_array"`
	IsNamedParam bool     `json:"is_named_param"`
	Table        relation `json:"table"`
	Type         relation `json:"type"`
}

// sqlcCommand runs the sqlc of go.mod.
var sqlcCommand = []string{"go", "tool", "sqlc"}

// unnests are the forms of unnest that take several arrays, which sqlc does not know.
var unnests = func() string {
	var b strings.Builder
	for n := 2; n <= 12; n++ {
		fmt.Fprintf(&b, "CREATE FUNCTION pg_catalog.unnest(%s) RETURNS SETOF record LANGUAGE sql AS '';",
			strings.Repeat("anyarray, ", n-1)+"anyarray")
	}

	return b.String()
}()

// runSQLC has sqlc make the Go of all blocks, into scratch/<number>/go, from copies of the SQL without marks, and returns
// what it knows of each block.
func runSQLC(ctx context.Context, root, scratch string, raw map[string]any, blocks []*config, sources map[string]*source) ([]request, error) {
	moved := map[string][]int{} // the lines that are left out, by file
	edits := map[*source][]edit{}
	for _, c := range blocks {
		maps.Copy(edits, forSQLC(c.schemaFiles(sources)))
	}
	for _, c := range blocks {
		if len(c.schema) > 0 {
			first := sources[c.schema[0]]
			edits[first] = append(edits[first], edit{with: unnests})
		}
	}
	for name, s := range sources {
		text, gone := s.forSQLC(slices.ContainsFunc(blocks, func(c *config) bool { return slices.Contains(c.queries, name) }), edits[s])
		moved[name] = gone
		to := filepath.Join(scratch, "sql", name)
		if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
			return nil, err
		}
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	list, ok := raw["sql"].([]any)
	if !ok {
		return nil, fmt.Errorf("%s: sql must be a list", sqlcFile)
	}
	for i, entry := range list {
		block, ok := entry.(map[string]any)
		gen, isMap := block["gen"].(map[string]any)
		if !ok || !isMap {
			return nil, fmt.Errorf("%s: sql block %d must have a gen", sqlcFile, i+1)
		}
		golang, ok := gen["go"].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: gen of sql block %d must have a go", sqlcFile, i+1)
		}
		golang, block, gen = maps.Clone(golang), maps.Clone(block), maps.Clone(gen)
		golang["out"] = filepath.ToSlash(filepath.Join("..", strconv.Itoa(i), "go"))
		if domains := readDomains(blocks[i].schemaFiles(sources)); len(domains) > 0 {
			golang["overrides"] = ofDomains(golang, domains)
		}
		gen["go"] = golang
		gen["json"] = map[string]any{"out": filepath.ToSlash(filepath.Join("..", strconv.Itoa(i))), "filename": "request.json"}
		block["gen"], block["schema"], block["queries"] = gen, blocks[i].schema, blocks[i].queries
		list[i] = block
	}
	text, err := yaml.Marshal(raw)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(scratch, "sql", sqlcFile)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, sqlcCommand[0], append(slices.Clone(sqlcCommand[1:]), "generate", "-f", file)...)
	cmd.Dir = root
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return nil, sqlcError(out.String(), filepath.Join(scratch, "sql")+string(filepath.Separator), moved, err)
	}
	requests := make([]request, len(blocks))
	for i := range blocks {
		text, err := os.ReadFile(filepath.Join(scratch, strconv.Itoa(i), "request.json"))
		if err == nil {
			err = json.Unmarshal(text, &requests[i])
		}
		if err != nil {
			return nil, fmt.Errorf("read what sqlc knows: %w", err)
		}
	}

	return requests, nil
}

var (
	sqlcPackage = regexp.MustCompile(`(?m)^# package.*\n`)
	sqlcPlace   = regexp.MustCompile(`(?m)^(\S+\.sql):(\d+):(\d+): `)
)

// hints say what to do where sqlc refuses what PostgreSQL takes.
var hints = []struct {
	of   *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`^go: no such tool "sqlc"$`), "run 'go get -tool github.com/sqlc-dev/sqlc/cmd/sqlc'"},
	{
		regexp.MustCompile(`: column reference ".*" is ambiguous$`),
		"sqlc does not see which table is meant, so write the table before the column",
	},
	{
		regexp.MustCompile(`: table alias ".*" does not exist$`),
		"sqlc does not know its columns, so cast the parameter that is compared with one, @x::type",
	},
	{
		regexp.MustCompile(`: INSERT has more expressions than target columns$`),
		"sqlc needs the names of the columns, so write them behind the table",
	},
}

// sqlcError is what sqlc printed, with the files and lines as they are.
func sqlcError(out, folder string, moved map[string][]int, err error) error {
	out = sqlcPackage.ReplaceAllString(strings.ReplaceAll(out, folder, ""), "")
	out = sqlcPlace.ReplaceAllStringFunc(out, func(place string) string {
		match := sqlcPlace.FindStringSubmatch(place)
		line, _ := strconv.Atoi(match[2])
		for _, gone := range moved[match[1]] {
			if gone <= line {
				line++
			}
		}

		return fmt.Sprintf("%s:%d: ", match[1], line)
	})
	var lines []string // once, though sqlc reads a query for each of its plugins
	for line := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	for i, line := range lines {
		for _, h := range hints {
			if h.of.MatchString(line) {
				lines[i] += ": " + h.text
			}
		}
	}
	if out = strings.Join(lines, "\n"); out == "" {
		return fmt.Errorf("sqlc: %w", err)
	}

	return errors.New(out)
}
