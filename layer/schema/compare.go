package schema

import (
	"cmp"
	"slices"
	"strings"

	"musicstore/layer/dbtx"
)

// The order in which differences are listed, and so can be mended: what is in the way goes first, a key comes before
// what refers to it, and a column goes when nothing needs it any more.
const (
	tableIs = iota
	linkGoes
	constraintGoes
	indexGoes
	relationGoes
	generatedGoes
	columnIs
	sequenceGoes
	constraintIs
	tableComes
	foreignKeyIs
	indexIs
	columnGoes
)

// id is how an object is known on both sides.
type id struct{ kind, table, name string }

func (o object) id() id { return id{o.Kind, o.Table, o.Name} }

// comparison is a comparison under way.
type comparison struct {
	have      *catalogue
	relations map[string]object // what the database has, by name
	same      map[string]bool   // the tables that both sides have
	wanted    map[id]bool
	unwanted  map[id]object // what the database has of these tables that has no match yet
	remade    map[id]bool   // keys of the database that do not stay as they are
	found     []step
}

type step struct {
	Difference

	when int
}

func compare(want, have *catalogue, statements []dbtx.Statement) []Difference {
	c := &comparison{
		have: have, relations: map[string]object{}, same: map[string]bool{},
		wanted: map[id]bool{}, unwanted: map[id]object{}, remade: map[id]bool{},
	}
	for _, o := range have.relations {
		c.relations[o.Name] = o
	}
	c.compareRelations(want, statements)
	for _, o := range have.parts {
		if c.same[o.Table] {
			c.unwanted[o.id()] = o
		}
	}
	for _, o := range want.parts {
		c.wanted[o.id()] = true
	}
	// Foreign keys last: whether they stay depends on the keys they refer to.
	for _, o := range want.parts {
		if c.same[o.Table] && o.Key == "" {
			c.comparePart(o)
		}
	}
	for _, o := range have.parts {
		if _, extra := c.unwanted[o.id()]; extra && o.Key == "" {
			c.remade[o.id()] = true
		}
	}
	for _, o := range want.parts {
		if c.same[o.Table] && o.Key != "" {
			c.comparePart(o)
		}
	}
	for _, o := range have.parts {
		if _, extra := c.unwanted[o.id()]; extra {
			c.extraPart(o)
		}
	}
	slices.SortStableFunc(c.found, func(a, b step) int { return cmp.Compare(a.when, b.when) })
	differences := make([]Difference, len(c.found))
	for i, s := range c.found {
		differences[i] = s.Difference
	}

	return differences
}

func (c *comparison) add(when int, o object, want, have string, losesData bool, mend ...string) {
	c.found = append(c.found, step{Difference{
		Kind: o.Kind, Table: o.Table, Name: o.Name, Want: want, Have: have,
		Mend: strings.Join(mend, "\n"), LosesData: losesData,
	}, when})
}

func (c *comparison) compareRelations(want *catalogue, statements []dbtx.Statement) {
	sql := map[string]string{} // what makes each table, with its indexes
	for _, st := range statements {
		if st.Table == "" {
			sql[st.Name] = st.SQL + ";"
		} else {
			sql[st.Table] += "\n\n" + st.SQL + ";"
		}
	}
	wanted := map[string]bool{}
	for _, w := range want.relations {
		wanted[w.Name] = true
		h, there := c.relations[w.Name]
		switch {
		case !there:
			c.add(tableComes, w, w.describe(), "", false, sql[w.Name])
		case h.Kind != w.Kind || h.Def != w.Def:
			c.add(tableComes, w, w.describe(), h.describe(), h.Kind == "table" || h.Kind == "sequence",
				c.dropped(h, sql[w.Name])...)
		default:
			c.same[w.Name] = true
			if h.describe() != w.describe() {
				c.add(tableIs, w, w.describe(), h.describe(), false, mendTable(h)...)
			}
		}
	}
	for _, h := range slices.Backward(c.have.relations) { // what was made later may need what was made before
		switch {
		case wanted[h.Name], h.Partition: // which goes with its parent
		case h.Kind == "sequence": // a default may need it
			c.add(sequenceGoes, h, "", h.describe(), true, c.dropped(h)...)
		default:
			c.add(relationGoes, h, "", h.describe(), h.Kind == "table", c.dropped(h)...)
		}
	}
}

// dropped returns the statements that drop a relation, and then more.
func (c *comparison) dropped(o object, more ...string) []string {
	var statements []string
	if o.Kind == "table" {
		statements = c.withoutReferences(o.Name, "")
	}

	return append(append(statements, "DROP "+strings.ToUpper(o.Kind)+" "+quote(o.Name)+";"), more...)
}

// withoutReferences returns the statements that drop the foreign keys to a table, or to one of its keys. Those that
// the schema files have are differences of their own, and come back.
func (c *comparison) withoutReferences(table, key string) []string {
	var statements []string
	for _, o := range c.have.parts {
		if o.Key != "" && o.Target == table && (o.Key == key || key == "" && o.Table != table) {
			statements = append(statements,
				"ALTER TABLE IF EXISTS "+quote(o.Table)+" DROP CONSTRAINT IF EXISTS "+quote(o.Name)+";")
		}
	}

	return statements
}

func (o object) describe() string {
	if o.Kind != "table" {
		return o.Kind
	}
	text := "table"
	if o.Def != "" {
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
	if len(o.Parents) > 0 {
		text += ", inherits from " + strings.Join(o.Parents, ", ")
	}
	if len(o.Children) > 0 {
		text += ", inherited by " + strings.Join(o.Children, ", ")
	}

	return text
}

func mendTable(have object) []string {
	alter := "ALTER TABLE " + quote(have.Name)
	var statements []string
	for _, parent := range have.Parents {
		if have.Partition {
			statements = append(statements, "ALTER TABLE "+parent+" DETACH PARTITION "+quote(have.Name)+";")
		} else {
			statements = append(statements, alter+" NO INHERIT "+parent+";")
		}
	}
	for _, child := range have.Children {
		statements = append(statements, "ALTER TABLE "+child+" NO INHERIT "+quote(have.Name)+";")
	}
	if have.Unlogged {
		statements = append(statements, alter+" SET LOGGED;")
	}
	if have.RowSecurity {
		statements = append(statements, alter+" DISABLE ROW LEVEL SECURITY;")
	}
	if have.ForcedRowSecurity {
		statements = append(statements, alter+" NO FORCE ROW LEVEL SECURITY;")
	}

	return statements
}

func (c *comparison) comparePart(w object) {
	h, there := c.unwanted[w.id()]
	delete(c.unwanted, w.id())
	if w.Kind == "column" {
		c.compareColumn(w, h, there)

		return
	}
	when := indexIs
	switch {
	case w.Key != "":
		when = foreignKeyIs
	case w.Kind == "constraint":
		when = constraintIs
	}
	old, renamed := c.underAnotherName(w)
	switch {
	case there && h.definition() == w.definition() && !c.keyGoes(h):
	case there && h.definition() == w.definition():
		c.add(when, w, w.Def+" by "+w.Key, h.Def+" by "+h.Key, false, c.replaced(w)...)
	case there && h.Kind == "constraint" && h.Def == w.Def+" NOT VALID" && h.State == w.State:
		c.add(when, w, w.Def, h.Def, false, "ALTER TABLE "+quote(w.Table)+" VALIDATE CONSTRAINT "+quote(w.Name)+";")
	case there:
		c.remade[h.id()] = true
		c.add(when, w, w.definition(), h.definition(), false, c.replaced(w)...)
	case renamed:
		delete(c.unwanted, old.id())
		mend := "ALTER INDEX " + quote(old.Name) + " RENAME TO " + quote(w.Name) + ";"
		if w.Kind == "constraint" {
			mend = "ALTER TABLE " + quote(w.Table) + " RENAME CONSTRAINT " + quote(old.Name) + " TO " + quote(w.Name) + ";"
		}
		c.add(when, w, w.Def, "named "+old.Name, false, mend)
	default:
		c.add(when, w, w.Def, "", false, w.create())
	}
}

// underAnotherName finds a constraint or index that only the name sets apart.
func (c *comparison) underAnotherName(w object) (object, bool) {
	for _, h := range c.have.parts {
		_, free := c.unwanted[h.id()]
		if free && h.Kind == w.Kind && h.Table == w.Table && h.definition() == w.definition() && !c.wanted[h.id()] &&
			(h.Kind == "constraint" || h.Kind == "index") && !c.keyGoes(h) {
			return h, true
		}
	}

	return object{}, false
}

// keyGoes says whether a foreign key has to be made again, because what it refers to is.
func (c *comparison) keyGoes(h object) bool {
	return h.Key != "" && (!c.same[h.Target] ||
		c.remade[id{"constraint", h.Target, h.Key}] || c.remade[id{"index", h.Target, h.Key}])
}

// definition is what tells two objects of one name apart.
func (o object) definition() string {
	if o.State != "" {
		return o.Def + " (" + o.State + ")"
	}

	return o.Def
}

func (o object) create() string {
	switch o.Kind {
	case "constraint":
		return "ALTER TABLE " + quote(o.Table) + " ADD CONSTRAINT " + quote(o.Name) + " " + o.Def + ";"
	case "index":
		return strings.Replace(o.Def, " INDEX ON ", " INDEX "+quote(o.Name)+" ON ", 1) + ";"
	default:
		return o.Def + ";"
	}
}

func (o object) drop() string {
	switch o.Kind {
	case "constraint":
		return "ALTER TABLE " + quote(o.Table) + " DROP CONSTRAINT IF EXISTS " + quote(o.Name) + ";"
	case "index":
		return "DROP INDEX IF EXISTS " + quote(o.Name) + ";"
	case "column":
		return "ALTER TABLE " + quote(o.Table) + " DROP COLUMN " + quote(o.Name) + ";"
	default:
		return "DROP " + strings.ToUpper(o.Kind) + " " + quote(o.Name) + " ON " + quote(o.Table) + ";"
	}
}

func (c *comparison) replaced(w object) []string {
	return append(c.withoutReferences(w.Table, w.Name), w.drop(), w.create())
}

func (c *comparison) extraPart(h object) {
	switch {
	case h.Kind == "column" && h.Generated != "":
		c.add(generatedGoes, h, "", h.column(false), false, h.drop())
	case h.Kind == "column":
		c.add(columnGoes, h, "", h.column(false), true, h.drop())
	case h.Kind == "index":
		c.add(indexGoes, h, "", h.definition(), false, append(c.withoutReferences(h.Table, h.Name), h.drop())...)
	case h.Kind == "constraint" && h.Key == "":
		c.add(constraintGoes, h, "", h.definition(), false, append(c.withoutReferences(h.Table, h.Name), h.drop())...)
	default:
		c.add(linkGoes, h, "", h.definition(), false, h.drop())
	}
}

func (c *comparison) compareColumn(w, h object, there bool) {
	sequences := !slices.Equal(w.Sequence, h.Sequence) && w.Identity != "" && h.Identity != ""
	switch {
	case !there:
		c.add(columnIs, w, w.column(false), "", false,
			"ALTER TABLE "+quote(w.Table)+" ADD COLUMN "+quote(w.Name)+" "+w.column(true)+";")
	case w.column(true) != h.column(true):
		mend, losesData := mendColumn(w, h)
		c.add(columnIs, w, w.column(sequences), h.column(sequences), losesData, mend...)
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

func mendColumn(w, h object) (statements []string, losesData bool) {
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
		if h.Serial != "" {
			statements = append(statements, "DROP SEQUENCE "+h.Serial+";")
		}
	}
	if h.Identity != "" && w.Identity == "" {
		statements = append(statements, table+column+" DROP IDENTITY;")
	}
	if newType {
		change := table + column + " TYPE " + w.Def
		if w.Collation != "" {
			change += " COLLATE " + w.Collation
		}
		if w.Category != h.Category { // no assignment would do it
			change += " USING " + name + "::" + w.Def
		}
		statements = append(statements, change+";")
	}
	switch {
	case w.NotNull && (!h.NotNull || h.NotValid):
		statements = append(statements, table+column+" SET NOT NULL;")
	case !w.NotNull && h.NotNull:
		statements = append(statements, table+column+" DROP NOT NULL;")
	}
	if w.Default != "" && (newType || w.Default != h.Default) {
		statements = append(statements, table+column+" SET DEFAULT "+w.Default+";")
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
