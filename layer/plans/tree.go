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

// certain returns how much of that is wrong whether or not there is an index to mend it.
func (p planned) certain() int {
	return len(slices.DeleteFunc(p.unexcused(), func(w wrong) bool { return w.unless }))
}

// whole returns how many tables are read whole, which is worse than to read a part and throw some of it away.
func (p planned) whole() int {
	return len(slices.DeleteFunc(p.unexcused(), func(w wrong) bool { return w.unless || w.kind != scans && w.kind != walks }))
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
	unless             bool     // it is only wrong if an index is found that mends it
	cond               []string // the columns that choose the rows
	order              []string // what they are sorted by: columns or expressions of an index
	index              string   // by which the rows are read, if any
	rest               int      // how many columns choose among the rows that are read
}

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
	for size := range maxColumns + 1 {
		for _, columns := range arrangements(w.cond, size) {
			for _, order := range orders {
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
	w.walk(explain[0].Plan, false, false)
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

// walk goes through the plan. limited says that only as many rows are asked of the node as somebody wants, and appended that
// it is one of several whose rows are put together.
func (w *walker) walk(n node, limited, appended bool) {
	n = w.ofWhole(n, appended)
	if n.Alias != "" && n.Table != "" {
		w.tables[n.Alias] = n.Table
		w.cond[n.Alias] = append(w.cond[n.Alias], columns(n.Alias, n.IndexCond+n.RecheckCond+n.Filter)...)
	}
	switch n.Type {
	case "Seq Scan", "Sample Scan":
		w.scan(n)
	case "Index Scan", "Index Only Scan":
		w.index(n, limited)
	case "Bitmap Heap Scan":
		for _, b := range bitmaps(n) {
			n.Index, n.IndexCond = cmp.Or(w.whole[b.Index], b.Index), w.ofAlias(b.IndexCond, n)
			w.index(n, false)
		}
	}
	if len(n.SortKey) > 0 && strings.HasSuffix(n.Type, "Sort") || n.JoinFilter != "" {
		w.late = append(w.late, n)
	}
	for _, name := range n.Arbiters {
		w.read(n.Table, cmp.Or(w.whole[name], name))
	}
	for _, child := range n.Plans {
		w.walk(child, child.Relationship != "InitPlan" && child.Relationship != "SubPlan" &&
			(n.Type == "Limit" || limited && slices.Contains(passing, n.Type) && child.Relationship != "Inner"),
			n.Type == "Append" || n.Type == "Merge Append")
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
	w.wrong(n, scans, detail)
	w.read(n.Table, "")
}

// index notes the use of an index by a scan of n.Table. It is wrong if nothing bounds how much of the index is read, or
// if a part of what is read is thrown away. Where there is one row at most, it may be.
func (w *walker) index(n node, limited bool) {
	w.read(n.Table, n.Index)
	i := w.indexes[n.Index]
	bound, rest, one := i.bounds(n.Alias, n.IndexCond)
	rest = append(rest, columns(n.Alias, i.beyond(n.Alias, n.Filter))...)
	switch {
	case one:
	case !bound && i.Predicate == "" && (n.IndexCond != "" || !limited):
		w.wrong(n, walks, " from end to end by "+n.Index, rest...)
	case len(rest) > 0:
		w.wrong(n, filters, " by "+strings.Join(rest, ", ")+" after reading them by "+n.Index, rest...)
	}
}

// beyond returns a filter without what the index's own predicate says. PostgreSQL looks at it again in rows that are locked or
// changed, because they may have changed meanwhile.
func (i index) beyond(alias, filter string) string {
	if i.Predicate == "" || filter == "" {
		return filter
	}
	implied := conjuncts(i.Predicate)
	rest := slices.DeleteFunc(conjuncts(filter), func(clause string) bool {
		own := qualifier(alias).ReplaceAllString(clause, "")

		return slices.ContainsFunc(implied, func(part string) bool { return unwrapped(part) == unwrapped(own) })
	})

	return strings.Join(rest, " AND ")
}

// unwrapped returns an expression without the brackets around it.
func unwrapped(expression string) string {
	for strings.HasPrefix(expression, "(") && enclosed(expression) {
		expression = expression[1 : len(expression)-1]
	}

	return expression
}

// bounds says how an index is read under a condition: whether the condition bounds the part that is read, which columns
// it only compares within that part, and whether there is one row at most. A B-tree is bounded by its first columns, as
// far as each is compared for equality, and the one after these.
func (i index) bounds(alias, cond string) (bound bool, rest []string, one bool) {
	if !i.Ordered {
		return cond != "", nil, false
	}
	used := map[string]bool{}
	one = i.Unique
	clauses := conjuncts(cond)
	for _, column := range i.Columns {
		equal := false
		bounded := false
		for _, clause := range clauses {
			own := columns(alias, clause)
			text := qualifier(alias).ReplaceAllString(clause, "")
			if !slices.Contains(own, column) && (plain.MatchString(column) || !strings.Contains(text, column)) {
				continue
			}
			bounded = true
			for _, name := range own {
				used[name] = true
			}
			switch match := equality(column).FindStringSubmatch(text); {
			case match == nil:
			case match[1] == "= ANY", match[1] == "IS NULL":
				equal, one = true, false
			default:
				equal = true
			}
		}
		bound = bound || bounded
		if !equal {
			one = false

			break
		}
	}
	rest = slices.DeleteFunc(columns(alias, cond), func(column string) bool { return used[column] })

	return bound, rest, one
}

// equality matches a clause that leaves a column one value, or those of a list.
func equality(column string) *regexp.Regexp {
	return regexp.MustCompile(`^\(*` + regexp.QuoteMeta(column) + `\)*(?:::(?:[\w. ]|"[^"]+")+(?:\(\d+\))?)? (= ANY|=|IS NULL)`)
}

// conjuncts returns the parts of a condition that are joined by AND.
func conjuncts(cond string) []string {
	cond = strings.TrimSuffix(strings.TrimPrefix(cond, "("), ")")
	var parts []string
	depth, start := 0, 0
	for i, char := range cond {
		switch char {
		case '(':
			depth++
		case ')':
			depth--
		case ' ':
			if depth == 0 && strings.HasPrefix(cond[i:], " AND ") {
				parts = append(parts, cond[start:i])
				start = i + len(" AND ")
			}
		}
	}
	parts = append(parts, cond[start:])
	if len(parts) > 1 {
		for i, part := range parts {
			parts[i] = strings.TrimSuffix(strings.TrimPrefix(part, "("), ")")
		}
	}

	return parts
}

// read notes how a table is read, each way once.
func (w *walker) read(table, index string) {
	if r := (Read{w.name, table, index}); !slices.Contains(w.reads, r) {
		w.reads = append(w.reads, r)
	}
}

func (w *walker) wrong(n node, kind, detail string, rest ...string) {
	order := w.indexes[n.Index].Columns
	if found := (wrong{kind: kind, table: n.Table, alias: n.Alias, detail: detail, order: order, index: n.Index, rest: len(rest)}); n.partition == "" ||
		!slices.ContainsFunc(w.wrongs, func(o wrong) bool { return o.same(found) && o.detail == detail }) {
		w.wrongs = append(w.wrongs, found)
	}
}

// above finds what is done above the scans: rows of a table are sorted by its columns alone, and so might have come in
// that order from an index, or are compared with other tables' only after they were read.
func (w *walker) above() {
	for _, n := range w.late {
		for _, alias := range slices.Sorted(maps.Keys(w.tables)) {
			found := wrong{table: w.tables[alias], alias: alias, unless: true}
			joined := columns(alias, n.JoinFilter)
			order, sorted := indexOrder(n.SortKey, alias)
			switch {
			case sorted:
				found.kind, found.order, found.detail = sorts, order, " by "+strings.Join(order, ", ")
			case len(joined) > 0:
				found.kind, found.detail = filters, " by "+strings.Join(joined, ", ")+" after reading them"
				w.cond[alias] = append(w.cond[alias], joined...)
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
	if !strings.HasPrefix(expression, "(") { // the name of a column, perhaps of one letter
		return false
	}
	depth := 0
	for i, char := range expression {
		switch char {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return i == len(expression)-1
		}
	}

	return false
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
