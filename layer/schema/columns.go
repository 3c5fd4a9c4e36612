package schema

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"musicstore/layer/dbtx"
)

// meta is what the metadata has of a column.
func (p *probe) meta(table, name string) dbtx.Column {
	for _, t := range p.m.Tables {
		if t.Name != table {
			continue
		}
		for _, column := range t.Columns {
			if column.Name == name {
				return column
			}
		}
	}

	return dbtx.Column{}
}

// meanwhile returns the SQL default by which programs of the version before can insert rows while a column with a Go-side
// default is new; "" where it has none.
func meanwhile(column dbtx.Column) string {
	switch {
	case column.By == dbtx.Now:
		return "now()"
	case column.By == dbtx.ID && column.Type == "uuid":
		return "gen_random_uuid()"
	case column.By == dbtx.ID:
		return "replace((gen_random_uuid())::text, '-'::text, ''::text)"
	default:
		return ""
	}
}

// passing says whether a column has the default that a migration gave it for the time being.
func (c *comparison) passing(w, h object) bool {
	return w.Default == "" && h.Default != "" && h.Serial == "" && h.Default == meanwhile(c.meta(w.Table, w.Name))
}

// addColumn returns the steps that add a column to a table that is written to.
func (c *comparison) addColumn(w object) []Step {
	table, name := "ALTER TABLE "+quote(w.Table), quote(w.Name)
	whole := slices.Concat(
		w.ownSequence(), []string{table + " ADD COLUMN " + name + " " + w.column(w.Identity != "") + ";"}, w.ownedSequence(), w.withComment(),
	)
	meta := c.meta(w.Table, w.Name)
	fill := meta.Fill
	bare := w
	bare.NotNull, bare.Default = false, ""
	if c.want.defaultOf(w.Def) != "" {
		bare.Default = "NULL" // the rows that are there, which would get the domain's default, are to be filled
	}
	rewrites := func(column object) bool {
		return c.rewrites("CREATE TABLE %s (musicstore_probe integer)", "ALTER TABLE %s ADD COLUMN "+percent(name+" "+column.column(false)))
	}
	refused := func(column object, steps []Step) []Step {
		if c.look && c.rows(w.Table) && !c.takes(name+" "+column.column(false)) {
			steps = append(steps, Step{Refused: fmt.Sprintf("column %s.%s: its type refuses its default, or NULL, which the rows that are there get first: "+
				"write a DEFAULT that the type takes, and no +fill", w.Table, w.Name)})
		}

		return steps
	}
	switch {
	case w.Identity != "", w.Serial != "", w.Generated != "":
		steps := together(w.Table, whole...)
		steps[0].Rewrites = !w.Virtual

		return steps
	case fill == "" && w.Default != "" && rewrites(w) && !rewrites(bare):
		fill = w.Default
	case fill == "" && (w.Default != "" || !w.NotNull):
		steps := together(w.Table, whole...)
		steps[0].Rewrites = rewrites(w)

		return refused(w, steps)
	case meanwhile(meta) == "" && !c.rows(w.Table):
		steps := together(w.Table, whole...)
		steps[0].Breaks = w.NotNull && bare.Default == "" // it inserts rows without the column

		return steps
	}
	add := table + " ADD COLUMN " + name + " " + bare.column(false)
	if !w.NotNull || fill != meta.Fill { // nothing else says that it is still to be filled, or with its default
		add += ", ADD CONSTRAINT " + quote(fillName(w.Name)) + " CHECK (true) NOT VALID"
	}
	steps := together(w.Table, append([]string{add + ";"}, w.withComment()...)...)
	steps[0].Breaks = false
	steps[0].Rewrites = rewrites(bare)

	return append(refused(bare, steps), c.fillColumn(w, bare, fill, true)...)
}

// defaultOf returns the default of a domain; "" for another type.
func (c *catalogue) defaultOf(typ string) string {
	for _, o := range c.relations {
		if o.Kind == "domain" && quoteIfNeeded(o.Name) == typ {
			return o.Default
		}
	}

	return ""
}

// fillName is the name of the constraint that says of a column that it is being filled. It refuses nothing.
func fillName(column string) string { return cut(transitional+column, 58) + "_fill" }

// filling says whether a column is there that is still to be filled.
func (c *catalogue) filling(column object) bool {
	_, there := c.part("constraint", column.Table, fillName(column.Name))

	return there
}

// fillOf returns what fills a column that is there; "" where nothing says so. A default fills a new column alone.
func (p *probe) fillOf(w object) string {
	fill := p.meta(w.Table, w.Name).Fill
	if fill == "" && p.have.filling(w) {
		fill = w.Default
	}

	return fill
}

// fillColumn returns the steps that give a column that is there, and NULL in some rows, its value in all of them, and its
// default and NOT NULL.
func (c *comparison) fillColumn(w, h object, fill string, isNew bool) []Step {
	var steps []Step
	alter := "ALTER TABLE " + quote(w.Table) + " ALTER COLUMN " + quote(w.Name)
	meta := c.meta(w.Table, w.Name)
	marked := isNew && (!w.NotNull || fill != meta.Fill) || c.have.filling(w)
	passing := ""
	if w.Default == "" {
		passing = meanwhile(meta)
	}
	switch set := w.Default + passing; {
	case set != "" && set != h.Default:
		steps = append(steps, Step{SQL: alter + " SET DEFAULT " + set + ";", Lock: accessExclusive, On: []string{w.Table}})
	case set == "" && strings.HasPrefix(h.Default, "NULL"): // the domain's default is in force again
		steps = append(steps, Step{SQL: alter + " DROP DEFAULT;", Lock: accessExclusive, On: []string{w.Table}})
	}
	if fill == "" {
		fill = passing
	}
	// The rows of programs of the version before get a value.
	given := passing != "" || w.Default != "" || c.want.defaultOf(w.Def) != ""

	// One pass is enough: the rows that others lock or add meanwhile are filled when no more NULLs can be added.
	passes := 1
	if !w.NotNull || given {
		passes = 600
	}
	with := fillSteps(w, meta, fill, passes)
	again := fillSteps(w, meta, fill, math.MaxInt32)
	for i := range again {
		again[i].again = true
	}
	switch {
	case !w.NotNull:
		steps = append(steps, with...)
	case h.NotNull && !h.NotValid: // the mark alone is left
	default:
		if with == nil && (isNew || c.nulls(w)) {
			steps = append(steps, Step{Refused: fmt.Sprintf(
				"column %s.%s is NOT NULL, and nothing says what the rows that are there get: write -- +fill and an expression at it in its schema file",
				w.Table, w.Name)})
		}
		after := c.notNull(w.Table, w.Name)
		switch {
		case strings.HasSuffix(after[0].SQL, " NOT VALID;"):
			after[0].Breaks = !given
			steps = append(append(append(steps, with...), after[0]), again...)
			after = after[1:]
		case strings.Contains(after[0].SQL, " VALIDATE "):
			steps = append(steps, again...)
		}
		steps = append(steps, after...)
	}
	if marked {
		steps = append(steps, Step{
			SQL:  "ALTER TABLE " + quote(w.Table) + " DROP CONSTRAINT " + quote(fillName(w.Name)) + ";",
			Lock: accessExclusive, On: []string{w.Table},
		})
	}
	if passing != "" {
		steps = append(steps, Step{SQL: alter + " DROP DEFAULT;", Lock: accessExclusive, On: []string{w.Table}, Breaks: true})
	}

	return steps
}

// pages is how many pages of a table one transaction fills by SQL. It locks their rows until it ends, and a writer of one of them
// waits so long.
const pages = 16

// percent writes a text for a format of PostgreSQL.
func percent(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// tablesOf is a query for the tables that hold a table's rows: itself, its partitions and those that inherit from it, without partitioned ones.
// It is for a format string whose second argument is the table's name.
const tablesOf = `WITH RECURSIVE tree (relid) AS (
        SELECT %[2]s::regclass::oid UNION SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = relid
    ) SELECT relid FROM tree JOIN pg_class ON oid = relid WHERE relkind = 'r'`

// fillSteps returns the step that fills a column where it is NULL, in so many passes at most over the rows that others have locked;
// none where nothing says with what. It waits for no row, and so never stands in the way of others.
func fillSteps(w object, meta dbtx.Column, fill string, passes int) []Step {
	switch {
	case fill != "":
		return []Step{{
			SQL: fmt.Sprintf(`DO %[1]s
DECLARE
    part regclass;
    pages bigint;
    rest bigint;
BEGIN
    FOR part IN `+tablesOf+` LOOP
        FOR pass IN 1 .. %[7]d LOOP
            pages := pg_relation_size(part) / current_setting('block_size')::bigint;
            FOR page IN 0 .. pages BY %[6]d LOOP
                EXECUTE format(%[3]sUPDATE ONLY %%s SET %[4]s = (%[5]s) WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM ONLY %%1$s
                    WHERE %[4]s IS NULL AND (%[5]s) IS NOT NULL AND ctid >= $1 AND ctid < $2
                    FOR NO KEY UPDATE SKIP LOCKED
                ))%[3]s, part) USING format('(%%s,0)', page)::tid, format('(%%s,0)', page + %[6]d)::tid;
                COMMIT;
            END LOOP;
            EXECUTE format(%[3]sSELECT count(*) FROM ONLY %%s WHERE %[4]s IS NULL AND (%[5]s) IS NOT NULL%[3]s, part) INTO rest;
            EXIT WHEN rest = 0; -- the others are locked
            COMMIT;
            PERFORM pg_sleep(0.1);
        END LOOP;
    END LOOP;
END %[1]s;`, tag("fill", fill), literal(quote(w.Table)), tag("set", fill), percent(quote(w.Name)), percent(fill), pages, passes),
			Lock: rowExclusive, On: []string{w.Table}, Scans: true, Batches: true, Alone: true, values: w.Name,
		}}
	case meta.By == dbtx.Derived:
		return []Step{{
			Lock: rowExclusive, On: []string{w.Table}, Scans: true, Batches: true,
			derive: &derivation{table: w.Table, column: w.Name, function: meta.Func, from: meta.From, passes: passes},
		}}
	default:
		return nil
	}
}

// tag is a dollar quote that is not in a text.
func tag(name, text string) string {
	for strings.Contains(text, "$"+name+"$") {
		name += "_"
	}

	return "$" + name + "$"
}

// changeColumn returns the steps that alter a column of a table that is written to.
func (c *comparison) changeColumn(w, h object) []Step {
	if w.Def == h.Def && w.Collation == h.Collation && w.Generated == h.Generated && w.Virtual == h.Virtual &&
		w.Identity == h.Identity && w.Serial == h.Serial && w.NotNull && (!h.NotNull || h.NotValid) {
		return c.fillColumn(w, h, c.fillOf(w), false)
	}
	notNull := w.NotNull && (!h.NotNull || h.NotValid)
	nullable := w
	if notNull {
		nullable.NotNull, h.NotNull = false, false
	}
	mend, loses := mendColumn(nullable, h, w.Category == "A" && c.isEnum(w.Def) && c.isEnum(h.Def))
	if len(mend) == 1 && strings.Contains(mend[0], " DROP COLUMN ") {
		c.readded[h.id()] = true
	}
	drop, set := c.heirsDefaults(w, h)
	mend = slices.Concat(drop, mend, set)
	steps := together(w.Table, mend...)
	if w.Def != h.Def || w.Collation != h.Collation || w.Generated != h.Generated || w.Virtual != h.Virtual {
		before, after := c.retyped(w, h)
		steps = together(w.Table, slices.Concat(before, mend, after)...)
		if len(steps) > 0 {
			scans, rewrites := c.reads(w.Table, mend)
			if steps[0].Rewrites = rewrites; scans {
				c.scans(&steps[0], append(c.have.heirs(w.Table), w.Table)...)
			}
			switch whole := c.readded[h.id()] && h.Generated == ""; {
			case whole:
				steps[0].Loses = "the values of the column"
			case loses && !keeps(h.Def, w.Def) && (!c.isEnum(w.Def) || !c.isEnum(h.Def)): // a label becomes that label
				steps[0].Loses = "a part of the values, or may"
			}
			if !fitsAll(h.Def, w.Def) && !c.readded[h.id()] {
				var labels []string
				for _, o := range c.want.relations {
					if o.Kind == "enum" && quoteIfNeeded(o.Name) == w.Def {
						labels = o.Labels
					}
				}
				steps[0].Rows, steps[0].values = misfits(w, h, labels, c.modern()), w.Name
			}
			if steps[0].Loses != "" {
				steps[0].Counts = "SELECT count(" + quote(h.Name) + ") FROM " + quote(h.Table)
			}
		}
	}
	if w.Identity != "" && h.Identity == "" && len(steps) > 0 && !slices.ContainsFunc(c.have.parts, func(o object) bool {
		return o.Table == w.Table && len(o.Keys) > 0 && o.Keys[0] == quoteIfNeeded(w.Name) && o.Predicate == "" &&
			(o.Kind == "index" || o.Unique) && o.State == ""
	}) {
		c.scans(&steps[0], w.Table) // for the highest value
	}
	if c.passing(w, h) && len(steps) > 0 {
		steps[0].Breaks = true // programs of the version before insert by this default
	}
	if notNull {
		steps = append(steps, c.fillColumn(w, h, c.fillOf(w), false)...)
	}

	return steps
}

// heirsDefaults returns the statements that go before and after another type or default of a column, so that each table that inherits it has its
// own default then: PostgreSQL gives all of them that of the parent.
func (c *comparison) heirsDefaults(w, h object) (drop, set []string) {
	newType, of := w.Def != h.Def || w.Collation != h.Collation, c.have.family(w.Table)
	if !newType && w.Default == h.Default {
		return nil, nil
	}
	for _, o := range c.have.parts {
		other, stays := c.wantPart(o)
		if o.Kind != "column" || o.Name != w.Name || o.Table == w.Table || !of[o.Table] || !stays || other.Def == "" {
			continue
		}
		alter := "ALTER TABLE ONLY " + quote(o.Table) + " ALTER COLUMN " + quote(o.Name)
		if newType && o.Default != "" && h.Default == "" {
			drop = append(drop, alter+" DROP DEFAULT;")
		}
		switch other.Default {
		case w.Default:
		case "":
			set = append(set, alter+" DROP DEFAULT;")
		default:
			set = append(set, alter+" SET DEFAULT "+other.Default+";")
		}
	}

	return drop, set
}

// isEnum says whether a type is an enum, or an array of one.
func (c *comparison) isEnum(typ string) bool {
	return slices.ContainsFunc(slices.Concat(c.want.relations, c.have.relations), func(o object) bool {
		return o.Kind == "enum" && quoteIfNeeded(o.Name) == strings.TrimRight(typ, "[]")
	})
}

// keeps says whether a change of type keeps what the values say, or fails. The others round or cut without an error.
func keeps(from, to string) bool {
	if of, ok := strings.CutSuffix(from, "[]"); ok && strings.HasSuffix(to, "[]") {
		return keeps(of, strings.TrimSuffix(to, "[]"))
	}
	from, fromMod := typeAndModifier(from)
	to, toMod := typeAndModifier(to)
	whole := []string{"smallint", "integer", "bigint"}
	isText := func(name string) bool {
		return slices.Contains([]string{"text", "character varying", "character", "citext"}, name)
	}
	switch {
	case to == "text", isText(to) && toMod == nil:
		return true
	case isText(from):
		return true // the cast reads the whole text, or fails
	case slices.Contains(whole, from):
		return slices.Contains(whole, to) || to == "numeric" || to == "double precision" && from != "bigint" ||
			to == "real" && from == "smallint"
	case from == "numeric" && to == "numeric":
		return toMod == nil || fromMod != nil && toMod[1] >= fromMod[1]
	case from == "real":
		return to == "double precision"
	case from == "date":
		return strings.HasPrefix(to, "timestamp")
	case strings.HasPrefix(from, "timestamp") && strings.HasPrefix(to, "timestamp"):
		return toMod == nil || fromMod != nil && toMod[0] >= fromMod[0]
	case from == to:
		return toMod == nil || fromMod != nil && toMod[0] >= fromMod[0]
	default:
		return from == "json" && to == "jsonb"
	}
}

// typeAndModifier takes a type apart: numeric(10,2) is numeric and 10, 2.
func typeAndModifier(name string) (base string, modifier []int) {
	base, rest, found := strings.Cut(name, "(")
	if !found {
		return name, nil
	}
	inside, after, _ := strings.Cut(rest, ")")
	modifier = []int{0, 0}
	_, _ = fmt.Sscanf(inside, "%d,%d", &modifier[0], &modifier[1])

	return base + after, modifier
}
