// Generate turns the SQL of a store into its Go: it runs sqlc, and writes beside it what sqlc does not know: what each
// query reads, writes and leaves to a default, the constraints and their words. It refuses what would be wrong without a
// word. It writes everything or nothing.
//
// It is run in the folder of sqlc.yaml, beside which defaults.yaml says which columns Go fills.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"musicstore/layer/ddl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := generate(ctx, ".", os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// scratchName begins the name of the folder in which everything is made. Go and git ignore it.
const scratchName = ".generate"

// generate makes the code of all blocks of root/sqlc.yaml. It prints a line that says what it changed.
func generate(ctx context.Context, root string, out io.Writer) error {
	scratch := filepath.Join(root, scratchName)
	if err := finish(scratch); err != nil {
		return err
	}
	if err := os.MkdirAll(scratch, 0o750); err != nil {
		return err
	}
	writes, err := prepare(ctx, root, scratch)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return errors.Join(err, os.RemoveAll(scratch))
	}

	changed, err := changesOf(root, writes)
	if err != nil {
		return errors.Join(err, os.RemoveAll(scratch))
	}
	if err := swap(scratch, writes); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, changed)

	return err
}

// prepare makes everything in scratch, and returns what is to be put where.
func prepare(ctx context.Context, root, scratch string) ([]move, error) {
	raw, blocks, err := readConfig(root)
	if err != nil {
		return nil, err
	}
	if err := readDefaults(root, blocks); err != nil {
		return nil, err
	}
	module, err := modulePath(root)
	if err != nil {
		return nil, err
	}
	ps := &problems{}
	sources, all := map[string]*source{}, map[string][]*written{}
	for _, c := range blocks {
		for _, name := range slices.Concat(c.schema, c.queries) {
			if sources[name] != nil {
				continue
			}
			if sources[name], err = readSource(root, name, ps); err != nil {
				return nil, err
			}
		}
		files := make([]*ddl.File, len(c.schema))
		for i, name := range c.schema {
			files[i] = sources[name].File
		}
		for _, p := range ddl.Problems(files) {
			ps.addf(p.File, p.Line, "%s", p.Text)
		}
		parts := partitions(c.schemaFiles(sources))
		for _, name := range c.queries {
			for _, w := range readWritten(sources[name], ps) {
				w.refusePartitions(parts, ps)
				all[c.out] = append(all[c.out], w)
			}
		}
	}
	if err := ps.err(); err != nil {
		return nil, err
	}
	requests, err := runSQLC(ctx, root, scratch, raw, blocks, sources)
	if err != nil {
		return nil, err
	}
	var writes []move
	for i, c := range blocks {
		s := readSchema(c, requests[i], c.schemaFiles(sources), ps)
		queries := readQueries(c, requests[i], s, all[c.out], ps)
		made := filepath.Join(scratch, strconv.Itoa(i), "go")
		more, err := c.write(root, made, module, s, c.schemaFiles(sources), queries, ps)
		if err != nil {
			return nil, err
		}
		writes = append(writes, more...)
	}
	for _, name := range slices.Sorted(keys(sources)) {
		sources[name].misplaced(ps)
	}

	return writes, ps.err()
}

// write makes the files of a block. It leaves alone what somebody wrote into the folder of the generated code.
func (c *config) write(root, made, module string, s *schema, files []*source, queries []*query, ps *problems) ([]move, error) {
	out := filepath.Join(root, c.out)
	if err := keepHandWritten(out, made); err != nil {
		return nil, err
	}
	g, err := readGo(made)
	if err != nil {
		return nil, err
	}
	c.refuseMisspelled(s, ps)
	c.refuseDoubles(g, s, queries, ps)
	taken := map[string]bool{}
	var store *golang
	emitted := map[string][]byte{}
	if c.store != "" {
		folder := filepath.Join(root, c.store)
		files := []string{typesFile, sentinelsFile, derivedFile, storeFile}
		paged := slices.ContainsFunc(queries, func(q *query) bool { return q.pages != nil })
		if paged || !byHand(filepath.Join(folder, pagesFile)) {
			files = append(files, pagesFile)
		}
		if store, err = readGo(folder, files...); err != nil {
			return nil, err
		}
		for _, name := range files {
			if byHand(filepath.Join(folder, name)) {
				ps.addf(path.Join(c.store, name), 1, "make generate writes a file of this name, and this one is by hand: rename it")
			}
		}
		c.storeName = cmp.Or(store.pkg, path.Base(path.Join(module, c.store)))
		before := len(store.doubles) // a function may stand in a file for each system
		if emitted[storeFile], err = emitStore(module, c); err != nil {
			return nil, err
		}
		if err = store.read(filepath.Join(folder, storeFile), emitted[storeFile]); err != nil {
			return nil, err
		}
		refuseOwn := func(file string) {
			for _, name := range store.doubles[before:] {
				ps.addf(path.Join(c.store, file), 1, "%s is generated, and written by hand in the same package: take yours out", name)
			}
			before = len(store.doubles)
		}
		refuseOwn(storeFile)
		if slices.Contains(files, pagesFile) {
			emitted[pagesFile] = nil
		}
		if lists, imports := c.planLists(g, store, queries, ps); len(lists) > 0 {
			if emitted[pagesFile], err = emitPages(c, lists, imports); err != nil {
				return nil, err
			}
			if err = store.read(filepath.Join(folder, pagesFile), emitted[pagesFile]); err != nil {
				return nil, err
			}
			refuseOwn(pagesFile)
		}
		for name := range store.names {
			taken[name] = true
		}
		c.refuseCollisions(root, g, store, s, queries, ps)
		c.refuseFunctions(store, ps)
	} else {
		c.planLists(g, nil, queries, ps)
	}
	s.nameConstraints(taken)
	if len(ps.all) > 0 {
		return nil, nil
	}
	text, err := emitMetadata(c, s, files, queries, g)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(made, metadataFile), text, 0o644); err != nil { //nolint:gosec // source code is for all
		return nil, err
	}
	moves := []move{{made, out}}
	if store == nil {
		return moves, nil
	}
	if emitted[typesFile], err = emitTypes(module, c, g, store); err != nil {
		return nil, err
	}
	if emitted[sentinelsFile], err = emitSentinels(c, s); err != nil {
		return nil, err
	}
	if emitted[derivedFile], err = emitDerived(c); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(keys(emitted)) {
		from := made + "." + name
		if emitted[name] == nil {
			from = ""
		} else if err := os.WriteFile(from, emitted[name], 0o644); err != nil { //nolint:gosec // source code is for all
			return nil, err
		}
		moves = append(moves, move{from, filepath.Join(root, c.store, name)})
	}

	return moves, nil
}

// byHand reports whether there is a file that the generator has not written.
func byHand(file string) bool {
	text, err := os.ReadFile(file)

	return err == nil && !strings.HasPrefix(string(text), "// Code generated by ")
}

func keys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// keepHandWritten copies the files of the folder that are not generated, such as doc.go.
func keepHandWritten(from, to string) error {
	entries, err := os.ReadDir(from)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			return fmt.Errorf("%s has a folder %s, which would be lost: take it out", from, entry.Name())
		}
		text, err := os.ReadFile(filepath.Join(from, entry.Name()))
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(text), "// Code generated by ") {
			continue
		}
		//nolint:gosec // the name is that of a file in a folder, so it has no path
		if err := os.WriteFile(filepath.Join(to, entry.Name()), text, filePermissions(entry)); err != nil {
			return err
		}
	}

	return nil
}

func filePermissions(entry fs.DirEntry) fs.FileMode {
	if info, err := entry.Info(); err == nil {
		return info.Mode().Perm()
	}

	return 0o600
}

// refuseFunctions refuses a derived column whose Go function is not there, or is of another kind.
func (c *config) refuseFunctions(store *golang, ps *problems) {
	for _, r := range c.defaults {
		if r.function == "" || !r.used {
			continue
		}
		f := store.function(r.function)
		switch {
		case f == nil:
			ps.addf(defaultsFile, r.line, "%s.%s: %s has no function %s", r.table, r.column, c.store, r.function)
		case f.Params.NumFields() != len(r.from) || f.Results.NumFields() != 2:
			ps.addf(defaultsFile, r.line, "%s.%s: %s must take %s and return the value and an error",
				r.table, r.column, r.function, strings.Join(r.from, " and "))
		}
	}
}

// refuseDoubles refuses what sqlc gives one name, and the compiler would refuse.
func (c *config) refuseDoubles(g *golang, s *schema, queries []*query, ps *problems) {
	for _, name := range g.doubles {
		p := c.origin(name, s, queries)
		ps.addf(p.file, p.line, "sqlc makes two things called %s: call one otherwise, or rename it in %s", name, sqlcFile)
	}
	if _, ok := g.names[metadataName]; ok {
		p := c.origin(metadataName, s, queries)
		ps.addf(p.file, p.line, "%s is the name of what is known of the queries: rename it in %s", metadataName, sqlcFile)
	}
	for _, q := range queries {
		lower := strings.ToLower(q.Name[:1]) + q.Name[1:]
		if g.imports[lower] && g.constants[q.Name] != "" {
			ps.addf(q.written.at.file, q.written.at.line,
				"query %s can't have this name: sqlc calls a constant %s, which is a package that the code imports", q.Name, lower)
		}
	}
}

// refuseCollisions refuses names that the store's package has already.
func (c *config) refuseCollisions(root string, g, store *golang, s *schema, queries []*query, ps *problems) {
	names := slices.Clone(g.types)
	for _, v := range g.values {
		names = append(names, v.name)
	}
	for _, name := range names {
		pos, ok := store.names[name]
		unused := strings.HasPrefix(name, "Null") && !g.used(name)
		if !ok || slices.Contains(notForCallers, name) || store.aliases[name] == c.pkg+"."+name || unused {
			continue
		}
		p := c.origin(name, s, queries)
		ps.addf(p.file, p.line, "%s is a name of package %s already (%s): rename what is here, or say rename in %s",
			name, c.storeName, store.at(root, pos), sqlcFile)
	}
	for _, q := range queries {
		pos, ok := store.methods["Repo."+q.Name]
		if ok && !store.overrides(q.Name) {
			ps.addf(q.written.at.file, q.written.at.line, "query %s can't have this name: Repo has a method %s already (%s), which hides it",
				q.Name, q.Name, store.at(root, pos))
		}
	}
}

// origin returns where the SQL is of which sqlc made a name.
func (c *config) origin(name string, s *schema, queries []*query) place {
	typ, _, _ := strings.Cut(name, ".")
	for _, q := range queries {
		for _, suffix := range []string{"", "Params", "Row", "BatchResults"} {
			if q.Name+suffix == typ || q.Name+suffix == name || strings.HasSuffix(name, "."+q.Name) {
				return q.written.at
			}
		}
		if strings.ToLower(q.Name[:1])+q.Name[1:] == name {
			return q.written.at
		}
	}
	for _, t := range s.tables {
		row := s.goName(bareName(t.name))
		if one := s.goName(singularName(t.name)); (one == typ || row == typ) && t.at.file != "" {
			return t.at
		}
	}
	longest := "" // a constant begins with the name of its enum
	for enum := range s.enumsAt {
		if strings.HasPrefix(typ, enum) && len(enum) > len(longest) {
			longest = enum
		}
	}
	if longest != "" {
		return s.enumsAt[longest]
	}

	return place{sqlcFile, 1}
}
