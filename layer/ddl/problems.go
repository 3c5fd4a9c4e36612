package ddl

import (
	"fmt"
	"slices"
	"strings"

	"musicstore/layer/dbtx"

	pgquery "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
)

// Problem is why a schema is refused: one sentence, and where its cause is.
type Problem struct {
	File string
	Line int
	Text string
}

// Problems returns why files can't be a schema: what is no part of one, such as a history, rows and rights, what PostgreSQL
// would read in another way without a word, and what is made twice or belongs to nothing. The order is that of the files.
func Problems(files []*File) []Problem {
	c := &checked{made: map[string]string{}, own: map[string]bool{}}
	for _, f := range files {
		for _, st := range f.Statements {
			c.learn(f, st)
		}
	}
	for _, f := range files {
		for _, st := range f.Statements {
			c.check(f, st)
		}
	}

	return c.problems
}

type checked struct {
	problems []Problem
	made     map[string]string // the places of the statements that make objects, by key
	own      map[string]bool   // the names of the types and functions of the files, less their case
}

func (c *checked) addf(f *File, offset int, format string, args ...any) {
	p := Problem{f.Name, f.Line(offset), fmt.Sprintf(format, args...)}
	if !slices.Contains(c.problems, p) {
		c.problems = append(c.problems, p)
	}
}

// learn notes what a statement makes, and refuses what is made twice.
func (c *checked) learn(f *File, st Statement) {
	m := makes(st.Node)
	if m.refused != "" || m.ignored {
		return
	}
	for _, name := range defined(st.Node) {
		if st.Node.GetCreateFunctionStmt() != nil || m.Kind == dbtx.KindEnum || m.Kind == dbtx.KindDomain || m.Kind == dbtx.KindType {
			c.own[folded(name)] = true
		}
	}
	keys := []string{m.Key()}
	switch {
	case m.Name == "":
		return
	case m.Kind == dbtx.KindConstraint:
		keys = []string{"constraint " + m.Name + " of " + m.Table}
		if key := "relation " + m.Name; m.HasIndex() && c.made[key] == "" {
			c.made[key] = ""
		}
	case keys[0] == "":
		keys[0] = m.Kind + " " + m.Of + " " + m.Name + " of " + m.Table
	}
	at := fmt.Sprintf("%s:%d", f.Name, f.Line(st.Start))
	for _, key := range keys {
		if before := c.made[key]; before != "" {
			what := m.Kind + " " + m.Name
			if m.Kind == dbtx.KindComment {
				what = "the comment on " + m.Name
			}
			c.addf(f, st.Start, "%s is there already, at %s: a schema says once what there is", what, before)
		}
		c.made[key] = at
	}
}

// check refuses what a statement may not say.
func (c *checked) check(f *File, st Statement) {
	m := makes(st.Node)
	if m.ignored {
		return
	}
	if m.refused != "" {
		c.addf(f, st.Start, "%s", m.refused)

		return
	}
	before := len(c.problems)
	switch key := m.Key(); {
	case key == "relation public":
		c.addf(f, st.Start, "public is the name of a schema, which is left out: call it otherwise")
	case strings.HasPrefix(key, "function ") && strings.Count(key, "(") > 1:
		c.addf(f, st.Start, "the name of a function can't have a parenthesis: call it otherwise")
	}
	for _, option := range st.Node.GetCreateFunctionStmt().GetOptions() {
		if set := option.GetDefElem().GetArg().GetVariableSetStmt(); set.GetKind() == pgquery.VariableSetKind_VAR_SET_CURRENT {
			c.addf(f, st.Start, "SET %s FROM CURRENT takes what the session has that makes the function: write the value", set.GetName())
		}
	}
	c.otherSchemas(f, st)
	c.longNames(f, st)
	c.capitals(f, st)
	if len(c.problems) > before {
		return
	}
	owners := m.Owners()
	there := slices.ContainsFunc(owners, func(key string) bool { _, ok := c.made[key]; return ok })
	if len(owners) > 0 && !there {
		_, name, _ := strings.Cut(owners[0], " ")
		c.addf(f, st.Start, "%s is not made in these files, so this would never be", name)
	}
}

// otherSchemas refuses names of another schema, and temporary objects.
func (c *checked) otherSchemas(f *File, st Statement) {
	refuse := func(location int32, schema string) {
		at := st.Start
		if location > 0 {
			at = int(location)
		}
		c.addf(f, at, "a store has one schema, the current one, and this names the schema %s", schema)
	}
	list := func(location int32, names []*pgquery.Node) {
		if schema := schemaOf(names); schema != "" {
			refuse(location, schema)
		}
	}
	Walk(st.Node.ProtoReflect(), func(m proto.Message) bool {
		switch n := m.(type) {
		case *pgquery.RangeVar:
			switch {
			case n.GetRelpersistence() == "t":
				c.addf(f, int(n.GetLocation()), "%s is temporary: it would be gone with the session that makes it", n.GetRelname())
			case n.GetSchemaname() != "" && !slices.Contains(readable, n.GetSchemaname()):
				refuse(n.GetLocation(), n.GetSchemaname())
			}
		case *pgquery.TypeName:
			if n.GetPctType() {
				c.addf(f, int(n.GetLocation()), "%%TYPE is read once, when the function is made: write the type itself")
			} else {
				list(n.GetLocation(), n.GetNames())
			}
		case *pgquery.FuncCall:
			list(n.GetLocation(), n.GetFuncname())
		case *pgquery.ObjectWithArgs:
			list(0, n.GetObjname())
		case *pgquery.CreateTrigStmt:
			list(0, n.GetFuncname())
		case *pgquery.CollateClause:
			list(n.GetLocation(), n.GetCollname())
		}

		return true
	})
	list(0, definedNames(st.Node))
	for i, token := range f.tokensOf(st) { // nextval('app.numbers')
		schema, _, qualified := strings.Cut(strings.Trim(f.word(token), "'"), ".")
		if f.word(token)[0] == '\'' && qualified && f.namesRelation(f.tokensOf(st), i) && !slices.Contains(readable, unquoted(schema)) {
			refuse(token.GetStart(), unquoted(schema))
		}
	}
	for _, option := range st.Node.GetCreateExtensionStmt().GetOptions() {
		if name := option.GetDefElem().GetArg().GetString_().GetSval(); option.GetDefElem().GetDefname() == "schema" && name != "public" {
			refuse(0, name)
		}
	}
	if comment := st.Node.GetCommentStmt(); comment != nil {
		names := comment.GetObject().GetList().GetItems()
		switch comment.GetObjtype() {
		case pgquery.ObjectType_OBJECT_COLUMN, pgquery.ObjectType_OBJECT_TABCONSTRAINT, pgquery.ObjectType_OBJECT_TRIGGER:
			names = names[:len(names)-1]
		case pgquery.ObjectType_OBJECT_DOMCONSTRAINT:
			names = nil
		default:
		}
		list(0, names)
	}
}

// readable are the schemas that a statement may name: public, which is left out, and those of PostgreSQL itself.
var readable = []string{"public", "pg_catalog", "information_schema"}

// schemaOf returns the schema of a name where a statement may not name it.
func schemaOf(names []*pgquery.Node) string {
	if len(names) < 2 {
		return ""
	}
	if schema := names[len(names)-2].GetString_().GetSval(); !slices.Contains(readable, schema) {
		return schema
	}

	return ""
}

// definedNames returns the name of what a statement makes where the parser has it as a list.
func definedNames(node *pgquery.Node) []*pgquery.Node {
	switch {
	case node.GetCreateEnumStmt() != nil:
		return node.GetCreateEnumStmt().GetTypeName()
	case node.GetCreateDomainStmt() != nil:
		return node.GetCreateDomainStmt().GetDomainname()
	case node.GetCreateRangeStmt() != nil:
		return node.GetCreateRangeStmt().GetTypeName()
	case node.GetCreateFunctionStmt() != nil:
		return node.GetCreateFunctionStmt().GetFuncname()
	case node.GetDefineStmt() != nil:
		return node.GetDefineStmt().GetDefnames()
	default:
		return nil
	}
}

// defined returns the names that a statement gives, or takes from what it belongs to, and whose place the parser does not say.
func defined(node *pgquery.Node) []string {
	var names []string
	add := func(nodes []*pgquery.Node) {
		for _, n := range nodes {
			names = append(names, n.GetString_().GetSval())
		}
	}
	if list := definedNames(node); len(list) > 0 {
		add(list[len(list)-1:])
	}
	names = append(names, node.GetIndexStmt().GetIdxname(), node.GetCreateTrigStmt().GetTrigname(),
		node.GetCompositeTypeStmt().GetTypevar().GetRelname())
	add(node.GetCreateTrigStmt().GetFuncname())
	add(node.GetCreateTrigStmt().GetColumns())
	add(node.GetCommentStmt().GetObject().GetList().GetItems())
	add(node.GetViewStmt().GetAliases())
	add(node.GetCreateTableAsStmt().GetInto().GetColNames())
	for _, query := range []*pgquery.Node{node.GetViewStmt().GetQuery(), node.GetCreateTableAsStmt().GetQuery()} {
		for _, target := range query.GetSelectStmt().GetTargetList() {
			names = append(names, target.GetResTarget().GetName())
		}
	}
	Walk(node.ProtoReflect(), func(m proto.Message) bool {
		switch n := m.(type) {
		case *pgquery.FunctionParameter:
			names = append(names, n.GetName())
		case *pgquery.IndexElem:
			names = append(names, n.GetName())
		case *pgquery.PartitionElem:
			names = append(names, n.GetName())
		case *pgquery.Constraint:
			add(n.GetKeys())
			add(n.GetFkAttrs())
			add(n.GetPkAttrs())
			add(n.GetIncluding())
		case *pgquery.AlterTableCmd:
			names = append(names, n.GetName())
		}

		return true
	})

	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// longNames refuses names that PostgreSQL cuts.
func (c *checked) longNames(f *File, st Statement) {
	for _, token := range f.tokensOf(st) {
		if token.GetToken() != pgquery.Token_IDENT {
			continue
		}
		if name := unquoted(f.word(token)); len(name) > dbtx.LongestName {
			c.addf(f, int(token.GetStart()), "%s has %d bytes, and PostgreSQL cuts a name after %d: give it a shorter one",
				name, len(name), dbtx.LongestName)
		}
	}
	for _, label := range st.Node.GetCreateEnumStmt().GetVals() {
		if text := label.GetString_().GetSval(); len(text) > dbtx.LongestName {
			c.addf(f, st.Start, "the label %s has %d bytes, and PostgreSQL takes %d: give it a shorter one",
				text, len(text), dbtx.LongestName)
		}
	}
}

// unquoted returns the name that a token is.
func unquoted(text string) string {
	if len(text) > 1 && text[0] == '"' {
		return strings.ReplaceAll(text[1:len(text)-1], `""`, `"`)
	}

	return text
}

// capitals refuses a name with capitals and without quotes, which PostgreSQL reads in lower case. The names of what
// PostgreSQL and its extensions have may be in capitals: UUID, NOW().
func (c *checked) capitals(f *File, st Statement) {
	tokens := f.tokensOf(st)
	exact, capital := map[string]bool{}, map[string]*pgquery.ScanToken{}
	starts := map[int32]int{}
	for i, token := range tokens {
		starts[token.GetStart()] = i
		text := f.word(token)
		if lower := folded(text); text[0] == '"' || lower == text {
			exact[unquoted(text)] = true
		} else if capital[lower] == nil {
			capital[lower] = token
		}
	}
	refuse := func(token *pgquery.ScanToken) {
		text := f.word(token)
		c.addf(f, int(token.GetStart()), "%s has no quotes, so PostgreSQL reads %s: write that, or \"%[1]s\" wherever it stands",
			text, folded(text))
	}
	at := func(location int32, further int, name string) {
		i, ok := starts[location]
		if !ok || i+further >= len(tokens) {
			return
		}
		if text := f.word(tokens[i+further]); text != name && folded(text) == name {
			refuse(tokens[i+further])
		}
	}
	Walk(st.Node.ProtoReflect(), func(m proto.Message) bool {
		switch n := m.(type) {
		case *pgquery.RangeVar:
			further := 0
			for _, part := range []string{n.GetCatalogname(), n.GetSchemaname()} {
				if part != "" {
					further += 2
				}
			}
			at(n.GetLocation(), further, n.GetRelname())
		case *pgquery.ColumnDef:
			at(n.GetLocation(), 0, n.GetColname())
		case *pgquery.Constraint:
			if n.GetConname() != "" {
				at(n.GetLocation(), 1, n.GetConname())
			}
		case *pgquery.ColumnRef:
			last := len(n.GetFields()) - 1
			name := n.GetFields()[last].GetString_().GetSval()
			if st.Node.GetCreateDomainStmt() == nil { // whose CHECK has VALUE
				at(n.GetLocation(), 2*last, name)
			}
		case *pgquery.TypeName:
			c.ownName(at, n.GetLocation(), n.GetNames())
		case *pgquery.FuncCall:
			c.ownName(at, n.GetLocation(), n.GetFuncname())
		}

		return true
	})
	for _, name := range defined(st.Node) {
		if token := capital[name]; token != nil && !exact[name] {
			refuse(token)
		}
	}
}

// ownName looks at the name of a type or a function that the files make.
func (c *checked) ownName(at func(int32, int, string), location int32, names []*pgquery.Node) {
	if last := len(names) - 1; last >= 0 {
		if name := names[last].GetString_().GetSval(); c.own[folded(name)] {
			at(location, 2*last, name)
		}
	}
}

// folded returns a name as PostgreSQL reads it without quotes: it knows the case of ASCII alone.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}

		return r
	}, name)
}
