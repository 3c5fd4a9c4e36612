package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"musicstore/layer/dbtx"
)

// renames returns the tables and columns that still have their old names. It gives the catalogue of the database the new names.
func renames(m *dbtx.Metadata, want, have *catalogue) (found []Difference) {
	if want == nil {
		return nil
	}
	add := func(kind, table, name, was string, statements ...string) {
		of := table
		if kind == "table" {
			of = name
		}
		sql := strings.Join(append(statements, renameOwned(of, want, have)...), "\n")
		found = append(found, Difference{
			Kind: kind, Table: table, Name: name, Want: "named " + name, Have: "named " + was, Mend: sql,
			Steps: []Step{{SQL: sql, Lock: accessExclusive, On: []string{table}, Breaks: true}},
		})
		if kind == "column" {
			found[len(found)-1].Steps[0].On = append([]string{table}, have.heirs(table)...)
		}
	}
	named := func(objects []object, kind, table, name string) bool {
		return slices.ContainsFunc(objects, func(o object) bool {
			return o.Kind == kind && (kind == "table" || o.Table == table) && o.Name == name
		})
	}
	for more := true; more; { // the old name of one may be the new name of another
		more = false
		for _, t := range m.Tables {
			if t.Was != "" && !named(have.relations, "table", "", t.Name) && named(have.relations, "table", "", t.Was) {
				kind := have.kindOf(t.Name)
				have.renameTable(t.Was, t.Name)
				add("table", t.Was, t.Name, t.Was, "ALTER TABLE "+quote(t.Was)+" RENAME TO "+quote(t.Name)+";")
				if more = true; kind != "" {
					found[len(found)-1].Steps = []Step{{Refused: fmt.Sprintf("table %s can't be renamed to %s, which is the name of something else (%s): "+
						"drop or rename that by hand", t.Was, t.Name, kind)}}
				}
			}
		}
	}
	itself := func(kind, table, name string) {
		of := kind + " " + name
		if kind == "column" {
			of = kind + " " + table + "." + name
		}
		found = append(found, Difference{
			Kind: kind, Table: table, Name: name, Want: "named " + name, Have: "named " + name,
			Steps: []Step{{Refused: "the mark +was of " + of + " has the name of the " + kind + " itself: take the mark away"}},
		})
	}
	for _, t := range m.Tables {
		if t.Was != "" && t.Was == t.Name {
			itself("table", t.Name, t.Name)
		} else if circle(m, t) {
			found = append(found, Difference{
				Kind: "table", Table: t.Name, Name: t.Name, Want: "named " + t.Name, Have: "named " + t.Was + ", or not",
				Steps: []Step{{Refused: fmt.Sprintf("tables %s and %s change names with each other: rename them by hand, and take the marks +was away",
					t.Name, t.Was)}},
			})
		}
		alter := "ALTER TABLE " + quote(t.Name) + " RENAME COLUMN "
		var moved []dbtx.Column // columns that have an old name which is another's name now
		for _, column := range t.Columns {
			switch {
			case column.Was != "" && column.Was == column.Name:
				itself("column", t.Name, column.Name)
			case column.Was == "" || !named(have.parts, "column", t.Name, column.Was):
			case named(have.parts, "column", t.Name, column.Name) || named(want.parts, "column", t.Name, column.Was):
				moved = append(moved, column)
			default:
				have.renameColumn(t.Name, column.Was, column.Name)
				add("column", t.Name, column.Name, column.Was, alter+quote(column.Was)+" TO "+quote(column.Name)+";")
			}
		}
		switch turn, unknown := turned(t.Name, moved, want, have); {
		case unknown:
			found = append(found, Difference{
				Kind: "column", Table: t.Name, Name: moved[0].Name, Want: "named " + moved[0].Name, Have: "named " + moved[0].Was + ", or not",
				Steps: []Step{{Refused: fmt.Sprintf("columns of %s change names with each other, and their types do not tell "+
					"whether that was done: rename them by hand, and take the marks +was away", t.Name)}},
			})
		case turn:
			var away, back []string
			for _, column := range moved {
				away = append(away, alter+quote(column.Was)+" TO "+quote(aside(column.Name))+";")
				back = append(back, alter+quote(aside(column.Name))+" TO "+quote(column.Name)+";")
				have.renameColumn(t.Name, column.Was, aside(column.Name))
			}
			for _, column := range moved {
				have.renameColumn(t.Name, aside(column.Name), column.Name)
			}
			add("column", t.Name, moved[0].Name, moved[0].Was, slices.Concat(away, back)...)
		}
	}

	return found
}

// circle says whether the old name of a table is another's new one, and so on back to the table.
func circle(m *dbtx.Metadata, t *dbtx.Table) bool {
	was := t.Was
	for range m.Tables {
		if was == t.Name {
			return true
		}
		i := slices.IndexFunc(m.Tables, func(other *dbtx.Table) bool { return other.Name == was })
		if i < 0 {
			return false
		}
		was = m.Tables[i].Was
	}

	return false
}

// kindOf returns the kind of the object that has a name already, so that no table can get it. It returns "" if the name is free.
func (c *catalogue) kindOf(name string) string {
	for _, o := range slices.Concat(c.relations, c.parts) {
		if o.Name == name && (o.Table == "" || o.Kind == "index" || o.Unique) {
			return o.Kind
		}
	}

	return ""
}

// renameOwned returns the statements that give the sequences of a table's columns the names that they have in the files: PostgreSQL makes
// these names of the table's and the column's, and does not change them with those.
func renameOwned(table string, want, have *catalogue) (statements []string) {
	for _, w := range want.parts {
		for i := range have.parts {
			h := &have.parts[i]
			if h.Table != table || h.id() != w.id() {
				continue
			}
			if h.Owns == "" || w.Owns == "" || h.Owns == w.Owns ||
				slices.ContainsFunc(have.parts, func(o object) bool { return o.Owns == w.Owns }) {
				continue
			}
			statements = append(statements, "ALTER SEQUENCE "+quote(h.Owns)+" RENAME TO "+quote(w.Owns)+";")
			h.Owns = w.Owns
			if h.Serial != "" {
				h.Serial = quoteIfNeeded(w.Owns)
			}
			if w.Serial != "" && h.Serial != "" {
				h.Default = w.Default
			}
		}
	}

	return statements
}

// turned says whether columns that swap names still have their old ones. If a new name does not exist, they do. Otherwise their types
// decide. If the types fit both the old and the new names, or neither, that is unknown.
func turned(table string, columns []dbtx.Column, want, have *catalogue) (turn, unknown bool) {
	typeOf := func(c *catalogue, name string) string {
		for _, o := range c.parts {
			if o.Kind == "column" && o.Table == table && o.Name == name {
				return o.Def
			}
		}

		return ""
	}
	done, fits, circle := true, true, len(columns) > 0
	for _, column := range columns {
		if typeOf(have, column.Name) == "" {
			return true, false
		}
		w := typeOf(want, column.Name)
		fits = fits && w == typeOf(have, column.Was)
		done = done && w == typeOf(have, column.Name)
		circle = circle && slices.ContainsFunc(columns, func(other dbtx.Column) bool { return other.Name == column.Was })
	}

	return circle && fits && !done, circle && fits == done
}

func (c *catalogue) renameTable(old, name string) {
	for _, objects := range [][]object{c.relations, c.parts} {
		for i := range objects {
			o := &objects[i]
			o.substituteTable(old, name)
			if o.Kind == "table" && o.Name == old {
				o.Name, o.Was = name, o.former()
			}
			if o.Table == old {
				o.Table = name
			}
			if o.Target == old {
				o.Target = name
			}
			if o.Parent == old {
				o.Parent = name
			}
			if attached, there := o.Attached[old]; there {
				delete(o.Attached, old)
				o.Attached[name] = attached
			}
			for n, need := range o.Needs {
				if table, column, of := strings.Cut(need, "."); table == old && of {
					o.Needs[n] = name + "." + column
				} else if table == old {
					o.Needs[n] = name
				}
			}
		}
	}
}

// family returns a table, its partitions and what inherits from it.
func (c *catalogue) family(table string) map[string]bool {
	of := map[string]bool{table: true}
	for more := true; more; {
		more = false
		for i := range c.relations {
			o := &c.relations[i]
			if !of[o.Name] && slices.ContainsFunc(c.relations, func(parent object) bool {
				return of[parent.Name] && slices.Contains(o.Parents, quoteIfNeeded(parent.Name))
			}) {
				of[o.Name], more = true, true
			}
		}
	}

	return of
}

// heirs are the tables that inherit from one, at any depth, without its partitions.
func (c *catalogue) heirs(table string) (names []string) {
	of := c.family(table)
	for _, o := range c.relations {
		if of[o.Name] && o.Name != table && !o.Partition {
			names = append(names, o.Name)
		}
	}

	return names
}

// renameColumn gives a column another name in a table, its partitions and the tables that inherit from it.
func (c *catalogue) renameColumn(table, old, name string) {
	of := c.family(table)
	for i := range c.relations {
		if o := &c.relations[i]; of[o.Name] {
			o.Def = substituted(o.Def, old, name) // what it is partitioned by
		}
	}
	for _, objects := range [][]object{c.relations, c.parts} {
		for i := range objects {
			for n, need := range objects[i].Needs {
				if table, column, is := strings.Cut(need, "."); is && of[table] && column == old {
					objects[i].Needs[n] = table + "." + name
				}
			}
		}
	}
	for i := range c.parts {
		o := &c.parts[i]
		switch {
		case of[o.Table] && o.Kind == "column" && o.Name == old:
			o.Name, o.Was = name, o.former()
		case o.Target != "":
			o.substituteKeys(old, name, of[o.Table], of[o.Target])
		case of[o.Table]:
			o.substitute(old, name)
		}
	}
}

// former is the name that something has in the database.
func (o object) former() string { return cmp.Or(o.Was, o.Name) }

// substituteTable puts another name in the place of a table's in the texts of an object that can have it. A column may have the same name.
func (o *object) substituteTable(old, name string) {
	for i := range o.Parents {
		o.Parents[i] = substituted(o.Parents[i], old, name)
	}
	switch {
	case o.Target == old:
		if from, to, found := strings.Cut(o.Def, " REFERENCES "+quoteIfNeeded(old)+"("); found {
			o.Def = from + " REFERENCES " + quoteIfNeeded(name) + "(" + to
		}
	case o.Target == "" && slices.ContainsFunc(o.Needs, func(need string) bool {
		table, _, _ := strings.Cut(need, ".")

		return table == old
	}):
		o.substitute(old, name)
	case o.Table == old && (o.Kind == "index" || o.Kind == "trigger" || o.Kind == "rule"):
		o.Def = substituted(o.Def, old, name)
	}
}

// substituteKeys puts another name in the place of a column's in a foreign key: among the columns that refer, those that are referred to,
// or both.
func (o *object) substituteKeys(old, name string, refers, referred bool) {
	from, to, _ := strings.Cut(o.Def, " REFERENCES ")
	keys := "(" + strings.Join(o.TargetKeys, ", ") + ")"
	table, action, found := strings.Cut(to, keys)
	if !found { // of a PERIOD
		o.substitute(old, name)

		return
	}
	if refers {
		from, action = substituted(from, old, name), substituted(action, old, name)
		for i := range o.Keys {
			o.Keys[i] = substituted(o.Keys[i], old, name)
		}
	}
	if referred {
		keys = substituted(keys, old, name)
		for i := range o.TargetKeys {
			o.TargetKeys[i] = substituted(o.TargetKeys[i], old, name)
		}
	}
	o.Def = from + " REFERENCES " + table + keys + action
}

// substitute puts another name in the place of one in the texts of an object.
func (o *object) substitute(old, name string) {
	for _, text := range []*string{&o.Def, &o.Generated, &o.Predicate} {
		*text = substituted(*text, old, name)
	}
	for _, texts := range [][]string{o.Expressions, o.Keys, o.TargetKeys, o.Parents} {
		for i := range texts {
			texts[i] = substituted(texts[i], old, name)
		}
	}
}

// substituted puts a name in the place of another in SQL as PostgreSQL or quote prints it. Other quoted text stays.
func substituted(text, old, name string) string {
	bare, quoted, name := quoteIfNeeded(old), quote(old), quoteIfNeeded(name)
	part := func(b byte) bool {
		return b == '_' || b == '$' || b >= 0x80 || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], quoted):
			b.WriteString(name)
			i += len(quoted)
		case strings.HasPrefix(text[i:], bare) && (i == 0 || !part(text[i-1])) && (i+len(bare) == len(text) || !part(text[i+len(bare)])):
			b.WriteString(name)
			i += len(bare)
		case text[i] == '\'' || text[i] == '"':
			end := i + 1
			for end < len(text) && text[end] != text[i] {
				end++
			}
			end = min(end+1, len(text))
			b.WriteString(text[i:end])
			i = end
		default:
			b.WriteByte(text[i])
			i++
		}
	}

	return b.String()
}
