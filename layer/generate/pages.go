package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"go/types"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/jinzhu/inflection"
	pgquery "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"musicstore/layer/dbtx"
	"musicstore/layer/ddl"
)

// Lists with pages: what the mark +pages needs of a query, and the Go that is written for it.

// pages is a query that returns its rows page by page: it begins behind a key, and is ordered by it.
type pages struct {
	key   []keyColumn
	desc  bool
	limit int   // the parameter of the LIMIT, from 1
	rest  []int // the other parameters, in order
}

// keyColumn is a column of a key: its name and type, and the number of the output and of the parameter, from 0.
type keyColumn struct {
	name, typ     string
	output, param int
}

// result is a column that a query returns.
type result struct {
	typ     string
	array   bool
	notNull bool
}

// keyTypes are the types that have a value before all others, as they are compared.
var keyTypes = map[string]string{
	"int2": "int2", "int4": "int4", "int8": "int8", "smallserial": "int2", "serial": "int4", "bigserial": "int8",
	"text": "text", "varchar": "text", "bool": "bool", "uuid": "uuid", "date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz",
}

// pagesForm reads the form of a list with pages. why says what is missing. The reason is for an order that is total though the query
// does not show it.
func (q *query) pagesForm(a *analysis, s *pgquery.SelectStmt, reason string) (_ *pages, why string) {
	limit := uncast(s.GetLimitCount()).GetParamRef()
	switch {
	case q.pages != nil:
		return nil, "stands twice"
	case q.Command != "many" || s == nil || q.Write:
		return nil, "is for a :many that only reads"
	case s.GetOp() != pgquery.SetOperation_SETOP_NONE:
		return nil, "is not for UNION, INTERSECT and EXCEPT: put it into a subquery"
	case limit == nil || s.GetLimitOffset() != nil:
		return nil, "needs LIMIT @page_size at the end, without OFFSET"
	case len(s.GetSortClause()) == 0:
		return nil, "needs an ORDER BY that ends in a key of the table, such as ORDER BY created_at, id"
	case len(s.GetTargetList()) != len(a.results):
		return nil, "is not for sqlc.embed: list the columns"
	}
	if why := changesBehind(s); why != "" {
		return nil, why
	}
	p := &pages{limit: int(limit.GetNumber())}
	sc := a.scopes[s]
	var columns []rowColumn
	for i, node := range s.GetSortClause() {
		sort := node.GetSortBy()
		desc := sort.GetSortbyDir() == pgquery.SortByDir_SORTBY_DESC
		if i == 0 {
			p.desc = desc
		}
		ref := sort.GetNode().GetColumnRef()
		if ref == nil || sort.GetSortbyDir() == pgquery.SortByDir_SORTBY_USING {
			return nil, "needs an ORDER BY of plain columns: a page begins behind their values"
		}
		if desc != p.desc {
			return nil, "needs an ORDER BY with all columns ascending, or all DESC: a row is compared as a whole"
		}
		name := lastName(ref.GetFields())
		output, column, found := a.sorted(s, ref)
		if !found {
			return nil, fmt.Sprintf("needs %s among the columns that it returns, as it is stored: the next page begins behind its value", name)
		}
		columns = append(columns, column)
		p.key = append(p.key, keyColumn{name: name, typ: keyTypes[a.results[output].typ], output: output})
	}
	found, equal := a.keyset(s, columns, p.desc, sc)
	if len(found) != 1 {
		return nil, "needs this once among the conditions of its WHERE, joined by AND: " + p.condition(a)
	}
	for i, param := range found[0] {
		p.key[i].param = param - 1
	}
	for i, k := range p.key {
		if why := a.keyProblem(k, columns[i], p.desc); why != "" {
			return nil, why
		}
	}
	used := map[int]int{}
	ddl.Walk(s.ProtoReflect(), func(m proto.Message) bool {
		if ref, ok := m.(*pgquery.ParamRef); ok {
			used[int(ref.GetNumber())]++
		}

		return true
	})
	for n := range a.params {
		of := slices.ContainsFunc(p.key, func(k keyColumn) bool { return k.param == n })
		if !of && n+1 != p.limit {
			p.rest = append(p.rest, n)
		} else if used[n+1] != 1 {
			return nil, fmt.Sprintf("needs @%s in one place only: a page sets it", a.params[n].Name)
		}
	}
	if reason != "" {
		return p, ""
	}
	if why := a.notTotal(s, columns, equal); why != "" {
		return p, why
	}

	return p, a.lostAtStart(s, p, columns) // of one table
}

// changesBehind tells why the rows behind a place may be others than in the whole list.
func changesBehind(s *pgquery.SelectStmt) (why string) {
	var of string
	switch {
	case slices.ContainsFunc(s.GetLockingClause(), func(n *pgquery.Node) bool {
		return n.GetLockingClause().GetWaitPolicy() == pgquery.LockWaitPolicy_LockWaitSkip
	}):
		return "is not for SKIP LOCKED: a row that is locked by another would be in no page"
	case slices.ContainsFunc(s.GetDistinctClause(), func(n *pgquery.Node) bool { return n.GetNode() != nil }):
		of = "DISTINCT ON"
	case slices.ContainsFunc(s.GetGroupClause(), func(n *pgquery.Node) bool { return n.GetGroupingSet() != nil }):
		of = "GROUPING SETS"
	case calls(s.GetTargetList(), func(f *pgquery.FuncCall) bool { return f.GetOver() != nil }) != "":
		of = "window functions"
	default:
		return ""
	}

	return "is not for " + of + ", which would see nothing but the rows behind the place of a page: put them into a subquery"
}

// calls returns the name of the first function that columns call, of those that are asked for; "" when there is none. What a subquery calls
// is not among them.
func calls(columns []*pgquery.Node, asked func(*pgquery.FuncCall) bool) (name string) {
	for _, node := range columns {
		ddl.Walk(node.ProtoReflect(), func(m proto.Message) bool {
			if f, ok := m.(*pgquery.FuncCall); ok && name == "" && asked(f) {
				name = lastName(f.GetFuncname())
			}
			_, below := m.(*pgquery.SelectStmt)

			return !below
		})
	}

	return name
}

// rowColumn is a column of something in a FROM.
type rowColumn struct {
	rel  *rel
	name string
}

// resolve returns the column that a name stands for.
func (a *analysis) resolve(ref *pgquery.ColumnRef, sc *scope) (rowColumn, bool) {
	if ref == nil {
		return rowColumn{}, false
	}
	r, out := a.column(ref, sc)

	return rowColumn{r, out.name}, r != nil
}

// sorted returns which output of a SELECT a name in its ORDER BY stands for, and the column that it is. A name of one word is first
// that of an output.
func (a *analysis) sorted(s *pgquery.SelectStmt, ref *pgquery.ColumnRef) (output int, column rowColumn, found bool) {
	sc, name := a.scopes[s], ""
	if fields := ref.GetFields(); len(fields) == 1 {
		name = lastName(fields)
	}
	for i, node := range s.GetTargetList() {
		if name != "" && outputName(node.GetResTarget()) == name {
			column, found = a.resolve(node.GetResTarget().GetVal().GetColumnRef(), sc)

			return i, column, found
		}
	}
	if column, found = a.resolve(ref, sc); !found {
		return 0, column, false
	}
	for i, node := range s.GetTargetList() {
		if of, ok := a.resolve(node.GetResTarget().GetVal().GetColumnRef(), sc); ok && of == column {
			return i, column, true
		}
	}

	return 0, column, false
}

// keyset returns the parameters of each condition that compares the columns with parameters, as a whole, and the columns that the WHERE
// sets equal to one value.
func (a *analysis) keyset(s *pgquery.SelectStmt, columns []rowColumn, desc bool, sc *scope) (found [][]int, equal []rowColumn) {
	than := ">"
	if desc {
		than = "<"
	}
	conditions := []*pgquery.Node{s.GetWhereClause()}
	for len(conditions) > 0 {
		node := conditions[0]
		conditions = conditions[1:]
		if and := node.GetBoolExpr(); and.GetBoolop() == pgquery.BoolExprType_AND_EXPR {
			conditions = append(conditions, and.GetArgs()...)

			continue
		}
		e := node.GetAExpr()
		if e.GetKind() != pgquery.A_Expr_Kind_AEXPR_OP {
			continue
		}
		if operator(e) == "=" {
			for _, side := range [][2]*pgquery.Node{{e.GetLexpr(), e.GetRexpr()}, {e.GetRexpr(), e.GetLexpr()}} {
				column, ok := a.resolve(side[0].GetColumnRef(), sc)
				if value := uncast(side[1]); ok && (value.GetParamRef() != nil || value.GetAConst() != nil) {
					equal = append(equal, column)
				}
			}
		}
		left, right := []*pgquery.Node{e.GetLexpr()}, []*pgquery.Node{e.GetRexpr()}
		if row := e.GetLexpr().GetRowExpr(); row != nil {
			left, right = row.GetArgs(), e.GetRexpr().GetRowExpr().GetArgs()
		}
		if operator(e) != than || len(left) != len(columns) || len(right) != len(columns) {
			continue
		}
		var params []int
		for i := range left {
			column, ok := a.resolve(left[i].GetColumnRef(), sc)
			value := right[i]
			if cast := value.GetTypeCast(); a.keeps(cast.GetTypeName()) {
				value = cast.GetArg()
			}
			if n := int(value.GetParamRef().GetNumber()); ok && column == columns[i] && n > 0 && n <= len(a.params) {
				params = append(params, n)
			}
		}
		if len(params) == len(columns) {
			found = append(found, params)
		}
	}

	return found, equal
}

// keeps reports that a cast to a type takes each value of the base type as it is: timestamptz(0) and varchar(3) cut it, and a domain may
// refuse it.
func (a *analysis) keeps(typ *pgquery.TypeName) bool {
	_, domain := a.schema.domains[ddl.QualifiedName(typ.GetNames())]

	return typ != nil && len(typ.GetTypmods()) == 0 && !domain
}

// condition returns the condition of a page as it is to be written.
func (p *pages) condition(a *analysis) string {
	than, word := ">", "after"
	if p.desc {
		than, word = "<", "before"
	}
	columns, params := make([]string, 0, len(p.key)), make([]string, 0, len(p.key))
	for _, k := range p.key {
		columns = append(columns, k.name)
		cast := ""
		if len(p.key) > 1 {
			cast = "::" + cmp.Or(k.typ, a.results[k.output].typ)
		}
		params = append(params, "@"+word+"_"+k.name+cast)
	}
	if len(columns) == 1 {
		return fmt.Sprintf("%s %s %s", columns[0], than, params[0])
	}

	return fmt.Sprintf("(%s) %s (%s)", strings.Join(columns, ", "), than, strings.Join(params, ", "))
}

// keyProblem tells why a page can't begin behind a column.
func (a *analysis) keyProblem(k keyColumn, of rowColumn, desc bool) string {
	typ, param := a.results[k.output], a.params[k.param]
	var col *column
	if of.rel.table != nil {
		col = of.rel.table.column(of.name)
	}
	switch {
	case param.Sensitive: // so is one that is compared with a secret column
		return fmt.Sprintf("can't be ordered by %s, which must not be shown: the place of a page shows it", k.name)
	case !typ.notNull:
		return fmt.Sprintf("can't be ordered by %s, which may be NULL: no row is behind NULL", k.name)
	case typ.array || k.typ == "":
		return fmt.Sprintf("can't be ordered by %s of type %s: a key has integers, texts, times, dates, booleans and UUIDs, and no arrays", k.name, typ.typ)
	case keyTypes[param.Type] != k.typ:
		return fmt.Sprintf("needs @%s of the type of %s: write @%[1]s::%[3]s", param.Name, k.name, k.typ)
	case desc && k.typ == "text" && (col == nil || !slices.Contains([]string{"C", "POSIX", "ucs_basic"}, col.collation)):
		return fmt.Sprintf(`can't be ordered by %s DESC: of the texts of its collation, none is surely the last. Give the column COLLATE "C", `+
			"or order the list ascending", k.name)
	}

	return ""
}

// notTotal tells why two rows may have the same key, so that a page could leave one out.
func (a *analysis) notTotal(s *pgquery.SelectStmt, columns, equal []rowColumn) string {
	const reason = `. If the order is total all the same, write why behind the mark: -- +pages an order has one invoice`
	t := columns[0].rel.table
	from := s.GetFromClause()
	if len(from) != 1 || from[0].GetRangeVar() == nil || t == nil || t.view {
		return "needs a FROM of one table, whose keys show that no two rows have the same values in the ORDER BY" + reason
	}
	if t.inherited && from[0].GetRangeVar().GetInh() {
		return "needs FROM ONLY " + t.name + ": a table that inherits it may have rows with the same values" + reason
	}
	if name := calls(s.GetTargetList(), func(f *pgquery.FuncCall) bool { return a.schema.returnsSet(lastName(f.GetFuncname())) }); name != "" {
		return "can't return " + name + ", which makes several rows with the same values in the ORDER BY of one" + reason
	}
	has := func(name string) bool {
		at := rowColumn{columns[0].rel, name}

		return slices.Contains(columns, at) || slices.Contains(equal, at)
	}
	for _, k := range t.constraints {
		if k.kind != dbtx.PrimaryKey && k.kind != dbtx.Unique || k.where != nil || len(k.columns) == 0 || k.index && len(k.columns) != len(k.elements) {
			continue
		}
		// None of them is NULL: no column of the ORDER BY may be, and = is not true of NULL.
		if !slices.ContainsFunc(k.columns, func(name string) bool { return !has(name) }) {
			return ""
		}
	}

	return "needs an ORDER BY that ends in a key of " + t.name + ": rows with the same values may be left out" + reason
}

// starts are the values before all others that a row can well have. A number or a time that is the least of its type is none.
var starts = map[string][2]string{
	"text": {"''", ""}, // the last text is no text of characters
	"uuid": {"'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"},
	"bool": {"false", "true"},
}

// lostAtStart tells that a row can have the very values that the first page begins behind. A CHECK of the table or a condition of the WHERE
// can show that none has.
func (a *analysis) lostAtStart(s *pgquery.SelectStmt, p *pages, columns []rowColumn) string {
	t := columns[0].rel.table
	var names, values []string
	for i, k := range p.key {
		value := starts[k.typ][0]
		if p.desc {
			value = starts[k.typ][1]
		}
		excluded := value == ""
		for _, c := range t.constraints {
			excluded = excluded || !c.notValid && excludes(c.check, columns[i].name, value)
		}
		if excluded || excludes(s.GetWhereClause(), columns[i].name, value) {
			return ""
		}
		names, values = append(names, k.name), append(values, value)
	}

	return fmt.Sprintf("begins behind the %s %s, so a row that has it would be in no page. Add CHECK (%s <> %s) to the table, "+
		"or write behind the mark why there is none: -- +pages every %[3]s is random",
		and(names), and(values), names[0], values[0])
}

// excludes reports that a condition, in one of a few forms, is not true of a value of a column: name <> ”, char_length(name) > 0, name ~ '^[a-z]+$'.
func excludes(node *pgquery.Node, column, value string) bool {
	if and := node.GetBoolExpr(); and.GetBoolop() == pgquery.BoolExprType_AND_EXPR {
		return slices.ContainsFunc(and.GetArgs(), func(arg *pgquery.Node) bool { return excludes(arg, column, value) })
	}
	e := node.GetAExpr()
	isColumn := func(node *pgquery.Node) bool { return lastName(uncast(node).GetColumnRef().GetFields()) == column }
	left, right := uncast(e.GetLexpr()), uncast(e.GetRexpr())
	text, least := right.GetAConst().GetSval(), right.GetAConst().GetIval()
	length := left.GetFuncCall()
	switch {
	case e.GetKind() != pgquery.A_Expr_Kind_AEXPR_OP && e.GetKind() != pgquery.A_Expr_Kind_AEXPR_BETWEEN:
		return false
	case isColumn(left) && operator(e) == "<>":
		return text != nil && strings.EqualFold("'"+text.GetSval()+"'", value)
	case isColumn(left) && operator(e) == "~":
		of, err := regexp.Compile(text.GetSval())

		return text != nil && err == nil && !of.MatchString(strings.Trim(value, "'"))
	case value == "''" && slices.Contains([]string{"length", "char_length", "character_length"}, lastName(length.GetFuncname())) &&
		slices.ContainsFunc(length.GetArgs(), isColumn):
		if e.GetKind() == pgquery.A_Expr_Kind_AEXPR_BETWEEN {
			bounds := e.GetRexpr().GetList().GetItems()

			return len(bounds) == 2 && bounds[0].GetAConst().GetIval().GetIval() > 0
		}

		return least != nil &&
			(operator(e) == ">" && least.GetIval() >= 0 || (operator(e) == ">=" || operator(e) == "=") && least.GetIval() > 0)
	default:
		return false
	}
}

// pagedList is a query with pages as Go has it.
type pagedList struct {
	*query

	method, all, after, page, value string // the names
	doc                             string
	row                             string   // the type of a row
	params                          string   // that of the parameters
	byPointer                       bool     // the generated query takes a pointer to its parameters
	key                             []string // the key of a row, as expressions
	into                            []string // where it goes
	limit, limitType                string
	rest                            []restParam
}

// restParam is a parameter that a page does not set.
type restParam struct{ field, name, typ string }

// prepositions end the word of what is listed: ListLoansOfMember lists loans.
var prepositions = []string{"Of", "By", "In", "From", "With", "Without", "For", "To", "At", "On", "Since", "Before", "After", "Between"}

// oneOf returns the name of what is listed for one of it: NewBooks is NewBook, LoansOfMember is LoanOfMember.
func oneOf(name string) string {
	var words []string
	for rest := name; rest != ""; {
		word := firstWord(rest)
		words, rest = append(words, word), rest[len(word):]
	}
	last := len(words) - 1
	for i, word := range words {
		if i > 0 && slices.Contains(prepositions, word) {
			last = i - 1

			break
		}
	}
	words[last] = cmp.Or(inflection.Singular(words[last]), words[last]) // S has none

	return strings.Join(words, "")
}

// small returns a name with a small first word: memberID, id, urlOfBook.
func small(name string) string {
	word := firstWord(name)

	return strings.ToLower(word) + name[len(word):]
}

// planLists finds the Go of the queries with pages. Where the store's package has the method of the query or the function of the place by
// hand, the generated one begins with a small letter, so that the other can call it. A walk by hand needs no other.
func (c *config) planLists(g, store *golang, queries []*query, ps *problems) (lists []*pagedList, imports []string) {
	others := map[string]string{} // the queries by the names that are made of them
	for _, q := range queries {
		if q.pages == nil {
			continue
		}
		refuse := func(format string, args ...any) {
			ps.addf(q.written.at.file, q.written.at.line, q.Name+": +pages "+format, args...)
		}
		if store == nil {
			refuse("needs the store of %s, in whose package the pages are", defaultsFile)

			continue
		}
		base := q.Name
		if rest := strings.TrimPrefix(q.Name, "List"); rest != "" && isCapital(rest[0]) {
			base = rest
		}
		l := &pagedList{
			query: q, method: q.Name, all: "All" + base, after: "After" + oneOf(base), page: "pageOf" + base, value: "listOf" + base,
		}
		if other := cmp.Or(others[l.all], others[l.after]); other != "" {
			refuse("gives the names of %s: call one of them otherwise", other)

			continue
		}
		others[l.all], others[l.after] = q.Name, q.Name
		if _, ok := store.methods["Repo."+l.method]; ok {
			l.method = strings.ToLower(l.method[:1]) + l.method[1:]
		}
		if _, ok := store.methods["Repo."+l.all]; ok {
			l.all = ""
		}
		if _, ok := store.names[l.after]; ok {
			l.after = "a" + l.after[1:]
		}
		more, why := l.readGo(g)
		if why != "" {
			refuse("%s", why)

			continue
		}
		for _, alias := range slices.Sorted(keys(store.aliases)) {
			if store.aliases[alias] == c.pkg+"."+l.row {
				l.row = alias
			}
		}
		lists = append(lists, l)
		for _, path := range more {
			if !slices.Contains(imports, path) {
				imports = append(imports, path)
			}
		}
	}

	return lists, imports
}

// readGo takes the names and types from what sqlc wrote. It returns the imports of the parameters.
func (l *pagedList) readGo(g *golang) (imports []string, why string) {
	var method *ast.FuncDecl
	var file *ast.File
	for _, f := range g.files {
		for _, decl := range f.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv != nil && receiver(d) == "Queries" && d.Name.Name == l.Name {
				method, file = d, f
			}
		}
	}
	if method == nil {
		return nil, "needs the Go of the query, which sqlc did not write"
	}
	const noStruct = "needs a struct for the parameters: set query_parameter_limit to 1 in sqlc.yaml"
	params := method.Type.Params.List
	if len(params) != 2 || len(params[1].Names) != 1 {
		return nil, noStruct
	}
	paramType := params[1].Type
	if star, ok := paramType.(*ast.StarExpr); ok {
		l.byPointer, paramType = true, star.X
	}
	name, ok := paramType.(*ast.Ident)
	fields := g.structFields(name)
	if !ok || len(fields) != len(l.Params) {
		return nil, noStruct
	}
	rows, ok := method.Type.Results.List[0].Type.(*ast.ArrayType)
	if !ok {
		return nil, "needs a query that returns a slice"
	}
	l.row, l.doc = g.text(rows.Elt), method.Doc.Text()
	imports = importsOf(file, rows.Elt)
	rowType := rows.Elt
	if star, ok := rowType.(*ast.StarExpr); ok {
		rowType = star.X
	}
	var columns []goField
	if ident, ok := rowType.(*ast.Ident); ok {
		columns = g.structFields(ident)
	}
	for _, k := range l.pages.key {
		of, value := goField{typ: rows.Elt}, "row"
		if columns != nil {
			of = columns[k.output]
			value += "." + of.name
		}
		param := fields[k.param]
		if typ, suits := g.text(of.typ), goKeyTypes[k.typ]; !slices.Contains(suits, typ) {
			return nil, fmt.Sprintf("can't be ordered by %s of the Go type %s: the type of %s is %s in a key", k.name, typ, k.typ, strings.Join(suits, " or "))
		} else if typ := g.text(param.typ); !slices.Contains(suits, typ) {
			return nil, fmt.Sprintf("needs @%s of the Go type %s, not %s", l.Params[k.param].Name, strings.Join(suits, " or "), typ)
		}
		into := "&p." + param.name
		if g.text(of.typ) == uuidType {
			value = "[16]byte(" + value + ")"
		}
		if g.text(param.typ) == uuidType {
			into = "(*[16]byte)(" + into + ")"
		}
		l.key, l.into = append(l.key, value), append(l.into, into)
	}
	l.limit, l.limitType = fields[l.pages.limit-1].name, g.text(fields[l.pages.limit-1].typ)
	if !slices.Contains([]string{"int16", "int32", "int64"}, l.limitType) {
		return nil, "needs an integer as its LIMIT that is not NULL: write LIMIT @page_size"
	}
	for _, n := range l.pages.rest {
		f := fields[n]
		r := restParam{f.name, argumentName(f.name), g.text(f.typ)}
		if strings.HasPrefix(l.row, r.name+".") { // it would hide the package
			r.name += "Value"
		}
		l.rest = append(l.rest, r)
		if len(l.pages.rest) == 1 {
			imports = append(imports, importsOf(file, f.typ)...)
		}
	}
	l.params = name.Name

	return imports, ""
}

type goField struct {
	name string
	typ  ast.Expr
}

// structFields returns the fields of a struct of the package; nil when there is none of the name.
func (g *golang) structFields(name *ast.Ident) (fields []goField) {
	if name == nil {
		return nil
	}
	for _, file := range g.files {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != name.Name {
				return true
			}
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					for _, name := range field.Names {
						fields = append(fields, goField{name.Name, field.Type})
					}
				}
			}

			return false
		})
	}

	return fields
}

// text returns an expression as it is written.
func (g *golang) text(e ast.Expr) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, g.fset, e); err != nil {
		return ""
	}

	return b.String()
}

const uuidType = "uuid.UUID"

// goKeyTypes are the Go types that the values of each type in a key can have: all values of the one are values of the other.
var goKeyTypes = map[string][]string{
	"int2": {"int16"}, "int4": {"int32"}, "int8": {"int64"}, "text": {"string"}, "bool": {"bool"}, "uuid": {"pgtype.UUID", uuidType},
	"date": {"time.Time", "pgtype.Date"}, "timestamp": {"time.Time", "pgtype.Timestamp"}, "timestamptz": {"time.Time", "pgtype.Timestamptz"},
}

// argumentName returns what to call the parameter for a field.
func argumentName(field string) string {
	name := small(field)
	if token.IsKeyword(name) || types.Universe.Lookup(name) != nil || slices.Contains([]string{"ctx", "page", "r", "p", "err", "dbtx", "context", "iter"}, name) {
		return name + "Value"
	}

	return name
}

// importsOf returns the paths of the packages that a type names, as its file imports them.
func importsOf(file *ast.File, typ ast.Expr) (paths []string) {
	ast.Inspect(typ, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, _ := sel.X.(*ast.Ident)
		for _, spec := range file.Imports {
			name := path.Base(strings.Trim(spec.Path.Value, `"`))
			if spec.Name != nil {
				name = spec.Name.Name
			}
			if pkg != nil && name == pkg.Name {
				imported := spec.Path.Value
				if spec.Name != nil {
					imported = spec.Name.Name + " " + imported
				}
				paths = append(paths, imported)
			}
		}

		return true
	})

	return paths
}

// signature returns the parameters of a method before the page, and how they are passed on.
func (l *pagedList) signature() (declared, passed string) {
	switch len(l.rest) {
	case 0:
		return "", ""
	case 1:
		return fmt.Sprintf(", %s %s", l.rest[0].name, l.rest[0].typ), ", " + l.rest[0].name
	default:
		return ", p " + l.params, ", p"
	}
}

// emitPages writes the lists with pages.
func emitPages(c *config, lists []*pagedList, imports []string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%spackage %s\n\nimport (\n\"context\"\n", header, c.storeName)
	if slices.ContainsFunc(lists, func(l *pagedList) bool { return l.all != "" }) {
		b.WriteString("\"iter\"\n")
	}
	own := []string{fmt.Sprintf("%q", dbtxPath())}
	for _, spec := range imports {
		if first, _, _ := strings.Cut(strings.Trim(spec, `"`), "/"); strings.ContainsAny(first, ". ") || strings.HasPrefix(dbtxPath(), first+"/") {
			own = append(own, spec)
		} else {
			b.WriteString(spec + "\n")
		}
	}
	fmt.Fprintf(&b, "\n%s\n)\n", strings.Join(own, "\n"))
	b.WriteString(pagesText)
	for _, l := range lists {
		l.emit(&b)
	}

	return gofmt(pagesFile, b.String())
}

const pagesText = `
// Page is a part of a long list: After is the place that it begins behind, "" at the start, and Limit is how many rows it has at the most,
// 1 to MaxPage; 0 is 50. See dbtx.Page.
type Page = dbtx.Page

// MaxPage is how many rows a page can have.
const MaxPage = dbtx.MaxPage
`

func (l *pagedList) emit(b *bytes.Buffer) {
	declared, passed := l.signature()
	names := make([]string, len(l.pages.key))
	for i, k := range l.pages.key {
		names[i] = k.name
	}
	word, desc := "", ""
	if l.pages.desc {
		word, desc = " DESC", ", Desc: true"
	}
	doc := strings.TrimSpace(l.doc)
	if doc == "" {
		doc = l.Name + " returns the rows of a list."
	}
	if l.method != l.Name {
		doc = l.method + " is the generated " + l.Name + ", which a method of this package hides."
	}
	fmt.Fprintf(b, "\n// %s\n//\n", strings.ReplaceAll(doc, "\n", "\n// "))
	fmt.Fprintf(b, "// It returns a page. The next page is at %s(last). A bad limit, a bad place, or a place in another list is an *InvalidError.\n", l.after)
	if len(l.rest) > 1 {
		b.WriteString("// Of p, the page sets " + l.set() + ".\n")
	}
	fmt.Fprintf(b, "func (r *Repo) %s(ctx context.Context%s, page Page) ([]%s, error) {\n", l.method, declared, l.row)
	begin := "p" // what a page adds to
	switch len(l.rest) {
	case 0:
		begin = l.params + "{}"
	case 1:
		begin = fmt.Sprintf("%s{%s: %s}", l.params, l.rest[0].field, l.rest[0].name)
	}
	pointer := ""
	if l.byPointer {
		pointer = "&"
	}
	fmt.Fprintf(b, "p, err := %s(page, %s)\nif err != nil {\nreturn nil, err\n}\n\nreturn r.querier.%s(ctx, %sp)\n}\n",
		l.page, begin, l.Name, pointer)

	if l.all != "" {
		fmt.Fprintf(b, "\n// %s walks all rows of %s, a page at a time. An error ends the walk, as its last pair.\n", l.all, l.Name)
		fmt.Fprintf(b, "func (r *Repo) %s(ctx context.Context%s) iter.Seq2[%s, error] {\n", l.all, declared, l.row)
		fmt.Fprintf(b, "return dbtx.Walk(%s, func(page Page) ([]%s, error) { return r.%s(ctx%s, page) })\n}\n", l.after, l.row, l.method, passed)
	}

	fmt.Fprintf(b, "\n// %s returns the place behind a row in %s. It shows the row's %s, and nothing else.\n", l.after, l.Name, and(names))
	fmt.Fprintf(b, "func %s(row %s) string { return %s.After(%s) }\n", l.after, l.row, l.value, strings.Join(l.key, ", "))

	fmt.Fprintf(b, "\n// %s returns the parameters of %s with those that a page has: %s.\n", l.page, l.Name, l.set())
	fmt.Fprintf(b, "func %s(page Page, p %s) (%[2]s, error) {\n", l.page, l.params)
	fmt.Fprintf(b, "limit, err := %s.Read(page, %s)\n", l.value, strings.Join(l.into, ", "))
	if l.limitType == "int32" {
		fmt.Fprintf(b, "p.%s = limit\n", l.limit)
	} else {
		fmt.Fprintf(b, "p.%s = %s(limit)\n", l.limit, l.limitType)
	}
	b.WriteString("\nreturn p, err\n}\n")
	fmt.Fprintf(b, "\nvar %s = dbtx.List{Op: %q, Name: %q%s}\n", l.value, l.Op, l.Name+" "+strings.Join(names, ", ")+word, desc)
}

// set returns the fields that a page sets, as words.
func (l *pagedList) set() string {
	var names []string
	for _, into := range l.into {
		names = append(names, strings.TrimRight(into[strings.LastIndexByte(into, '.')+1:], ")"))
	}

	return and(append(names, l.limit))
}

// and joins words: a, b and c.
func and(words []string) string {
	if len(words) == 1 {
		return words[0]
	}

	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
