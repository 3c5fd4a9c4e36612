package schema

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"musicstore/layer/dbtx"
)

// The order in which differences are listed, and so can be mended: what is in the way goes first, a key comes before
// what refers to it, and a column goes when nothing needs it any more.
const (
	extensionIs = iota
	typeIs      // and the functions and sequences that tables need
	tableIs
	linkGoes
	constraintGoes
	indexGoes
	relationGoes
	generatedGoes
	columnIs
	heirIs
	sequenceGoes
	constraintIs
	partitionIs
	objectComes
	partitionComes
	functionComes // that nothing else needs: its body may name what comes behind it in the files
	foreignKeyIs
	indexIs
	columnGoes
	functionGoes
	typeGoes
	settingIs
	commentIs
)

// id is how an object is known on both sides.
type id struct{ kind, table, name string }

func (o object) id() id { return id{o.Kind, o.Table, o.Name} }

// comparison is a comparison under way.
type comparison struct {
	*probe

	statements []dbtx.Statement
	relations  map[string]object // what the database has, by name
	same       map[string]bool   // what both sides have as one kind of thing
	apart      map[string]bool   // of these, those whose parts cannot be compared yet
	changed    map[string]bool   // of the rest of these, the views and functions that are others
	wanted     map[id]bool
	unwanted   map[id]object     // what the database has of these that has no match yet
	remade     map[id]bool       // keys of the database that do not stay as they are
	kept       map[string]object // views that are dropped, and made by a later step: see keepRights
	gone       map[id]bool       // foreign keys that another type of a column takes away
	readded    map[id]bool       // columns that are dropped and added again, with the indexes and constraints on them
	madeAgain  map[string]bool   // views that another step makes again, with all that belongs to them
	found      []finding
}

// finding is a difference, with its place in the order.
type finding struct {
	Difference

	when   int
	rename bool // of an index or of a constraint's
}

// compare returns what differs. p.want is nil where the files could not be built, because of the extensions that are missing.
func compare(p *probe, extensions []string) []Difference {
	want, have, statements := p.want, p.have, p.m.Schema
	c := &comparison{
		probe: p, statements: statements,
		relations: map[string]object{}, same: map[string]bool{}, apart: map[string]bool{}, changed: map[string]bool{},
		wanted: map[id]bool{}, unwanted: map[id]object{}, remade: map[id]bool{}, readded: map[id]bool{}, gone: map[id]bool{}, kept: map[string]object{},
		madeAgain: map[string]bool{},
	}
	for _, st := range statements {
		if st.Kind == dbtx.KindExtension && slices.Contains(extensions, st.Name) {
			c.add(extensionIs, object{Kind: "extension", Name: st.Name}, "extension", "", false, st.SQL+";")
		}
	}
	if want == nil {
		return c.differences()
	}
	for _, o := range have.relations {
		c.relations[o.Name] = o
	}
	c.compareRelations()
	for _, o := range have.parts {
		if c.compared(o) {
			c.unwanted[o.id()] = o
		}
	}
	for _, o := range want.parts {
		c.wanted[o.id()] = true
	}
	// Foreign keys last: whether they stay depends on the keys they refer to.
	for _, o := range want.parts {
		if c.compared(o) && o.Key == "" {
			c.comparePart(o)
		}
	}
	for _, o := range have.parts {
		if _, extra := c.unwanted[o.id()]; extra && o.Key == "" {
			c.remade[o.id()] = true
		}
	}
	for _, o := range want.parts {
		if c.compared(o) && o.Key != "" {
			c.comparePart(o)
		}
	}
	for _, o := range have.parts {
		if _, extra := c.unwanted[o.id()]; extra {
			c.extraPart(o)
		}
	}

	return c.differences()
}

func (c *comparison) differences() []Difference {
	if c.want != nil {
		c.giveRights()
	}
	c.found = slices.DeleteFunc(c.found, func(s finding) bool { return c.madeAgain[s.Table] })
	slices.SortStableFunc(c.found, func(a, b finding) int { return cmp.Compare(a.when, b.when) })
	c.orderRenames()
	differences := make([]Difference, len(c.found))
	for i, s := range c.found {
		differences[i] = s.Difference
	}

	return differences
}

// orderRenames puts the renaming of an index behind that of the index which has its new name.
func (c *comparison) orderRenames() {
	for range c.found { // a bound: two that take each other's name have no order
		moved := false
		for i, s := range c.found {
			for j := len(c.found) - 1; j > i && s.rename && !moved; j-- {
				if c.found[j].rename && c.found[j].Have == "named "+s.Name {
					c.found = slices.Insert(slices.Delete(c.found, i, i+1), j, s)
					moved = true
				}
			}
		}
		if !moved {
			return
		}
	}
}

// compared says whether a part is compared with that of the other side: both have what it is of.
func (c *comparison) compared(part object) bool {
	return c.same[part.Table] && !c.apart[part.Table] && !c.changed[part.Table]
}

func (c *comparison) add(when int, o object, want, have string, losesData bool, mend ...string) {
	on := o.Table
	if o.isView() || o.Kind == "sequence" {
		on = o.Name
	}
	steps := together(on, mend...)
	switch {
	case !losesData || len(steps) == 0:
	case o.Kind == "table" || o.Kind == "partition":
		steps[0].Loses, steps[0].Counts = "the rows of "+o.Name, "SELECT count(*) FROM "+quote(o.Name)
	case o.Kind == "sequence":
		steps[0].Loses = "where the sequence stands"
	default:
		steps[0].Loses = "values of the " + o.Kind
	}
	c.addSteps(when, o, want, have, steps)
}

// addSteps adds a difference with the steps that mend it.
func (c *comparison) addSteps(when int, o object, want, have string, steps []Step) {
	if o.Kind == "column" || o.Type == "c" { // PostgreSQL changes those of the heirs, too
		for _, heir := range c.have.heirs(o.Table) {
			for i := range steps {
				if slices.Contains(steps[i].On, o.Table) && !slices.Contains(steps[i].On, heir) {
					steps[i].On = append(steps[i].On, heir)
				}
			}
		}
	}
	d := Difference{Kind: o.Kind, Table: o.Table, Name: o.Name, Want: want, Have: have, Steps: steps}
	var statements []string
	for _, step := range steps {
		if step.Refused == "" {
			statements = append(statements, step.String())
		}
		d.LosesData = d.LosesData || step.Loses != ""
	}
	d.Mend = strings.Join(statements, "\n")
	c.found = append(c.found, finding{Difference: d, when: when})
}

func (c *comparison) compareRelations() {
	wanted, listed := map[string]bool{}, map[string]bool{}
	for _, w := range c.want.relations {
		wanted[w.Name] = true
		h, there := c.relations[w.Name]
		c.same[w.Name] = there && h.Kind == w.Kind && (w.Kind != "table" || h.Def == w.Def)
		c.changed[w.Name] = c.same[w.Name] && (w.isView() || w.isFunction()) && (h.definition() != w.definition() ||
			w.isView() && len(c.renames) > 0 && !slices.Equal(slices.Sorted(slices.Values(w.Needs)), slices.Sorted(slices.Values(h.Needs)))) // a column of that name is another one
		if w.Partition && w.Bound != "DEFAULT" {
			listed[w.Parent] = true
		}
	}
	for i := range c.want.relations { // what fills a column, or is in use now, is there before
		w := &c.want.relations[i]
		w.Used = w.Used || w.isFunction() && (c.relations[w.Name].Used || slices.ContainsFunc(c.m.Tables, func(t *dbtx.Table) bool {
			return slices.ContainsFunc(t.Columns, func(column dbtx.Column) bool {
				return strings.Contains(strings.ToLower(column.Fill), strings.ToLower(w.Bare))
			})
		}))
	}
	for _, w := range slices.Backward(c.want.relations) { // what a function needs that a table needs, the table needs
		for i := range c.want.relations {
			other := &c.want.relations[i]
			other.Used = other.Used || w.Used && other.isFunction() && slices.Contains(w.Needs, other.Name)
		}
	}
	owned := map[string]bool{} // sequences that are columns' own
	for _, w := range c.want.parts {
		owned[strings.Trim(w.Serial, `"`)] = true
	}
	for _, w := range c.want.relations {
		h, there := c.relations[w.Name]
		if w.Parent != "" && !c.same[w.Parent] { // it goes and comes with its parent
			c.same[w.Name] = false
		}
		switch {
		case !there:
			c.add(c.comes(w), w.called(), w.describe(), "", false, c.creation(w)...)
			c.locksOthers(w)
			c.addApart(w)
		case !c.same[w.Name]:
			before, after := c.givingWay(h)
			mend := slices.Concat(before, c.dropped(h), c.creation(w), after)
			c.add(max(c.comes(w), relationGoes), w.called(), w.describe(), h.describe(), h.Kind == "table" || h.Kind == "sequence", mend...)
			c.addApart(w)
		default:
			c.compareRelation(w, h)
			c.compareSettings(w, h)
		}
	}
	for _, h := range slices.Backward(c.have.relations) { // what was made later may need what was made before
		if h.Name == recordTable(c.m) || wanted[h.Name] || c.keepsRights(h) || h.Partition && !listed[h.Parent] || h.Kind == "sequence" && owned[h.Name] {
			continue // a partition goes with its parent, or is made by a job
		}
		if when := c.goes(h); when == functionGoes {
			c.addSteps(when, h, "", h.describe(), c.functionAgain(object{}, h))

			continue
		}
		before, after := c.givingWay(h)
		mend := slices.Concat(before, c.dropped(h), after)
		c.add(c.goes(h), h.called(), "", h.describe(), h.Kind == "table" || h.Kind == "sequence", mend...)
	}
}

// goes says when something that the files do not have is dropped.
func (c *comparison) goes(h object) int {
	switch {
	case h.Kind == "sequence": // a default may need it
		return sequenceGoes
	case h.isFunction() && !slices.ContainsFunc(h.Needs, func(name string) bool { return !strings.HasSuffix(name, ")") }):
		return functionGoes
	case h.Kind == "enum" || h.Kind == "domain" || h.Kind == "type":
		return typeGoes
	default:
		return relationGoes
	}
}

// last is the first step of the difference that was added last.
func (c *comparison) last() *Step {
	if steps := c.found[len(c.found)-1].Steps; len(steps) > 0 {
		return &steps[0]
	}

	return &Step{}
}

// scans says of a step that it reads all rows of some tables.
func (c *comparison) scans(step *Step, tables ...string) {
	step.Scans = true
	step.large = step.large || c.look && c.large(tables)
}

// locksOthers says of a table that is made what it locks: what its foreign keys refer to, and of a partition its parent. The rows of a
// default partition are read, since they could belong to the new one.
func (c *comparison) locksOthers(w object) {
	step := c.last()
	for _, o := range c.want.parts {
		if _, there := c.relations[o.Target]; there && o.Table == w.Name && o.Key != "" && !slices.Contains(step.On, o.Target) {
			step.Lock, step.On = shareRowExclusive, append(step.On, o.Target)
		}
	}
	if parent, there := c.relations[w.Parent]; there && w.Partition {
		step.Lock, step.On = accessExclusive, append(step.On, parent.Name)
		c.readsDefault(step, w)
	}
}

// readsDefault says of a step that makes a partition that it reads the default one.
func (c *comparison) readsDefault(step *Step, w object) {
	for _, h := range c.have.relations {
		if h.Partition && h.Parent == w.Parent && h.Bound == "DEFAULT" {
			c.scans(step, h.Name)
			if step.Rows == "" && h.Name != w.Name {
				step.Rows = "SELECT * FROM " + quote(h.Name) + " WHERE " + w.Belongs //nolint:unqueryvet // the rows as they are
			}
		}
	}
}

func (o object) isView() bool { return o.Kind == "view" || o.Kind == "materialized view" }

// staleIndex begins the name of an index that was built by a function which is another now. It is dropped, and built again.
const staleIndex = transitional + "stale_"

// stale returns what has to be done, at once, with the indexes and checks of tables that call a function which changes: what they say of
// the rows that are there is not true any more. A check is to be proven again. A column that is generated by it is made again, which
// writes its table anew. rest are the steps that come behind that.
func (c *comparison) stale(function object) (statements, tables []string, rewrites bool, rest []Step) {
	call := quoteIfNeeded(function.Bare) + "("
	for _, o := range c.have.parts {
		if c.withParent(o) {
			continue // it is done with its parent's
		}
		if w, stays := c.wantPart(o); stays && o.Generated != "" && !o.Virtual && w.Generated == o.Generated && strings.Contains(o.Generated, call) {
			before, after := c.retyped(w, o)
			statements = slices.Concat(statements, before, []string{
				"ALTER TABLE " + quote(o.Table) + " DROP COLUMN " + quote(o.Name) + ", ADD COLUMN " + quote(o.Name) + " " + w.column(true) + ";",
			}, w.withComment(), after)
			tables, rewrites, c.readded[o.id()] = append(tables, o.Table), true, true

			continue
		}
		if o.Domain != "" || !slices.ContainsFunc(o.Expressions, func(text string) bool { return strings.Contains(text, call) }) {
			continue
		}
		switch {
		case o.Kind == "index" && c.relations[o.Table].Def == "" && !strings.HasPrefix(o.Name, staleIndex):
			old := cut(staleIndex+o.Name, dbtx.LongestName)
			statements = append(statements, "ALTER INDEX "+quote(o.Name)+" RENAME TO "+quote(old)+";")
			if w, stays := c.wantPart(o); stays && w.definition() == o.definition() {
				rest = append(rest, c.make(w, object{}, false)...)
			}
			rest = append(rest, c.dropIndex(o.Table, old))
		case o.Kind == "constraint" && o.Type == "c":
			if w, stays := c.wantPart(o); stays && w.definition() == o.definition() {
				rest = append(rest, c.validate(w)...)
			}
			statements = append(statements, o.alter()+" DROP CONSTRAINT "+quote(o.Name)+", ADD CONSTRAINT "+quote(o.Name)+" "+
				strings.TrimSuffix(o.Def, " NOT VALID")+" NOT VALID;")
		case o.Type == "x" && c.relations[o.Table].Def == "":
			if w, stays := c.wantPart(o); !stays || w.definition() != o.definition() {
				continue
			}
			statements = append(statements, "REINDEX INDEX "+quote(o.Name)+";")
		default:
			continue
		}
		if !slices.Contains(tables, o.Table) {
			tables = append(tables, o.Table)
		}
	}

	for _, table := range slices.Clone(tables) {
		for _, heir := range c.have.heirs(table) {
			if !slices.Contains(tables, heir) {
				tables = append(tables, heir)
			}
		}
	}

	return statements, tables, rewrites, rest
}

// tables are those that a view needs.
func (o object) tables() (names []string) {
	for _, need := range o.Needs {
		if name, _, _ := strings.Cut(need, "."); !strings.HasSuffix(need, ")") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}

	return names
}

func (o object) isFunction() bool {
	return o.Kind == "function" || o.Kind == "procedure" || o.Kind == "aggregate"
}

// called gives a partition the kind and the table by which a difference of it is listed.
func (o object) called() object {
	if o.Partition {
		o.Kind, o.Table = "partition", cmp.Or(o.Parent, o.Table)
	}

	return o
}

// comes says when something that is missing can be made. What a column or a constraint of another table may need comes
// first.
func (c *comparison) comes(w object) int {
	switch {
	case w.Partition:
		return partitionComes
	case w.Kind == "enum", w.Kind == "domain", w.Kind == "type", w.Kind == "sequence":
		return typeIs
	case w.Used && !slices.ContainsFunc(w.Needs, func(name string) bool {
		table, column, _ := strings.Cut(name, ".")
		_, there := c.relations[table]

		return !strings.HasSuffix(name, ")") && (!there || column != "")
	}):
		return typeIs
	case w.isFunction() && !w.Used && !slices.ContainsFunc(c.want.relations, func(o object) bool {
		return slices.Contains(o.Needs, w.Name)
	}):
		return functionComes
	default:
		return objectComes
	}
}

// addApart lists what is not made with a table that is missing: its triggers, which need functions, and the foreign keys that
// ALTER TABLE adds, which need the other table.
func (c *comparison) addApart(w object) {
	for _, o := range c.want.parts {
		if o.Table != w.Name || !c.madeApart(o, w) {
			continue
		}
		when := indexIs
		if o.Key != "" {
			when = foreignKeyIs
		}
		c.add(when, o, o.definition(), "", false, o.create())
	}
}

// compareRelation compares what both sides have as one kind of thing.
func (c *comparison) compareRelation(w, h object) {
	switch {
	case w.Kind == "table":
		c.compareTable(w, h)
	case w.Kind == "view" && c.changed[w.Name] && len(w.Columns) >= len(h.Columns) &&
		slices.Equal(w.Columns[:len(h.Columns)], h.Columns):
		c.add(objectComes, w, w.definition(), h.definition(), false, strings.Replace(w.view(), "CREATE ", "CREATE OR REPLACE ", 1)+";")
	case w.isView() && c.changed[w.Name]:
		before, after := c.givingWay(h)
		c.add(objectComes, w, w.definition(), h.definition(), false, slices.Concat(before, c.dropped(h), c.creation(w), h.rights(w.Name, w.Columns), c.triggers(w), after)...)
		if step := c.last(); w.Kind == "materialized view" { // nobody can read it while its query runs
			step.On = []string{w.Name}
			c.scans(step, w.tables()...)
		}

		return
	case w.isFunction() && h.Def != w.Def:
		if w.Kind != "aggregate" && h.Result == w.Result && h.Arguments == w.Arguments {
			stale, tables, rewrites, rest := c.stale(h)
			c.add(c.comes(w), w, w.Def, h.Def, false, append([]string{w.replace()}, stale...)...)
			c.last().On, c.last().Rewrites = tables, rewrites
			if slices.ContainsFunc(stale, func(sql string) bool { return strings.HasPrefix(sql, "REINDEX ") }) {
				c.scans(c.last(), tables...)
			}
			if found := &c.found[len(c.found)-1]; c.look { // a plan is whole; who asks Check asks again
				found.Steps = append(found.Steps, rest...)
			}

			break
		}
		c.addSteps(c.comes(w), w, w.Def, h.Def, c.functionAgain(w, h))

		return
	case w.Kind == "sequence" && h.Def != w.Def:
		c.add(typeIs, w, w.Def, h.Def, false, "ALTER SEQUENCE "+quote(w.Name)+" "+w.Def+";")
	case w.Kind == "enum" && !slices.Equal(w.Labels, h.Labels):
		c.add(typeIs, w, w.labels(), h.labels(), false, mendEnum(w, h)...)
	case w.Kind == "domain" && w.column(false) != h.column(false):
		c.addSteps(typeIs, w, w.column(false), h.column(false), c.ofDomain(w.Name, mendDomain(w, h)...))
	case w.Kind == "type" && (w.Def != h.Def || !slices.Equal(w.Attributes, h.Attributes)):
		mend, losesData := mendType(w, h)
		c.add(typeIs, w, w.attributes(), h.attributes(), losesData, mend...)
	}
	c.compareComment(w, h)
}

func (c *comparison) compareTable(w, h object) {
	switch {
	case w.Partition && (h.Bound != w.Bound || !slices.Equal(h.Parents, w.Parents)):
		// All of the same parent let go first: the bounds of two may have changed places.
		var mend []string
		for _, other := range c.want.relations {
			of := c.relations[other.Name]
			if other.Partition && of.Partition && other.Parent == w.Parent && c.same[other.Name] && of.Bound != other.Bound {
				mend = append(mend, "ALTER TABLE IF EXISTS "+of.Parents[0]+" DETACH PARTITION "+quote(of.Name)+";")
			}
		}
		first := !slices.ContainsFunc(c.found, func(s finding) bool {
			return s.when == partitionIs && s.Kind == "partition" && s.Table == w.Parent
		})
		switch {
		case !first:
			mend = mend[:0]
		case len(mend) == 0 && h.Partition: // of another parent
			mend = append(mend, "ALTER TABLE "+h.Parents[0]+" DETACH PARTITION "+quote(h.Name)+";")
		}
		c.apart[w.Name] = !h.Partition
		c.add(partitionIs, w.called(), w.describe(), h.describe(), false,
			append(mend, "ALTER TABLE "+w.Parents[0]+" ATTACH PARTITION "+quote(w.Name)+" "+w.Bound+";")...)
		step := c.last() // its rows are read, to see that they belong there
		step.On = append(step.On, w.Name)
		c.scans(step, w.Name)
		if w.Bound != "DEFAULT" && !strings.Contains(w.Belongs, "satisfies_hash_partition") { // that names the partitioned table by a number
			step.Rows = "SELECT * FROM " + quote(w.Name) + " WHERE NOT (" + w.Belongs + ")" //nolint:unqueryvet // the rows as they are
		}
		c.readsDefault(step, w)
	case h.describe() != w.describe():
		c.apart[w.Name] = h.Partition && !w.Partition
		var first, later []string
		for _, sql := range mendTable(w, h) {
			if strings.Contains(sql, " INHERIT ") && !strings.Contains(sql, " NO INHERIT ") {
				later = append(later, sql) // after the statements that give it the columns and checks of the parent
			} else {
				first = append(first, sql)
			}
		}
		if later != nil {
			c.add(functionGoes, w, w.describe(), h.describe(), false, later...)
			c.last().Breaks = true // who reads the parent gets its rows, too
			for _, parent := range c.want.relations {
				if name := quoteIfNeeded(parent.Name); slices.Contains(w.Parents, name) && !slices.Contains(h.Parents, name) {
					c.last().On = append(c.last().On, parent.Name)
				}
			}
		}
		if first == nil && later != nil {
			return
		}
		c.add(tableIs, w, w.describe(), h.describe(), false, first...)
		if h.RowSecurity || h.ForcedRowSecurity { // roles would see rows that are kept from them
			c.last().Loses = "the row security of " + w.Name
			c.found[len(c.found)-1].LosesData = true
		}
		if w.Unlogged != h.Unlogged {
			c.last().Rewrites = true
		}
		if n := len(c.found) - 1; w.Unlogged && !h.Unlogged { // what refers to a table is unlogged before it
			c.found = append([]finding{c.found[n]}, c.found[:n]...)
		}
	}
}

// compareComment compares the comments on two objects. Where one side has no object, it is empty.
func (c *comparison) compareComment(w, h object) {
	if w.Comment == h.Comment {
		return
	}
	o := w
	if o.Name == "" {
		o = h
	}
	of := o.called()
	of.Kind = "comment on " + of.Kind
	c.add(commentIs, of, w.Comment, h.Comment, false, o.comment(w.Comment))
}

// commentWithParent compares the comment of what comes with that of a parent. It waits for that.
func (c *comparison) commentWithParent(w, h object, there bool) {
	n := len(c.found)
	c.compareComment(w, h)
	if len(c.found) > n && !there {
		c.last().Breaks = true
	}
}

// comment is the statement that gives an object a comment; none if it is empty.
func (o object) comment(text string) string {
	on := o.sqlKind() + " " + quote(o.Name)
	switch {
	case o.isFunction():
		on = o.sqlKind() + " " + o.Name
	case o.Kind == "column":
		on = "COLUMN " + quote(o.Table) + "." + quote(o.Name)
	case o.Domain != "":
		on += " ON DOMAIN " + quote(o.Table)
	case o.Kind == "constraint" || o.Kind == "trigger" || o.Kind == "rule":
		on += " ON " + quote(o.Table)
	}
	if text == "" {
		return "COMMENT ON " + on + " IS NULL;"
	}

	return "COMMENT ON " + on + " IS " + literal(text) + ";"
}

// withComment is the statement that gives an object its comment, if it has one.
func (o object) withComment() []string {
	if o.Comment == "" {
		return nil
	}

	return []string{o.comment(o.Comment)}
}

// dropped returns the statements that drop a relation, a type or a function.
func (c *comparison) dropped(o object) []string {
	var statements []string
	if o.Kind == "table" {
		statements = c.withoutReferences(o.Name, "")
	}

	return append(statements, o.dropIfExists())
}

// withoutReferences returns the statements that drop the foreign keys to a table, or to one of its keys. Those that
// the schema files have are differences of their own, and come back.
func (c *comparison) withoutReferences(table, key string) []string {
	var statements []string
	for _, o := range c.have.parts {
		if o.Key != "" && o.Target == table && (o.Key == key || key == "" && o.Table != table) {
			statements = append(statements,
				"ALTER TABLE IF EXISTS "+quote(o.Table)+" DROP CONSTRAINT IF EXISTS "+quote(o.Name)+";")
			if c.foreign(o.Table) && !c.foreign(table) {
				c.stays(o, cmp.Or(key, table))
			}
		}
	}

	return statements
}

func (o object) describe() string {
	if o.Kind != "table" {
		return o.Kind
	}
	text := "table"
	switch {
	case o.Partition && o.Parent != "":
		text = "partition of " + o.Parents[0] + " " + o.Bound
	case o.Def != "":
		text = "table partitioned by " + o.Def
	}
	if o.Unlogged {
		text = "unlogged " + text
	}
	if o.RowSecurity {
		text += ", row security enabled"
	}
	if o.ForcedRowSecurity {
		text += ", row security forced"
	}
	if len(o.Parents) > 0 && (!o.Partition || o.Parent == "") {
		text += ", inherits from " + strings.Join(o.Parents, ", ")
	}
	if len(o.Children) > 0 {
		text += ", inherited by " + strings.Join(o.Children, ", ")
	}

	return text
}

func mendTable(w, h object) []string {
	alter := "ALTER TABLE " + quote(w.Name)
	var statements []string
	for _, parent := range h.Parents {
		switch {
		case h.Partition:
			statements = append(statements, "ALTER TABLE "+parent+" DETACH PARTITION "+quote(h.Name)+";")
		case !slices.Contains(w.Parents, parent):
			statements = append(statements, alter+" NO INHERIT "+parent+";")
		}
	}
	for _, parent := range w.Parents {
		if !slices.Contains(h.Parents, parent) && !w.Partition {
			statements = append(statements, alter+" INHERIT "+parent+";")
		}
	}
	for _, child := range h.Children {
		statements = append(statements, "ALTER TABLE "+child+" NO INHERIT "+quote(h.Name)+";")
	}
	switch {
	case h.Unlogged && !w.Unlogged:
		statements = append(statements, alter+" SET LOGGED;")
	case w.Unlogged && !h.Unlogged:
		statements = append(statements, alter+" SET UNLOGGED;")
	}
	if h.RowSecurity {
		statements = append(statements, alter+" DISABLE ROW LEVEL SECURITY;")
	}
	if h.ForcedRowSecurity {
		statements = append(statements, alter+" NO FORCE ROW LEVEL SECURITY;")
	}

	return statements
}

func (c *comparison) comparePart(w object) {
	h, there := c.unwanted[w.id()]
	delete(c.unwanted, w.id())
	c.compareSettings(w, h)
	switch {
	case w.Kind == "column":
		c.compareColumn(w, h, there)

		return
	case c.withParent(w):
		c.commentWithParent(w, h, there)

		return
	}
	when := indexIs
	switch {
	case w.Key != "":
		when = foreignKeyIs
	case w.Domain != "":
		when = typeIs
	case w.Kind == "constraint", w.Kind == "index" && slices.ContainsFunc(c.want.parts, func(o object) bool { return o.Key == w.Name && o.Target == w.Table }):
		when = constraintIs
	}
	if there && (c.goesAlong(h) || c.gone[h.id()]) {
		there, c.remade[h.id()] = false, true
	}
	old, renamed := c.underAnotherName(w)
	switch {
	case there && h.definition() == w.definition() && !c.keyGoes(h):
		c.compareComment(w, h)
		c.compareAttached(w, h)
	case there && h.definition() == w.definition():
		c.add(when, w, w.Def+" by "+w.Key, h.Def+" by "+h.Key, false, c.replaced(w)...)
	case there && h.Kind == "constraint" && h.Def == w.Def+" NOT VALID" && h.State == w.State:
		c.addSteps(when, w, w.Def, h.Def, c.validate(w))
		c.compareComment(w, h)
	case there && h.Kind == "trigger" && h.Def == w.Def && !c.relations[w.Table].isView():
		c.add(when, w, w.definition(), h.definition(), false, w.fires())
		c.compareComment(w, h)
	case there:
		c.remade[h.id()] = true
		c.addSteps(when, w, w.definition(), h.definition(), c.replace(w, h))
	case renamed:
		when = min(when, constraintIs) // a new table may have an index of the old name
		delete(c.unwanted, old.id())
		mend := "ALTER INDEX " + quote(old.Name) + " RENAME TO " + quote(w.Name) + ";"
		if w.Kind == "constraint" {
			mend = w.alter() + " RENAME CONSTRAINT " + quote(old.Name) + " TO " + quote(w.Name) + ";"
		}
		c.add(when, w, w.Def, "named "+old.Name, false, mend)
		c.found[len(c.found)-1].rename = true
		c.compareComment(w, old)
	default:
		c.addSteps(when, w, w.definition(), "", c.make(w, object{}, false))
	}
}

// compareAttached compares the names of the parts that partitions have of an index. PostgreSQL makes them of the names that the partition
// and the columns had when the index was made, and does not change them with those.
func (c *comparison) compareAttached(w, h object) {
	for _, partition := range slices.Sorted(maps.Keys(w.Attached)) {
		name, old, alter := w.Attached[partition], h.Attached[partition], "ALTER INDEX "
		if _, there := c.relations[partition]; !there { // the same plan makes it
			old = strings.Replace(name, "_"+strings.Join(w.IndexColumns, "_")+"_", "_"+strings.Join(h.IndexColumns, "_")+"_", 1)
			alter += "IF EXISTS "
		}
		if old == "" || old == name || c.taken(name) {
			continue
		}
		part := object{Kind: "index", Table: partition, Name: name}
		c.add(indexIs, part, w.Def, "named "+old, false, alter+quote(old)+" RENAME TO "+quote(name)+";")
	}
}

// taken says whether a relation of the database has a name.
func (c *comparison) taken(name string) bool {
	if _, there := c.relations[name]; there {
		return true
	}

	return slices.ContainsFunc(c.have.parts, func(o object) bool {
		return o.Name == name && (o.Kind == "index" || o.Kind == "constraint") || slices.Contains(slices.Collect(maps.Values(o.Attached)), name)
	})
}

// make returns the steps that make a part of something that is there. h is what has its name.
func (c *comparison) make(w, h object, there bool) []Step {
	switch w.Kind {
	case "index":
		return c.createIndex(w, h, there)
	case "constraint":
		return c.addConstraint(w, there)
	default:
		return together(w.Table, w.create())
	}
}

// replace returns the steps that make a part again.
func (c *comparison) replace(w, h object) []Step {
	if w.Kind == "index" || w.Kind == "constraint" && c.withoutReferences(w.Table, w.Name) == nil {
		return c.make(w, h, true)
	}

	steps := together(w.Table, c.replaced(w)...)
	if w.Kind == "constraint" {
		c.scans(&steps[0], w.Table)
	}

	return steps
}

// underAnotherName finds a constraint or index that only the name sets apart.
func (c *comparison) underAnotherName(w object) (object, bool) {
	for _, h := range c.have.parts {
		_, free := c.unwanted[h.id()]
		if free && !strings.HasPrefix(h.Name, staleIndex) && h.Kind == w.Kind && h.Table == w.Table && h.definition() == w.definition() && !c.wanted[h.id()] &&
			(h.Kind == "constraint" || h.Kind == "index") && !c.keyGoes(h) && !c.goesAlong(h) {
			return h, true
		}
	}

	return object{}, false
}

// goesAlong says whether an index or a constraint goes with a column that is dropped and added again.
func (c *comparison) goesAlong(h object) bool {
	if h.Kind != "index" && h.Kind != "constraint" || h.Domain != "" {
		return false
	}
	_, text, _ := strings.Cut(h.Def, "(")
	if h.Key != "" {
		text = strings.Join(h.Keys, ", ")
	}
	for column := range c.readded {
		if column.table == h.Table && substituted(text, column.name, column.name+"_") != text {
			return true
		}
	}

	return false
}

// keyGoes says whether a foreign key has to be made again, because what it refers to is.
func (c *comparison) keyGoes(h object) bool {
	return h.Key != "" && (!c.same[h.Target] ||
		c.remade[id{"constraint", h.Target, h.Key}] || c.remade[id{"index", h.Target, h.Key}])
}

// definition is what tells two objects of one name apart.
func (o object) definition() string {
	if state := cmp.Or(o.State, o.Options); state != "" {
		return o.Def + " (" + state + ")"
	}

	return o.Def
}

// alter is how a statement begins that changes the table or domain of a part.
func (o object) alter() string {
	if o.Domain != "" {
		return "ALTER DOMAIN " + quote(o.Table)
	}

	return "ALTER TABLE " + quote(o.Table)
}

// create is the statement that makes a part, with its comment.
func (o object) create() string {
	statement := o.Def + ";"
	switch o.Kind {
	case "constraint":
		statement = o.alter() + " ADD CONSTRAINT " + quote(o.Name) + " " + o.Def + ";"
	case "index":
		statement = strings.Replace(o.Def, " INDEX ON ", " INDEX "+quote(o.Name)+" ON ", 1) + ";"
	case "trigger":
		if o.State != "" {
			statement += "\n" + o.fires()
		}
	}

	return strings.Join(append([]string{statement}, o.withComment()...), "\n")
}

// fires is the statement that lets a trigger fire as it should.
func (o object) fires() string {
	how := map[string]string{
		"": "ENABLE", "disabled": "DISABLE", "enabled for replicas alone": "ENABLE REPLICA", "enabled for replicas, too": "ENABLE ALWAYS",
	}

	return "ALTER TABLE " + quote(o.Table) + " " + how[o.State] + " TRIGGER " + quote(o.Name) + ";"
}

func (o object) drop() string {
	switch o.Kind {
	case "constraint":
		return o.alter() + " DROP CONSTRAINT IF EXISTS " + quote(o.Name) + ";"
	case "index":
		return "DROP INDEX IF EXISTS " + quote(o.Name) + ";"
	case "column":
		return "ALTER TABLE " + quote(o.Table) + " DROP COLUMN " + quote(o.Name) + ";"
	default:
		return "DROP " + strings.ToUpper(o.Kind) + " IF EXISTS " + quote(o.Name) + " ON " + quote(o.Table) + ";"
	}
}

func (c *comparison) replaced(w object) []string {
	return append(c.withoutReferences(w.Table, w.Name), w.drop(), w.create())
}

func (c *comparison) extraPart(h object) {
	switch {
	case c.underWay(h):
	case h.Kind == "column" && h.Def == "": // of a view or a partition: it is there for its comment and its settings
		w := h
		w.Comment, w.Settings = "", nil
		c.compareSettings(w, h)
		c.compareComment(w, h)
	case h.Domain != "":
		c.add(typeIs, h, "", h.definition(), false, h.drop())
	case c.withParent(h):
	case h.Kind == "column" && h.Generated != "":
		c.add(generatedGoes, h, "", h.column(false), false, h.drop())
	case h.Kind == "column":
		for _, o := range c.have.relations {
			if slices.Contains(o.Needs, h.Table+"."+h.Name) && c.foreign(o.Name) {
				c.stays(o, h.Table+"."+h.Name)
			}
		}
		c.addSteps(columnGoes, h, "", h.column(false), []Step{{
			SQL: h.drop(), Lock: accessExclusive, On: []string{h.Table}, Breaks: true, Loses: "the values of the column",
			Counts: "SELECT count(" + quote(h.Name) + ") FROM " + quote(h.Table),
		}})
	case h.Kind == "index":
		steps := together(h.Table, c.withoutReferences(h.Table, h.Name)...)
		drop := c.dropIndex(h.Table, h.Name)
		drop.Breaks = !h.Unique && h.State == "" && !strings.HasPrefix(h.Name, transitional) // a query may need it
		c.addSteps(indexGoes, h, "", h.definition(), append(steps, drop))
	case h.Kind == "constraint" && h.Key == "":
		c.add(constraintGoes, h, "", h.definition(), false, append(c.withoutReferences(h.Table, h.Name), h.drop())...)
	default:
		c.add(linkGoes, h, "", h.definition(), false, h.drop())
		if h.Target != "" && h.Target != h.Table {
			c.last().On = append(c.last().On, h.Target)
		}
	}
}

// byParent returns what a column of a table is once the change is made to that of one that it inherits from: PostgreSQL makes it to both. is says
// that there is such a change.
func (c *comparison) byParent(w, h object, there bool) (column object, is bool) {
	for _, parent := range c.want.relations {
		if !c.inherits(w.Table, parent.Name) {
			continue
		}
		wp, stays := c.want.part("column", parent.Name, w.Name)
		hp, had := c.have.part("column", parent.Name, w.Name)
		newType := wp.Def != hp.Def || wp.Collation != hp.Collation
		switch {
		case !stays, had != there, wp.Def != w.Def || wp.Collation != w.Collation || wp.Generated != w.Generated,
			had && (hp.Def != h.Def || hp.Collation != h.Collation || hp.Generated != h.Generated || wp.Generated != hp.Generated):
		case !there:
			h, is = w, true
			h.NotNull, h.Default, h.Comment = wp.NotNull, wp.Default, ""
		default:
			if newType || wp.Default != hp.Default {
				h.Def, h.Collation, h.Default, is = w.Def, w.Collation, w.Default, true
			}
			if wp.NotNull != hp.NotNull {
				h.NotNull, is = wp.NotNull, true
			}
		}
		if is {
			return h, true
		}
	}

	return h, false
}

// inherits says whether a table has another as its parent, on both sides.
func (c *comparison) inherits(table, parent string) bool {
	name := quoteIfNeeded(parent)

	return c.same[parent] && slices.Contains(c.relations[table].Parents, name) && slices.ContainsFunc(c.want.relations, func(w object) bool {
		return w.Name == table && !w.Partition && slices.Contains(w.Parents, name)
	})
}

// withParent says whether a column or a check is inherited, before and after, and changes in the same way as the parent's. PostgreSQL then
// changes both with one statement.
func (c *comparison) withParent(part object) bool {
	if part.Kind != "column" && part.Type != "c" || strings.HasSuffix(part.Def, " NO INHERIT") {
		return false
	}
	text := func(of *catalogue, table string) string {
		o, _ := of.part(part.Kind, table, part.Name)

		return o.column(false)
	}

	return slices.ContainsFunc(c.want.relations, func(parent object) bool {
		return c.inherits(part.Table, parent.Name) &&
			text(c.want, parent.Name) == text(c.want, part.Table) && text(c.have, parent.Name) == text(c.have, part.Table)
	})
}

func (c *comparison) compareColumn(w, h object, there bool) {
	when := columnIs
	if by, is := c.byParent(w, h, there); is && !c.withParent(w) {
		h, there, when = by, true, heirIs
	}
	sequences := !slices.Equal(w.Sequence, h.Sequence) && (w.Identity != "" && h.Identity != "" || w.Serial != "" && w.Serial == h.Serial)
	switch {
	case w.Def == "": // of a view or a partition: it is there for its comment and its settings
		c.compareComment(w, h)
	case c.withParent(w):
		c.commentWithParent(w, h, there)
	case !there:
		c.addSteps(columnIs, w, w.column(false), "", c.addColumn(w))
	case c.passing(w, h) && !c.look:
		h.Default = ""
		c.compareColumn(w, h, true)
	case w.column(true) != h.column(true) || w.Serial != h.Serial:
		have := h.column(sequences)
		if w.Serial != h.Serial && have == w.column(sequences) {
			have += ", owning no sequence"
		}
		if h.NotNull && !w.NotNull && slices.ContainsFunc(c.have.parts, func(o object) bool {
			return o.Type == "p" && o.Table == h.Table && slices.Contains(o.Keys, quoteIfNeeded(h.Name))
		}) {
			when = partitionIs // once the primary key is another one
		}
		c.addSteps(when, w, w.column(sequences), have, c.changeColumn(w, h))
		if when == partitionIs {
			c.last().Breaks = true // as that does
		}
		c.compareComment(w, h)
	default:
		if c.have.filling(w) {
			c.addSteps(columnIs, w, w.column(false), "still to be filled", c.fillColumn(w, h, c.fillOf(w), false))
		}
		c.compareComment(w, h)
	}
}

// ownSequence returns the statement that makes the sequence of a serial column, and ownedSequence the one that makes it the
// column's own.
func (o object) ownSequence() []string {
	if o.Serial == "" {
		return nil
	}

	return []string{"CREATE SEQUENCE IF NOT EXISTS " + o.Serial + ";"}
}

func (o object) ownedSequence() []string {
	if o.Serial == "" {
		return nil
	}

	return []string{
		"ALTER SEQUENCE " + o.Serial + " " + strings.Join(o.Sequence, " ") + " OWNED BY " + quote(o.Table) + "." + quote(o.Name) + ";",
		"SELECT setval(" + literal(o.Serial) + ", coalesce(max(" + quote(o.Name) + "), 0) + 1, false) FROM " + quote(o.Table) +
			" HAVING max(" + quote(o.Name) + ") >= (SELECT last_value FROM " + o.Serial + ");",
	}
}

// column is what follows a column's name in CREATE TABLE.
func (o object) column(sequence bool) string {
	text := o.Def
	if o.Collation != "" {
		text += " COLLATE " + o.Collation
	}
	if o.NotNull {
		text += " NOT NULL"
	}
	if o.NotValid {
		text += " NOT VALID"
	}
	if o.Default != "" {
		text += " DEFAULT " + o.Default
	}
	if o.Identity != "" {
		text += " GENERATED " + o.Identity + " AS IDENTITY"
	}
	if sequence && len(o.Sequence) > 0 {
		text += " (" + strings.Join(o.Sequence, " ") + ")"
	}
	if o.Generated != "" {
		text += " GENERATED ALWAYS AS (" + o.Generated + ")"
		if o.Virtual {
			text += " VIRTUAL"
		} else {
			text += " STORED"
		}
	}

	return text
}

// retype is the part of ALTER TABLE that gives a column its type. enums says that both types are arrays of enums.
func retype(w, h object, enums bool) string {
	name := quote(w.Name)
	change := " ALTER COLUMN " + name + " TYPE " + w.Def
	if w.Collation != "" {
		change += " COLLATE " + w.Collation
	}
	switch { // where no assignment would do it
	case enums:
		change += " USING " + name + "::text::" + w.Def
	case w.Category != h.Category || w.Category == "A":
		change += " USING " + name + "::" + w.Def
	case w.Def != h.Def && slices.Contains([]string{"C", "E", "R"}, w.Category): // composite types, enums, ranges
		change += " USING " + name + "::text::" + w.Def
	}

	return change
}

func mendColumn(w, h object, enums bool) (statements []string, losesData bool) {
	table, name := "ALTER TABLE "+quote(w.Table), quote(w.Name)
	column := " ALTER COLUMN " + name
	if w.Generated != h.Generated || w.Virtual != h.Virtual {
		if w.Generated != "" || h.Virtual {
			return []string{table + " DROP COLUMN " + name + ", ADD COLUMN " + name + " " + w.column(true) + ";"}, h.Generated == ""
		}
		statements = append(statements, table+column+" DROP EXPRESSION;")
	}
	newType := w.Def != h.Def || w.Collation != h.Collation
	if h.Default != "" && (newType || w.Default == "") {
		statements = append(statements, table+column+" DROP DEFAULT;")
		if h.Serial != "" && h.Serial != w.Serial {
			statements = append(statements, "DROP SEQUENCE "+h.Serial+";")
		}
	}
	if h.Identity != "" && w.Identity == "" {
		statements = append(statements, table+column+" DROP IDENTITY;")
	}
	if newType {
		statements = append(statements, table+retype(w, h, enums)+";")
	}
	switch {
	case w.NotNull && (!h.NotNull || h.NotValid):
		statements = append(statements, table+column+" SET NOT NULL;")
	case !w.NotNull && h.NotNull:
		statements = append(statements, table+column+" DROP NOT NULL;")
	}
	if w.Serial != h.Serial {
		statements = append(statements, w.ownSequence()...)
	}
	if w.Default != "" && (newType || w.Default != h.Default) {
		statements = append(statements, table+column+" SET DEFAULT "+w.Default+";")
	}
	if w.Serial != h.Serial || !slices.Equal(w.Sequence, h.Sequence) {
		statements = append(statements, w.ownedSequence()...)
	}
	switch {
	case w.Identity != "" && h.Identity == "":
		statements = append(statements,
			table+column+" ADD GENERATED "+w.Identity+" AS IDENTITY ("+strings.Join(w.Sequence, " ")+");",
			"SELECT setval(pg_get_serial_sequence("+literal(quote(w.Table))+", "+literal(w.Name)+"), "+
				"coalesce(max("+name+"), 0) + 1, false) FROM "+quote(w.Table)+";")
	case w.Identity != h.Identity && w.Identity != "", w.Identity != "" && !slices.Equal(w.Sequence, h.Sequence):
		statements = append(statements,
			table+column+" SET GENERATED "+w.Identity+" SET "+strings.Join(w.Sequence, " SET ")+";")
	}

	return statements, w.Def != h.Def
}

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
