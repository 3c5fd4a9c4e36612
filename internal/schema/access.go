package schema

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Access is what a query does with tables, by their names.
type Access map[string]*TableAccess

// TableAccess is what a query does with a table: which columns it reads, inserts and updates, whether it deletes rows, and
// whether it locks rows, as SELECT … FOR UPDATE does.
type TableAccess struct {
	Reads, Inserts, Updates Columns
	Deletes, Locks          bool
}

// Columns are names of columns.
type Columns map[string]bool

func (a Access) of(table string) *TableAccess {
	if a[table] == nil {
		a[table] = &TableAccess{Reads: Columns{}, Inserts: Columns{}, Updates: Columns{}}
	}

	return a[table]
}

// table is a table of db/schema.
type table struct {
	name      string
	columns   []string
	sequences []string // that its columns take their values from
}

// accessOf reads a query and returns what it does with the tables. It finds all that the query does. It may find a column
// to be read that is not, where names of columns alone do not say which table they are of.
func accessOf(query string, tables []table) Access {
	r := reader{access: Access{}, tables: map[string][]string{}}
	for _, t := range tables {
		r.tables[t.name] = t.columns
	}
	r.statement(tree(lex(query)), nil)

	return r.access
}

// node is a token, or what stands between parentheses.
type node struct {
	text  string // of a word without quotes, in lower case
	kind  nodeKind
	group []node
}

type nodeKind int

const (
	otherKind  nodeKind = iota // a number, an operator, a parameter
	wordKind                   // a keyword or a name
	quotedKind                 // a name in quotes
	textKind                   // a string
	groupKind                  // in parentheses
	castKind                   // ::
)

// https://www.postgresql.org/docs/current/sql-syntax-lexical.html
var tokens = regexp.MustCompile(`(?s)` + strings.Join([]string{
	`(--[^\n\r]*|\s+)`,                        // 1: comments and spaces
	`(?:[uU]&)?"((?:[^"]|"")*)"`,              // 2: a quoted name
	`[eE]'((?:[^'\\]|\\.|'')*)'`,              // 3: a string with escapes
	`(?:[bBxXnN]|[uU]&)?'((?:[^']|'')*)'`,     // 4: a string
	`([@$][\p{L}_0-9]+)`,                      // 5: a parameter
	`([\p{L}_][\p{L}_0-9$]*)`,                 // 6: a word
	`([0-9][0-9.]*(?:[eE][+-]?[0-9]+)?|::|.)`, // 7: others
}, "|"))

func lex(sql string) (all []node) {
	for sql != "" {
		if rest, ok := afterBlock(sql); ok {
			sql = rest

			continue
		}
		if rest, ok := afterDollars(sql); ok {
			sql, all = rest, append(all, node{kind: textKind})

			continue
		}
		at := tokens.FindStringSubmatchIndex(sql)
		part := func(n int) string { return sql[at[2*n]:at[2*n+1]] }
		switch {
		case at[2] >= 0:
		case at[4] >= 0:
			all = append(all, node{kind: quotedKind, text: strings.ReplaceAll(part(2), `""`, `"`)})
		case at[6] >= 0:
			all = append(all, node{kind: textKind, text: part(3)})
		case at[8] >= 0:
			all = append(all, node{kind: textKind, text: part(4)})
		case at[12] >= 0:
			all = append(all, node{kind: wordKind, text: strings.ToLower(part(6))})
		case sql[:at[1]] == "::":
			all = append(all, node{kind: castKind})
		default:
			all = append(all, node{kind: otherKind, text: sql[:at[1]]})
		}
		sql = sql[at[1]:]
	}

	return all
}

// afterBlock returns what follows a comment of the form /* … */, which may have others in it.
func afterBlock(sql string) (string, bool) {
	if !strings.HasPrefix(sql, "/*") {
		return "", false
	}
	depth, i := 1, 2
	for ; i < len(sql) && depth > 0; i++ {
		switch {
		case strings.HasPrefix(sql[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(sql[i:], "*/"):
			depth--
			i++
		}
	}

	return sql[i:], true
}

var dollars = regexp.MustCompile(`^\$(?:[\p{L}_][\p{L}_0-9]*)?\$`)

// afterDollars returns what follows a string in dollar quotes.
func afterDollars(sql string) (string, bool) {
	tag := dollars.FindString(sql)
	if tag == "" {
		return "", false
	}
	_, rest, _ := strings.Cut(sql[len(tag):], tag)

	return rest, true
}

// tree puts what stands between parentheses into groups.
func tree(flat []node) []node {
	open := [][]node{nil}
	for _, n := range flat {
		last := len(open) - 1
		switch {
		case n.kind == otherKind && n.text == "(":
			open = append(open, nil)
		case n.kind == otherKind && n.text == ")" && last > 0:
			open[last-1] = append(open[last-1], node{kind: groupKind, group: open[last]})
			open = open[:last]
		default:
			open[last] = append(open[last], n)
		}
	}

	return slices.Concat(open...)
}

func (n node) is(words ...string) bool { return n.kind == wordKind && slices.Contains(words, n.text) }
func (n node) punct(text string) bool  { return n.kind == otherKind && n.text == text }
func (n node) name() bool              { return n.kind == wordKind || n.kind == quotedKind }

// seen is what a name can mean at a place of a query: a table by its alias. "" is something that is no table.
type seen map[string]string

type reader struct {
	access Access
	tables map[string][]string
}

// statement is the nodes between two parentheses, and what is known of them.
type statement struct {
	*reader

	nodes   []node
	taken   map[int]bool // the nodes that are no columns which are read
	tables  seen         // those of FROM, UPDATE and DELETE
	target  string       // the table of an INSERT, UPDATE, DELETE or MERGE
	into    seen         // the target of an INSERT, which only the end of the statement sees:
	late    int          // from here on
	returns bool         // by RETURNING
	natural bool         // a join by all columns of the same names
	derived [][]node     // the queries of FROM
}

func at(nodes []node, i int) node {
	if i < 0 || i >= len(nodes) {
		return node{}
	}

	return nodes[i]
}

// list reads what stands between two parentheses: a statement or something else. It sees the tables of outer, too.
func (r *reader) list(nodes []node, outer seen) {
	if subquery(node{kind: groupKind, group: nodes}) {
		r.statement(nodes, outer)
	} else { // where FROM may be a word of a function: substring(name FROM 2)
		(&statement{reader: r, nodes: nodes, late: math.MaxInt}).columns(outer)
	}
}

func (r *reader) statement(nodes []node, outer seen) {
	s := &statement{reader: r, nodes: nodes, taken: map[int]bool{}, tables: seen{}, into: seen{}, late: math.MaxInt}
	for i := 0; i < len(s.nodes); i++ {
		i = s.clause(i)
	}
	s.columns(outer)
}

// clause takes what a keyword at i begins, and returns the last node that it took.
func (s *statement) clause(i int) int {
	n, before, next := s.nodes[i], at(s.nodes, i-1), at(s.nodes, i+1)
	switch {
	case n.is("into") && before.is("insert"):
		table, alias, last := s.relation(i+1, true)
		s.target = table
		s.into[alias], s.into["excluded"] = table, table // what is read of EXCLUDED needs the right to read the column

		return s.inserted(last)
	case n.is("insert") && before.is("then"):
		return s.inserted(i)
	case n.is("into") && before.is("merge"), n.is("update") && !before.is("do", "then", "for", "key"):
		return s.aim(i + 1)
	case n.is("delete") && next.is("from"):
		i = s.aim(i + 2)
		fallthrough
	case n.is("delete") && before.is("then"):
		if s.target != "" {
			s.access.of(s.target).Deletes = true
		}
	case n.is("update", "share") && before.is("for", "key"):
		s.lock(i)
	case n.is("set"):
		return s.assigned(i)
	case n.is("from") && before.is("distinct") && at(s.nodes, i-2).is("is", "not"):
	case n.is("table"): // SELECT * FROM
		table, _, last := s.item(i + 1)
		s.readAll(table)

		return last
	case n.is("from"), n.is("using") && (next.kind != groupKind || subquery(next)):
		return s.items(i)
	case n.is("join"):
		for back := 1; back < 4; back++ { // NATURAL LEFT OUTER JOIN
			s.natural = s.natural || at(s.nodes, i-back).is("natural")
		}
		_, _, i = s.item(i + 1)
	case n.is("conflict", "returning"):
		s.late, s.returns = min(s.late, i), s.returns || n.is("returning")
	case n.is("constraint") && before.is("on"): // it reads the constraint's columns
		s.readAll(s.target)
		s.taken[i+1] = true
	}

	return i
}

func subquery(n node) bool {
	for n.kind == groupKind && len(n.group) > 0 {
		n = n.group[0]
	}

	return n.is("select", "with", "values", "insert", "update", "delete", "merge")
}

// Words that stand behind the name of a table and are no alias.
var noAlias = strings.Fields(`where on using join inner left right full cross natural order group having limit offset fetch
	for union intersect except returning set values default select tablesample window with when overriding do table`)

// relation reads the table, the query or the function at i, with its alias, and returns the last node of it. The table is
// "" where it is none of db/schema.
func (s *statement) relation(i int, target bool) (table, alias string, last int) {
	for at(s.nodes, i).is("only", "lateral") {
		i++
	}
	switch n := at(s.nodes, i); {
	case n.kind == groupKind && subquery(n):
		s.derived = append(s.derived, n.group)
	case n.kind == groupKind: // a join, or ONLY (name): as without parentheses
		s.nodes = slices.Concat(s.nodes[:i], n.group, s.nodes[i+1:])

		return s.relation(i, target)
	case n.name():
		s.taken[i] = true
		table = n.text
		for at(s.nodes, i+1).punct(".") && at(s.nodes, i+2).name() {
			if table = s.nodes[i+2].text; s.nodes[i].is("pg_catalog", "information_schema") {
				table = ""
			}
			i += 2
			s.taken[i] = true
		}
		alias = table
		if at(s.nodes, i+1).kind == groupKind && !target { // a function
			i++
			table, alias = "", ""
		}
	default:
		return "", "", i - 1
	}
	if at(s.nodes, i+1).punct("*") {
		i++
		s.taken[i] = true
	}
	if at(s.nodes, i+1).is("with") && at(s.nodes, i+2).is("ordinality") {
		i += 2
	}
	if at(s.nodes, i+1).is("as") {
		i++
	}
	if n := at(s.nodes, i+1); n.name() && !n.is(noAlias...) {
		i++
		s.taken[i] = true
		alias = n.text
		if at(s.nodes, i+1).kind == groupKind && !target { // the names of its columns
			i++
			s.taken[i] = true
		}
	}
	if s.reader.tables[table] == nil {
		table = ""
	}

	return table, alias, i
}

// item reads one item of FROM.
func (s *statement) item(i int) (table, alias string, last int) {
	table, alias, last = s.relation(i, false)
	if s.tables[alias] = table; table != "" {
		s.access.of(table)
	}

	return table, alias, last
}

// items reads the items behind FROM.
func (s *statement) items(i int) int {
	for {
		_, _, i = s.item(i + 1)
		if !at(s.nodes, i+1).punct(",") {
			return i
		}
		i++
	}
}

// aim reads the table that is changed.
func (s *statement) aim(i int) int {
	table, alias, last := s.relation(i, true)
	if s.target, s.tables[alias] = table, table; table != "" {
		s.access.of(table)
	}

	return last
}

// inserted reads the columns of an INSERT behind i; without them it is all.
func (s *statement) inserted(i int) int {
	if s.target == "" {
		return i
	}
	columns := s.access.of(s.target).Inserts
	if next := at(s.nodes, i+1); next.kind != groupKind || subquery(next) {
		for _, column := range s.reader.tables[s.target] {
			if columns[column] = true; next.is("default") { // DEFAULT VALUES needs the right to any column
				break
			}
		}

		return i
	}
	i++
	s.taken[i] = true
	for j, n := range s.nodes[i].group {
		if n.name() && (j == 0 || at(s.nodes[i].group, j-1).punct(",")) {
			columns[n.text] = true
		}
	}

	return i
}

// assigned reads the assignments behind SET.
func (s *statement) assigned(i int) int {
	if s.target == "" {
		return i
	}
	columns := s.access.of(s.target).Updates
	for j := i + 1; j < len(s.nodes); j++ {
		switch n := s.nodes[j]; {
		case n.is("where", "from", "returning", "when"):
			return i
		case j != i+1 && !at(s.nodes, j-1).punct(","):
		case n.kind == groupKind:
			s.taken[j] = true
			for _, column := range n.group {
				if column.name() {
					columns[column.text] = true
				}
			}
		case n.name():
			s.taken[j] = true
			columns[n.text] = true
		}
	}

	return i
}

// lock notes the rows that the words before i lock: of all tables, also of the queries of FROM, or of those behind OF.
func (s *statement) lock(i int) {
	if at(s.nodes, i+1).is("of") {
		for i += 2; at(s.nodes, i).name(); i += 2 {
			s.taken[i] = true
			if table := s.tables[s.nodes[i].text]; table != "" {
				s.access.of(table).Locks = true
			}
			if !at(s.nodes, i+1).punct(",") {
				return
			}
		}

		return
	}
	for _, table := range s.tables {
		if table != "" {
			s.access.of(table).Locks = true
		}
	}
	for _, query := range s.derived {
		inner := &reader{access: Access{}, tables: s.reader.tables}
		inner.statement(append(slices.Clone(query), node{kind: wordKind, text: "for"}, node{kind: wordKind, text: "update"}), nil)
		for table, did := range inner.access {
			s.access.of(table).Locks = s.access.of(table).Locks || did.Locks
		}
	}
}

func (s *statement) readAll(table string) {
	for _, column := range s.reader.tables[table] {
		s.access.of(table).Reads[column] = true
	}
}

// columns finds the columns that are read, and reads what is in parentheses.
func (s *statement) columns(outer seen) {
	visible := maps.Clone(outer)
	if visible == nil {
		visible = seen{}
	}
	maps.Copy(visible, s.tables)
	if s.natural {
		for _, table := range s.tables {
			s.readAll(table)
		}
	}
	for i := 0; i < len(s.nodes); i++ {
		if i >= s.late {
			maps.Copy(visible, s.into)
		}
		n, before, next := s.nodes[i], at(s.nodes, i-1), at(s.nodes, i+1)
		switch {
		case s.taken[i]:
		case n.kind == groupKind && before.is("as", "materialized") && subquery(n): // of a WITH, which sees nothing of what is around it
			s.list(n.group, nil)
		case n.kind == groupKind:
			s.list(n.group, visible)
		case n.punct("*") && i > 0 && star(next):
			for alias, table := range visible {
				if s.tables[alias] == table || s.into[alias] == table {
					s.readAll(table)
				}
			}
		case n.kind == castKind:
			i++ // a type
		case n.is("as") && next.name():
			i++ // the name of a result
		case n.name() && next.punct("."):
			i = s.qualified(i, visible)
		case n.name() && next.kind != groupKind:
			s.column(n.text, visible)
		}
	}
	s.readWithoutColumns()
}

// readWithoutColumns lets a table be read of which the query names no column: count(*), EXISTS, RETURNING 1. The server
// then wants the right to any of them.
func (s *statement) readWithoutColumns() {
	for _, tables := range []seen{s.tables, s.into} {
		for _, table := range tables {
			columns := s.reader.tables[table]
			if table != "" && len(columns) > 0 && len(s.access.of(table).Reads) == 0 && (table != s.target || s.returns) {
				s.access.of(table).Reads[columns[0]] = true
			}
		}
	}
}

// star reports whether an asterisk stands for columns, by what follows it: nothing that it could multiply.
func star(next node) bool {
	return next.kind == otherKind && (next.text == "" || next.text == "," || next.text == ";") ||
		next.is("from", "into", "where", "union", "intersect", "except", "order", "limit", "returning", "group")
}

// qualified reads a name with dots at i, and returns its last node.
func (s *statement) qualified(i int, visible seen) int {
	names := []string{s.nodes[i].text}
	for at(s.nodes, i+1).punct(".") && (at(s.nodes, i+2).name() || at(s.nodes, i+2).punct("*")) {
		i += 2
		names = append(names, s.nodes[i].text)
	}
	of, column := names[max(0, len(names)-2)], names[len(names)-1]
	if next := at(s.nodes, i+1); next.kind == groupKind { // a function
		if names[0] != "sqlc" {
			return i
		}
		for _, n := range next.group { // sqlc.embed takes a table, the others the name of a parameter
			if column == "embed" {
				s.readAll(visible[n.text])
			}
		}

		return i + 1
	}
	table, known := visible[of]
	if !known && (of == "old" || of == "new") { // of RETURNING
		table = s.target
	}
	switch {
	case table == "":
	case column == "*":
		s.readAll(table)
	default:
		s.access.of(table).Reads[column] = true
	}

	return i
}

// A table has these beside its own.
// https://www.postgresql.org/docs/current/ddl-system-columns.html
var systemColumns = []string{"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}

// column reads the name of a column, or a table's for its whole row.
func (s *statement) column(name string, visible seen) {
	s.readAll(visible[name])
	for _, table := range visible {
		if table != "" && (slices.Contains(s.reader.tables[table], name) || slices.Contains(systemColumns, name)) {
			s.access.of(table).Reads[name] = true
		}
	}
}

// tablesOf returns the tables that the files create.
func tablesOf(files []File) (tables []table) {
	for _, f := range files {
		nodes := tree(lex(f.SQL))
		for i, n := range nodes {
			if !n.is("table") || !at(nodes, i-1).is("create", "unlogged") {
				continue
			}
			if i++; at(nodes, i).is("if") {
				i += 3 // IF NOT EXISTS
			}
			for at(nodes, i+1).punct(".") {
				i += 2
			}
			if at(nodes, i).name() {
				tables = append(tables, tableOf(nodes[i].text, at(nodes, i+1).group))
			}
		}
	}

	return tables
}

// tableOf reads what is in the parentheses of CREATE TABLE.
func tableOf(name string, elements []node) table {
	t := table{name: name}
	column := ""
	for i, n := range elements {
		if i == 0 || elements[i-1].punct(",") {
			column = ""
			if n.name() && !n.is("constraint", "primary", "unique", "check", "foreign", "exclude", "like") {
				column = n.text
				t.columns = append(t.columns, column)
			}

			continue
		}
		if column == "" {
			continue
		}
		switch {
		case n.is("identity"):
			t.sequences = append(t.sequences, sequence(name, column, at(elements, i+1).group))
		case n.is("serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"):
			t.sequences = append(t.sequences, sequence(name, column, nil))
		case n.is("nextval") && at(elements, i+1).kind == groupKind:
			if called := at(elements[i+1].group, 0); called.kind == textKind {
				t.sequences = append(t.sequences, called.text)
			}
		}
	}

	return t
}

// sequence returns the name of a column's sequence: what the options say, or what PostgreSQL makes of the table and the
// column, which are cut where the whole is too long, the longer one first.
func sequence(table, column string, options []node) string {
	for i, n := range options {
		if n.is("name") && at(options, i-1).is("sequence") {
			for at(options, i+2).punct(".") {
				i += 2
			}

			return at(options, i+1).text
		}
	}
	t, c := len(table), len(column)
	for t+c+len("__seq") > longestName {
		if t > c {
			t--
		} else {
			c--
		}
	}

	return wholeRunes(table[:t]) + "_" + wholeRunes(column[:c]) + "_seq"
}

// wholeRunes cuts off a part of a character at the end.
func wholeRunes(s string) string {
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}

	return s
}
