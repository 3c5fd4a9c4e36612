package schema_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"musicstore/layer/dbtx"
)

// evolution is an old schema and a new one.
type evolution struct {
	r        chooser
	old, new *invented
	kinds    []string
	fresh    []string // the dump of the new schema in an empty database
}

// mutation changes the new schema, or returns false where it finds nothing to change.
type mutation struct {
	name string
	do   func(e *evolution) bool
}

var mutations = []mutation{
	{"column added, NULLable", func(e *evolution) bool {
		c := e.addColumn()
		c.NotNull = false

		return true
	}},
	{"column added, NULLable with fill", func(e *evolution) bool {
		c := e.addColumn()
		c.NotNull, c.Default = false, ""
		c.Fill = e.new.fill(e.r, c.Type)

		return true
	}},
	{"column added, NOT NULL with fill", func(e *evolution) bool {
		c := e.addColumn()
		c.NotNull = true
		c.Fill = e.new.fill(e.r, c.Type)

		return true
	}},
	{"column added, NOT NULL with SQL default", func(e *evolution) bool {
		c := e.addColumn()
		c.NotNull, c.Default = true, e.new.constant(e.r, c.Type)

		return true
	}},
	{"column added, NOT NULL with Go default Now", func(e *evolution) bool {
		c := e.addColumn()
		c.NotNull, c.Type, c.Default, c.Collation, c.By = true, "timestamptz", "", "", dbtx.Now

		return true
	}},
	{"column added, NOT NULL with Go default ID", func(e *evolution) bool {
		c := e.addColumn()
		c.NotNull, c.Type, c.Default, c.Collation, c.By = true, pick(e.r, []string{"uuid", "text"}), "", "", dbtx.ID

		return true
	}},
	{"column added, generated", func(e *evolution) bool {
		c := e.new.newGenerated(e.r, e.oldTable())
		if c != nil {
			c.New = true
		}

		return c != nil
	}},
	{"column dropped", func(e *evolution) bool {
		t, c := e.column(func(_ *worldTable, c *worldColumn) bool { return c.Ref == 0 })
		if c == nil {
			return false
		}
		t.Columns = slices.DeleteFunc(t.Columns, func(o *worldColumn) bool { return o == c })

		return true
	}},
	{"column renamed", func(e *evolution) bool {
		t, c := e.column(nil)

		return c != nil && e.rename(t, c, freshName(e.r, t, e.old.table(t.ID)))
	}},
	{"column renamed, its old name a new column's", func(e *evolution) bool {
		t, c := e.column(nil)
		if c == nil {
			return false
		}
		old := c.Name
		if !e.rename(t, c, freshName(e.r, t, e.old.table(t.ID))) {
			return false
		}
		n := e.new.newColumn(e.r, old)
		n.NotNull, n.New, n.Distinct = false, true, false
		t.Columns = append(t.Columns, n)

		return true
	}},
	{"columns swapped", func(e *evolution) bool {
		t, c := e.column(nil)
		for range 20 {
			_, o := e.column(func(of *worldTable, _ *worldColumn) bool { return of == t })
			if c == nil || o == nil || o == c || c.Was != "" || o.Was != "" || e.retyped(t, c) || e.retyped(t, o) || c.Type == o.Type || c.Collation != o.Collation {
				continue
			}
			c.Was, o.Was = c.Name, o.Name
			c.Name, o.Name = o.Name, c.Name
			c.Fixed, o.Fixed = true, true

			return true
		}

		return false
	}},
	{"table renamed", func(e *evolution) bool {
		t := pick(e.r, e.new.Tables)
		if t.Was != "" || e.old.table(t.ID) == nil {
			return false
		}
		name := pick(e.r, []string{"Renamed", "renamed_again", "moved"})
		if slices.ContainsFunc(e.new.Tables, func(o *worldTable) bool { return o.Name == name }) {
			return false
		}
		t.Was, t.Name = t.Name, name

		return true
	}},
	{"table added", func(e *evolution) bool {
		t := e.new.newTable(e.r)
		t.Name += strconv.Itoa(t.ID)
		for i, p := range t.Partitions {
			p.Name = fmt.Sprintf("%s_%d", t.Name, i)
		}
		for _, p := range t.Parts {
			p.Name = fmt.Sprintf("%s_%d", p.Name, p.ID)
		}
		e.new.Tables = append(e.new.Tables, t)

		return true
	}},
	{"table dropped", func(e *evolution) bool {
		if len(e.new.Tables) < 2 {
			return false
		}
		t := pick(e.r, e.new.Tables)
		if e.old.table(t.ID) == nil {
			return false
		}
		e.new.Tables = slices.DeleteFunc(e.new.Tables, func(o *worldTable) bool { return o == t })

		return true
	}},
	{"type widened", func(e *evolution) bool {
		return e.retype(map[string][]string{
			"varchar(40)": {"varchar(60)", "text"}, "numeric(8,2)": {"numeric(12,2)", "numeric"}, "timestamp(0)": {"timestamp"},
		})
	}},
	{"type rewritten", func(e *evolution) bool {
		return e.retype(map[string][]string{
			"smallint": {"integer", "bigint", "text", "numeric"}, "integer": {"bigint", "text", "numeric", "numeric(12,0)", "double precision"},
			"date": {"timestamp", "text"}, "timestamp": {"timestamptz"}, "json": {"jsonb", "text"}, "boolean": {"text"}, "uuid": {"text"}, "numeric(8,2)": {"numeric(12,4)", "text"},
		})
	}},
	{"type narrowed", func(e *evolution) bool {
		return e.retype(map[string][]string{"bigint": {"integer", "smallint"}, "integer": {"smallint"}, "text": {"varchar(60)"}, "varchar(40)": {"varchar(38)"}})
	}},
	{"text to enum", func(e *evolution) bool {
		if len(e.new.Enums) == 0 {
			return false
		}

		return e.retype(map[string][]string{"text": {fmt.Sprintf("enum:%d", pick(e.r, e.new.Enums).ID)}})
	}},
	{"text to uuid", func(e *evolution) bool { return e.retype(map[string][]string{"text": {"uuid"}}) }},
	{"enum to text", func(e *evolution) bool {
		_, c := e.column(func(_ *worldTable, c *worldColumn) bool {
			return strings.HasPrefix(c.Type, "enum:") && c.Was == "" && c.Generated == 0 && !c.New
		})
		if c == nil {
			return false
		}
		c.Type, c.Default = "text", ""

		return true
	}},
	{"enum to another enum", func(e *evolution) bool {
		_, c := e.column(func(t *worldTable, c *worldColumn) bool {
			return strings.HasPrefix(c.Type, "enum:") && c.Was == "" && !e.retyped(t, c) && !c.New
		})
		if c == nil || len(e.new.userType(c.Type).Labels) < 2 {
			return false
		}
		n := e.new.newEnum(e.r)
		n.Labels = slices.Delete(slices.Clone(e.new.userType(c.Type).Labels), 0, 1)
		if !slices.ContainsFunc(n.Labels, func(label string) bool { return slices.Contains(e.old.userType(c.Type).Labels, label) }) {
			return false
		}
		e.new.Enums = append(e.new.Enums, n)
		c.Type = fmt.Sprintf("enum:%d", n.ID)
		if c.Default != "" {
			c.Default = e.new.constant(e.r, c.Type)
		}

		return true
	}},
	{"key widened with its foreign key", func(e *evolution) bool {
		t := e.oldTable()
		if t.Columns[0].Type == "bigint" {
			return false
		}
		t.Columns[0].Type = "bigint"
		for _, o := range e.new.Tables {
			for _, c := range o.Columns {
				if c.Ref == t.ID && c.Fixed {
					return false
				}
				if c.Ref == t.ID {
					c.Type = "bigint"
				}
			}
		}

		return true
	}},
	{"collation changed", func(e *evolution) bool {
		_, c := e.column(func(_ *worldTable, c *worldColumn) bool { return c.Type == "text" && c.Was == "" && c.Generated == 0 })
		if c == nil {
			return false
		}
		c.Collation = map[string]string{"": "C", "C": "POSIX", "POSIX": ""}[c.Collation]

		return true
	}},
	{"NOT NULL set", func(e *evolution) bool {
		_, c := e.column(func(_ *worldTable, c *worldColumn) bool { return !c.NotNull && c.Generated == 0 && !c.New })
		if c == nil {
			return false
		}
		c.NotNull = true
		if e.r.one(2) && !c.Distinct && c.Ref == 0 && !strings.HasPrefix(c.Type, "domain:") {
			c.Fill = e.new.fill(e.r, c.Type)
		}

		return true
	}},
	{"NOT NULL dropped", func(e *evolution) bool {
		_, c := e.column(func(_ *worldTable, c *worldColumn) bool { return c.NotNull && c.Fill == "" && c.By == "" })
		if c == nil {
			return false
		}
		c.NotNull = false

		return true
	}},
	{"default set or changed", func(e *evolution) bool {
		_, c := e.column(func(_ *worldTable, c *worldColumn) bool {
			return c.Generated == 0 && c.Ref == 0 && c.By == "" && c.Fill == ""
		})
		if c == nil {
			return false
		}
		c.Default = e.new.constant(e.r, c.Type)

		return true
	}},
	{"default dropped", func(e *evolution) bool {
		_, c := e.column(func(_ *worldTable, c *worldColumn) bool { return c.Default != "" && !c.New })
		if c == nil {
			return false
		}
		c.Default = ""

		return true
	}},
	{"identity, serial or neither", func(e *evolution) bool {
		t := e.oldTable()
		c := t.Columns[0]
		before := *c
		c.Identity, c.Serial = "", false
		switch e.r.IntN(4) {
		case 0:
			c.Identity = "BY DEFAULT"
		case 1:
			c.Identity = "ALWAYS"
		case 2:
			c.Serial = true
		}
		if len(t.Partitions) > 0 && (c.Serial || c.Identity != "" && e.new.Server < 17) {
			c.Identity, c.Serial = "", false
		}

		return *c != before
	}},
	{"generated column changed", func(e *evolution) bool {
		_, c := e.column(func(_ *worldTable, c *worldColumn) bool { return c.Generated != 0 && !c.New })
		if c == nil {
			return false
		}
		c.Variant = (c.Variant + 1 + e.r.IntN(5)) % 6

		return true
	}},
	{"generated column becomes an ordinary one", func(e *evolution) bool {
		_, c := e.column(func(_ *worldTable, c *worldColumn) bool { return c.Generated != 0 && !c.New })
		if c == nil {
			return false
		}
		c.Generated = 0

		return true
	}},
	{"constraint added", func(e *evolution) bool {
		return e.new.newPart(e.r, e.oldTable(), pick(e.r, []string{"check", "check", "exclude"})) != nil
	}},
	{"unique added", func(e *evolution) bool { return e.new.newPart(e.r, e.oldTable(), "unique") != nil }},
	{"foreign key added", func(e *evolution) bool { return e.new.newPart(e.r, e.oldTable(), "foreign key") != nil }},
	{"primary key dropped", func(e *evolution) bool {
		t := e.oldTable()
		p := e.new.key(t)
		for _, o := range e.new.Tables {
			if p == nil || slices.ContainsFunc(o.Parts, func(f *worldPart) bool { return f.Target == t.ID }) {
				return false
			}
		}
		t.Parts = slices.DeleteFunc(t.Parts, func(o *worldPart) bool { return o == p })
		for _, o := range e.new.Tables {
			for _, c := range o.Columns {
				if c.Ref == t.ID {
					c.Ref = 0
				}
			}
		}

		return true
	}},
	{"unique changed", func(e *evolution) bool { return e.changePart("unique") }},
	{"check changed", func(e *evolution) bool { return e.changePart("check") }},
	{"foreign key changed", func(e *evolution) bool { return e.changePart("foreign key") }},
	{"EXCLUDE changed", func(e *evolution) bool { return e.changePart("exclude") }},
	{"index changed", func(e *evolution) bool { return e.changePart("index") }},
	{"trigger changed", func(e *evolution) bool { return e.changePart("trigger") }},
	{"index added", func(e *evolution) bool { return e.new.newPart(e.r, e.oldTable(), "index") != nil }},
	{"index added on partitions", func(e *evolution) bool {
		t := e.oldTable()

		return len(t.Partitions) > 0 && e.new.newPart(e.r, t, "index") != nil
	}},
	{"trigger added", func(e *evolution) bool { return e.new.newPart(e.r, e.oldTable(), "trigger") != nil }},
	{"part dropped", func(e *evolution) bool {
		t, p := e.part("")
		if p == nil {
			return false
		}
		t.Parts = slices.DeleteFunc(t.Parts, func(o *worldPart) bool { return o == p })

		return true
	}},
	{"constraint or index renamed", func(e *evolution) bool {
		_, p := e.part("")
		if p == nil || p.Kind == "trigger" {
			return false
		}
		p.Name = fmt.Sprintf("Renamed_%d", p.ID)

		return true
	}},
	{"enum label added", func(e *evolution) bool {
		if len(e.new.Enums) == 0 {
			return false
		}
		t := pick(e.r, e.new.Enums)
		t.Labels = slices.Insert(t.Labels, e.r.IntN(len(t.Labels)+1), fmt.Sprintf("new%d", e.new.id()))

		return true
	}},
	{"enum label removed", func(e *evolution) bool {
		if !e.r.one(3) || len(e.new.Enums) == 0 {
			return false
		}
		t := pick(e.r, e.new.Enums)
		old := find(e.old.Enums, t.ID, func(t *worldType) int { return t.ID })
		if old == nil || !slices.Contains(old.Labels, t.Labels[0]) {
			return false
		}
		gone := fmt.Sprintf("'%s'", t.Labels[0])
		if t.Labels = t.Labels[1:]; len(t.Labels) == 0 {
			return false
		}
		for _, table := range e.new.Tables {
			for _, c := range table.Columns {
				if c.Type != fmt.Sprintf("enum:%d", t.ID) {
					continue
				}
				if c.Default == gone {
					c.Default = e.new.constant(e.r, c.Type)
				}
				if c.Fill == gone {
					c.Fill = e.new.constant(e.r, c.Type)
				}
			}
		}

		return true
	}},
	{"enum added", func(e *evolution) bool {
		e.new.Enums = append(e.new.Enums, e.new.newEnum(e.r))
		t := e.oldTable()
		t.Columns = append(t.Columns, &worldColumn{
			ID: e.new.id(), Name: freshName(e.r, t, e.old.table(t.ID)), Type: fmt.Sprintf("enum:%d", e.new.Enums[len(e.new.Enums)-1].ID), New: true,
		})

		return true
	}},
	{"enum dropped", func(e *evolution) bool {
		if len(e.new.Enums) == 0 {
			return false
		}
		t := pick(e.r, e.new.Enums)
		e.new.Enums = slices.DeleteFunc(e.new.Enums, func(o *worldType) bool { return o == t })

		return true
	}},
	{"domain changed", func(e *evolution) bool {
		if len(e.new.Domains) == 0 {
			return false
		}
		d := pick(e.r, e.new.Domains)
		switch e.r.IntN(3) {
		case 0:
			d.Check = (d.Check + 1) % 3
		case 1:
			d.Default = !d.Default
		case 2:
			d.NotNull = !d.NotNull
		}

		return true
	}},
	{"domain added", func(e *evolution) bool {
		e.new.Domains = append(e.new.Domains, e.new.newDomain(e.r))

		return true
	}},
	{"domain dropped", func(e *evolution) bool {
		if len(e.new.Domains) == 0 {
			return false
		}
		e.new.Domains = e.new.Domains[1:]

		return true
	}},
	{"view added", func(e *evolution) bool { e.new.newView(e.r); return true }},
	{"view changed", func(e *evolution) bool {
		if len(e.new.Views) == 0 {
			return false
		}
		v := pick(e.r, e.new.Views)
		v.Variant += 1 + e.r.IntN(5)

		return v.Over == 0
	}},
	{"view dropped", func(e *evolution) bool {
		if len(e.new.Views) == 0 {
			return false
		}
		v := pick(e.r, e.new.Views)
		e.new.Views = slices.DeleteFunc(e.new.Views, func(o *worldView) bool { return o == v })

		return true
	}},
	{"function changed", func(e *evolution) bool {
		f := pick(e.r, e.new.Functions)
		f.Body = (f.Body + 1 + e.r.IntN(8)) % 9

		return true
	}},
	{"function's result changed", func(e *evolution) bool {
		f := pick(e.r, e.new.Functions)
		if f.Trigger {
			return false
		}
		f.Result = map[string]string{"integer": "bigint", "bigint": "integer"}[f.Result]

		return true
	}},
	{"column renamed, with another type", func(e *evolution) bool {
		t, c := e.column(func(_ *worldTable, c *worldColumn) bool {
			return c.Type == "varchar(40)" || c.Type == "integer" || c.Type == "smallint" && c.Ref == 0
		})
		if c == nil || c.Generated != 0 || e.retyped(t, c) || !e.rename(t, c, freshName(e.r, t, e.old.table(t.ID))) {
			return false
		}
		c.Type = map[string]string{"varchar(40)": "text", "integer": "bigint", "smallint": "integer"}[c.Type]
		if c.Default != "" {
			c.Default = e.new.constant(e.r, c.Type)
		}

		return true
	}},
	{"function added", func(e *evolution) bool {
		e.new.Functions = append(e.new.Functions, e.new.newFunction(e.r, e.r.one(2)))

		return true
	}},
	{"function dropped", func(e *evolution) bool {
		if len(e.new.Functions) < 2 {
			return false
		}
		f := pick(e.r, e.new.Functions)
		e.new.Functions = slices.DeleteFunc(e.new.Functions, func(o *worldFunction) bool { return o == f })

		return true
	}},
	{"partition added", func(e *evolution) bool {
		t := e.oldTable()
		if len(t.Partitions) == 0 {
			return false
		}
		t.Partitions = append(t.Partitions, &worldPartition{Name: fmt.Sprintf("added_%d", e.new.id()), Values: []string{fmt.Sprintf("z%d", e.new.id())}})

		return true
	}},
	{"partition dropped", func(e *evolution) bool {
		t := e.oldTable()
		if len(t.Partitions) < 2 || len(t.Partitions[len(t.Partitions)-1].Values) == 0 {
			return false
		}
		t.Partitions = slices.Delete(t.Partitions, 0, 1)

		return true
	}},
	{"comment changed", func(e *evolution) bool {
		t := e.oldTable()
		_, p := e.part("")
		_, c := e.column(nil)
		all := []*string{&t.Comment, &pick(e.r, e.new.Functions).Comment}
		if p != nil {
			all = append(all, &p.Comment, &p.Comment)
		}
		if c != nil {
			all = append(all, &c.Comment, &c.Comment)
		}
		if len(e.new.Views) > 0 {
			all = append(all, &pick(e.r, e.new.Views).Comment)
		}
		if len(e.new.Enums) > 0 {
			all = append(all, &pick(e.r, e.new.Enums).Comment)
		}
		comment := pick(e.r, all)
		if *comment != "" && e.r.one(2) {
			*comment = ""
		} else {
			*comment += "it's said"
		}

		return true
	}},
	{"storage changed", func(e *evolution) bool {
		t := e.oldTable()
		switch _, c := e.column(nil); {
		case c != nil && e.r.one(2):
			c.Statistics = 100 - c.Statistics
		case len(t.Partitions) == 0:
			t.Fillfactor, t.Full = 70-t.Fillfactor, !t.Full
		default:
			return false
		}

		return true
	}},
	{"columns in another order", func(e *evolution) bool {
		t := e.oldTable()
		if len(t.Partitions) > 0 || len(t.Columns) < 3 {
			return false
		}
		t.Columns[1], t.Columns[len(t.Columns)-1] = t.Columns[len(t.Columns)-1], t.Columns[1]

		return true
	}},
}

// fill is an expression for the rows that are there.
func (w *invented) fill(r chooser, name string) string {
	fill := w.constant(r, name)
	for strings.Contains(fill, "(") || strings.Contains(fill, "CURRENT") { // that gives the same again
		fill = w.constant(r, name)
	}

	return fill + "::" + w.sqlType(name)
}

// oldTable is a table that both schemas have.
func (e *evolution) oldTable() *worldTable {
	for {
		if t := pick(e.r, e.new.Tables); e.old.table(t.ID) != nil {
			return t
		}
	}
}

// column is one of those that both schemas have, and that a mutation may change.
func (e *evolution) column(may func(*worldTable, *worldColumn) bool) (*worldTable, *worldColumn) {
	for range 30 {
		t := e.oldTable()
		c := pick(e.r, t.Columns)
		if c != t.Columns[0] && !c.Fixed && e.old.table(t.ID).column(c.ID) != nil && (may == nil || may(t, c)) {
			return t, c
		}
	}

	return nil, nil
}

func (e *evolution) part(kind string) (*worldTable, *worldPart) {
	for range 30 {
		t := e.oldTable()
		if len(t.Parts) == 0 {
			continue
		}
		p := pick(e.r, t.Parts)
		if p.Kind != "primary key" && (kind == "" || p.Kind == kind) && e.old.table(t.ID).part(p.ID) != nil {
			return t, p
		}
	}

	return nil, nil
}

func (e *evolution) changePart(kind string) bool {
	_, p := e.part(kind)
	if p == nil {
		return false
	}
	p.Variant = (p.Variant + 1 + e.r.IntN(35)) % 36

	return true
}

func (e *evolution) addColumn() *worldColumn {
	t := e.oldTable()
	c := e.new.newColumn(e.r, freshName(e.r, t, e.old.table(t.ID)))
	for strings.HasPrefix(c.Type, "domain:") {
		c = e.new.newColumn(e.r, c.Name)
	}
	c.New, c.Distinct = true, false
	t.Columns = append(t.Columns, c)

	return c
}

func (e *evolution) rename(t *worldTable, c *worldColumn, name string) bool {
	if c.Was != "" || e.old.table(t.ID).column(c.ID) == nil {
		return false
	}
	c.Was, c.Name = c.Name, name

	return true
}

func (e *evolution) retyped(t *worldTable, c *worldColumn) bool {
	old := e.old.table(t.ID).column(c.ID)

	return old != nil && (old.Type != c.Type || old.Collation != c.Collation || old.Generated != c.Generated)
}

// retype gives a column another type.
func (e *evolution) retype(types map[string][]string) bool {
	_, c := e.column(func(t *worldTable, c *worldColumn) bool {
		return types[c.Type] != nil && c.Generated == 0 && !c.New && !e.retyped(t, c) && c.Ref == 0 && c.Fill == ""
	})
	if c == nil {
		return false
	}
	to := pick(e.r, types[c.Type])
	if c.Distinct && strings.HasPrefix(to, "enum:") {
		return false
	}
	c.Type = to
	if c.Default != "" {
		c.Default = e.new.constant(e.r, to)
	}
	if e.new.family(to) != "text" {
		c.Collation = ""
	}

	return true
}

// refused says that it can't be done, and is to be refused: an enum that stays loses a label.
func (e *evolution) refused() bool {
	return slices.ContainsFunc(e.new.Enums, func(t *worldType) bool {
		old := find(e.old.Enums, t.ID, func(t *worldType) int { return t.ID })

		return old != nil && slices.ContainsFunc(old.Labels, func(label string) bool { return !slices.Contains(t.Labels, label) })
	})
}

// ambiguous says that a new column has the name of one that is dropped: nobody could tell it from a change of type.
func (e *evolution) ambiguous() bool {
	return slices.ContainsFunc(e.new.Tables, func(t *worldTable) bool {
		old := e.old.table(t.ID)

		return old != nil && slices.ContainsFunc(t.Columns, func(c *worldColumn) bool {
			was := find(old.Columns, c.Name, func(c *worldColumn) string { return c.Name })

			return was != nil && old.column(c.ID) == nil && t.column(was.ID) == nil
		})
	})
}

// newEvolution is an evolution of so many mutations of an old schema, the first of that kind where it can be.
func newEvolution(r chooser, server int, kind string, many int) *evolution {
	e := &evolution{r: r, old: newInvented(r, server)}
	e.new = e.old.copy()
	first := slices.IndexFunc(mutations, func(m mutation) bool { return m.name == kind })
	for n := range many {
		for try := range 1000 {
			m := pick(r, mutations)
			if n == 0 && try < 50 {
				m = mutations[first]
			}
			if !slices.ContainsFunc(e.new.Tables, func(t *worldTable) bool { return e.old.table(t.ID) != nil }) {
				return e
			}
			before := e.new.copy()
			if m.do(e) {
				if e.new.tidy(); !e.ambiguous() {
					e.kinds = append(e.kinds, m.name)

					break
				}
			}
			e.new = before
		}
	}

	return e
}
