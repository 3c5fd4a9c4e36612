package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"musicstore/layer/dbtx"
)

// golang is a package of Go, as far as its names are concerned.
type golang struct {
	fset      *token.FileSet
	files     []*ast.File
	names     map[string]token.Pos // of the package
	methods   map[string]token.Pos // as Type.Method
	aliases   map[string]string    // alias → other.Name, of type X = other.Name
	constants map[string]string    // query → the constant with its text
	types     []string             // the exported ones, in order
	values    []goValue            // exported constants, variables and functions, in order
	doubles   []string             // names that are declared twice, in order
	imports   map[string]bool      // the names by which packages are imported
	pkg       string               // the name of the package; "" when the folder has no file
}

type goValue struct {
	name, typ string // typ is the type of a constant of an enum
	keyword   string
}

// readGo parses the Go files of a folder, but not its tests nor the files to skip.
func readGo(folder string, skip ...string) (*golang, error) {
	g := &golang{
		fset: token.NewFileSet(), names: map[string]token.Pos{}, methods: map[string]token.Pos{},
		aliases: map[string]string{}, constants: map[string]string{}, imports: map[string]bool{},
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	// The models first, then a file for each file of queries, as the types are listed.
	slices.SortStableFunc(files, func(a, b string) int { return rank(a) - rank(b) })
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || slices.Contains(skip, filepath.Base(file)) {
			continue
		}
		if err := g.read(file, nil); err != nil {
			return nil, err
		}
	}

	return g, nil
}

// read parses a file, or the text that it is to have.
func (g *golang) read(file string, text any) error {
	parsed, err := parser.ParseFile(g.fset, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	g.files = append(g.files, parsed)
	g.pkg = parsed.Name.Name
	for _, spec := range parsed.Imports {
		name := strings.Trim(spec.Path.Value, `"`)
		name = name[strings.LastIndexByte(name, '/')+1:]
		if strings.HasPrefix(name, "v") && len(name) == 2 {
			name = filepath.Base(filepath.Dir(strings.Trim(spec.Path.Value, `"`)))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		g.imports[name] = true
	}
	for _, decl := range parsed.Decls {
		g.declare(decl)
	}

	return nil
}

func rank(file string) int {
	switch {
	case filepath.Base(file) == "models.go":
		return 0
	case strings.HasSuffix(file, ".sql.go"):
		return 1
	default:
		return 2
	}
}

func (g *golang) declare(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil {
			g.add(g.methods, receiver(d)+"."+d.Name.Name, d.Pos())

			return
		}
		g.value(d.Name, "", "func")
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				g.add(g.names, s.Name.Name, s.Pos())
				if sel, ok := s.Type.(*ast.SelectorExpr); ok && s.Assign.IsValid() {
					if of, ok := sel.X.(*ast.Ident); ok {
						g.aliases[s.Name.Name] = of.Name + "." + sel.Sel.Name
					}
				}
				if s.Name.IsExported() {
					g.types = append(g.types, s.Name.Name)
				}
				g.fields(s)
			case *ast.ValueSpec:
				typ := ""
				if ident, ok := s.Type.(*ast.Ident); ok {
					typ = ident.Name
				}
				for i, name := range s.Names {
					g.value(name, typ, d.Tok.String())
					if i < len(s.Values) {
						if lit := first(s.Values[i]); lit != nil && strings.HasPrefix(lit.Value, "`-- name: ") {
							g.constants[dbtx.Name(lit.Value[1:])] = name.Name
						}
					}
				}
			}
		}
	}
}

// function returns the parameters and results of a function; nil when there is none of the name.
func (g *golang) function(name string) *ast.FuncType {
	for _, file := range g.files {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == name {
				return f.Type
			}
		}
	}

	return nil
}

// first returns the text that an expression begins with: sqlc puts a query together where it has a backquote.
func first(e ast.Expr) *ast.BasicLit {
	for {
		sum, ok := e.(*ast.BinaryExpr)
		if !ok {
			break
		}
		e = sum.X
	}
	lit, _ := e.(*ast.BasicLit)

	return lit
}

// fields looks for two columns that have become one field.
func (g *golang) fields(s *ast.TypeSpec) {
	st, ok := s.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range st.Fields.List {
		for _, name := range field.Names {
			g.add(g.methods, s.Name.Name+"."+name.Name, name.Pos())
		}
	}
}

func (g *golang) value(name *ast.Ident, typ, keyword string) {
	if name.Name == "_" || name.Name == "init" {
		return
	}
	g.add(g.names, name.Name, name.Pos())
	if name.IsExported() {
		g.values = append(g.values, goValue{name.Name, typ, keyword})
	}
}

func (g *golang) add(to map[string]token.Pos, name string, pos token.Pos) {
	if _, ok := to[name]; ok {
		g.doubles = append(g.doubles, name)
	}
	to[name] = pos
}

func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if ident, ok := t.(*ast.Ident); ok {
		return ident.Name
	}

	return ""
}

// at returns a place for people.
func (g *golang) at(root string, pos token.Pos) string {
	p := g.fset.Position(pos)
	name, err := filepath.Rel(root, p.Filename)
	if err != nil {
		name = filepath.Base(p.Filename)
	}

	return fmt.Sprintf("%s:%d", filepath.ToSlash(name), p.Line)
}

// used reports that a type is named by another type or by a function.
func (g *golang) used(name string) bool {
	found := false
	for _, file := range g.files {
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv != nil && receiver(d) == name {
				continue
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				if s, ok := n.(*ast.TypeSpec); ok && s.Name.Name == name {
					return false
				}
				ident, ok := n.(*ast.Ident)
				found = found || ok && ident.Name == name

				return !found
			})
		}
	}

	return found
}

// overrides reports that hand-written Go of the store calls the generated query of this name: the method that hides it
// stands before it.
func (g *golang) overrides(query string) bool {
	generated := map[string]bool{} // the fields of structs that are the generated queries
	for _, file := range g.files {
		ast.Inspect(file, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok {
				return true
			}
			t := field.Type
			if star, ok := t.(*ast.StarExpr); ok {
				t = star.X
			}
			sel, isSel := t.(*ast.SelectorExpr)
			ident, isIdent := t.(*ast.Ident)
			name := ""
			if isSel {
				name = sel.Sel.Name
			} else if isIdent {
				_, name, _ = strings.Cut(g.aliases[ident.Name], ".")
			}
			if name == "Querier" || name == "Queries" {
				for _, name := range fieldNames(field) {
					generated[name] = true
				}
			}

			return true
		})
	}
	found := false
	for _, file := range g.files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok || call.Sel.Name != query {
				return true
			}
			of, ok := call.X.(*ast.SelectorExpr)
			found = found || ok && generated[of.Sel.Name]

			return true
		})
	}

	return found
}

// fieldNames returns the names of a field, or the last part of an embedded type's.
func fieldNames(field *ast.Field) []string {
	var names []string
	for _, name := range field.Names {
		names = append(names, name.Name)
	}
	if len(names) == 0 {
		t := field.Type
		if star, ok := t.(*ast.StarExpr); ok {
			t = star.X
		}
		switch t := t.(type) {
		case *ast.Ident:
			names = append(names, t.Name)
		case *ast.SelectorExpr:
			names = append(names, t.Sel.Name)
		}
	}

	return names
}

// modulePath returns the path of the module that root is in, with the folders between.
func modulePath(root string) (string, error) {
	folder, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	for below := ""; ; {
		text, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err == nil {
			for line := range strings.Lines(string(text)) {
				if name, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
					return strings.TrimSuffix(strings.Trim(strings.TrimSpace(name), `"`)+"/"+below, "/"), nil
				}
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("there is no go.mod here or above: run 'go mod init' with the name of your module")
		}
		below = strings.TrimSuffix(filepath.Base(folder)+"/"+below, "/")
		folder = parent
	}
}
