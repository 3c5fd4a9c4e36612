package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"musicstore/layer/dbtx"
)

// config is a block of sqlc.yaml with what the file of the defaults says about it.
type config struct {
	schema, queries []string // files, in the order in which sqlc reads them
	out             string   // the folder of the code that sqlc writes
	pkg             string   // its name
	initialisms     []string
	rename          map[string]string
	sensitive       map[string]bool // the columns whose Go type hides the value, as table.column
	typed           map[string]int  // the columns that sqlc.yaml gives a type, as table.column, and its lines

	store     string // the folder of the package whose callers use the generated code; "" when there is none
	storeName string // its name

	migrations string // the table in which Migrate records its steps
	defaults   []rule
}

// schemaFiles are the files of the schema, in the order in which sqlc reads them.
func (c *config) schemaFiles(sources map[string]*source) []*source {
	files := make([]*source, len(c.schema))
	for i, name := range c.schema {
		files[i] = sources[name]
	}

	return files
}

// rule is a line of the defaults: what gives a value to the columns that match.
type rule struct {
	line          int
	table, column string // the table may be *
	exact         bool   // it is not
	by            string // dbtx.ID, dbtx.Now, dbtx.Derived, or none
	update        bool   // also on update
	function      string
	from          []string
	always        bool
	used          bool
}

const (
	sqlcFile     = "sqlc.yaml"
	defaultsFile = "defaults.yaml"
	none         = "none" // the column of a wildcard that has no default
)

// errNoConfig is for a folder that is not a store's, or not yet.
var errNoConfig = errors.New("there is no " + sqlcFile + " in this folder: run this in the folder that has it, or begin with a copy of " +
	"the one in examples/library of musicstore")

// readConfig reads sqlc.yaml as it is, and what it says of PostgreSQL.
func readConfig(root string) (raw map[string]any, blocks []*config, err error) {
	text, err := os.ReadFile(filepath.Join(root, sqlcFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errNoConfig
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", sqlcFile, err)
	}
	if err := yaml.Unmarshal(text, &raw); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", sqlcFile, err)
	}
	var parsed struct {
		Version string
		SQL     []struct {
			Engine          string
			Schema, Queries oneOrMore
			Gen             struct {
				Go struct {
					Package, Out string
					SQLPackage   string `yaml:"sql_package"`
					Initialisms  []string
					Rename       map[string]string
					Overrides    []struct {
						Column yaml.Node
						GoType yaml.Node `yaml:"go_type"`
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &parsed); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", sqlcFile, err)
	}
	if parsed.Version != "2" || len(parsed.SQL) == 0 {
		return nil, nil, fmt.Errorf("%s: it must be of version 2 and have an sql block", sqlcFile)
	}
	for i, block := range parsed.SQL {
		if block.Engine != "postgresql" || block.Gen.Go.SQLPackage != "pgx/v5" || block.Gen.Go.Out == "" {
			return nil, nil, fmt.Errorf("%s: sql block %d must have engine postgresql, sql_package pgx/v5 and an out", sqlcFile, i+1)
		}
		c := &config{
			out: path.Clean(block.Gen.Go.Out), pkg: block.Gen.Go.Package, initialisms: block.Gen.Go.Initialisms,
			rename: block.Gen.Go.Rename, sensitive: map[string]bool{}, typed: map[string]int{},
		}
		if c.initialisms == nil {
			c.initialisms = []string{"id"}
		}
		if c.pkg == "" {
			c.pkg = path.Base(c.out)
		}
		if c.schema, err = sqlFiles(root, block.Schema); err == nil {
			c.queries, err = sqlFiles(root, block.Queries)
		}
		if err != nil {
			return nil, nil, err
		}
		for _, o := range block.Gen.Go.Overrides {
			if !strings.Contains(o.Column.Value, ".") {
				continue
			}
			c.typed[lastTwo(o.Column.Value)] = o.Column.Line
			if hides(o.GoType) {
				c.sensitive[lastTwo(o.Column.Value)] = true
			}
		}
		blocks = append(blocks, c)
	}

	return raw, blocks, nil
}

// refuseMisspelled finds the columns of sqlc.yaml that their tables don't have. sqlc passes over them, and a column that must not be shown
// would lose its type. A table may be missing: it may come later.
func (c *config) refuseMisspelled(s *schema, ps *problems) {
	for _, name := range slices.Sorted(keys(c.typed)) {
		of, column, _ := strings.Cut(name, ".")
		if t := s.table(of); t != nil && t.column(column) == nil && !strings.ContainsAny(name, "*?") {
			ps.addf(sqlcFile, c.typed[name], "the override is for %s, but table %s has no column %s", name, of, column)
		}
	}
}

// lastTwo returns table.column of schema.table.column.
func lastTwo(column string) string {
	parts := strings.Split(column, ".")

	return strings.Join(parts[max(0, len(parts)-2):], ".")
}

// hides reports that a go_type is of a package called private, whose types hide their values.
func hides(goType yaml.Node) bool {
	var long struct{ Import string }
	if goType.Decode(&long) == nil && long.Import != "" {
		return path.Base(long.Import) == "private"
	}
	pkg, _, _ := strings.Cut(path.Base(goType.Value), ".")

	return pkg == "private"
}

// oneOrMore is a text or a list of them.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*o = oneOrMore{node.Value}

		return nil
	}

	return node.Decode((*[]string)(o))
}

// sqlFiles returns the .sql files of folders, files and patterns, as sqlc finds them.
func sqlFiles(root string, where []string) ([]string, error) {
	var files []string
	for _, w := range where {
		matches, err := filepath.Glob(filepath.Join(root, w))
		if err == nil && len(matches) == 0 {
			err = errors.New("there is no such file or folder: create it, or correct its name")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", sqlcFile, w, err)
		}
		for _, match := range matches {
			inside := []string{match}
			if info, err := os.Stat(match); err == nil && info.IsDir() {
				inside, _ = filepath.Glob(filepath.Join(match, "*.sql"))
			}
			for _, file := range inside {
				name, err := filepath.Rel(root, file)
				if err != nil || !filepath.IsLocal(name) {
					return nil, fmt.Errorf("%s: %s: it must be below the folder of %s", sqlcFile, w, sqlcFile)
				}
				if strings.HasSuffix(name, ".sql") && !strings.HasPrefix(filepath.Base(name), ".") {
					files = append(files, filepath.ToSlash(name))
				}
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: %s: there is no .sql file: write one", sqlcFile, strings.Join(where, ", "))
	}

	return files, nil
}

// readDefaults reads the file of the defaults, which may be missing:
//
//	internal/dbgen:                  # the out of a block of sqlc.yaml
//	  store: internal/repo           # the package whose callers use what is generated
//	  migrations: shop_migrations    # the table in which Migrate records its steps
//	  defaults:
//	    "*.id":               { on: insert, value: id }
//	    "*.created_at":       { on: insert, value: now }
//	    "*.updated_at":       { on: insert and update, value: now }
//	    "members.email_key":  { derived: emailKey, from: email, always: true }
//	    "books.path":         { derived: path, from: name }
//	    "outbox.id":          none
//
// A wildcard means NOT NULL columns whose type the value fits: of id a primary key of text or uuid, of now a time. A
// column that is named means that column, whatever it is; it comes before every wildcard.
func readDefaults(root string, blocks []*config) error {
	text, err := os.ReadFile(filepath.Join(root, defaultsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", defaultsFile, err)
	}
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("%s: %w", defaultsFile, err)
	}
	if len(file.Content) == 0 {
		return nil
	}
	return pairs(file.Content[0], func(out, block *yaml.Node) error {
		at := slices.IndexFunc(blocks, func(c *config) bool { return c.out == path.Clean(out.Value) })
		if at < 0 {
			return refusal(out.Line, "%s is the out of no block of %s", out.Value, sqlcFile)
		}
		c := blocks[at]

		return pairs(block, func(key, value *yaml.Node) error {
			switch key.Value {
			case "store":
				c.store = path.Clean(value.Value)

				return nil
			case "migrations":
				c.migrations = value.Value
				if !identifier.MatchString(value.Value) || len(value.Value) > dbtx.LongestName {
					return refusal(value.Line, "migrations needs the name of a table: shop_migrations")
				}

				return nil
			case "defaults":
				return pairs(value, func(column, how *yaml.Node) error {
					r, err := readRule(column, how)
					c.defaults = append(c.defaults, r)

					return err
				})
			default:
				return refusal(key.Line, "%s is not known here: store, migrations and defaults are", key.Value)
			}
		})
	})
}

func pairs(node *yaml.Node, do func(key, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return refusal(node.Line, "here must be a name, a colon, and what it has")
	}
	for i := 0; i < len(node.Content); i += 2 {
		if err := do(node.Content[i], node.Content[i+1]); err != nil {
			return err
		}
	}

	return nil
}

const mostSources = 3 // the columns that dbtx.Derive3 takes

func readRule(column, how *yaml.Node) (rule, error) {
	r := rule{line: column.Line}
	var ok bool
	r.table, r.column, ok = strings.Cut(column.Value, ".")
	if !ok || r.table == "" || r.column == "" || r.column == "*" {
		return r, refusal(column.Line, "%s is no column: write table.column or *.column", column.Value)
	}
	r.exact = r.table != "*"
	if how.Kind == yaml.ScalarNode && how.Value == none {
		r.by = none

		return r, nil
	}
	var said struct {
		On, Value, Derived string
		From               oneOrMore
		Always             bool
	}
	known := []string{"on", "value", "derived", "from", "always"}
	if err := pairs(how, func(key, _ *yaml.Node) error {
		if !slices.Contains(known, key.Value) {
			return refusal(key.Line, "%s is not known here: %s are", key.Value, strings.Join(known, ", "))
		}

		return nil
	}); err != nil {
		return r, err
	}
	if err := how.Decode(&said); err != nil {
		return r, refusal(how.Line, "%s can't be read", column.Value)
	}
	r.update, r.function, r.from, r.always = said.On == "insert and update", said.Derived, said.From, said.Always
	switch {
	case len(said.From) > mostSources:
		return r, refusal(column.Line, "%s is derived of more than %d columns", column.Value, mostSources)
	case said.Derived != "" && said.Value == "" && said.On == "" && len(said.From) > 0 && r.exact:
		r.by = dbtx.Derived
	case said.Derived != "":
		return r, refusal(column.Line,
			"a derived column is named without *, and has from, and neither on nor value")
	case (said.On == "insert" || r.update) && (said.Value == dbtx.ID || said.Value == dbtx.Now) && !said.Always && len(said.From) == 0:
		r.by = said.Value
	default:
		return r, refusal(column.Line,
			"%s needs { on: insert, value: id }, { on: insert and update, value: now }, "+
				"{ derived: function, from: column } or none", column.Value)
	}

	return r, nil
}
