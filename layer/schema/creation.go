package schema

import (
	"slices"
	"strings"

	"musicstore/layer/dbtx"
)

// Which statements make what is missing, and make way for what is altered.

// indexedLater says that an index may need a function that is missing and needs the table itself.
func (c *comparison) indexedLater(w object) bool {
	return slices.ContainsFunc(c.want.relations, func(o object) bool {
		return o.Used && slices.Contains(o.Needs, w.Name) && !c.same[o.Name]
	})
}

// creation returns the statements of the files that make a relation, a type or a function, with what belongs to it. Its
// triggers and the foreign keys of ALTER TABLE are not among them: see addApart.
func (c *comparison) creation(w object) []string {
	var found []string
	if w.Partition && slices.ContainsFunc(c.statements, func(st dbtx.Statement) bool {
		return st.Kind == dbtx.KindTable && st.Name == w.Name && st.Table == ""
	}) {
		return c.attached(w)
	}
	of := map[string]bool{w.Name: true} // it, its sequences and its indexes
	for _, o := range c.want.parts {
		if o.Table == w.Name && o.Serial != "" {
			of[strings.Trim(o.Serial, `"`)] = true
		}
	}
	for _, st := range c.statements {
		switch st.Kind {
		case dbtx.KindTable, dbtx.KindView, dbtx.KindMaterializedView, dbtx.KindSequence, dbtx.KindEnum, dbtx.KindDomain,
			dbtx.KindType:
			if !of[st.Name] || w.isFunction() {
				continue
			}
			if c.changed[w.Name] { // the columns of SELECT * are in the order of the database's own table
				st.SQL = w.view()
			}
		case dbtx.KindFunction, dbtx.KindProcedure, dbtx.KindAggregate:
			if !w.isFunction() || st.Name != w.Signature {
				continue
			}
		case dbtx.KindIndex:
			if st.Table != w.Name || c.indexedLater(w) {
				continue
			}
			of[st.Name] = true
		case dbtx.KindConstraint:
			if st.Table != w.Name || slices.ContainsFunc(c.want.parts, func(o object) bool {
				return o.Key != "" && o.Table == w.Name && o.Name == st.Name
			}) {
				continue
			}
		case dbtx.KindAlteration:
			if !of[st.Table] || strings.Contains(strings.ToUpper(st.SQL), " TRIGGER ") {
				continue
			}
		default:
			continue
		}
		found = append(found, st.SQL+";")
	}
	if found == nil && w.isFunction() {
		found = append(found, w.replace())
	}
	found = append(found, w.withComment()...)
	for _, o := range c.want.parts {
		if o.Table == w.Name && o.Kind != "trigger" {
			found = append(found, o.withComment()...)
		}
	}

	return []string{strings.Join(found, "\n\n")}
}

// attached returns the statements that make a partition which the files make as a table and attach. The parent may have keys
// and indexes by now, which the partition gets with it.
func (c *comparison) attached(w object) []string {
	statement := "CREATE TABLE " + quote(w.Name) + " PARTITION OF " + w.Parents[0] + " " + w.Bound
	if w.Def != "" {
		statement += " PARTITION BY " + w.Def
	}
	statements := append([]string{statement + ";"}, w.withComment()...)
	for _, o := range c.want.parts {
		switch {
		case o.Table != w.Name || o.Kind == "trigger":
		case o.Kind == "column":
			statements = append(statements, o.withComment()...)
		default:
			statements = append(statements, o.create())
		}
	}

	return statements
}

// replace is the statement that makes a function or gives it another body.
func (o object) replace() string {
	return "CREATE OR REPLACE " + strings.ToUpper(o.Kind) + " " + quote(o.Bare) + o.Def + ";"
}

// view is the statement that makes a view as the catalogue has it.
func (o object) view() string {
	options := ""
	if o.Options != "" {
		options = " WITH (" + o.Options + ")"
	}

	return "CREATE " + strings.ToUpper(o.Kind) + " " + quote(o.Name) + options + " " + o.Def
}

// triggers returns the statements that make the triggers of a view again.
func (c *comparison) triggers(w object) []string {
	var statements []string
	for _, o := range c.want.parts {
		if o.Kind == "trigger" && o.Table == w.Name {
			statements = append(statements, o.create())
		}
	}

	return statements
}

// givingWay returns the statements that drop the views, functions and triggers that need something, and those that make
// again which are as they should be. The others come back by their own differences. something is a relation, a function, or a
// column of a table.
func (c *comparison) givingWay(o object) (drop, create []string) {
	gone := []string{o.Name}
	if o.Kind == "column" {
		gone = []string{o.Table + "." + o.Name}
	}
	needs := func(other object) bool {
		return slices.ContainsFunc(other.Needs, func(name string) bool {
			table, _, _ := strings.Cut(name, ".")

			return slices.Contains(gone, name) || slices.Contains(gone, table)
		})
	}
	goes := map[string]bool{}
	for again := true; again; {
		again = false
		for _, h := range c.have.relations {
			if !goes[h.Name] && h.Name != o.Name && (h.isView() || h.isFunction()) && needs(h) {
				goes[h.Name], again = true, true
				gone = append(gone, h.Name)
			}
		}
	}
	dropped := map[id]bool{}
	for _, h := range c.have.parts {
		if h.Kind == "trigger" && !goes[h.Table] && h.Table != o.Name && needs(h) {
			dropped[h.id()] = true
			drop = append(drop, h.drop())
		}
	}
	for _, h := range slices.Backward(c.have.relations) {
		if goes[h.Name] {
			drop = append(drop, h.dropIfExists())
		}
	}
	for _, w := range c.want.relations {
		if goes[w.Name] && c.same[w.Name] && !c.changed[w.Name] {
			create = append(append(create, c.creation(w)...), c.triggers(w)...)
		}
	}
	for _, w := range c.want.parts {
		if dropped[w.id()] && c.same[w.Table] {
			create = append(create, w.create())
		}
	}

	return drop, create
}

func (o object) dropIfExists() string {
	name := quote(o.Name)
	if o.isFunction() {
		name = o.Name
	}

	return "DROP " + o.sqlKind() + " IF EXISTS " + name + ";"
}

// sqlKind is the word for the kind in DROP and COMMENT.
func (o object) sqlKind() string {
	if o.Kind == "enum" {
		return "TYPE"
	}

	return strings.ToUpper(o.Kind)
}
