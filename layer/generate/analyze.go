package main

import (
	"cmp"
	"slices"
	"strings"

	pgquery "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"musicstore/layer/dbtx"
	"musicstore/layer/ddl"
)

// scope is what a name can mean at a place of a statement.
type scope struct {
	parent *scope
	rels   []*rel
	ctes   map[string]*rel
}

// rel is an entry of a FROM: a table, or what a subquery, a WITH or a function returns.
type rel struct {
	name    string
	table   *table
	renamed []*pgquery.Node // the names that an alias gives to the first columns of the table
	of      *table          // of EXCLUDED: to read it needs the same rights as to read the table
	columns []output
	open    bool   // it has columns that are not known here
	within  *scope // of a subquery: what it reads from
}

// output is a column that a query returns. It has an expression for each row of VALUES and each arm of UNION.
type output struct {
	name  string
	exprs []expr
}

type expr struct {
	node  *pgquery.Node
	scope *scope
}

// analysis is what is found out about one query.
type analysis struct {
	schema *schema
	at     func(location int32) place

	uses    map[string]*dbtx.Use
	calls   []string // the functions of the schema files
	scopes  map[*pgquery.SelectStmt]*scope
	params  []dbtx.Param
	write   bool
	locks   bool
	utility bool
	changes []*change
	lists   []listed
	results []result // of the query, in order
}

// change is an INSERT, an UPDATE, or the DO UPDATE of an INSERT.
type change struct {
	kind   string // insert, update, conflict
	table  *table
	values map[string]value
	names  []string
	at     place
	insert *pgquery.InsertStmt
	of     *change // the INSERT of a conflict
}

// value is what a column is set to.
type value struct {
	param    int    // the parameter, from 1, that it is; 0 when it is none
	hidden   bool   // it is made of parameters in a way that is not followed
	several  bool   // the rows have different ones, and a parameter is among them
	standard bool   // DEFAULT
	inserted string // EXCLUDED and this column
	simple   bool   // a parameter or a constant: the same each time
}

func (a *analysis) use(t *table) *dbtx.Use {
	if a.uses[t.name] == nil {
		a.uses[t.name] = &dbtx.Use{Table: t.name}
	}

	return a.uses[t.name]
}

func include(columns *[]string, name string) {
	if !slices.Contains(*columns, name) {
		*columns = append(*columns, name)
	}
}

// query analyses a statement and returns its columns.
func (a *analysis) query(node *pgquery.Node, parent *scope) []output {
	switch {
	case node.GetSelectStmt() != nil:
		return a.sel(node.GetSelectStmt(), parent)
	case node.GetInsertStmt() != nil:
		a.write = true

		return a.insert(node.GetInsertStmt(), parent)
	case node.GetUpdateStmt() != nil:
		a.write = true

		return a.update(node.GetUpdateStmt(), parent)
	case node.GetDeleteStmt() != nil:
		a.write = true

		return a.del(node.GetDeleteStmt(), parent)
	case node.GetMergeStmt() != nil:
		a.write = true

		return a.merge(node.GetMergeStmt(), parent)
	default:
		a.write, a.utility = true, true
		for _, rel := range node.GetTruncateStmt().GetRelations() {
			if t := a.schema.table(ddl.NameOf(rel.GetRangeVar())); t != nil {
				a.use(t).Empty = true
			}
		}
		if node != nil {
			a.expr(node, &scope{parent: parent})
		}

		return nil
	}
}

func (a *analysis) with(w *pgquery.WithClause, sc *scope) {
	for _, node := range w.GetCtes() {
		cte := node.GetCommonTableExpr()
		r := &rel{name: cte.GetCtename()}
		if sc.ctes == nil {
			sc.ctes = map[string]*rel{}
		}
		if w.GetRecursive() {
			r.open = true
			sc.ctes[r.name] = r
		}
		r.columns = renamed(a.query(cte.GetCtequery(), sc), cte.GetAliascolnames())
		r.open = false
		sc.ctes[r.name] = r
	}
}

func renamed(columns []output, names []*pgquery.Node) []output {
	columns = slices.Clone(columns)
	for i, name := range names {
		if i < len(columns) {
			columns[i].name = name.GetString_().GetSval()
		}
	}

	return columns
}

func (a *analysis) sel(s *pgquery.SelectStmt, parent *scope) []output {
	sc := &scope{parent: parent}
	if a.scopes == nil {
		a.scopes = map[*pgquery.SelectStmt]*scope{}
	}
	a.scopes[s] = sc
	a.with(s.GetWithClause(), sc)
	var outs []output
	switch {
	case s.GetOp() != pgquery.SetOperation_SETOP_NONE && s.GetOp() != pgquery.SetOperation_SET_OPERATION_UNDEFINED:
		outs = slices.Clone(a.sel(s.GetLarg(), sc))
		for i, right := range a.sel(s.GetRarg(), sc) {
			if i < len(outs) {
				outs[i].exprs = append(slices.Clone(outs[i].exprs), right.exprs...)
			}
		}
	case len(s.GetValuesLists()) > 0:
		for _, row := range s.GetValuesLists() {
			for i, item := range row.GetList().GetItems() {
				if i >= len(outs) {
					outs = append(outs, output{name: "column" + itoa(i+1)})
				}
				outs[i].exprs = append(outs[i].exprs, expr{item, sc})
				a.expr(item, sc)
			}
		}
	default:
		for _, item := range s.GetFromClause() {
			a.from(item, sc)
		}
		outs = a.targets(s.GetTargetList(), sc)
	}
	for _, nodes := range [][]*pgquery.Node{
		{s.GetWhereClause(), s.GetHavingClause(), s.GetLimitCount(), s.GetLimitOffset()},
		s.GetGroupClause(), s.GetWindowClause(), s.GetDistinctClause(),
	} {
		for _, node := range nodes {
			if node != nil {
				a.expr(node, sc)
			}
		}
	}
	for _, sort := range s.GetSortClause() {
		name := ""
		if fields := sort.GetSortBy().GetNode().GetColumnRef().GetFields(); len(fields) == 1 {
			name = fields[0].GetString_().GetSval()
		}
		if !slices.ContainsFunc(outs, func(o output) bool { return name != "" && o.name == name }) {
			a.expr(sort, sc)
		}
	}
	for _, node := range s.GetLockingClause() {
		a.lock(node.GetLockingClause(), sc)
	}
	if s.GetIntoClause() != nil {
		a.write = true
	}

	return outs
}

func (a *analysis) lock(l *pgquery.LockingClause, sc *scope) {
	a.locks = true
	for _, r := range sc.rels {
		named := slices.ContainsFunc(l.GetLockedRels(), func(n *pgquery.Node) bool { return n.GetRangeVar().GetRelname() == r.name })
		if named || len(l.GetLockedRels()) == 0 {
			a.lockAll(r)
		}
	}
}

// lockAll notes that the rows of a rel are locked: of a subquery, those that it reads.
func (a *analysis) lockAll(r *rel) {
	if r.table != nil {
		a.use(r.table).Lock = true
	}
	if r.within != nil {
		for _, inner := range r.within.rels {
			a.lockAll(inner)
		}
	}
}

// targets analyses what a SELECT or a RETURNING lists.
func (a *analysis) targets(list []*pgquery.Node, sc *scope) []output {
	var outs []output
	for _, node := range list {
		target := node.GetResTarget()
		fields := target.GetVal().GetColumnRef().GetFields()
		if n := len(fields); n > 0 && fields[n-1].GetAStar() != nil {
			rels := sc.rels
			if n > 1 {
				rels = sc.named(fields[n-2].GetString_().GetSval())
			}
			for _, r := range rels {
				a.all(r)
				outs = append(outs, r.outputs()...)
			}

			continue
		}
		a.expr(target.GetVal(), sc)
		outs = append(outs, output{name: outputName(target), exprs: []expr{{target.GetVal(), sc}}})
	}

	return outs
}

// named returns the rels of a name, of the nearest scope that has one. The tables of a join share the name of its alias.
func (s *scope) named(name string) (rels []*rel) {
	for ; s != nil && len(rels) == 0; s = s.parent {
		for _, r := range s.rels {
			if r.name == name {
				rels = append(rels, r)
			}
		}
	}

	return rels
}

// others is the name of an output that stands for columns which are not known here.
const others = "*"

// outputs returns the columns of a rel. Those of a table have no expression: they are what is stored.
func (r *rel) outputs() []output {
	if r.table == nil {
		if r.open {
			return append(slices.Clone(r.columns), output{name: others})
		}

		return r.columns
	}
	var outs []output
	for _, c := range r.table.columns {
		outs = append(outs, output{name: c.name})
	}

	return renamed(outs, r.renamed)
}

// stored returns the name of a table's column by the name that the alias of the table gives it; "" when there is none.
func (r *rel) stored(name string) string {
	for i, c := range r.table.columns {
		if i < len(r.renamed) {
			if r.renamed[i].GetString_().GetSval() == name {
				return c.name
			}
		} else if c.name == name {
			return name
		}
	}
	if slices.Contains(systemColumns, name) {
		return name
	}

	return ""
}

func (a *analysis) all(r *rel) {
	for _, t := range []*table{r.table, r.of} {
		if t == nil {
			continue
		}
		for _, c := range t.columns {
			include(&a.use(t).Select, c.name)
		}
	}
}

// outputName returns the name of a column that a query returns, as PostgreSQL chooses it.
func outputName(t *pgquery.ResTarget) string {
	if t.GetName() != "" {
		return t.GetName()
	}
	name, _ := nameOf(t.GetVal())

	return cmp.Or(name, "?column?")
}

// nameOf returns the name that PostgreSQL gives an expression, and whether a cast or a CASE around it keeps the name.
// It is what FigureColnameInternal does: https://github.com/postgres/postgres/blob/REL_18_0/src/backend/parser/parse_target.c
func nameOf(node *pgquery.Node) (name string, kept bool) {
	switch {
	case node.GetColumnRef() != nil:
		return lastName(node.GetColumnRef().GetFields()), true
	case node.GetFuncCall() != nil:
		return lastName(node.GetFuncCall().GetFuncname()), true
	case node.GetCoalesceExpr() != nil:
		return "coalesce", true
	case node.GetCollateClause() != nil:
		return nameOf(node.GetCollateClause().GetArg())
	case node.GetAIndirection() != nil: // a field of a composite type, or an element of an array
		fields := slices.DeleteFunc(slices.Clone(node.GetAIndirection().GetIndirection()), func(n *pgquery.Node) bool { return n.GetString_() == nil })
		if len(fields) > 0 {
			return lastName(fields), true
		}

		return nameOf(node.GetAIndirection().GetArg())
	case node.GetTypeCast() != nil:
		if name, kept = nameOf(node.GetTypeCast().GetArg()); kept {
			return name, true
		}

		return lastName(node.GetTypeCast().GetTypeName().GetNames()), false
	case node.GetCaseExpr() != nil:
		if name, kept = nameOf(node.GetCaseExpr().GetDefresult()); kept {
			return name, true
		}

		return "case", false
	case node.GetSubLink().GetSubLinkType() == pgquery.SubLinkType_EXISTS_SUBLINK:
		return "exists", true
	case node.GetSubLink().GetSubLinkType() == pgquery.SubLinkType_ARRAY_SUBLINK:
		return "array", true
	case node.GetSubLink().GetSubLinkType() == pgquery.SubLinkType_EXPR_SUBLINK:
		if targets := node.GetSubLink().GetSubselect().GetSelectStmt().GetTargetList(); len(targets) == 1 {
			return outputName(targets[0].GetResTarget()), true
		}
	}

	return "", false
}

// from adds what an item of a FROM brings.
func (a *analysis) from(item *pgquery.Node, sc *scope) {
	switch {
	case item.GetRangeVar() != nil:
		sc.rels = append(sc.rels, a.relation(item.GetRangeVar(), sc))
	case item.GetJoinExpr() != nil:
		join, first := item.GetJoinExpr(), len(sc.rels)
		a.from(join.GetLarg(), sc)
		a.from(join.GetRarg(), sc)
		for _, name := range join.GetUsingClause() {
			for _, r := range sc.rels {
				a.read(r, name.GetString_().GetSval())
			}
		}
		if join.GetIsNatural() {
			for _, r := range sc.rels {
				a.all(r)
			}
		}
		if join.GetQuals() != nil {
			a.expr(join.GetQuals(), sc)
		}
		if alias := join.GetAlias(); alias != nil { // it hides the names within, and may rename any column
			for _, r := range sc.rels[first:] {
				r.name = alias.GetAliasname()
				if len(alias.GetColnames()) > 0 {
					a.all(r)
				}
			}
		}
	case item.GetRangeSubselect() != nil:
		sub := item.GetRangeSubselect()
		columns := renamed(a.query(sub.GetSubquery(), sc), sub.GetAlias().GetColnames())
		sc.rels = append(sc.rels, &rel{
			name: sub.GetAlias().GetAliasname(), columns: columns, within: a.scopes[sub.GetSubquery().GetSelectStmt()],
			open: slices.ContainsFunc(columns, func(o output) bool { return o.name == others }),
		})
	case item.GetRangeFunction() != nil:
		f := item.GetRangeFunction()
		a.expr(item, sc)
		r := &rel{name: f.GetAlias().GetAliasname(), open: len(f.GetAlias().GetColnames()) == 0}
		var call *pgquery.Node
		for _, node := range f.GetFunctions() {
			if items := node.GetList().GetItems(); len(items) > 0 && call == nil {
				call = items[0]
			}
		}
		if r.name == "" {
			r.name = lastName(call.GetFuncCall().GetFuncname())
		}
		for _, name := range f.GetAlias().GetColnames() {
			r.columns = append(r.columns, output{name: name.GetString_().GetSval(), exprs: []expr{{call, sc}}})
		}
		if r.open { // a function that returns one column gives it its alias
			r.columns = append(r.columns, output{name: r.name, exprs: []expr{{call, sc}}})
		}
		for _, node := range f.GetColdeflist() {
			r.columns = append(r.columns, output{name: node.GetColumnDef().GetColname(), exprs: []expr{{call, sc}}})
		}
		sc.rels = append(sc.rels, r)
	case item.GetRangeTableSample() != nil:
		a.from(item.GetRangeTableSample().GetRelation(), sc)
		for _, arg := range item.GetRangeTableSample().GetArgs() {
			a.expr(arg, sc)
		}
	default:
		a.expr(item, sc)
		sc.rels = append(sc.rels, &rel{open: true})
	}
}

// relation returns the rel of a name in a FROM.
func (a *analysis) relation(v *pgquery.RangeVar, sc *scope) *rel {
	name := v.GetAlias().GetAliasname()
	if name == "" {
		name = v.GetRelname()
	}
	if v.GetSchemaname() == "" {
		for s := sc; s != nil; s = s.parent {
			if cte := s.ctes[v.GetRelname()]; cte != nil {
				return &rel{name: name, columns: renamed(cte.columns, v.GetAlias().GetColnames()), open: cte.open}
			}
		}
	}
	t := a.schema.table(ddl.NameOf(v))
	if t == nil {
		return &rel{name: name, open: true}
	}
	a.use(t).Read = true
	a.write = a.write || t.volatile

	return &rel{name: name, table: t, renamed: v.GetAlias().GetColnames()}
}

// The columns that every table has. https://www.postgresql.org/docs/current/ddl-system-columns.html
var systemColumns = []string{"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}

// read notes that a column of a rel is read, and reports whether the rel has it.
func (a *analysis) read(r *rel, name string) (output, bool) {
	if r.table != nil {
		if name = r.stored(name); name == "" {
			return output{}, false
		}
		include(&a.use(r.table).Select, name)

		return output{name: name}, true
	}
	if r.of != nil && r.of.column(name) != nil {
		include(&a.use(r.of).Select, name)
	}
	at := slices.IndexFunc(r.columns, func(o output) bool { return o.name == name })
	if at < 0 {
		return output{name: name}, r.of != nil && r.of.column(name) != nil
	}

	return r.columns[at], true
}

// column finds what a name stands for, and notes that it is read.
func (a *analysis) column(ref *pgquery.ColumnRef, sc *scope) (*rel, output) {
	fields := ref.GetFields()
	name := fields[len(fields)-1].GetString_().GetSval()
	star := fields[len(fields)-1].GetAStar() != nil
	for s := sc; s != nil; s = s.parent {
		for _, r := range s.rels {
			if len(fields) > 1 && fields[len(fields)-2].GetString_().GetSval() != r.name {
				continue
			}
			if star {
				a.all(r)

				continue
			}
			if out, ok := a.read(r, name); ok {
				return r, out
			}
		}
	}
	for s := sc; s != nil && len(fields) == 1 && !star; s = s.parent {
		for _, r := range s.rels {
			if r.name == name { // the row as a whole
				a.all(r)

				return nil, output{}
			}
		}
	}

	return nil, output{}
}

// expr analyses an expression, with the subqueries in it.
func (a *analysis) expr(node proto.Message, sc *scope) {
	ddl.Walk(node.ProtoReflect(), func(m proto.Message) bool {
		switch n := m.(type) {
		case *pgquery.ColumnRef:
			a.column(n, sc)
		case *pgquery.FuncCall:
			a.call(n)
		case *pgquery.A_Expr:
			a.compare(n, sc)
		case *pgquery.SubLink:
			if n.GetTestexpr() != nil {
				a.expr(n.GetTestexpr(), sc)
			}
			outs := a.query(n.GetSubselect(), sc)
			if len(outs) == 1 && n.GetTestexpr() != nil {
				for _, e := range outs[0].exprs {
					a.pair(expr{n.GetTestexpr(), sc}, e)
				}
			}

			return false
		case *pgquery.SelectStmt:
			a.sel(n, sc)

			return false
		}

		return true
	})
}

// call notes that a function of the schema files is called, or one that may write.
func (a *analysis) call(f *pgquery.FuncCall) {
	name := lastName(f.GetFuncname())
	if !a.schema.reads(name) {
		a.write = true
	}
	if _, own := a.schema.functions[name]; own && len(f.GetFuncname()) == 1 {
		include(&a.calls, name)
	}
}

// compare notes which columns the two sides of an operator compare with parameters.
func (a *analysis) compare(e *pgquery.A_Expr, sc *scope) {
	switch e.GetKind() {
	case pgquery.A_Expr_Kind_AEXPR_OP, pgquery.A_Expr_Kind_AEXPR_OP_ANY, pgquery.A_Expr_Kind_AEXPR_OP_ALL,
		pgquery.A_Expr_Kind_AEXPR_DISTINCT, pgquery.A_Expr_Kind_AEXPR_NOT_DISTINCT, pgquery.A_Expr_Kind_AEXPR_IN,
		pgquery.A_Expr_Kind_AEXPR_LIKE, pgquery.A_Expr_Kind_AEXPR_ILIKE, pgquery.A_Expr_Kind_AEXPR_SIMILAR,
		pgquery.A_Expr_Kind_AEXPR_BETWEEN, pgquery.A_Expr_Kind_AEXPR_NOT_BETWEEN,
		pgquery.A_Expr_Kind_AEXPR_BETWEEN_SYM, pgquery.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
	default:
		return
	}
	if e.GetLexpr() == nil || e.GetRexpr() == nil || strings.ContainsAny(operator(e), "+-*/%|&#") {
		return
	}
	left, right := e.GetLexpr().GetRowExpr().GetArgs(), e.GetRexpr().GetRowExpr().GetArgs()
	if len(left) > 0 && len(left) == len(right) {
		for i := range left {
			a.pair(expr{left[i], sc}, expr{right[i], sc})
		}

		return
	}
	if items := e.GetRexpr().GetList().GetItems(); len(items) > 0 {
		for _, item := range items {
			a.pair(expr{e.GetLexpr(), sc}, expr{item, sc})
		}

		return
	}
	ofArray := e.GetKind() == pgquery.A_Expr_Kind_AEXPR_OP_ANY || e.GetKind() == pgquery.A_Expr_Kind_AEXPR_OP_ALL
	if n := int(e.GetLexpr().GetParamRef().GetNumber()); ofArray && n > 0 && n <= len(a.params) && a.params[n-1].Array {
		a.lists = append(a.lists, listed{n - 1, e.GetLocation()})
	}
	a.pair(expr{e.GetLexpr(), sc}, expr{e.GetRexpr(), sc})
}

// listed is a parameter that sqlc takes for a list, because it is compared with the elements of one.
type listed struct {
	param    int
	location int32
}

func (a *analysis) pair(x, y expr) {
	for range 2 {
		if col := a.stored(x); col != (dbtx.ColumnOf{}) {
			if n := int(uncast(y.node).GetParamRef().GetNumber()); n > 0 {
				a.compared(n, col)
			}
		}
		x, y = y, x
	}
}

func (a *analysis) compared(n int, col dbtx.ColumnOf) {
	if n <= len(a.params) && !slices.Contains(a.params[n-1].Compared, col) {
		a.params[n-1].Compared = append(a.params[n-1].Compared, col)
	}
}

// stored returns the column of a table that an expression is.
func (a *analysis) stored(e expr) dbtx.ColumnOf {
	node := uncast(e.node)
	if node.GetColumnRef() == nil || e.scope == nil {
		return dbtx.ColumnOf{}
	}
	r, out := a.column(node.GetColumnRef(), e.scope)
	switch {
	case r == nil:
		return dbtx.ColumnOf{}
	case r.table != nil:
		return dbtx.ColumnOf{Table: r.table.name, Column: out.name}
	case len(out.exprs) == 1:
		return a.stored(out.exprs[0])
	default:
		return dbtx.ColumnOf{}
	}
}

// uncast returns what is inside casts and COLLATE.
func uncast(node *pgquery.Node) *pgquery.Node {
	for {
		switch {
		case node.GetTypeCast() != nil:
			node = node.GetTypeCast().GetArg()
		case node.GetCollateClause() != nil:
			node = node.GetCollateClause().GetArg()
		default:
			return node
		}
	}
}

func operator(e *pgquery.A_Expr) string { return lastName(e.GetName()) }

// trace follows a value to the parameter that it is.
func (a *analysis) trace(exprs []expr) value {
	var v value
	for i, e := range exprs {
		one := a.traceOne(e, 0)
		if i == 0 {
			v = one

			continue
		}
		if one.param != v.param || one.inserted != v.inserted || one.standard != v.standard {
			v = value{
				hidden: v.hidden || one.hidden, several: v.several || one.several || v.param > 0 || one.param > 0,
				standard: v.standard || one.standard,
			}
		}
		v.hidden = v.hidden || one.hidden
		v.simple = v.simple && one.simple
	}

	return v
}

const excluded = "excluded"

func (a *analysis) traceOne(e expr, depth int) value {
	node := uncast(e.node)
	switch {
	case node == nil || depth > 50:
		return value{}
	case node.GetParamRef() != nil:
		return value{param: int(node.GetParamRef().GetNumber()), simple: true}
	case node.GetSetToDefault() != nil:
		return value{standard: true}
	case node.GetAConst() != nil:
		return value{simple: true}
	case node.GetColumnRef() != nil && e.scope != nil:
		r, out := a.column(node.GetColumnRef(), e.scope)
		switch {
		case r == nil || r.table != nil || len(out.exprs) == 0:
			return value{}
		case len(out.exprs) > 1:
			return a.trace(out.exprs)
		}
		v := a.traceOne(out.exprs[0], depth+1)
		if r.name == excluded {
			v.inserted = out.name
		}

		return v
	}

	return value{hidden: a.hides(e, depth)}
}

// hides reports that an expression is made of parameters.
func (a *analysis) hides(e expr, depth int) bool {
	found := false
	ddl.Walk(e.node.ProtoReflect(), func(m proto.Message) bool {
		switch n := m.(type) {
		case *pgquery.ParamRef:
			found = true
		case *pgquery.ColumnRef:
			if e.scope == nil || n.GetFields()[len(n.GetFields())-1].GetAStar() != nil {
				return true
			}
			if _, out := a.column(n, e.scope); depth < 50 {
				for _, inner := range out.exprs {
					found = found || a.hides(inner, depth+1)
				}
			}
		case *pgquery.SubLink: // what a subquery filters by is not what it returns
			for _, target := range n.GetSubselect().GetSelectStmt().GetTargetList() {
				found = found || a.hides(expr{target.GetResTarget().GetVal(), nil}, depth+1)
			}

			return false
		}

		return !found
	})

	return found
}

func (a *analysis) insert(s *pgquery.InsertStmt, parent *scope) []output {
	sc := &scope{parent: parent}
	a.with(s.GetWithClause(), sc)
	t := a.schema.table(ddl.NameOf(s.GetRelation()))
	if t == nil {
		return nil
	}
	use := a.use(t)
	c := &change{kind: "insert", table: t, values: map[string]value{}, at: a.at(s.GetRelation().GetLocation()), insert: s}
	for _, node := range s.GetCols() {
		c.names = append(c.names, node.GetResTarget().GetName())
	}
	if len(s.GetCols()) == 0 && s.GetSelectStmt() != nil {
		for _, col := range t.columns {
			c.names = append(c.names, col.name)
		}
	}
	var outs []output
	if s.GetSelectStmt() != nil {
		outs = a.query(s.GetSelectStmt(), sc)
	} else { // DEFAULT VALUES, which needs the right to any column
		include(&use.Insert, t.columns[0].name)
	}
	if open := slices.IndexFunc(outs, func(o output) bool { return o.name == others }); open >= 0 {
		outs = outs[:open]
	} else if len(s.GetCols()) == 0 {
		c.names = c.names[:min(len(outs), len(c.names))]
	}
	fresh := &rel{name: excluded, of: t}
	for i, name := range c.names {
		include(&use.Insert, name)
		if i < len(outs) {
			c.values[name] = a.trace(outs[i].exprs)
			fresh.columns = append(fresh.columns, output{name: name, exprs: outs[i].exprs})
		}
	}
	a.changes = append(a.changes, c)
	name := s.GetRelation().GetAlias().GetAliasname()
	if name == "" {
		name = s.GetRelation().GetRelname()
	}
	target := &rel{name: name, table: t}
	if conflict := s.GetOnConflictClause(); conflict != nil {
		within := &scope{parent: sc, rels: []*rel{target, fresh}}
		for _, elem := range conflict.GetInfer().GetIndexElems() {
			if name := elem.GetIndexElem().GetName(); name != "" {
				include(&use.Select, name)
			} else {
				a.expr(elem.GetIndexElem().GetExpr(), &scope{rels: []*rel{target}})
			}
		}
		if conflict.GetInfer().GetConname() != "" {
			key := arbiter(conflict, t)
			for _, name := range key {
				include(&use.Select, name)
			}
			if len(key) == 0 { // a constraint that is not known here
				a.all(target)
			}
		}
		if where := conflict.GetInfer().GetWhereClause(); where != nil {
			a.expr(where, &scope{parent: sc, rels: []*rel{target}})
		}
		if conflict.GetAction() == pgquery.OnConflictAction_ONCONFLICT_UPDATE {
			a.set(conflict.GetTargetList(), within, &change{kind: "conflict", table: t, at: c.at, of: c})
			if conflict.GetWhereClause() != nil {
				a.expr(conflict.GetWhereClause(), within)
			}
		}
	}

	return a.returning(s.GetReturningList(), &scope{parent: sc, rels: []*rel{target}}, target)
}

// returning analyses what a RETURNING lists. It may name the target OLD and NEW, too.
func (a *analysis) returning(list []*pgquery.Node, sc *scope, target *rel) []output {
	named := &scope{parent: sc.parent, rels: []*rel{{name: "old", table: target.table}, {name: "new", table: target.table}}}

	return a.targets(list, &scope{parent: named, rels: sc.rels, ctes: sc.ctes})
}

// set analyses the assignments of an UPDATE.
func (a *analysis) set(list []*pgquery.Node, sc *scope, c *change) {
	c.values = map[string]value{}
	for _, node := range list {
		target := node.GetResTarget()
		include(&a.use(c.table).Update, target.GetName())
		a.expr(target.GetVal(), sc)
		c.names = append(c.names, target.GetName())
		val := target.GetVal()
		ref := val.GetMultiAssignRef() // SET (a, b) = ROW (x, y)
		if values := ref.GetSource().GetRowExpr().GetArgs(); len(values) == int(ref.GetNcolumns()) && ref != nil {
			val = values[ref.GetColno()-1]
		}
		v := a.traceOne(expr{val, sc}, 0)
		if len(target.GetIndirection()) > 0 { // an element of an array
			v = value{hidden: v.hidden || v.several || v.param > 0}
		}
		c.values[target.GetName()] = v
	}
	a.changes = append(a.changes, c)
}

func (a *analysis) update(s *pgquery.UpdateStmt, parent *scope) []output {
	sc := &scope{parent: parent}
	a.with(s.GetWithClause(), sc)
	target := a.target(s.GetRelation())
	if target == nil {
		return nil
	}
	sc.rels = append(sc.rels, target)
	for _, item := range s.GetFromClause() {
		a.from(item, sc)
	}
	a.set(s.GetTargetList(), sc, &change{kind: "update", table: target.table, at: a.at(s.GetRelation().GetLocation())})
	if s.GetWhereClause() != nil {
		a.expr(s.GetWhereClause(), sc)
	}

	return a.returning(s.GetReturningList(), sc, target)
}

func (a *analysis) target(v *pgquery.RangeVar) *rel {
	t := a.schema.table(ddl.NameOf(v))
	if t == nil {
		return nil
	}
	name := v.GetAlias().GetAliasname()
	if name == "" {
		name = v.GetRelname()
	}

	return &rel{name: name, table: t}
}

func (a *analysis) del(s *pgquery.DeleteStmt, parent *scope) []output {
	sc := &scope{parent: parent}
	a.with(s.GetWithClause(), sc)
	target := a.target(s.GetRelation())
	if target == nil {
		return nil
	}
	a.use(target.table).Delete = true
	sc.rels = append(sc.rels, target)
	for _, item := range s.GetUsingClause() {
		a.from(item, sc)
	}
	if s.GetWhereClause() != nil {
		a.expr(s.GetWhereClause(), sc)
	}

	return a.returning(s.GetReturningList(), sc, target)
}

func (a *analysis) merge(s *pgquery.MergeStmt, parent *scope) []output {
	sc := &scope{parent: parent}
	a.with(s.GetWithClause(), sc)
	target := a.target(s.GetRelation())
	if target == nil {
		return nil
	}
	a.use(target.table)
	sc.rels = append(sc.rels, target)
	a.from(s.GetSourceRelation(), sc)
	a.expr(s.GetJoinCondition(), sc)
	for _, node := range s.GetMergeWhenClauses() {
		when := node.GetMergeWhenClause()
		if when.GetCondition() != nil {
			a.expr(when.GetCondition(), sc)
		}
		c := &change{table: target.table, at: a.at(s.GetRelation().GetLocation())}
		switch when.GetCommandType() {
		case pgquery.CmdType_CMD_UPDATE:
			c.kind = "update"
			a.set(when.GetTargetList(), sc, c)
		case pgquery.CmdType_CMD_DELETE:
			a.use(target.table).Delete = true
		case pgquery.CmdType_CMD_INSERT:
			c.kind = "insert"
			a.mergeInsert(when, sc, c)
		default:
		}
	}

	return a.returning(s.GetReturningList(), sc, target)
}

func (a *analysis) mergeInsert(when *pgquery.MergeWhenClause, sc *scope, c *change) {
	use := a.use(c.table)
	for _, node := range when.GetTargetList() {
		c.names = append(c.names, node.GetResTarget().GetName())
	}
	for _, col := range c.table.columns[:min(len(when.GetValues()), len(c.table.columns))] {
		if len(when.GetTargetList()) == 0 {
			c.names = append(c.names, col.name)
		}
	}
	c.values = map[string]value{}
	for i, node := range when.GetValues() {
		a.expr(node, sc)
		if i < len(c.names) {
			include(&use.Insert, c.names[i])
			c.values[c.names[i]] = a.traceOne(expr{node, sc}, 0)
		}
	}
	if len(when.GetValues()) == 0 { // DEFAULT VALUES, which needs the right to any column
		include(&use.Insert, c.table.columns[0].name)
	}
	a.changes = append(a.changes, c)
}
