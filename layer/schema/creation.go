package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"musicstore/layer/dbtx"
)

// Which statements make what is missing, and make way for what is altered.

// indexedLater says that an index may need a function that is missing and needs the table itself.
func (c *comparison) indexedLater(w object) bool {
	return slices.ContainsFunc(c.want.relations, func(o object) bool {
		return o.Used && slices.Contains(o.Needs, w.Name) && !c.same[o.Name]
	})
}

// madeApart says whether a part of a table that is missing is made by itself: see addApart.
func (c *comparison) madeApart(o, w object) bool {
	return o.Kind == "trigger" || o.Kind == "index" && c.indexedLater(w) ||
		o.Key != "" && slices.ContainsFunc(c.statements, func(st dbtx.Statement) bool {
			return st.Kind == dbtx.KindConstraint && st.Table == w.Name && st.Name == o.Name
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
		if o.Table == w.Name && !c.madeApart(o, w) {
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
	for _, step := range c.store(w, object{}) {
		statements = append(statements, step.SQL)
	}
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
	options := cmp.Or(o.Options, printed(without(o.Settings, clusterOn)))
	if options != "" {
		options = " WITH (" + options + ")"
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
// again which are as they should be. The others come back by their own differences. something is a relation, a function, or
// columns of a table.
func (c *comparison) givingWay(things ...object) (drop, create []string) {
	var gone []string
	o := things[0]
	for _, thing := range things {
		if thing.Kind == "column" {
			gone = append(gone, thing.Table+"."+thing.Name)
		} else {
			gone = append(gone, thing.Name)
		}
	}
	needs := func(other object) bool {
		return slices.ContainsFunc(other.Needs, func(name string) bool {
			table, _, _ := strings.Cut(name, ".")

			return slices.Contains(gone, name) || slices.Contains(gone, table)
		})
	}
	atTheEnd := c.goes(o) > objectComes && !slices.ContainsFunc(c.want.relations, func(w object) bool { return w.Name == o.Name })
	givesWay := map[string]bool{}
	for again := true; again; {
		again = false
		for _, h := range c.have.relations {
			if atTheEnd && c.changed[h.Name] { // it has changed by then, and no longer needs it
				continue
			}
			if !givesWay[h.Name] && h.Name != o.Name && (h.isView() || h.isFunction()) && needs(h) {
				givesWay[h.Name], again = true, true
				gone = append(gone, h.Name)
			}
		}
	}
	dropped := map[id]bool{}
	var others []string // what somebody else has comes back as it is
	for _, h := range c.have.parts {
		if h.Kind == "trigger" && !givesWay[h.Table] && h.Table != o.Name && needs(h) {
			dropped[h.id()] = true
			drop = append(drop, h.drop())
			if c.foreign(h.Table) {
				others = append(others, h.create())
			}
		}
	}
	for _, h := range slices.Backward(c.have.relations) {
		if givesWay[h.Name] {
			drop = append(drop, h.dropIfExists())
		}
	}
	later := map[string]bool{} // what comes by a difference of its own, and what needs that
	for _, w := range c.want.relations {
		if _, there := c.relations[w.Name]; !there && !atTheEnd {
			later[w.Name] = true
		}
	}
	waits := func(w object) bool {
		return slices.ContainsFunc(w.Needs, func(name string) bool {
			table, _, _ := strings.Cut(name, ".")

			return later[name] || later[table]
		})
	}
	for _, w := range c.want.relations {
		switch {
		case !givesWay[w.Name]:
		case !c.same[w.Name] || c.changed[w.Name] || waits(w):
			later[w.Name] = true
			drop = append(c.keepRights(c.relations[w.Name]), drop...)
		default:
			c.madeAgain[w.Name] = c.madeAgain[w.Name] || o.Kind == "column" || !c.foreign(o.Name)
			create = append(append(append(create, c.creation(w)...), c.triggers(w)...), c.relations[w.Name].Grants...)
		}
	}
	for _, w := range c.want.parts {
		if dropped[w.id()] && c.same[w.Table] && !waits(w) {
			create = append(create, w.create())
		}
	}
	for _, h := range c.have.relations {
		if !givesWay[h.Name] || !c.foreign(h.Name) {
			continue
		}
		for _, name := range h.Needs {
			if table, _, _ := strings.Cut(name, "."); later[name] || later[table] {
				c.stays(h, name)
				later[h.Name] = true
			}
		}
		create = append(create, c.again(h)...)
	}

	return drop, append(create, others...)
}

// foreign says whether something is not in the files, and is to stay. A partition is its parent's.
func (c *comparison) foreign(name string) bool {
	if parent := c.relations[name].Parent; parent != "" {
		return c.foreign(parent)
	}

	return c.keep && !slices.ContainsFunc(c.want.relations, func(w object) bool { return w.Name == name })
}

// again returns the statements that make a view or a function as the database has it, with what belongs to it.
func (c *comparison) again(h object) []string {
	if h.isFunction() {
		return append([]string{h.replace()}, h.withComment()...)
	}
	statements := append([]string{h.view() + ";"}, h.withComment()...)
	for _, o := range c.have.parts {
		switch {
		case o.Table != h.Name:
		case o.Kind == "column":
			statements = append(statements, o.withComment()...)
		default:
			statements = append(statements, o.create())
		}
	}

	return append(statements, h.Grants...)
}

// stays refuses a change that something of somebody else's does not survive.
func (c *comparison) stays(h object, of string) {
	c.addSteps(extensionIs, h, "kept", h.describe(), []Step{{Breaks: true, Refused: fmt.Sprintf(
		"%s, which the files do not have, needs %s, which changes: drop it, or write it into the files", h.Kind+" "+nameOf(h.Table, h.Name), of)}})
}

// functionAgain returns the steps that drop a function, and make it with another result unless w is empty. The constraints and indexes that
// need it go and come back with it.
func (c *comparison) functionAgain(w, h object) []Step {
	if of := c.bears(h); of != "" {
		return []Step{{Refused: "function " + h.Name + " can't go, or get another result, since " + of +
			" needs it: drop that by hand, or give the new function another name"}}
	}
	before, after := c.givingWay(h)
	var made []string
	if w.Name != "" {
		made = c.creation(w)
	}
	gone := map[string]bool{h.Name: true} // and the views that are dropped with it
	var on, reads, parts []string
	for _, o := range c.have.relations {
		if slices.Contains(before, o.dropIfExists()) {
			gone[o.Name] = true
			if o.Kind == "materialized view" {
				on, reads = append(on, o.Name), append(reads, o.tables()...)
			}
		}
	}
	var again []Step
	for _, o := range c.have.parts {
		if gone[o.Table] || c.withParent(o) {
			continue // it comes back with its view, or that of its parent
		}
		needs := slices.ContainsFunc(o.Needs, func(name string) bool { return gone[name] })
		stays, ok := c.wantPart(o)
		if w.Name == "" && (!ok || stays.definition() != o.definition() || stays.column(false) != o.column(false)) {
			continue // it is another one by then, or gone
		}
		switch {
		case o.Kind == "column" && needs:
			return []Step{{Refused: "function " + h.Name + " can't go, or get another result, since column " + o.Table + "." + o.Name +
				" needs it: give the new function another name"}}
		case (o.Kind == "constraint" || o.Kind == "index") && needs:
			parts = append(parts, o.drop())
			if c.foreign(o.Table) {
				stays, ok = o, true
			}
			if ok && stays.definition() == o.definition() {
				again = append(again, c.make(stays, object{}, false)...)
			}
		}
	}

	if w.Name == "" {
		drop, create, rest := c.boundTo(h, before)
		if len(rest) > 0 && rest[0].Refused != "" {
			return rest
		}
		parts, after, again = append(parts, drop...), append(after, create...), append(again, rest...)
	}

	before = append(parts, before...)
	for _, o := range c.have.parts {
		if o.Domain == "" && !gone[o.Table] && !slices.Contains(on, o.Table) && slices.Contains(before, o.drop()) {
			on = append(on, o.Table)
		}
	}
	steps := together("", slices.Concat(before, c.dropped(h), made, after)...)
	if steps[0].On = on; reads != nil {
		c.scans(&steps[0], reads...)
	}

	return append(steps, again...)
}

// bears is what needs a function, and is neither compared nor goes: a policy, what a table is partitioned by, and others. "" if nothing does.
func (c *comparison) bears(h object) (what string) {
	var tables, descriptions []string
	c.inside(func(tx pgx.Tx) error {
		return tx.QueryRow(c.ctx, `
SELECT coalesce(array_agg(coalesce(relname, '')), '{}'), coalesce(array_agg(pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)), '{}')
FROM pg_catalog.pg_depend AS d
LEFT JOIN pg_catalog.pg_policy AS p ON d.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = d.objid
LEFT JOIN pg_catalog.pg_statistic_ext AS s ON d.classid = 'pg_catalog.pg_statistic_ext'::regclass AND s.oid = d.objid
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = coalesce(polrelid, stxrelid, CASE d.classid WHEN 'pg_catalog.pg_class'::regclass THEN d.objid END)
WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = to_regprocedure($1) AND d.deptype IN ('n', 'a') AND (relkind = 'p' OR d.classid NOT IN (
    'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_trigger'::regclass,
    'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_attrdef'::regclass, 'pg_catalog.pg_type'::regclass
))`, pgx.QueryExecModeExec, h.Name).Scan(&tables, &descriptions)
	})
	for i, table := range tables {
		for _, o := range c.have.relations {
			if o.former() == table { // it has its old name there
				table = o.Name
			}
		}
		if table == "" || c.same[table] || c.foreign(table) {
			return descriptions[i]
		}
	}

	return ""
}

// boundTo returns the statements that drop and make what the plan has made by then with a function that goes: while that is there, a call takes it,
// and not the one of the files that has its name and other arguments. rest are the steps that come behind. before are the statements that drop
// what has the function now.
func (c *comparison) boundTo(h object, before []string) (drop, create []string, rest []Step) {
	call := quoteIfNeeded(h.Bare) + "("
	bound := func(o object) bool { // what has one of the files needs that
		return slices.ContainsFunc(append(o.expressions(), o.Def), func(text string) bool {
			return substituted(text, h.Bare, h.Bare+"_") != text && strings.Contains(text, call)
		}) &&
			!slices.ContainsFunc(o.Needs, func(name string) bool { return strings.HasPrefix(name, call) })
	}
	views := map[string]bool{}
	for _, w := range c.want.relations {
		if (w.isView() || w.Parsed) && (bound(w) || slices.ContainsFunc(w.tables(), func(name string) bool { return views[name] })) &&
			!slices.Contains(before, w.dropIfExists()) {
			views[w.Name] = true
			drop = append([]string{w.dropIfExists()}, drop...)
			create = slices.Concat(create, c.creation(w), c.relations[w.Name].rights(w.Name, w.Columns), c.triggers(w))
		}
	}
	for _, w := range c.want.parts {
		o, there := c.have.part(w.Kind, w.Table, w.Name)
		switch {
		case views[w.Table], c.withParent(w), !bound(w), there && o.definition() == w.definition() && o.column(false) == w.column(false):
		case w.Kind == "column":
			return nil, nil, []Step{{Refused: "function " + h.Name + " can't go, since column " + w.Table + "." + w.Name +
				" would need it: give the new function another name"}}
		default:
			drop, rest = append([]string{w.drop()}, drop...), append(rest, c.make(w, object{}, false)...)
		}
	}

	return drop, create, rest
}

// retyped returns the statements that make way for another type of a column, and those that make again what must come back with
// it: its default and the parts that stay as they are, PostgreSQL brings along itself. What is another for the new type goes before,
// and comes back by its own difference. A column that is generated from it goes and comes back at once.
func (c *comparison) retyped(w, h object) (drop, create []string) {
	alter := "ALTER TABLE " + quote(h.Table) + " "
	columns, of := []object{h}, c.have.family(h.Table)
	mentions := func(text string) bool { return substituted(text, h.Name, h.Name+"_") != text }
	var generated, again []string
	for _, o := range c.have.parts {
		if o.Table != h.Table && o.Kind == "column" && of[o.Table] && o.Name == h.Name {
			columns = append(columns, o)
		}
		if !of[o.Table] || o.Kind == "trigger" || o.Table != h.Table && o.Generated != "" {
			continue
		}
		other, stays := c.wantPart(o)
		differs := !stays || other.definition() != o.definition()
		if !stays { // under another name it does
			differs = !slices.ContainsFunc(c.want.parts, func(w object) bool {
				return w.Kind == o.Kind && w.Table == o.Table && w.definition() == o.definition()
			})
		}
		switch {
		case o.Generated != "" && o.Name != h.Name && mentions(o.Generated):
			if !stays {
				continue // it has gone
			}
			if other.Generated == "" {
				generated = append(generated, alter+"ALTER COLUMN "+quote(o.Name)+" DROP EXPRESSION;")

				continue
			}
			columns = append(columns, o)
			c.readded[o.id()] = true
			generated = append(generated, o.drop())
			again = append(again, alter+"ADD COLUMN "+quote(o.Name)+" "+other.column(true)+";")
			again = append(again, other.withComment()...)
		case (o.Type == "c" || o.Type == "x" || o.Kind == "index") && differs && mentions(o.Def),
			o.Type == "f" && w.Category != h.Category && slices.Contains(o.Keys, quoteIfNeeded(h.Name)):
			drop, c.gone[o.id()] = append(drop, o.drop()), o.Type == "f"
		}
	}
	for _, o := range c.have.parts {
		if o.Type == "f" && o.Target == h.Table && w.Category != h.Category && slices.Contains(o.TargetKeys, quoteIfNeeded(h.Name)) {
			drop, c.gone[o.id()] = append(drop, o.drop()), true
			if c.foreign(o.Table) {
				c.stays(o, h.Table+"."+h.Name)
			}
		}
	}
	before, after := c.givingWay(columns...)

	return slices.Concat(before, drop, generated), slices.Concat(again, after)
}

// wantPart is what the files have of a part.
func (c *comparison) wantPart(h object) (object, bool) {
	for _, w := range c.want.parts {
		if w.id() == h.id() {
			return w, true
		}
	}

	return object{}, false
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
