package main

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	pgquery "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"musicstore/layer/dbtx"
	"musicstore/layer/ddl"
)

// schema is what is known of the tables of a block.
type schema struct {
	config    *config
	problems  *problems
	tables    []*table
	enums     []dbtx.Enum
	enumsAt   map[string]place // by the name of the Go type
	domains   map[string]domain
	functions map[string]bool // of the schema files: whether it is known to write nothing
	forms     map[string][]form
	names     map[string]bool // of constraints and indexes
}

// form is a function of the schema files. Several of one name are told apart by their parameters.
type form struct {
	params []*pgquery.Node
	outs   int
	result *pgquery.TypeName
	set    bool // it returns any number of rows
}

type table struct {
	name        string // with its schema where that is not the default one
	was         string
	view        bool
	at          place
	columns     []*column
	constraints []*constraint
	volatile    bool         // a view that calls a function which may write
	indexes     []dbtx.Index // with marks
	partitioned bool
	partitions  []string // of all levels
	inherited   bool     // by another table, whose rows are among its own
}

type place struct {
	file string
	line int
}

func (p place) String() string { return p.file + ":" + strconv.Itoa(p.line) }

type column struct {
	name      string
	typ       string
	array     bool
	notNull   bool
	sensitive bool
	computed  bool   // by the database alone: an expression, an identity ALWAYS
	collation string // of its COLLATE; "" is the default one
	sequence  string
	rule      *rule
	was, fill string
}

type constraint struct {
	name, kind string
	columns    []string
	mentioned  []string // the columns, with those in expressions
	elements   []*pgquery.Node
	where      *pgquery.Node // of a partial index
	check      *pgquery.Node
	notValid   bool // rows that are older than it may break it
	references string
	keeps      bool // a foreign key that stops the row it refers to from going
	index      bool
	at         place
	marks      []errorMark
	sentinels  [2]string
	words      [2]string
}

type errorMark struct{ name, words string }

func (t *table) column(name string) *column {
	for _, c := range t.columns {
		if c.name == name {
			return c
		}
	}

	return nil
}

func (s *schema) table(name string) *table {
	for _, t := range s.tables {
		if t.name == name {
			return t
		}
	}

	return nil
}

// tableName returns the name by which a table is known here.
func tableName(defaultSchema, schema, name string) string {
	if schema == "" || schema == defaultSchema {
		return name
	}

	return schema + "." + name
}

// readSchema takes the tables and columns from sqlc, and everything else from the schema files.
func readSchema(c *config, r request, files []*source, ps *problems) *schema {
	s := &schema{
		config: c, problems: ps, functions: map[string]bool{}, forms: map[string][]form{}, names: map[string]bool{}, enumsAt: map[string]place{},
		domains: readDomains(files),
	}
	rows := slices.Collect(maps.Values(rowsOf(files)))
	for _, of := range r.Catalog.Schemas {
		if of.Name == "pg_catalog" || of.Name == "information_schema" || of.Name == "pg_temp" {
			continue
		}
		for _, e := range of.Enums {
			s.enums = append(s.enums, dbtx.Enum{Name: tableName(r.Catalog.DefaultSchema, of.Name, e.Name), Labels: e.Labels})
		}
		for _, t := range of.Tables {
			if slices.Contains(rows, t.Rel.Name) {
				continue
			}
			added := &table{name: tableName(r.Catalog.DefaultSchema, of.Name, t.Rel.Name)}
			for _, col := range t.Columns {
				typ, array := s.resolve(col.Type, col.IsArray)
				added.columns = append(added.columns, &column{
					name: col.Name, typ: typ, array: array, notNull: col.NotNull,
					sensitive: c.sensitive[t.Rel.Name+"."+col.Name],
				})
			}
			s.tables = append(s.tables, added)
		}
	}
	for _, file := range files {
		for _, st := range file.Statements {
			s.readStatement(file, st)
		}
	}
	parts := partitions(files)
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		whole := parts[part]
		for parts[whole] != "" {
			whole = parts[whole]
		}
		if t := s.table(whole); t != nil {
			t.partitions = append(t.partitions, part)
		}
	}
	s.complete()
	s.matchRules()

	return s
}

// catalogueNames are the catalogue's names of types that sqlc's functions return by another.
var catalogueNames = map[string]string{
	"smallint": "int2", "integer": "int4", "bigint": "int8", "real": "float4", "double precision": "float8", "boolean": "bool",
	"character varying": "varchar", "timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp",
	"time without time zone": "time", "time with time zone": "timetz",
}

func typeName(t relation) string {
	if t.Schema == "" || t.Schema == "pg_catalog" {
		name := strings.TrimPrefix(strings.TrimPrefix(t.Name, "pg_catalog."), "public.")

		return cmp.Or(catalogueNames[name], name)
	}

	return tableName("public", t.Schema, t.Name)
}

// element is a part of a statement that a mark can stand at.
type element struct {
	start      int
	table      *table
	column     string
	constraint *constraint
	index      string
}

func (s *schema) readStatement(file *source, st ddl.Statement) {
	at := place{file.Name, file.Line(st.Start)}
	var elements []element
	switch {
	case st.Node.GetCreateStmt() != nil:
		create := st.Node.GetCreateStmt()
		t := s.table(ddl.NameOf(create.GetRelation()))
		if t == nil {
			return
		}
		t.at, t.partitioned = at, create.GetPartspec() != nil
		for _, parent := range create.GetInhRelations() {
			t.inherit(s.table(ddl.NameOf(parent.GetRangeVar())))
		}
		elements = append(elements, element{start: st.Start, table: t})
		for _, e := range create.GetTableElts() {
			elements = append(elements, s.tableElement(file, t, e, at)...)
		}
	case st.Node.GetIndexStmt() != nil:
		index := st.Node.GetIndexStmt()
		t := s.table(ddl.NameOf(index.GetRelation()))
		if t != nil && !index.GetUnique() {
			elements = append(elements, element{start: st.Start, table: t, index: index.GetIdxname()})
		}
		if t != nil && index.GetUnique() {
			c := &constraint{name: index.GetIdxname(), kind: dbtx.Unique, index: true, where: index.GetWhereClause(), at: at}
			for _, param := range index.GetIndexParams() {
				c.elements = append(c.elements, param)
				c.columns = appendName(c.columns, param.GetIndexElem().GetName())
				c.mentioned = appendName(c.mentioned, param.GetIndexElem().GetName())
				c.mentioned = append(c.mentioned, columnsIn(param.GetIndexElem().GetExpr(), t)...)
			}
			t.constraints = append(t.constraints, c)
			elements = append(elements, element{start: st.Start, constraint: c, table: t, index: c.name})
		}
	case st.Node.GetAlterTableStmt() != nil:
		alter := st.Node.GetAlterTableStmt()
		t := s.table(ddl.NameOf(alter.GetRelation()))
		if t == nil {
			return
		}
		for _, cmd := range alter.GetCmds() {
			def := cmd.GetAlterTableCmd().GetDef()
			switch cmd.GetAlterTableCmd().GetSubtype() {
			case pgquery.AlterTableType_AT_ColumnDefault, pgquery.AlterTableType_AT_AddIdentity:
				if col := t.column(cmd.GetAlterTableCmd().GetName()); col != nil {
					col.sequence, col.computed = s.sequence(t, col, def), isComputed(def.GetConstraint())
				}
			default:
				if def.GetConstraint() != nil {
					elements = append(elements, s.tableElement(file, t, def, at)...)
				}
			}
		}
	case st.Node.GetViewStmt() != nil:
		if t := s.table(ddl.NameOf(st.Node.GetViewStmt().GetView())); t != nil {
			t.at, t.view = at, true
			elements = append(elements, element{start: st.Start, table: t})
			s.readView(t, st.Node.GetViewStmt().GetQuery())
		}
	case st.Node.GetCreateTableAsStmt() != nil:
		if t := s.table(ddl.NameOf(st.Node.GetCreateTableAsStmt().GetInto().GetRel())); t != nil {
			t.at, t.view = at, true
			elements = append(elements, element{start: st.Start, table: t})
			s.readView(t, st.Node.GetCreateTableAsStmt().GetQuery())
			t.volatile = false // it was read when it was made
		}
	case st.Node.GetCreateEnumStmt() != nil:
		s.enumsAt[s.goName(lastName(st.Node.GetCreateEnumStmt().GetTypeName()))] = at
	case st.Node.GetCreateFunctionStmt() != nil:
		s.readFunction(st.Node.GetCreateFunctionStmt())
	case st.Node.GetCreateRangeStmt() != nil: // its constructor
		s.functions[lastName(st.Node.GetCreateRangeStmt().GetTypeName())] = true
	case st.Node.GetDefineStmt() != nil:
		s.readAggregate(st.Node.GetDefineStmt())
	}
	s.place(file, st, elements)
}

// inherit notes that columns of a table take their values from the sequences of the table that it inherits them from.
func (t *table) inherit(parent *table) {
	if parent == nil {
		return
	}
	parent.inherited = true
	for _, of := range parent.columns {
		if col := t.column(of.name); col != nil && col.sequence == "" {
			col.sequence = of.sequence
		}
	}
}

// readView finds out whether reading a view may write.
func (s *schema) readView(t *table, query *pgquery.Node) {
	a := &analysis{schema: s, at: func(int32) place { return t.at }, uses: map[string]*dbtx.Use{}}
	a.query(query, nil)
	t.volatile = a.write
	s.checkCalls(query, func(_ int32, format string, args ...any) {
		s.problems.addf(t.at.file, t.at.line, "%s: "+format, append([]any{t.name}, args...)...)
	})
}

func (s *schema) readFunction(f *pgquery.CreateFunctionStmt) {
	name := lastName(f.GetFuncname())
	reads := false
	for _, option := range f.GetOptions() {
		if d := option.GetDefElem(); d.GetDefname() == "volatility" {
			reads = d.GetArg().GetString_().GetSval() != "volatile"
		}
	}
	before, known := s.functions[name]
	s.functions[name] = reads && (before || !known) // of several of one name, all must
	params, outs := split(f.GetParameters())
	added := form{params: params, outs: len(outs), result: f.GetReturnType(), set: f.GetReturnType().GetSetof()}
	if len(outs) == 1 {
		added.result = outs[0].GetFunctionParameter().GetArgType()
	}
	s.forms[name] = append(s.forms[name], added)
}

// readAggregate finds out whether an aggregate may write: whether a function that it calls may.
func (s *schema) readAggregate(d *pgquery.DefineStmt) {
	reads := true
	for _, node := range d.GetDefinition() {
		if e := node.GetDefElem(); slices.Contains([]string{"sfunc", "finalfunc", "combinefunc"}, e.GetDefname()) {
			reads = reads && s.reads(lastName(e.GetArg().GetTypeName().GetNames()))
		}
	}
	s.functions[lastName(d.GetDefnames())] = reads
}

// reads reports that a function of this name is known to write nothing.
func (s *schema) reads(name string) bool {
	own, known := s.functions[name]

	return own || !known && stable(name)
}

func lastName(names []*pgquery.Node) string {
	if len(names) == 0 {
		return ""
	}

	return names[len(names)-1].GetString_().GetSval()
}

func appendName(names []string, name string) []string {
	if name == "" {
		return names
	}

	return append(names, name)
}

func (s *schema) tableElement(file *source, t *table, node *pgquery.Node, at place) []element {
	if c := node.GetConstraint(); c != nil {
		return s.addConstraint(file, t, c, "", at)
	}
	if node.GetTableLikeClause() != nil {
		s.problems.addf(at.file, at.line, "%s: the keys and checks that LIKE copies are not followed here: write the columns out", t.name)
	}
	def := node.GetColumnDef()
	if def == nil {
		return nil
	}
	elements := []element{{start: int(def.GetLocation()), table: t, column: def.GetColname()}}
	col := t.column(def.GetColname())
	if col != nil {
		name := strings.ToLower(lastName(def.GetTypeName().GetNames()))
		if slices.Contains(serialTypes, name) {
			col.sequence = s.impliedSequence(t, col)
		}
		col.collation = lastName(def.GetCollClause().GetCollname())
	}
	for _, c := range def.GetConstraints() {
		if name := s.sequence(t, col, c); name != "" {
			col.sequence = name
		}
		switch c.GetConstraint().GetContype() {
		case pgquery.ConstrType_CONSTR_IDENTITY, pgquery.ConstrType_CONSTR_GENERATED:
			if col != nil {
				col.computed = isComputed(c.GetConstraint())
			}
		default:
			elements = append(elements, s.addConstraint(file, t, c.GetConstraint(), def.GetColname(), at)...)
		}
	}

	return elements
}

// isComputed reports that a column takes no value but DEFAULT.
func isComputed(c *pgquery.Constraint) bool {
	return c.GetContype() == pgquery.ConstrType_CONSTR_GENERATED ||
		c.GetContype() == pgquery.ConstrType_CONSTR_IDENTITY && c.GetGeneratedWhen() == "a"
}

// https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-SERIAL
var serialTypes = []string{"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"}

// sequence returns the sequence that an identity or a default takes its values from; "" when there is none.
func (s *schema) sequence(t *table, col *column, node *pgquery.Node) string {
	if col == nil || node == nil {
		return ""
	}
	if c := node.GetConstraint(); c.GetContype() == pgquery.ConstrType_CONSTR_IDENTITY {
		for _, option := range c.GetOptions() {
			if names := option.GetDefElem().GetArg().GetList().GetItems(); option.GetDefElem().GetDefname() == "sequence_name" {
				of := ""
				if len(names) > 1 {
					of = names[len(names)-2].GetString_().GetSval()
				}

				return tableName("public", of, lastName(names))
			}
		}

		return s.impliedSequence(t, col)
	}
	name := ""
	ddl.Walk(node.ProtoReflect(), func(m proto.Message) bool {
		call, ok := m.(*pgquery.FuncCall)
		if !ok || lastName(call.GetFuncname()) != "nextval" || len(call.GetArgs()) != 1 {
			return true
		}
		text := uncast(call.GetArgs()[0]).GetAConst().GetSval().GetSval()
		if tree, err := ddl.Parse("TABLE " + text); err == nil && len(tree.GetStmts()) == 1 {
			if from := tree.GetStmts()[0].GetStmt().GetSelectStmt().GetFromClause(); len(from) == 1 {
				name = ddl.NameOf(from[0].GetRangeVar())
			}
		}

		return true
	})

	return name
}

// impliedSequence returns what PostgreSQL calls a column's sequence.
func (s *schema) impliedSequence(t *table, col *column) string {
	bare := t.name[strings.LastIndexByte(t.name, '.')+1:]
	of := t.name[:len(t.name)-len(bare)]
	for n := 0; ; n++ {
		name := of + objectName(bare, col.name, numbered("seq", n))
		taken := slices.ContainsFunc(s.tables, func(t *table) bool {
			return t.name == name || slices.ContainsFunc(t.columns, func(c *column) bool { return c != col && c.sequence == name })
		})
		if !taken {
			return name
		}
	}
}

// objectName returns what PostgreSQL calls something of a table that has no name. It cuts the names of the table and of the
// columns where the whole is too long, the longer one first.
func objectName(table, columns, label string) string {
	x, y, between := len(table), len(columns), ""
	if columns != "" {
		between = "_"
	}
	for x+len(between)+y+len("_")+len(label) > dbtx.LongestName {
		if x > y {
			x--
		} else {
			y--
		}
	}

	return wholeRunes(table[:x]) + between + wholeRunes(columns[:y]) + "_" + label
}

// numbered returns a label with the number that PostgreSQL tries when the name without it is taken.
func numbered(label string, n int) string {
	if n == 0 {
		return label
	}

	return label + strconv.Itoa(n)
}

// joined returns the names of columns as they stand in a name: PostgreSQL stops behind the one that is too long.
func joined(columns []string) string {
	for n := range columns {
		if text := strings.Join(columns[:n+1], "_"); len(text) > dbtx.LongestName {
			return text
		}
	}

	return strings.Join(columns, "_")
}

// wholeRunes cuts off a part of a character at the end.
func wholeRunes(s string) string {
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}

	return s
}

func (s *schema) addConstraint(file *source, t *table, c *pgquery.Constraint, column string, at place) []element {
	kind := ddl.ConstraintKinds[c.GetContype()]
	if kind == "" {
		return nil
	}
	added := &constraint{name: c.GetConname(), kind: kind, check: c.GetRawExpr(), where: c.GetWhereClause(), at: at}
	added.notValid = c.GetSkipValidation()
	if loc := int(c.GetLocation()); loc > 0 {
		added.at.line = file.Line(loc)
	}
	keys := c.GetKeys()
	if of := c.GetIndexname(); of != "" { // PRIMARY KEY USING INDEX, which takes the place of the index
		added.name = cmp.Or(added.name, of)
		t.constraints = slices.DeleteFunc(t.constraints, func(k *constraint) bool {
			if k.index && k.name == of {
				added.columns = k.columns
			}

			return k.index && k.name == of
		})
	}
	if kind == dbtx.ForeignKey {
		keys = c.GetFkAttrs()
		added.references = ddl.NameOf(c.GetPktable())
		added.keeps = c.GetFkDelAction() == "a" || c.GetFkDelAction() == "r"
	}
	for _, key := range keys {
		added.columns = append(added.columns, key.GetString_().GetSval())
	}
	for _, e := range c.GetExclusions() {
		if items := e.GetList().GetItems(); len(items) > 0 {
			elem := items[0].GetIndexElem()
			added.elements = append(added.elements, items[0])
			added.columns = append(appendName(added.columns, elem.GetName()), columnsIn(elem.GetExpr(), t)...)
		}
	}
	if column != "" && kind != dbtx.Check {
		added.columns = []string{column}
	}
	if kind == dbtx.Check {
		added.columns = columnsIn(c.GetRawExpr(), t)
	}
	added.mentioned = added.columns
	t.constraints = append(t.constraints, added)

	return []element{{start: int(c.GetLocation()), table: t, constraint: added}}
}

// columnsIn returns the columns of a table that an expression has, each once, in order.
func columnsIn(node *pgquery.Node, t *table) []string {
	var names []string
	if node == nil {
		return nil
	}
	ddl.Walk(node.ProtoReflect(), func(m proto.Message) bool {
		if ref, ok := m.(*pgquery.ColumnRef); ok {
			name := lastName(ref.GetFields())
			if t.column(name) != nil && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}

		return true
	})

	return names
}

// complete names the constraints that have no name as PostgreSQL does, and adds the not-null ones that a primary key
// and sqlc's catalogue imply.
func (s *schema) complete() {
	for _, t := range s.tables {
		bare := t.name[strings.LastIndexByte(t.name, '.')+1:]
		for _, c := range t.constraints {
			if c.name != "" {
				s.names[c.name] = true
			}
		}
		for _, c := range t.constraints {
			if c.name == "" {
				columns, label := impliedName(c)
				c.name = s.free(bare, columns, label)
			}
		}
		for _, col := range t.columns {
			has := slices.ContainsFunc(t.constraints, func(c *constraint) bool {
				return c.kind == dbtx.NotNull && slices.Equal(c.columns, []string{col.name})
			})
			if col.notNull && !has && !t.view {
				t.constraints = append(t.constraints, &constraint{
					name: objectName(bare, col.name, "not_null"), kind: dbtx.NotNull, columns: []string{col.name}, at: t.at,
				})
			}
		}
	}
}

// impliedName returns what PostgreSQL puts behind the table's name for a constraint without one.
func impliedName(c *constraint) (columns, label string) {
	columns = joined(c.columns)
	switch {
	case c.index, c.kind == dbtx.Exclusion:
		parts := make([]string, len(c.elements))
		for i, e := range c.elements {
			elem := e.GetIndexElem()
			part := elem.GetName()
			if part == "" {
				part = "expr"
				if f := elem.GetExpr().GetFuncCall(); f != nil {
					part = lastName(f.GetFuncname())
				}
			}
			parts[i] = part
		}

		if c.kind == dbtx.Exclusion {
			return joined(parts), "excl"
		}

		return joined(parts), "idx"
	case c.kind == dbtx.PrimaryKey:
		return "", "pkey"
	case c.kind == dbtx.Unique:
		return columns, "key"
	case c.kind == dbtx.ForeignKey:
		return columns, "fkey"
	case c.kind == dbtx.NotNull:
		return columns, "not_null"
	case len(c.columns) == 1:
		return columns, "check"
	default:
		return "", "check"
	}
}

// free returns the first name that nothing has yet, as PostgreSQL looks for it.
func (s *schema) free(table, columns, label string) string {
	name := objectName(table, columns, label)
	for n := 1; s.names[name]; n++ {
		name = objectName(table, columns, numbered(label, n))
	}
	s.names[name] = true

	return name
}

// place gives each mark of a statement to what it stands at.
func (s *schema) place(file *source, st ddl.Statement, elements []element) {
	slices.SortStableFunc(elements, func(a, b element) int { return a.start - b.start })
	lineEnd := len(file.Text)
	if end := strings.IndexByte(file.Text[st.End:], '\n'); end >= 0 {
		lineEnd = st.End + end
	}
	for i := range file.marks {
		m := &file.marks[i]
		if m.used || m.Start < st.From || m.Start >= lineEnd || len(elements) == 0 || m.alone && m.Start >= st.End {
			continue
		}
		if candidates := file.at(m, elements); len(candidates) > 0 {
			s.take(file, m, candidates)
		}
	}
}

// at returns the elements that a mark stands at: the next one, of a mark on a line of its own, and otherwise those that
// begin on its line, or the last that began before it.
func (s *source) at(m *mark, elements []element) []element {
	if m.alone {
		next := slices.IndexFunc(elements, func(e element) bool { return e.start > m.Start })
		if next < 0 || !s.onlyComments(m.End, elements[next].start) {
			return nil
		}
		line := s.Line(elements[next].start)

		return slices.DeleteFunc(slices.Clone(elements[next:]), func(e element) bool { return s.Line(e.start) != line })
	}
	var on []element
	for _, e := range elements {
		switch {
		case e.start > m.Start:
		case len(on) > 0 && s.Line(e.start) == m.line && s.Line(on[0].start) == m.line:
			on = append(on, e)
		default:
			on = []element{e}
		}
	}

	return on
}

// onlyComments reports that nothing but comments and white space is between two offsets.
func (s *source) onlyComments(from, to int) bool {
	for _, c := range s.Comments {
		if c.Start >= from && c.End <= to {
			if strings.TrimSpace(s.Text[from:c.Start]) != "" {
				return false
			}
			from = c.End
		}
	}

	return strings.TrimSpace(s.Text[from:to]) == ""
}

var (
	errorSyntax = regexp.MustCompile(`^(Err[A-Z]\w*)(?::\s+(.*\S))?$`)
	identifier  = regexp.MustCompile(`^(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")$`)
)

// unquoted returns the name that an identifier stands for.
func unquoted(identifier string) string {
	if inner, ok := strings.CutPrefix(identifier, `"`); ok {
		return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
	}

	return identifier
}

func (s *schema) take(file *source, m *mark, candidates []element) {
	refuse := func(format string, args ...any) { s.problems.addf(file.Name, m.line, format, args...) }
	switch m.word {
	case "error":
		var at []*constraint
		for _, e := range candidates {
			if e.constraint != nil {
				at = append(at, e.constraint)
			}
		}
		if others := slices.DeleteFunc(slices.Clone(at), func(c *constraint) bool { return c.kind == dbtx.NotNull }); len(others) > 0 {
			at = others
		}
		m.used = len(at) > 0
		match := errorSyntax.FindStringSubmatch(m.text)
		switch {
		case len(at) == 0:
		case len(at) > 1:
			refuse("+error stands at several constraints: put each on a line of its own")
		case match == nil:
			refuse("+error needs a name and words: -- +error ErrEmailTaken: e-mail already taken")
		case len(at[0].marks) == 2 || len(at[0].marks) == 1 && at[0].kind != dbtx.ForeignKey:
			refuse("%s has its +error already: only a foreign key has a second, for the row that it refers to", at[0].name)
		default:
			at[0].marks = append(at[0].marks, errorMark{match[1], match[2]})
		}
	case "was":
		at := slices.IndexFunc(candidates, func(e element) bool { return e.constraint == nil && e.index == "" })
		m.used = at >= 0
		switch name := unquoted(m.text); {
		case !m.used:
		case !identifier.MatchString(m.text) && !identifier.MatchString(strings.ToLower(m.text)): // a name as it is, quoted or not
			refuse("+was needs the old name: -- +was nick")
		case candidates[at].column != "":
			candidates[at].table.column(candidates[at].column).was = name
		default:
			candidates[at].table.was = name
		}
	case "plan":
		at := slices.IndexFunc(candidates, func(e element) bool { return e.index != "" })
		if m.used = at >= 0; !m.used {
			return
		}
		name, t := candidates[at].index, candidates[at].table
		if m.text == "" || name == "" {
			refuse("+plan at an index needs a reason, and the index a name: -- +plan the nightly report reads by it")
		}
		t.indexes = append(t.indexes, dbtx.Index{Name: name, Plans: []string{m.text}})
	case "fill":
		at := slices.IndexFunc(candidates, func(e element) bool { return e.column != "" })
		if m.used = at >= 0; !m.used {
			return
		}
		if _, err := ddl.Parse("SELECT (" + m.text + ")"); m.text == "" || err != nil {
			refuse("+fill needs an expression: -- +fill lower(name)")
		}
		candidates[at].table.column(candidates[at].column).fill = m.text
	}
}

// matchRules gives each column its default.
func (s *schema) matchRules() {
	for _, t := range s.tables {
		for _, col := range t.columns {
			var found *rule
			for i := range s.config.defaults {
				r := &s.config.defaults[i]
				if r.column != col.name || r.exact && r.table != t.name || !r.exact && !r.fits(t, col) {
					continue
				}
				r.used = r.used || !t.view
				switch {
				case found == nil || r.exact && !found.exact:
					found = r
				case r.exact == found.exact:
					s.problems.addf(defaultsFile, r.line, "%s.%s has a default in line %d already", t.name, col.name, found.line)
				}
			}
			if found == nil || found.by == none {
				continue
			}
			if !found.suits(col) {
				s.problems.addf(defaultsFile, found.line, "%s.%s is of type %s, which %s is no value of", t.name, col.name, col.typ, found.by)

				continue
			}
			for _, from := range found.from {
				if t.column(from) == nil {
					s.problems.addf(defaultsFile, found.line, "%s has no column %s to derive %s from", t.name, from, col.name)
				}
			}
			col.rule = found
		}
	}
	for _, r := range s.config.defaults {
		if r.exact && !r.used {
			s.problems.addf(defaultsFile, r.line, "there is no column %s.%s", r.table, r.column)
		}
	}
}

var (
	idTypes   = []string{"text", "uuid", "varchar", "bpchar", "char", "citext"}
	timeTypes = []string{"timestamptz", "timestamp", "date"}
)

func (r *rule) suits(col *column) bool {
	switch r.by {
	case dbtx.ID:
		return !col.array && slices.Contains(idTypes, col.typ)
	case dbtx.Now:
		return !col.array && slices.Contains(timeTypes, col.typ)
	default:
		return true
	}
}

// fits reports that a wildcard means the column. A key of several columns may have the id of another table.
func (r *rule) fits(t *table, col *column) bool {
	if r.by == none || col.computed {
		return r.by == none
	}
	key := slices.ContainsFunc(t.constraints, func(c *constraint) bool {
		return c.kind == dbtx.PrimaryKey && slices.Contains(c.columns, col.name) && (len(c.columns) == 1 || !t.owns(col.name))
	})

	return r.suits(col) && (t.view || key || col.notNull && r.by != dbtx.ID)
}
