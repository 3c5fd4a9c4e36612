package main

import (
	"cmp"
	"fmt"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strconv"
	"strings"

	pgquery "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"musicstore/layer/dbtx"
	"musicstore/layer/ddl"
)

func itoa(n int) string { return strconv.Itoa(n) }

// written is a query as it stands in its file.
type written struct {
	name, command string
	file          *source
	statement     ddl.Statement
	at            place
	marks         []*mark
	params        []string                 // the names that it gives its parameters
	counts        map[*pgquery.A_Expr]bool // the parameters in the sum of a LIMIT or an OFFSET
	lines         []int                    // of each line of the text that sqlc makes of it
}

var queryName = regexp.MustCompile(`^(?:--|/\*)[ \t]*name:[ \t]*(\w+)[ \t]+:(\w+)`)

// readWritten finds the queries of a file, and refuses what sqlc would make something wrong of.
func readWritten(file *source, ps *problems) []*written {
	var all []*written
	for i, st := range file.Statements {
		w := &written{counts: map[*pgquery.A_Expr]bool{}, file: file, statement: st, at: place{file.Name, file.Line(st.Start)}}
		for _, c := range file.Comments {
			if c.Start < st.From || c.Start >= st.End {
				continue
			}
			if match := queryName.FindStringSubmatch(file.Text[c.Start:c.End]); match != nil && w.name == "" {
				w.name, w.command, w.at.line = match[1], match[2], file.Line(c.Start)
			}
		}
		if w.name == "" {
			ps.addf(file.Name, w.at.line, "this statement has no name, and sqlc would leave it out: write -- name: … above it")

			continue
		}
		endOfLast := 0
		if i > 0 {
			endOfLast = file.Line(file.Statements[i-1].End)
		}
		for n := range file.marks {
			m := &file.marks[n]
			above := m.Start >= st.From && m.Start < st.Start && m.line > endOfLast
			if above && (m.word == "keyed" || m.word == "plan" || m.word == "default" || m.word == "pages") {
				m.used = true
				w.marks = append(w.marks, m)
			}
		}
		w.lines = file.linesOf(st)
		w.check(ps)
		all = append(all, w)
	}

	return all
}

// linesOf returns the lines of a statement that sqlc keeps: not those that are only a comment.
func (s *source) linesOf(st ddl.Statement) []int {
	var lines []int
	from := st.From + len(s.Text[st.From:st.End]) - len(strings.TrimLeft(s.Text[st.From:st.End], " \t\r\n"))
	line := s.Line(from)
	for text := range strings.SplitSeq(s.Text[from:st.End], "\n") {
		text = strings.TrimRight(text, "\r")
		comment := strings.HasPrefix(text, "--") || strings.HasPrefix(text, "/*") && strings.HasSuffix(text, "*/")
		if !comment && !markSyntax.MatchString(strings.TrimSpace(text)) {
			lines = append(lines, line)
		}
		line++
	}

	return lines
}

// unusedFunctions are the functions of Go that no code of sqlc calls: a constant may have their names.
var unusedFunctions = []string{
	"cap", "clear", "close", "complex", "copy", "delete", "imag", "max", "min", "new", "panic", "print", "println", "real", "recover",
}

// check refuses what sqlc accepts and PostgreSQL could not run.
func (w *written) check(ps *problems) {
	if w.command == "execlastid" {
		ps.addf(w.file.Name, w.at.line, "%s: PostgreSQL has no last id: write :one and RETURNING id", w.name)
	}
	lower := strings.ToLower(w.name[:1]) + w.name[1:]
	if token.IsKeyword(lower) || types.Universe.Lookup(lower) != nil && !slices.Contains(unusedFunctions, lower) {
		ps.addf(w.file.Name, w.at.line, "query %s can't have this name: sqlc calls a constant %s, which is a word of Go", w.name, lower)
	}
	ddl.Walk(w.statement.Node.ProtoReflect(), func(m proto.Message) bool {
		switch n := m.(type) {
		case *pgquery.SelectStmt:
			w.count(n.GetLimitCount())
			w.count(n.GetLimitOffset())
		case *pgquery.MergeStmt:
			ps.addf(w.file.Name, w.at.line,
				"%s: sqlc loses the parameters of MERGE: write INSERT … ON CONFLICT, or UPDATE and INSERT in one WITH", w.name)
		case *pgquery.ResTarget:
			if hasParameter(n.GetVal().GetMultiAssignRef().GetSource()) {
				ps.addf(w.file.Name, w.file.Line(int(n.GetLocation())),
					"%s: sqlc loses the parameters of SET (a, b) = (…): write SET a = …, b = …", w.name)
			}
		case *pgquery.FuncCall:
			w.function(n, ps)
		case *pgquery.A_Expr:
			w.operator(n, ps)
		}

		return true
	})
}

// hasParameter reports that an expression has a parameter, in any of the ways to write one.
func hasParameter(node *pgquery.Node) bool {
	found := false
	if node == nil {
		return false
	}
	ddl.Walk(node.ProtoReflect(), func(m proto.Message) bool {
		switch n := m.(type) {
		case *pgquery.ParamRef:
			found = true
		case *pgquery.A_Expr:
			found = found || operator(n) == "@" && n.GetLexpr() == nil
		case *pgquery.FuncCall:
			found = found || len(n.GetFuncname()) == 2 && n.GetFuncname()[0].GetString_().GetSval() == "sqlc"
		}

		return !found
	})

	return found
}

// refusePartitions refuses a query of a partition, for which sqlc makes no types.
func (w *written) refusePartitions(parts map[string]string, ps *problems) {
	ddl.Walk(w.statement.Node.ProtoReflect(), func(m proto.Message) bool {
		if rel, ok := m.(*pgquery.RangeVar); ok && parts[ddl.NameOf(rel)] != "" {
			ps.addf(w.file.Name, w.file.Line(int(rel.GetLocation())), "%s: %s is a partition: write its table %s, which PostgreSQL reads as fast",
				w.name, rel.GetRelname(), parts[ddl.NameOf(rel)])
		}

		return true
	})
}

func (w *written) function(f *pgquery.FuncCall, ps *problems) {
	names := f.GetFuncname()
	if len(names) != 2 || names[0].GetString_().GetSval() != "sqlc" {
		return
	}
	switch lastName(names) {
	case "slice":
		ps.addf(w.file.Name, w.file.Line(int(f.GetLocation())),
			"%s: PostgreSQL has no sqlc.slice: write = ANY(@ids::bigint[])", w.name)
	case "arg", "narg":
		if len(f.GetArgs()) == 1 {
			arg := f.GetArgs()[0]
			name := arg.GetAConst().GetSval().GetSval()
			if name == "" {
				name = lastName(arg.GetColumnRef().GetFields())
			}
			text := argument.FindString(w.file.Text[f.GetLocation():])
			w.param(name, lastName(names), int(f.GetLocation()), text, "", false)
		}
	}
}

// The two ways to write a parameter.
var (
	sign     = regexp.MustCompile(`^@\s*(?:"(?:[^"]|"")+"|[\pL_][\pL\pN_$]*)`)
	argument = regexp.MustCompile(`^(?i:sqlc)\s*\.\s*\w+\s*\(\s*(?:'[^']*'|"(?:[^"]|"")+"|[\pL_][\pL\pN_$]*)\s*\)`)
)

// param notes a parameter, which is this text at an offset of the file. sqlc replaces as many bytes as @name or sqlc.arg('name') has,
// so any other way to write it is replaced by the second.
func (w *written) param(name, function string, at int, text, cast string, short bool) {
	if name == "" {
		return
	}
	if !slices.Contains(w.params, name) {
		w.params = append(w.params, name)
	}
	plain := "sqlc." + function + "('" + name + "')"
	short = short || strings.EqualFold(text, plain) || strings.EqualFold(text, strings.ReplaceAll(plain, "'", ""))
	if text != "" && !short {
		plain += cast + strings.Repeat("\n", strings.Count(text, "\n"))
		w.file.edits = append(w.file.edits, edit{ddl.Span{Start: at, End: at + len(text)}, plain})
	}
}

// count notes the parameters that stand in the sum of a LIMIT or an OFFSET, of which sqlc does not know that they are integers.
func (w *written) count(limit *pgquery.Node) {
	if limit == nil || limit.GetAExpr().GetRexpr().GetColumnRef() != nil {
		return
	}
	ddl.Walk(limit.ProtoReflect(), func(m proto.Message) bool {
		if e, ok := m.(*pgquery.A_Expr); ok && operator(e) == "@" {
			w.counts[e] = true
		}

		return true
	})
}

// sign notes a parameter that is written with an @. PostgreSQL's parser takes the @ for an operator that binds less than
// arithmetic, a COLLATE and an AT TIME ZONE do: @a - 1 is @(a - 1), which sqlc makes a parameter of.
func (w *written) sign(e *pgquery.A_Expr, at int, ps *problems) {
	text := sign.FindString(w.file.Text[at:])
	if text == "" {
		ps.addf(w.file.Name, w.file.Line(at), "%s: an @ has the name of a parameter behind it: write abs(…) for PostgreSQL's operator @", w.name)

		return
	}
	name := strings.TrimSpace(text[1:])
	if name[0] == '"' {
		name = strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	} else {
		name = strings.ToLower(name)
	}
	operand := e.GetRexpr()
	if cast := operand.GetTypeCast(); cast != nil {
		operand = cast.GetArg()
	}
	alone, cast := len(operand.GetColumnRef().GetFields()) == 1 && len(text) == len("@"+name), ""
	if w.counts[e] && !strings.HasPrefix(w.file.Text[at+len(text):], "::") {
		alone, cast = false, "::integer"
	}
	w.param(name, "arg", at, text, cast, alone)
}

var word = regexp.MustCompile(`^[A-Za-z_"]`)

func (w *written) operator(e *pgquery.A_Expr, ps *problems) {
	op, text := operator(e), w.file.Text
	at := int(e.GetLocation())
	if op == "@" && e.GetLexpr() == nil {
		w.sign(e, at, ps)

		return
	}
	if len(op) < 2 || op[len(op)-1] != '@' || at < 0 || at >= len(text) || !strings.HasPrefix(text[at:], op) {
		return
	}
	if word.MatchString(text[at+len(op):]) {
		ps.addf(w.file.Name, w.file.Line(at), "%s: PostgreSQL reads %s as one operator, and sqlc loses the parameter behind it: "+
			"write a space before the @", w.name, op)
	}
}

// query is what becomes of one in the generated code.
type query struct {
	dbtx.Query

	written *written
	pages   *pages // of a query with the mark +pages
}

// readQueries analyses the queries of a block. The order is that of the files.
func readQueries(c *config, r request, s *schema, all []*written, ps *problems) []*query {
	known := map[string]int{}
	for i, q := range r.Queries {
		known[q.Name] = i
	}
	var queries []*query
	for _, w := range all {
		i, ok := known[w.name]
		if !ok {
			continue
		}
		from := r.Queries[i]
		q := &query{written: w, Query: dbtx.Query{
			Name: w.name, Op: inWords(w.name), Command: strings.TrimPrefix(from.Cmd, ":"), File: w.at.String(),
		}}
		tree, err := ddl.Parse(from.Text)
		if err != nil || len(tree.GetStmts()) != 1 {
			ps.addf(w.at.file, w.at.line, "%s: what sqlc makes of it can't be read: %v", w.name, err)

			continue
		}
		a := &analysis{schema: s, uses: map[string]*dbtx.Use{}}
		a.at = func(location int32) place {
			line := strings.Count(from.Text[:min(max(0, int(location)), len(from.Text))], "\n")
			if len(w.lines) == 1+strings.Count(from.Text, "\n") {
				return place{w.at.file, w.lines[line]}
			}

			return w.at
		}
		for _, p := range from.Params {
			name := p.Column.Name
			if name == "" {
				name = "$" + itoa(p.Number)
			}
			table := tableName(r.Catalog.DefaultSchema, p.Column.Table.Schema, p.Column.Table.Name)
			column := cmp.Or(p.Column.OriginalName, p.Column.Name)
			typ, array := s.resolve(p.Column.Type, p.Column.IsArray)
			a.params = append(a.params, dbtx.Param{
				Name: name, Type: typ, Array: array, Null: !p.Column.NotNull,
				Sensitive: c.sensitive[table+"."+column],
			})
		}
		if q.lost(tree, a.params, ps) {
			continue
		}
		top := tree.GetStmts()[0].GetStmt()
		s.checkCalls(top, func(location int32, format string, args ...any) {
			at := a.at(location)
			ps.addf(at.file, at.line, "%s: "+format, append([]any{w.name}, args...)...)
		})
		if top.GetCallStmt() != nil && (q.Command == dbtx.One || q.Command == dbtx.Many) {
			ps.addf(w.at.file, w.at.line, "%s: sqlc knows no columns of CALL: write :exec", w.name)
		}
		a.query(top, nil)
		q.refuseComputed(a, ps)
		for _, l := range a.lists {
			p, at := a.params[l.param], a.at(l.location)
			ps.addf(at.file, at.line, "%s: sqlc takes @%s for a list, because it stands beside ANY: cast it, @%[2]s::%[3]s", w.name, p.Name, p.Type)
		}
		q.Params, q.Calls, q.Write, q.Locks, q.Utility = a.params, a.calls, a.write, a.locks, a.utility
		q.assign(a)
		for _, t := range s.tables {
			if use := a.uses[t.name]; use != nil {
				q.Uses = append(q.Uses, *use)
			}
		}
		for n := range q.Params {
			p := &q.Params[n]
			for _, col := range slices.Concat(p.Assigned, p.Compared) {
				p.Sensitive = p.Sensitive || s.table(col.Table).column(col.Column).hides()
			}
		}
		q.applyDefaults(a, ps)
		for _, col := range from.Columns {
			typ, array := s.resolve(col.Type, col.IsArray)
			a.results = append(a.results, result{typ, array, col.NotNull})
		}
		q.applyMarks(a, top, ps)
		queries = append(queries, q)
	}

	return queries
}

func (c *column) hides() bool { return c != nil && c.sensitive }

// lost reports that sqlc has lost parameters of the query.
func (q *query) lost(tree *pgquery.ParseResult, params []dbtx.Param, ps *problems) bool {
	missing := ""
	for _, name := range q.written.params {
		if !slices.ContainsFunc(params, func(p dbtx.Param) bool { return p.Name == name }) {
			missing = "@" + name
		}
	}
	ddl.Walk(tree.ProtoReflect(), func(m proto.Message) bool {
		if p, ok := m.(*pgquery.ParamRef); ok && int(p.GetNumber()) > len(params) {
			missing = cmp.Or(missing, "$"+itoa(int(p.GetNumber())))
		}

		return true
	})
	if missing != "" {
		ps.addf(q.written.at.file, q.written.at.line, "%s: sqlc loses the parameter %s: put it where a plain expression stands", q.Name, missing)
	}

	return missing != ""
}

// refuseComputed refuses a value for a column that PostgreSQL gives its value.
func (q *query) refuseComputed(a *analysis, ps *problems) {
	for _, c := range a.changes {
		if c.insert.GetOverride() == pgquery.OverridingKind_OVERRIDING_SYSTEM_VALUE ||
			c.insert.GetOverride() == pgquery.OverridingKind_OVERRIDING_USER_VALUE {
			continue
		}
		for _, name := range c.names {
			if v, set := c.values[name]; set && !v.standard && c.table.column(name).isComputed() {
				ps.addf(c.at.file, c.at.line, "%s: PostgreSQL alone makes %s.%s: leave it out", q.Name, c.table.name, name)
			}
		}
	}
}

func (c *column) isComputed() bool { return c != nil && c.computed }

// assign notes the columns that parameters become the values of.
func (q *query) assign(a *analysis) {
	for _, c := range a.changes {
		for _, name := range c.names {
			v, col := c.values[name], dbtx.ColumnOf{Table: c.table.name, Column: name}
			if v.param > 0 && v.param <= len(q.Params) && !slices.Contains(q.Params[v.param-1].Assigned, col) {
				q.Params[v.param-1].Assigned = append(q.Params[v.param-1].Assigned, col)
			}
		}
	}
}

// inWords returns a query's name as errors begin with it: create member, list lent book IDs, get author JSON.
func inWords(name string) string {
	var words []string
	for part := range strings.SplitSeq(name, "_") {
		for part != "" {
			word := firstWord(part)
			part = part[len(word):]
			if len(word) == 1 || !isCapital(word[1]) {
				word = strings.ToLower(word)
			}
			words = append(words, word)
		}
	}

	return strings.Join(words, " ")
}

func isCapital(c byte) bool { return c >= 'A' && c <= 'Z' }

// firstWord returns the first word of a name of Go. Capitals that stand together are one, less the last where small letters follow it.
func firstWord(name string) string {
	end := 0
	for end < len(name) && isCapital(name[end]) {
		end++
	}
	small := func(at int) bool { return at < len(name) && name[at] >= 'a' && name[at] <= 'z' }
	if end > 1 {
		switch {
		case strings.HasPrefix(name[end:], "s") && !small(end+1): // IDs
			end++
		case small(end):
			end--
		}

		return name[:end]
	}
	for end < len(name) && !isCapital(name[end]) {
		end++
	}

	return name[:end]
}

var excuseSyntax = regexp.MustCompile(`^([\w.]+(?:\s*,\s*[\w.]+)*)\s*:\s*\S`)

// excuse is what a +default mark says.
type excuse struct {
	columns []string
	mark    *mark
	used    map[string]bool
}

func (q *query) excuses(ps *problems) []*excuse {
	var all []*excuse
	for _, m := range q.written.marks {
		if m.word != "default" {
			continue
		}
		match := excuseSyntax.FindStringSubmatch(m.text)
		if match == nil {
			ps.addf(q.written.file.Name, m.line, "+default needs columns and a reason: -- +default updated_at: a visit is no change")

			continue
		}
		e := &excuse{mark: m, used: map[string]bool{}}
		for name := range strings.SplitSeq(match[1], ",") {
			e.columns = append(e.columns, strings.TrimSpace(name))
		}
		all = append(all, e)
	}

	return all
}

// applyDefaults finds which parameters get a value where the caller left them unset, and refuses what would be wrong
// without a word.
func (q *query) applyDefaults(a *analysis, ps *problems) {
	excuses := q.excuses(ps)
	complain := func(c *change, col *column, why string) {
		excused := false
		for _, e := range excuses {
			for _, name := range e.columns {
				if name == col.name || name == c.table.name+"."+col.name {
					excused, e.used[name] = true, true
				}
			}
		}
		if !excused {
			ps.addf(c.at.file, c.at.line, "%s: %s (-- +default %s: … above the query excuses it)", q.Name, why, col.name)
		}
	}
	for _, check := range []func(*change, *column) string{
		func(c *change, col *column) string { return q.fill(c, col, ps) },
		q.rewrites, // after all fills are known
	} {
		for _, c := range a.changes {
			for _, col := range c.table.columns {
				if col.rule == nil {
					continue
				}
				if why := check(c, col); why != "" {
					complain(c, col, why)
				}
			}
		}
	}
	for _, e := range excuses {
		for _, name := range e.columns {
			if !e.used[name] {
				ps.addf(q.written.file.Name, e.mark.line, "%s: +default %s excuses nothing: take it out", q.Name, name)
			}
		}
	}
	q.sortFills()
}

// sortFills puts what is derived behind what it is derived from.
func (q *query) sortFills() {
	var depth func(param, most int) int
	depth = func(param, most int) int {
		for _, f := range q.Fills {
			if f.Param != param || most == 0 {
				continue
			}
			n := 0
			for _, from := range f.From {
				n = max(n, 1+depth(from, most-1))
			}

			return n
		}

		return 0
	}
	slices.SortStableFunc(q.Fills, func(x, y dbtx.Fill) int {
		return cmp.Or(depth(x.Param, len(q.Fills))-depth(y.Param, len(q.Fills)), x.Param-y.Param)
	})
}

// rewrites tells that an UPDATE sets a column, which has a default on insert only, to a parameter that has a default from
// an INSERT of the same query: where the caller leaves it unset, the row that is there gets a new value.
func (q *query) rewrites(c *change, col *column) string {
	r, v := col.rule, c.values[col.name]
	if c.kind == "insert" || r.update || r.by == dbtx.Derived || v.param == 0 || c.kind == "conflict" && c.changesNothing() {
		return ""
	}
	filled := slices.ContainsFunc(q.Fills, func(f dbtx.Fill) bool { return f.Param == v.param-1 })
	kept := c.kind == "conflict" && v.inserted == col.name && slices.Contains(arbiter(c.of.insert.GetOnConflictClause(), c.table), col.name)
	if !filled || kept {
		return ""
	}

	return fmt.Sprintf("the UPDATE sets %s.%s, which %s on insert only, to a parameter of the INSERT that has this default",
		c.table.name, col.name, r.says())
}

// fill gives the parameter of a column its default, or returns why it can't have it.
func (q *query) fill(c *change, col *column, ps *problems) string {
	r := col.rule
	name, verb := c.table.name+"."+col.name, "INSERT"
	if c.kind != "insert" {
		verb = "UPDATE"
	}
	v, set := c.values[col.name]
	set = set && !v.standard
	change := c.kind == "insert" || r.update
	if r.by == dbtx.Derived && r.always {
		change = change || slices.ContainsFunc(r.from, func(from string) bool { return slices.Contains(c.names, from) }) || set
	}
	switch {
	case !change, c.kind == "conflict" && c.changesNothing():
		return ""
	case !set:
		return fmt.Sprintf("the %s leaves out %s, which %s", verb, name, r.says())
	case c.table.view:
		return fmt.Sprintf("%s %s, which only a write to the table itself does: %s is a view", name, r.says(), c.table.name)
	case v.hidden:
		return fmt.Sprintf("the value of %s is made of a parameter inside an expression, which gets no default", name)
	case v.several:
		return fmt.Sprintf("the rows have different values of %s, which get no default", name)
	case v.param == 0 && r.by == dbtx.Derived && r.always:
		return fmt.Sprintf("%s %s: set it to a parameter", name, r.says())
	case v.param == 0:
		return "" // SQL has its value
	}
	f := dbtx.Fill{Param: v.param - 1, By: r.by, Func: r.function, Always: r.always}
	for _, from := range r.from {
		source := c.values[from]
		if source.param == 0 {
			return fmt.Sprintf("%s %s, which the %s does not set to a parameter", name, r.says(), verb)
		}
		f.From = append(f.From, source.param-1)
	}
	for _, other := range q.Fills {
		if other.Param != f.Param {
			continue
		}
		if other.By != f.By || other.Func != f.Func || !slices.Equal(other.From, f.From) {
			ps.addf(c.at.file, c.at.line, "%s: @%s has two different defaults, that of %s and another: use two parameters",
				q.Name, q.Params[f.Param].Name, name)
		}

		return ""
	}
	q.Fills = append(q.Fills, f)

	return ""
}

// says tells where a default comes from.
func (r *rule) says() string {
	switch r.by {
	case dbtx.ID:
		return "gets a new id"
	case dbtx.Now:
		return "gets the present time"
	default:
		return "is made of " + strings.Join(r.from, " and ")
	}
}

// changesNothing reports that a DO UPDATE sets columns to what they are: SET id = EXCLUDED.id of the key.
func (c *change) changesNothing() bool {
	conflict := c.of.insert.GetOnConflictClause()
	key := arbiter(conflict, c.table)
	for _, node := range conflict.GetTargetList() {
		target := node.GetResTarget()
		fields := uncast(target.GetVal()).GetColumnRef().GetFields()
		if len(fields) != 2 || lastName(fields) != target.GetName() {
			return false
		}
		of := fields[0].GetString_().GetSval()
		if of == excluded && !slices.Contains(key, target.GetName()) {
			return false
		}
	}

	return true
}

// arbiter returns the columns of the key of an ON CONFLICT; nil when it is no plain one.
func arbiter(conflict *pgquery.OnConflictClause, t *table) []string {
	if name := conflict.GetInfer().GetConname(); name != "" {
		for _, c := range t.constraints {
			if c.name == name {
				return c.columns
			}
		}
	}
	var names []string
	for _, elem := range conflict.GetInfer().GetIndexElems() {
		if elem.GetIndexElem().GetName() == "" {
			return nil
		}
		names = append(names, elem.GetIndexElem().GetName())
	}

	return names
}

// applyMarks reads +keyed, +plan and +pages.
func (q *query) applyMarks(a *analysis, top *pgquery.Node, ps *problems) {
	for _, m := range q.written.marks {
		switch m.word {
		case "plan":
			if m.text == "" {
				ps.addf(q.written.file.Name, m.line, "+plan needs what it excuses and why: -- +plan filters jobs: few are due")
			}
			q.Plans = append(q.Plans, m.text)
		case "pages":
			pages, why := q.pagesForm(a, top.GetSelectStmt(), m.text)
			if why != "" {
				ps.addf(q.written.file.Name, m.line, "%s: +pages %s", q.Name, why)
			}
			q.pages = pages
		case "keyed":
			refuse := func(format string, args ...any) {
				ps.addf(q.written.file.Name, m.line, q.Name+": "+format, args...)
			}
			taken, why := q.keyedForm(a, top)
			switch {
			case q.Keyed:
				refuse("+keyed stands twice")
			case !q.Write:
				refuse("+keyed is for what writes: this only reads, and is sent again without it")
			case q.Command == dbtx.Copyfrom:
				refuse("+keyed is not for COPY: a COPY whose reply is lost is never sent again")
			case m.text == "" && why != "":
				refuse("+keyed needs its reason, -- +keyed …, because %s", why)
			}
			q.Keyed, q.Taken = true, taken
		}
	}
}

// keyedForm returns the constraint of the key when the form of a query shows that a second sending changes nothing more,
// and returns the stored row or no row. Otherwise it returns why the form does not show it.
func (q *query) keyedForm(a *analysis, top *pgquery.Node) (taken, why string) {
	s := top.GetInsertStmt()
	switch {
	case top.GetUpdateStmt() != nil:
		return "", "an UPDATE that is sent twice may overwrite what another has written in between, or count twice"
	case top.GetDeleteStmt() != nil:
		return "", "a DELETE that is sent twice finds no row the second time"
	case s == nil || s.GetWithClause() != nil || len(a.changes) == 0:
		return "", "it is not a mere INSERT … ON CONFLICT"
	}
	c := a.changes[0]
	conflict := s.GetOnConflictClause()
	if conflict == nil {
		return "", "it has no ON CONFLICT, so that a second sending inserts a second row or fails"
	}
	rows := s.GetSelectStmt().GetSelectStmt()
	if len(rows.GetFromClause()) > 0 || rows.GetWhereClause() != nil || rows.GetLarg() != nil {
		return "", "its rows come from a SELECT, which may find others the second time, or none"
	}
	key := arbiter(conflict, c.table)
	primary := false // so that no column of it can be NULL
	for _, k := range c.table.constraints {
		unique := k.kind == dbtx.PrimaryKey || k.kind == dbtx.Unique
		if unique && len(key) > 0 && sameSet(k.columns, key) && proto.Equal(bare(k.where), bare(conflict.GetInfer().GetWhereClause())) {
			taken, primary = k.name, k.kind == dbtx.PrimaryKey
		}
	}
	if taken == "" {
		return "", "its ON CONFLICT names no key of plain columns"
	}
	if conflict.GetInfer().GetWhereClause() != nil {
		return "", "its key is of an index that has a WHERE, so that a row which has left the index is inserted again"
	}
	for _, name := range key {
		if c.values[name].param == 0 {
			return "", fmt.Sprintf("neither a caller nor a default makes %s, a column of the key", name)
		}
		if col := c.table.column(name); !primary && (col == nil || !col.notNull) {
			return "", name + " may be NULL, and rows whose key is NULL are never in conflict"
		}
	}
	if conflict.GetAction() != pgquery.OnConflictAction_ONCONFLICT_UPDATE {
		return "", "DO NOTHING returns no row for the row that the first sending has inserted"
	}
	of := &change{kind: "conflict", table: c.table, of: c}
	if !of.changesNothing() {
		return "", "its DO UPDATE changes more than SET " + key[0] + " = EXCLUDED." + key[0] +
			", which counts twice or overwrites a newer row when it is sent twice"
	}
	same := sameValues(conflict.GetWhereClause())
	if len(same) == 0 {
		return "", "its DO UPDATE has no WHERE that compares columns of the row with EXCLUDED, so that another's row is returned as this one"
	}
	if !slices.ContainsFunc(same, func(name string) bool { return !slices.Contains(key, name) }) {
		return "", "its WHERE compares nothing but the key, so that another's row is returned as this one"
	}
	for _, name := range same {
		if v := c.values[name]; !v.simple {
			return "", fmt.Sprintf("the value of %s may be another one the second time", name)
		}
	}

	return taken, ""
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))

	return slices.Equal(a, b)
}

// bare returns a copy of a node without the places in the text.
func bare(node *pgquery.Node) *pgquery.Node {
	if node == nil {
		return nil
	}
	copied := proto.CloneOf(node)
	ddl.Walk(copied.ProtoReflect(), func(m proto.Message) bool {
		r := m.ProtoReflect()
		if field := r.Descriptor().Fields().ByName("location"); field != nil {
			r.Clear(field)
		}

		return true
	})

	return copied
}

// sameValues returns the columns that a WHERE compares with EXCLUDED, all of them for equality; nil when it has anything
// else.
func sameValues(where *pgquery.Node) []string {
	if b := where.GetBoolExpr(); b != nil {
		if b.GetBoolop() != pgquery.BoolExprType_AND_EXPR {
			return nil
		}
		var all []string
		for _, arg := range b.GetArgs() {
			columns := sameValues(arg)
			if columns == nil {
				return nil
			}
			all = append(all, columns...)
		}

		return all
	}
	e := where.GetAExpr()
	equal := e.GetKind() == pgquery.A_Expr_Kind_AEXPR_OP && operator(e) == "=" || e.GetKind() == pgquery.A_Expr_Kind_AEXPR_NOT_DISTINCT
	if e == nil || !equal {
		return nil
	}
	left, right := e.GetLexpr().GetRowExpr().GetArgs(), e.GetRexpr().GetRowExpr().GetArgs()
	if len(left) == 0 && len(right) == 0 {
		left, right = []*pgquery.Node{e.GetLexpr()}, []*pgquery.Node{e.GetRexpr()}
	}
	if len(left) != len(right) {
		return nil
	}
	var all []string
	for i := range left {
		l, r := left[i].GetColumnRef().GetFields(), right[i].GetColumnRef().GetFields()
		if len(l) < 2 || len(r) < 2 || lastName(l) != lastName(r) {
			return nil
		}
		if (l[0].GetString_().GetSval() == excluded) == (r[0].GetString_().GetSval() == excluded) {
			return nil
		}
		all = append(all, lastName(l))
	}

	return all
}
