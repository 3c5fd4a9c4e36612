package plans

import (
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"musicstore/layer/dbtx"
)

// node is a node of a plan, as EXPLAIN prints it.
type node struct {
	Type         string   `json:"Node Type"`
	Relationship string   `json:"Parent Relationship"`
	Table        string   `json:"Relation Name"`
	Alias        string   `json:"Alias"`
	Index        string   `json:"Index Name"`
	IndexCond    string   `json:"Index Cond"`
	RecheckCond  string   `json:"Recheck Cond"`
	Filter       string   `json:"Filter"`
	JoinFilter   string   `json:"Join Filter"`
	SortKey      []string `json:"Sort Key"`
	Arbiters     []string `json:"Conflict Arbiter Indexes"`
	Plans        []node   `json:"Plans"`

	partition string // the alias of the partition that it reads as a part of Table
}

// planned is a statement with what its plan reads and what is wrong with it.
type planned struct {
	statement

	refusal string // why there is no plan
	reads   []Read
	wrongs  []wrong
}

// indexes returns the indexes that the plan uses.
func (p planned) indexes() []string {
	var names []string
	for _, r := range p.reads {
		if r.Index != "" {
			names = append(names, r.Index)
		}
	}

	return names
}

// unexcused returns what is wrong and has no excuse.
func (p planned) unexcused() []wrong {
	return slices.DeleteFunc(slices.Clone(p.wrongs), func(w wrong) bool { return w.excusedBy(p.excuses) >= 0 })
}

// certain returns how much of that is about how single tables are read: what an index could mend, and then what none could.
func (p planned) certain() [2]int {
	var n [2]int
	for _, w := range p.unexcused() {
		switch {
		case w.late:
		case w.hopeless():
			n[1]++
		default:
			n[0]++
		}
	}

	return n
}

// whole returns how many tables are read whole, which is worse than to read a part and throw some of it away.
func (p planned) whole() int {
	return len(slices.DeleteFunc(p.unexcused(), func(w wrong) bool { return !w.whole() }))
}

// mended says that a thing is no longer wrong, or less so, in the plan that the statement has after a change, and that the change
// has made nothing else wrong. A scan may become a filter or a sort.
func (p planned) mended(w wrong, after planned) bool {
	before, left := p.unexcused(), after.unexcused()
	switch {
	case after.refusal != "" || slices.ContainsFunc(left, func(o wrong) bool {
		return o.same(w) && (w.late || !o.late) && (w.kind != filters || len(o.plain) >= len(w.plain))
	}):
		return false
	case w.whole():
		return after.whole() < p.whole()
	}

	return !slices.ContainsFunc(left, func(o wrong) bool {
		return !slices.ContainsFunc(before, func(b wrong) bool { return b.same(o) && (o.kind != filters || within(o.rest, b.rest)) })
	})
}

// within says that all of some columns are among others.
func within(some, others []string) bool {
	return !slices.ContainsFunc(some, func(column string) bool { return !slices.Contains(others, column) })
}

// compare says which plan has less that is wrong: which reads fewer tables whole, or else has fewer things wrong, or else
// fewer columns that choose among the rows that are read, or else uses fewer indexes.
func (p planned) compare(other planned) int {
	weight := func(p planned) []int {
		rest := 0
		for _, w := range p.unexcused() {
			rest += len(w.rest)
		}

		return []int{p.whole(), len(p.unexcused()), rest, len(p.reads)}
	}

	return slices.Compare(weight(p), weight(other))
}

// What a plan does that an index could spare it. An excuse begins with one of these words.
const (
	scans   = "scans"   // it reads the whole table
	walks   = "walks"   // it reads the whole of an index
	filters = "filters" // it reads rows and throws some away
	sorts   = "sorts"
)

// wrong is something that a plan does and shouldn't.
type wrong struct {
	kind, table, alias string
	detail             string
	late               bool     // it is done to rows of several tables, or after they were read
	cond               []string // what chooses the rows: columns or expressions of an index
	order              []string // what they are sorted by: the same
	index              string   // by which the rows are read, if any
	rest               []string // the columns that choose among the rows that are read
	plain              []string // those of them that an index could choose by
	where              string   // the predicate of an index that would have no others than these rows; "" for an index of all
}

// hopeless says that no index could mend it.
func (w wrong) hopeless() bool { return w.kind == filters && len(w.plain) == 0 }

// whole says that a table is read whole. That is wrong whether or not there is an index that mends it.
func (w wrong) whole() bool { return w.kind == scans || w.kind == walks }

// String says what is wrong, beginning as an excuse does.
func (w wrong) String() string { return w.kind + " " + w.table + w.detail }

func (w wrong) same(other wrong) bool {
	return w.kind == other.kind && w.table == other.table && w.alias == other.alias
}

// excusedBy returns which of the excuses is for this, or -1. "filters books: nearly all are published" is one for
// every filter on books.
func (w wrong) excusedBy(excuses []string) int {
	return slices.IndexFunc(excuses, func(excuse string) bool {
		reason, ok := strings.CutPrefix(excuse, w.kind+" "+w.table+":")

		return ok && strings.TrimSpace(reason) != ""
	})
}

// maxColumns bounds the indexes that are tried.
const maxColumns = 4

// candidates returns the column lists of indexes that may mend what is wrong, the shortest first.
func (w wrong) candidates() [][]string {
	var all [][]string
	orders := [][]string{w.order}
	if w.kind != sorts { // they may have been read in this order for its sake, or not
		orders = [][]string{nil, w.order}
	}
	if strings.Contains(strings.Join(w.order, ""), " COLLATE ") { // which is the column's own as a rule
		own := make([]string, len(w.order))
		for i, key := range w.order {
			own[i] = collation.ReplaceAllString(key, "$1")
		}
		orders = [][]string{own, w.order}
	}
	for _, order := range orders {
		for size := range maxColumns + 1 {
			for _, columns := range arrangements(w.cond, size) {
				key := slices.Clone(columns)
				for _, column := range order {
					if !slices.Contains(columns, column) {
						key = append(key, column)
					}
				}
				if len(key) > 0 && !slices.ContainsFunc(all, func(k []string) bool { return slices.Equal(k, key) }) {
					all = append(all, key)
				}
			}
		}
	}

	slices.SortStableFunc(all, func(a, b []string) int { return len(a) - len(b) })

	return all
}

// bare returns the columns or expressions of an index without directions and brackets.
func bare(columns []string) []string {
	all := make([]string, len(columns))
	for i, column := range columns {
		if all[i] = direction.ReplaceAllString(column, ""); enclosed(all[i]) {
			all[i] = all[i][1 : len(all[i])-1]
		}
	}

	return all
}

var collation = regexp.MustCompile(`^\((\w+) COLLATE "[^"]+"\)`)

// arrangements returns the ways to choose n of the columns, in any order.
func arrangements(columns []string, n int) [][]string {
	if n == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for i, column := range columns {
		rest := slices.Delete(slices.Clone(columns), i, i+1)
		for _, others := range arrangements(rest, n-1) {
			all = append(all, append([]string{column}, others...))
		}
	}

	return all
}

var notInNames = regexp.MustCompile(`\W+`)

// indexName names an index as those of db/schema are.
func indexName(table string, columns []string) string {
	words := append(make([]string, 0, len(columns)+2), table)
	for _, column := range columns {
		words = append(words, strings.Trim(notInNames.ReplaceAllString(direction.ReplaceAllString(column, ""), "_"), "_"))
	}

	name := strings.Join(words, "_")
	name = strings.TrimRight(name[:min(len(name), dbtx.LongestName-len("_idx"))], "_") + "_idx"
	if !lower.MatchString(name) {
		name = `"` + name + `"`
	}

	return name
}

var lower = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// explained takes what EXPLAIN printed.
func (p *planned) explained(text []byte, indexes map[string]index, whole map[string]string) error {
	var explain []struct {
		Plan node `json:"Plan"`
	}
	if err := json.Unmarshal(text, &explain); err != nil {
		return err
	}
	w := walker{planned: p, indexes: indexes, whole: whole, cond: map[string][]string{}, tables: map[string]string{}}
	w.walk(explain[0].Plan, asked{})
	w.above()
	for i := range w.wrongs {
		w.wrongs[i].cond = w.cond[w.wrongs[i].alias]
	}

	return nil
}

type walker struct {
	*planned

	indexes map[string]index
	whole   map[string]string   // what partitions and their indexes are parts of
	tables  map[string]string   // by alias
	cond    map[string][]string // the columns that choose the rows, by alias
	late    []node              // what can be judged when all tables are known
}

// asked is what a node above does with the rows of a node.
type asked struct {
	limited  bool // it asks for no more rows than somebody wants
	locked   bool // it locks them
	appended bool // it puts them together with the rows of others
}

func (w *walker) walk(n node, by asked) {
	n = w.ofWhole(n, by.appended)
	if n.Alias != "" && n.Table != "" {
		w.tables[n.Alias] = n.Table
		for _, cond := range []string{n.IndexCond, n.RecheckCond, n.Filter} {
			for _, clause := range conjuncts(cond) {
				keys := compared(n.Alias, clause)
				if len(keys) == 0 {
					keys = columns(n.Alias, clause)
				}
				w.cond[n.Alias] = add(w.cond[n.Alias], keys)
			}
		}
	}
	switch n.Type {
	case "Seq Scan", "Sample Scan":
		w.scan(n)
	case "Index Scan", "Index Only Scan":
		w.index(n, by)
	case "Bitmap Heap Scan":
		for _, b := range bitmaps(n) {
			n.Index, n.IndexCond = cmp.Or(w.whole[b.Index], b.Index), w.ofAlias(b.IndexCond, n)
			w.index(n, asked{})
		}
	}
	if len(n.SortKey) > 0 && strings.HasSuffix(n.Type, "Sort") || n.JoinFilter != "" {
		w.late = append(w.late, n)
	}
	for _, name := range n.Arbiters {
		w.read(n.Table, cmp.Or(w.whole[name], name))
	}
	for _, child := range n.Plans {
		of := asked{appended: n.Type == "Append" || n.Type == "Merge Append"}
		if child.Relationship != "InitPlan" && child.Relationship != "SubPlan" {
			passes := slices.Contains(passing, n.Type) && child.Relationship != "Inner"
			of.limited = n.Type == "Limit" || by.limited && passes
			of.locked = n.Type == "LockRows" || by.locked && passes
		}
		w.walk(child, of)
	}
}

var numbered = regexp.MustCompile(`_\d+$`)

// ofWhole gives a node that reads a partition the name of the table that it is a part of, and of its index. PostgreSQL numbers
// the aliases of partitions whose rows it puts together: v_1 and v_2 of v.
func (w *walker) ofWhole(n node, appended bool) node {
	n.Index = cmp.Or(w.whole[n.Index], n.Index)
	whole := cmp.Or(w.whole[n.Table], n.Table)
	if whole == n.Table {
		return n
	}
	n.Table = whole
	if appended {
		n.partition = n.Alias
		n.Alias = numbered.ReplaceAllString(n.Alias, "")
		n.IndexCond, n.RecheckCond = w.ofAlias(n.IndexCond, n), w.ofAlias(n.RecheckCond, n)
		n.Filter = w.ofAlias(n.Filter, n)
	}

	return n
}

// ofAlias returns an expression with the alias of the whole table in place of the partition's.
func (*walker) ofAlias(expression string, n node) string {
	if n.partition == "" {
		return expression
	}

	return qualifier(n.partition).ReplaceAllString(expression, n.Alias+".")
}

// passing are the nodes that read no more of their first child than is asked of them.
var passing = []string{"Append", "LockRows", "Merge Append", "Nested Loop", "ProjectSet", "Result", "Subquery Scan", "Unique"}

// bitmaps returns the index scans that a bitmap is made of.
func bitmaps(n node) []node {
	var found []node
	for _, child := range n.Plans {
		if child.Type == "Bitmap Index Scan" {
			found = append(found, child)
		}
		found = append(found, bitmaps(child)...)
	}

	return found
}

// scan notes a table that is read whole.
func (w *walker) scan(n node) {
	detail := " from end to end"
	if cond := columns(n.Alias, n.Filter); len(cond) > 0 {
		detail = " for " + strings.Join(cond, ", ")
	}
	w.wrong(n, wrong{kind: scans, detail: detail})
	w.read(n.Table, "")
}

// index notes the use of an index by a scan of n.Table. It is wrong if nothing bounds how much of the index is read, or
// if a part of what is read is thrown away. Where there is one row at most, it may be.
func (w *walker) index(n node, by asked) {
	w.read(n.Table, n.Index)
	i := w.indexes[n.Index]
	bound, rest, one, listed := i.bounds(n.Alias, n.IndexCond)
	found := wrong{kind: filters}
	var where []string
	for _, clause := range append(rest, i.beyond(n.Alias, n.Filter)...) {
		own := columns(n.Alias, clause)
		found.rest = add(found.rest, own)
		// A queue has ever more rows that were done, and reads them all, unless its index has the others alone.
		left := by.limited && by.locked && i.Predicate == "" && len(own) == 1 && strings.HasSuffix(clause, own[0]+" IS NULL")
		if left {
			where = append(where, qualifier(n.Alias).ReplaceAllString(clause, ""))
		}
		// Of keys that the caller lists no more rows are read than there are keys.
		if left || !listed && len(compared(n.Alias, clause)) > 0 {
			found.plain = add(found.plain, own)
		}
	}
	found.where = cmp.Or(i.Predicate, strings.Join(where, " AND "))
	switch {
	case one:
	case !bound && i.Predicate == "" && (n.IndexCond != "" || !by.limited):
		found.kind, found.detail = walks, " from end to end by "+n.Index
		w.wrong(n, found)
	case len(found.rest) > 0:
		cond := found.plain
		if len(cond) == 0 {
			cond = found.rest
		}
		found.detail = " by " + strings.Join(cond, ", ") + " after reading them by " + n.Index
		w.wrong(n, found)
	}
}

// add appends what isn't there.
func add(all, more []string) []string {
	for _, one := range more {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}

	return all
}

// beyond returns the parts of a filter that the index's own predicate doesn't say. PostgreSQL looks at it again in rows that are
// locked or changed, because they may have changed meanwhile.
func (i index) beyond(alias, filter string) []string {
	implied := conjuncts(i.Predicate)

	return slices.DeleteFunc(conjuncts(filter), func(clause string) bool {
		return slices.Contains(implied, qualifier(alias).ReplaceAllString(clause, ""))
	})
}

// bounds says how an index is read under a condition: whether the condition bounds the part that is read, which parts of it
// only choose within that part, whether there is one row at most, and whether there is one for each key of a list. A B-tree is
// bounded by its first columns, as far as each is compared for equality, and the one after these.
func (i index) bounds(alias, cond string) (bound bool, rest []string, one, listed bool) {
	if !i.Ordered {
		return cond != "", nil, false, false
	}
	rest = conjuncts(cond)
	one, listed = i.Unique, i.Unique
	for _, column := range i.Columns {
		column = unwrapped(column)
		equal := false
		before := len(rest)
		rest = slices.DeleteFunc(rest, func(clause string) bool {
			text := qualifier(alias).ReplaceAllString(clause, "")
			if !slices.Contains(columns(alias, clause), column) && (plain.MatchString(column) || !strings.Contains(text, column)) {
				return false
			}
			switch match := equality(column).FindStringSubmatch(text); {
			case match == nil:
			case match[1] == "IS NULL":
				equal, one, listed = true, false, false
			case match[1] == "= ANY":
				equal, one = true, false
			default:
				equal = true
			}

			return true
		})
		bound = bound || len(rest) < before
		if !equal {
			one, listed = false, false

			break
		}
	}

	return bound, rest, one, listed
}

// equality matches a clause that leaves a column one value, or those of a list.
func equality(column string) *regexp.Regexp {
	return regexp.MustCompile(`^\(*` + regexp.QuoteMeta(column) + `\)*(?:::(?:[\w. ]|"[^"]+")+(?:\(\d+\))?)? (= ANY|=|IS NULL)`)
}

// conjuncts returns the parts of a condition that are joined by AND, without the brackets around them.
func conjuncts(cond string) []string {
	cond = unwrapped(cond)
	if cond == "" {
		return nil
	}
	const and = " AND "
	var parts []string
	words := outermost(cond)
	for {
		at := strings.Index(words, and)
		if at < 0 {
			return append(parts, unwrapped(cond))
		}
		parts = append(parts, unwrapped(cond[:at]))
		cond, words = cond[at+len(and):], words[at+len(and):]
	}
}

// unwrapped returns an expression without the brackets around it.
func unwrapped(expression string) string {
	for enclosed(expression) {
		expression = expression[1 : len(expression)-1]
	}

	return expression
}

// outermost returns an expression with something else in place of what stands in brackets or quotes, so that each word in it is a
// word of the expression itself. It is as long as the expression.
func outermost(expression string) string {
	words := []byte(expression)
	depth, quote := 0, byte(0)
	for i, char := range words {
		switch {
		case quote != 0:
			if char == quote {
				quote = 0
			}
			words[i] = '_'
		case char == '\'' || char == '"':
			quote, words[i] = char, '_'
		case char == '(':
			if depth++; depth > 1 {
				words[i] = '_'
			}
		case char == ')':
			if depth--; depth > 0 {
				words[i] = '_'
			}
		case depth > 0:
			words[i] = '_'
		}
	}

	return string(words)
}

var comparison = regexp.MustCompile(` (=|<|<=|>|>=) `)

// compared returns what a part of a condition compares with a value, as an index would have it: a column, or an expression of
// the columns of its row; where it is not certain which of them an index needs, both. It returns nothing where an index can't
// find the rows, or where nobody knows whether that would spare anything: of OR, <>, LIKE, a test for NULL, one of a boolean column, of a
// range of an expression, and of what is computed from several columns of the row or compares them with each other.
func compared(alias, clause string) []string {
	clause = unwrapped(clause)
	at := comparison.FindStringSubmatchIndex(outermost(clause))
	if at == nil {
		return nil
	}
	side, value, operator := clause[:at[0]], clause[at[1]:], clause[at[2]:at[3]]
	if len(columns(alias, side)) == 0 {
		side, value = value, side
	}
	own := columns(alias, side)
	if len(own) == 0 || len(columns(alias, value)) > 0 || someOf.MatchString(side) ||
		someOf.MatchString(value) && (operator != "=" || strings.HasPrefix(value, "ALL")) {
		return nil
	}
	side = unwrapped(qualifier(alias).ReplaceAllString(side, ""))
	switch {
	case side == own[0]:
		return own
	case strings.HasPrefix(side, "ROW("):
		return own
	case len(own) > 1:
		return nil
	}
	var keys []string
	if strings.HasPrefix(side, "("+own[0]+")::") { // which may be how a column of another type is compared
		keys = own
	}
	if operator == "=" {
		keys = append(keys, "("+side+")")
	}

	return keys
}

// someOf matches what is compared with each member of an array.
var someOf = regexp.MustCompile(`^(ANY|ALL) \(`)

// read notes how a table is read, each way once.
func (w *walker) read(table, index string) {
	if r := (Read{w.name, table, index}); !slices.Contains(w.reads, r) {
		w.reads = append(w.reads, r)
	}
}

func (w *walker) wrong(n node, found wrong) {
	found.table, found.alias, found.index, found.order = n.Table, n.Alias, n.Index, w.indexes[n.Index].Columns
	if n.partition == "" || !slices.ContainsFunc(w.wrongs, func(o wrong) bool { return o.same(found) && o.detail == found.detail }) {
		w.wrongs = append(w.wrongs, found)
	}
}

// above finds what is done above the scans: rows of a table are sorted by its columns alone, and so might have come in
// that order from an index, or are compared with other tables' only after they were read.
func (w *walker) above() {
	for _, n := range w.late {
		for _, alias := range slices.Sorted(maps.Keys(w.tables)) {
			found := wrong{table: w.tables[alias], alias: alias, late: true}
			joined := columns(alias, n.JoinFilter)
			var plain []string
			for _, clause := range conjuncts(n.JoinFilter) {
				if len(compared(alias, clause)) > 0 {
					plain = add(plain, columns(alias, clause))
				}
			}
			order, sorted := indexOrder(n.SortKey, alias)
			switch {
			case sorted:
				found.kind, found.order, found.detail = sorts, order, " by "+strings.Join(order, ", ")
			case len(joined) > 0:
				found.kind, found.detail = filters, " by "+strings.Join(joined, ", ")+" after reading them"
				found.rest, found.plain = joined, plain
				w.cond[alias] = add(w.cond[alias], joined)
			default:
				continue
			}
			w.wrongs = append(w.wrongs, found)
		}
	}
}

var direction = regexp.MustCompile(`(?: ASC| DESC)?(?: NULLS FIRST| NULLS LAST)?$`)

// indexOrder returns the columns of an index that would give the order, or false where the keys are not of this table
// alone.
func indexOrder(keys []string, alias string) ([]string, bool) {
	if len(keys) == 0 {
		return nil, false
	}
	backwards := !slices.ContainsFunc(keys, func(key string) bool { return !strings.HasSuffix(key, " DESC") })
	order := make([]string, len(keys))
	for i, key := range keys {
		dir := direction.FindString(key)
		key = strings.TrimSuffix(key, dir)
		if len(columns(alias, key)) == 0 {
			return nil, false
		}
		if key = qualifier(alias).ReplaceAllString(key, ""); !plain.MatchString(key) && !enclosed(key) {
			key = "(" + key + ")"
		}
		if !backwards { // an index is read in either direction
			key += dir
		}
		order[i] = key
	}

	return order, true
}

// enclosed says that an expression is in brackets as a whole.
func enclosed(expression string) bool {
	return strings.HasPrefix(expression, "(") && strings.IndexByte(outermost(expression), ')') == len(expression)-1
}

var plain = regexp.MustCompile(`^(?:\w+|"[^"]+")$`)

// written matches an alias, in quotes or not.
func written(alias string) string {
	return `(?:\b` + regexp.QuoteMeta(alias) + `|"` + regexp.QuoteMeta(strings.ReplaceAll(alias, `"`, `""`)) + `")`
}

// qualifier matches what EXPLAIN VERBOSE writes before each column.
func qualifier(alias string) *regexp.Regexp {
	return regexp.MustCompile(written(alias) + `\.`)
}

// columns returns the columns of a table that an expression names, each once.
func columns(alias, expression string) []string {
	var found []string
	for _, match := range regexp.MustCompile(written(alias)+`\.(\w+|"[^"]+")`).FindAllStringSubmatch(expression, -1) {
		if !slices.Contains(found, match[1]) {
			found = append(found, match[1])
		}
	}

	return found
}
