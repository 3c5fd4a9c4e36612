package schema

import (
	"fmt"
	"slices"
	"strings"

	"musicstore/layer/dbtx"
)

// Step is one step of a plan: a statement, or one that is repeated until it changes no row.
type Step struct {
	SQL string `json:"sql"`
	// Lock is the strongest lock that the statement takes on a table that is there, as PostgreSQL calls it; "" when none.
	// https://www.postgresql.org/docs/current/explicit-locking.html
	Lock string   `json:"lock"`
	On   []string `json:"on"` // the tables that it locks

	Scans    bool `json:"scans"`    // it reads every row of a table
	Rewrites bool `json:"rewrites"` // it writes every row of a table anew, under Lock
	Batches  bool `json:"batches"`  // it changes some rows at a time, and is repeated until it changes none

	// Rows is a query that returns the rows that make the step fail; "" when no row can.
	Rows string `json:"rows"`
	// Loses says what is lost: "the rows of papers", "the values of the column". "" when nothing is.
	Loses string `json:"loses"`
	// Counts is a query that returns how many rows or values are lost, or may be; "" where no query can tell.
	Counts string `json:"counts"`
	// Lost is what Counts returned when the plan was made; -1 where that is not known.
	Lost int64 `json:"lost"`
	// Breaks means that the step may break a program of the old version, or make it slow.
	Breaks bool `json:"breaks"`
	// Alone means that it can't run in a transaction.
	Alone bool `json:"alone"`

	// Refused says why there is no such step, and what to write; "" otherwise.
	Refused string `json:"refused"`

	values string // the column that it gives values, or another type
	derive *derivation
	large  bool // what it scans has many rows
	dear   bool // Rows compares every row with every other
	again  bool // the column is filled a second time, while its check is there
}

// derivation is a column that a Go function fills.
type derivation struct {
	table, column, function string
	from                    []string
	passes                  int
}

// transitional is the prefix of the temporary objects of a migration.
const transitional = "musicstore_"

const (
	accessExclusive      = "ACCESS EXCLUSIVE"
	shareRowExclusive    = "SHARE ROW EXCLUSIVE"
	share                = "SHARE"
	shareUpdateExclusive = "SHARE UPDATE EXCLUSIVE"
	rowExclusive         = "ROW EXCLUSIVE"
)

// together returns the step of statements that run in one transaction; none if there is no statement.
func together(table string, statements ...string) []Step {
	if len(statements) == 0 {
		return nil
	}
	step := Step{SQL: strings.Join(statements, "\n")}
	for _, sql := range statements {
		step.Breaks = step.Breaks || breaks(sql)
		if lock := lockOf(sql); slices.Index(locks, lock) > slices.Index(locks, step.Lock) {
			step.Lock = lock
		}
	}
	if step.Lock != "" && table != "" {
		step.On = []string{table}
	}

	return []Step{step}
}

// locks are those that steps take, from the weakest to the strongest.
var locks = []string{"", rowExclusive, shareUpdateExclusive, share, shareRowExclusive, accessExclusive}

// lockOf returns the lock that a statement takes on a table that is there.
func lockOf(sql string) string {
	words := strings.Fields(sql)
	is := func(begin string) bool { return strings.HasPrefix(strings.Join(words, " "), begin) }
	switch {
	case is("CREATE INDEX"), is("CREATE UNIQUE INDEX"), is("REINDEX"):
		return share
	case is("CREATE TRIGGER"), is("CREATE CONSTRAINT TRIGGER"):
		return shareRowExclusive
	case is("COMMENT"), is("ALTER INDEX"):
		return shareUpdateExclusive
	case is("ALTER TABLE"), is("DROP TABLE"), is("DROP VIEW"), is("DROP MATERIALIZED VIEW"), is("DROP SEQUENCE"), is("DROP INDEX"),
		is("DROP TRIGGER"), is("DROP RULE"), is("CREATE OR REPLACE VIEW"):
		return accessExclusive
	case is("ALTER SEQUENCE"):
		return shareRowExclusive
	default:
		return ""
	}
}

// breaks says whether a statement of ours may break a program of the old version: something that it uses is gone, has another type, or
// refuses what the program writes.
func breaks(sql string) bool {
	begin, _, _ := strings.Cut(sql, "\n")
	if strings.HasPrefix(begin, "DROP ") {
		return !strings.HasPrefix(begin, "DROP INDEX ")
	}

	what, alters := strings.CutPrefix(begin, "ALTER ") // TYPE is what ALTER TYPE begins with, too

	return alters && !strings.HasPrefix(what, "INDEX ") && slices.ContainsFunc([]string{
		" DROP COLUMN ", " DROP ATTRIBUTE ", " TYPE ", " SET NOT NULL", " DROP DEFAULT", " DROP IDENTITY", " ADD GENERATED ",
		" SET GENERATED ", " DROP EXPRESSION", " ADD CONSTRAINT ", " DETACH PARTITION ", " RENAME ",
	}, func(words string) bool { return strings.Contains(what, words) })
}

// createIndex are the steps that build an index of a table while it is written to. h is what has its name now.
func (c *comparison) createIndex(w object, h object, there bool) []Step {
	table := c.relations[w.Table]
	if table.Def != "" {
		var steps []Step
		if there && h.Def != w.Def { // the names of its parts are wanted
			steps, h = append(steps, c.dropIndex(w.Table, w.Name)), object{}
		}

		return append(steps, c.createPartitionedIndex(w, w, h)...)
	}
	name := w.Name
	var steps []Step
	if there && h.State == "" { // another index of that name serves until the new one is there
		name = aside(w.Name)
		if other, built := c.have.part("index", w.Table, name); built {
			if other.State == "" && other.Def == w.Def {
				return c.swapIndex(w, name)
			}
			steps = append(steps, c.dropIndex(w.Table, name))
		}
	} else if there {
		steps = append(steps, c.dropIndex(w.Table, w.Name))
	}
	steps = append(steps, Step{
		SQL:  strings.Replace(w.Def, " INDEX ON ", " INDEX CONCURRENTLY "+quote(name)+" ON ", 1) + ";",
		Lock: shareUpdateExclusive, On: []string{w.Table}, Scans: true, Alone: true, Rows: w.duplicates(), Breaks: w.Unique,
	})
	if name != w.Name {
		steps = append(steps, c.swapIndex(w, name)...)
	}

	return append(steps, together(w.Table, w.withComment()...)...)
}

// swapIndex gives an index the name of the one that it comes in place of.
func (c *comparison) swapIndex(w object, name string) []Step {
	return []Step{
		c.dropIndex(w.Table, w.Name),
		{SQL: "ALTER INDEX " + quote(name) + " RENAME TO " + quote(w.Name) + ";", Lock: shareUpdateExclusive, On: []string{w.Table}},
	}
}

func (c *comparison) dropIndex(table, name string) Step {
	if c.relations[table].Def != "" { // of a partitioned table: with those of its partitions, and not CONCURRENTLY
		return Step{SQL: "DROP INDEX IF EXISTS " + quote(name) + ";", Lock: accessExclusive, On: []string{table}}
	}

	return Step{
		SQL: "DROP INDEX CONCURRENTLY IF EXISTS " + quote(name) + ";", Lock: shareUpdateExclusive, On: []string{table}, Alone: true,
	}
}

// aside is the name of something while the thing of that name is still there.
func aside(name string) string { return cut(transitional+name, dbtx.LongestName) }

// cut shortens a name to so many bytes.
func cut(name string, most int) string {
	if len(name) <= most {
		return name
	}

	return strings.ToValidUTF8(name[:most], "")
}

// duplicates is a query for the rows that have a key more than once; "" where an index is not unique.
func (o object) duplicates() string {
	if !o.Unique || len(o.Keys) == 0 {
		return ""
	}
	keys := strings.Join(o.Keys, ", ")
	where := ""
	if !o.NullsEqual {
		where = " WHERE (" + strings.Join(o.Keys, ") IS NOT NULL AND (") + ") IS NOT NULL"
	}
	if o.Predicate != "" {
		if where == "" {
			where = " WHERE " + o.Predicate
		} else {
			where += " AND (" + o.Predicate + ")"
		}
	}

	return "SELECT " + keys + ", count(*) FROM " + quote(o.Table) + where + " GROUP BY " + keys + " HAVING count(*) > 1"
}

// createPartitionedIndex builds the index of each partition by itself, and attaches it to that of the parent. whole is the index of
// the whole table, and h what has the name.
func (c *comparison) createPartitionedIndex(w, whole, h object) []Step {
	var steps []Step
	if h.Name == "" {
		steps = append(steps, Step{
			SQL:  strings.Replace(w.Def, " INDEX ON ", " INDEX "+quote(w.Name)+" ON ONLY ", 1) + ";",
			Lock: share, On: []string{w.Table},
		})
	}
	partitions := slices.Clone(c.have.relations)
	for _, p := range c.want.relations { // those that the same plan makes
		if _, there := c.relations[p.Name]; !there {
			partitions = append(partitions, p)
		}
	}
	for _, p := range partitions {
		if !p.Partition || p.Parent != w.Table || h.Attached[p.Name] != "" {
			continue
		}
		child := w
		child.Name, child.Table, child.Comment = c.ofPartition(whole, p.Name), p.Name, ""
		child.Def = strings.Replace(w.Def, " ON "+quoteIfNeeded(w.Table)+" ", " ON "+quote(p.Name)+" ", 1)
		child.Def = strings.Replace(child.Def, " ON "+quote(w.Table)+" ", " ON "+quote(p.Name)+" ", 1)
		other, there := c.have.part("index", p.Name, child.Name)
		switch {
		case p.Def != "":
			steps = append(steps, c.createPartitionedIndex(child, whole, other)...)
		case !there || other.State != "":
			steps = append(steps, c.createIndex(child, other, there)...)
		}
		steps = append(steps, Step{
			SQL:  "ALTER INDEX " + quote(w.Name) + " ATTACH PARTITION " + quote(child.Name) + ";",
			Lock: shareUpdateExclusive, On: []string{w.Table, p.Name},
		})
	}

	return append(steps, together(w.Table, w.withComment()...)...)
}

// ofPartition is the name of a partition's part of an index: the one that PostgreSQL chooses, where the files have the partition and the
// name is free.
func (c *comparison) ofPartition(index object, partition string) string {
	name := index.Attached[partition]
	if name != "" && !slices.ContainsFunc(c.have.parts, func(o object) bool {
		return o.Name != index.Name && o.Attached[partition] == name
	}) {
		return name
	}

	return cut(cut(partition, 40)+"_"+index.Name, dbtx.LongestName)
}

// underWay says whether something that the files do not have is a temporary object of a migration that was not finished.
func (c *comparison) underWay(h object) bool {
	if !strings.HasPrefix(h.Name, transitional) && h.Kind != "index" {
		return false
	}
	for _, w := range c.want.parts {
		switch {
		case h.Kind == "constraint" && w.Kind == "column" && w.Table == h.Table && h.Name == fillName(w.Name):
			return true // see compareColumn
		case h.Kind == "constraint" && w.Kind == "column" && w.Table == h.Table && w.NotNull && h.Name == notNullName(w.Name):
			column, there := c.have.part("column", w.Table, w.Name)

			return there && !column.NotNull
		case h.Kind == "index" && w.Kind == "index" && (h.Name == aside(w.Name) && h.Table == w.Table ||
			h.Name == c.ofPartition(w, h.Table) && c.isPartOf(h.Table, w.Table)),
			h.Kind == "index" && w.Kind == "constraint" && w.Unique && h.Table == w.Table && (h.Name == aside(w.Name) || h.Name == w.Name):
			have, there := c.have.part(w.Kind, w.Table, w.Name)

			return !there || have.definition() != w.definition()
		}
	}

	return false
}

// isPartOf says whether a table is a partition of another, at any depth.
func (c *comparison) isPartOf(table, whole string) bool {
	for table != "" && table != whole {
		table = c.relations[table].Parent
	}

	return table == whole
}

// notNullName is the name of the check that proves that a column is not NULL.
func notNullName(column string) string { return cut(transitional+column+"_not_null", dbtx.LongestName) }

// addConstraint are the steps that add a constraint to a table that is there and written to. there says whether one has that name.
func (c *comparison) addConstraint(w object, there bool) []Step {
	alter := w.alter()
	drop := ""
	if there {
		drop = "DROP CONSTRAINT IF EXISTS " + quote(w.Name) + ", " // a key that it referred to may have taken it along
	}
	partitioned := c.relations[w.Table].Def != ""
	switch {
	case w.Domain != "":
		statements := []string{w.create()}
		if there {
			statements = []string{w.drop(), w.create()}
		}
		steps := c.ofDomain(w.Table, statements...)
		if len(w.Expressions) == 1 {
			steps[0].Rows = c.misfitsOf(w.Table, func(value string) string {
				return fmt.Sprintf("NOT (SELECT %s FROM (SELECT %s::%s) AS of (value))", w.Expressions[0], value, w.Domain)
			})
		}

		return steps
	case w.Type == "c", w.Type == "f" && !partitioned && (c.relations[w.Target].Def == "" || !c.look || c.large([]string{w.Table})):
		// PostgreSQL before 18 leaves the parts of a foreign key to a partitioned table NOT VALID. So a small table is read at once.
		lock := accessExclusive
		on := []string{w.Table}
		if w.Type == "f" {
			on = append(on, w.Target)
			if !there {
				lock = shareRowExclusive
			}
		}
		return slices.Concat([]Step{
			{SQL: alter + " " + drop + "ADD CONSTRAINT " + quote(w.Name) + " " + w.Def + " NOT VALID;", Lock: lock, On: on, Breaks: true},
		}, c.validate(w), together(w.Table, w.withComment()...))
	case (w.Type == "u" || w.Type == "p") && !partitioned && !strings.Contains(w.Def, "WITHOUT OVERLAPS"):
		return c.addKey(w, there)
	}
	statements := []string{alter + " ADD CONSTRAINT " + quote(w.Name) + " " + w.Def + ";"}
	if there { // by a statement of its own, since ALTER DOMAIN does one thing at a time
		statements = slices.Insert(statements, 0, w.drop())
	}
	steps := together(w.Table, statements...)
	steps[0].Rows, steps[0].Breaks, steps[0].dear = w.violations(), true, w.Type == "x"
	c.scans(&steps[0], w.Table)

	return append(steps, together(w.Table, w.withComment()...)...)
}

// ofDomain returns the steps for statements that change a domain. For a new constraint PostgreSQL reads every table that has a column of the
// domain, and keeps writers out meanwhile.
func (c *comparison) ofDomain(domain string, statements ...string) []Step {
	steps := together(domain, statements...)
	notNull := slices.ContainsFunc(statements, func(sql string) bool { return strings.HasSuffix(sql, " SET NOT NULL;") })
	if !notNull && !slices.ContainsFunc(statements, func(sql string) bool { return strings.Contains(sql, " ADD CONSTRAINT ") }) {
		return steps
	}
	of, column := c.container(domain)
	if column != "" {
		return []Step{{Refused: fmt.Sprintf("domain %s can't get a constraint while column %s has arrays, rows or ranges of it: "+
			"write a new domain under another name, and change the column to it", domain, column)}}
	}
	for _, o := range c.have.parts {
		if o.Kind == "column" && of[o.Def] && !slices.Contains(steps[0].On, o.Table) {
			steps[0].Lock, steps[0].On = share, append(steps[0].On, o.Table)
			c.scans(&steps[0], o.Table)
		}
	}
	if notNull {
		steps[0].Rows = c.misfitsOf(domain, func(value string) string { return value + " IS NULL" })
	}

	return steps
}

// misfitsOf returns a query for the stored values of a domain that meet a condition. It returns "" if no column has the domain.
func (c *comparison) misfitsOf(domain string, condition func(value string) string) string {
	var queries []string
	of, _ := c.container(domain)
	for _, o := range c.have.parts {
		if o.Kind == "column" && of[o.Def] {
			queries = append(queries, fmt.Sprintf("SELECT %s AS \"column\", %s::text AS \"value\" FROM %s WHERE %s",
				literal(o.Table+"."+o.Name), quote(o.Name), quote(o.Table), condition(quote(o.Name))))
		}
	}

	return strings.Join(queries, " UNION ALL ")
}

// container returns a column that has values of a domain inside arrays, rows or ranges. PostgreSQL can't check those. of are the domain itself
// and the domains over it.
// https://www.postgresql.org/docs/current/sql-alterdomain.html
func (c *comparison) container(domain string) (of map[string]bool, column string) {
	of = map[string]bool{quoteIfNeeded(domain): true}
	in := map[string]bool{} // types that contain the domain
	inside := func(typ string) bool {
		element := strings.TrimRight(typ, "[]")

		return in[element] || element != typ && of[element]
	}
	for known := 0; known < len(of)+len(in); {
		known = len(of) + len(in)
		for _, o := range c.have.relations {
			name := quoteIfNeeded(o.Name)
			subtype, isRange := strings.CutPrefix(o.Def, "RANGE (SUBTYPE = ")
			subtype, _, _ = strings.Cut(subtype, ",")
			_, ranges, _ := strings.Cut(o.Def, ", MULTIRANGE_TYPE_NAME = ")
			switch {
			case o.Kind == "domain" && of[o.Def]:
				of[name] = true
			case o.Kind == "type" && isRange && (of[subtype] || inside(subtype)):
				in[name], in[strings.TrimSuffix(ranges, ")")] = true, true
			case o.Kind == "domain" && inside(o.Def),
				o.Kind == "type" && slices.ContainsFunc(o.Attributes, func(a [2]string) bool { return of[a[1]] || inside(a[1]) }):
				in[name] = true
			}
		}
		for _, o := range c.have.parts {
			if o.Kind == "column" && (of[o.Def] || inside(o.Def)) {
				in[quoteIfNeeded(o.Table)] = true // a table is the type of its rows, too
			}
		}
	}
	for _, o := range c.have.parts {
		if o.Kind == "column" && inside(o.Def) {
			return of, o.Table + "." + o.Name
		}
	}

	return of, ""
}

func (c *comparison) validate(w object) []Step {
	return []Step{{
		SQL:  w.alter() + " VALIDATE CONSTRAINT " + quote(w.Name) + ";",
		Lock: shareUpdateExclusive, On: []string{w.Table}, Scans: true, Rows: w.violations(),
	}}
}

// violations is a query for the rows that a constraint refuses.
func (o object) violations() string {
	switch {
	case o.Domain != "":
		return ""
	case o.Type == "c" && len(o.Expressions) == 1:
		return "SELECT * FROM " + quote(o.Table) + " WHERE NOT (" + o.Expressions[0] + ")" //nolint:unqueryvet // the rows as they are
	case o.Type == "f" && o.Target != "":
		var has, same []string
		for i, column := range o.Keys {
			has = append(has, "referring."+column+" IS NOT NULL")
			same = append(same, "referred."+o.TargetKeys[i]+" = referring."+column)
		}

		return "SELECT referring.* FROM " + quote(o.Table) + " AS referring WHERE " + strings.Join(has, " AND ") + //nolint:unqueryvet // the rows as they are
			" AND NOT EXISTS (SELECT FROM " + quote(o.Target) + " AS referred WHERE " + strings.Join(same, " AND ") + ")"
	case o.Type == "u" || o.Type == "p":
		return o.duplicates()
	case o.Type == "x":
		return o.conflicts()
	default:
		return ""
	}
}

// conflicts is a query for the rows that an exclusion constraint refuses.
func (o object) conflicts() string {
	_, rest, _ := strings.Cut(o.Def, "(")
	elements, rest := listed(rest)
	values, same := make([]string, 0, len(elements)), make([]string, 0, len(elements))
	for i, element := range elements {
		at := strings.LastIndex(element, " WITH ")
		value := fmt.Sprintf("musicstore_%d", i)
		values = append(values, operand(element[:at])+" AS "+value)
		same = append(same, "one."+value+element[at+len(" WITH"):]+" other."+value)
	}
	where := ""
	if _, predicate, is := strings.Cut(rest, " WHERE ("); is {
		where = " WHERE " + predicate[:strings.LastIndex(predicate, ")")]
	}
	from := "(SELECT ctid AS musicstore_row, " + strings.Join(values, ", ") + ", of.* FROM " + quote(o.Table) + " AS of" + where + ") AS "

	return "SELECT one.* FROM " + from + "one JOIN " + from + "other ON one.musicstore_row <> other.musicstore_row AND " + strings.Join(same, " AND ") //nolint:unqueryvet // the rows as they are
}

// listed takes a list apart at its commas, to the bracket that closes it, and returns what is behind that.
func listed(text string) (elements []string, rest string) {
	depth, begin, inside := 0, 0, byte(0)
	for i := range len(text) {
		switch b := text[i]; {
		case inside != 0:
			if b == inside {
				inside = 0
			}
		case b == '\'' || b == '"':
			inside = b
		case b == '(' || b == '[':
			depth++
		case depth > 0 && (b == ')' || b == ']'):
			depth--
		case depth == 0 && (b == ',' || b == ')'):
			elements = append(elements, strings.TrimSpace(text[begin:i]))
			if begin = i + 1; b == ')' {
				return elements, text[begin:]
			}
		}
	}

	return elements, ""
}

// operand is the column or expression of an element of an index, without what follows it there.
func operand(element string) string {
	end, depth, quoted := 0, 0, false
	for end < len(element) && (element[end] != ' ' || depth > 0 || quoted) {
		switch element[end] {
		case '"', '\'':
			quoted = !quoted
		case '(':
			depth++
		case ')':
			depth--
		}
		end++
	}

	return element[:end]
}

// addKey are the steps that add a primary key or a unique constraint by an index that is built beside the writers.
func (c *comparison) addKey(w object, there bool) []Step {
	kind, rest := "PRIMARY KEY", strings.TrimPrefix(w.Def, "PRIMARY KEY ")
	if w.Type == "u" {
		kind, rest = "UNIQUE", strings.TrimPrefix(w.Def, "UNIQUE ")
	}
	nulls := ""
	if after, ok := strings.CutPrefix(rest, "NULLS NOT DISTINCT "); ok {
		nulls, rest = " NULLS NOT DISTINCT", after
	}
	columns, later := rest, ""
	if at := strings.Index(rest, ") DEFERRABLE"); at >= 0 {
		columns, later = rest[:at+1], rest[at+1:]
	}
	name := w.Name
	if there {
		name = aside(w.Name)
	}
	var steps []Step
	index, built := c.have.part("index", w.Table, name)
	if built && (index.State != "" || !index.Unique || !strings.HasSuffix(index.Def, " USING btree "+columns+nulls)) {
		steps, built = append(steps, c.dropIndex(w.Table, name)), false
	}
	if !built {
		steps = append(steps, Step{
			SQL:  "CREATE UNIQUE INDEX CONCURRENTLY " + quote(name) + " ON " + quote(w.Table) + " " + columns + nulls + ";",
			Lock: shareUpdateExclusive, On: []string{w.Table}, Scans: true, Alone: true, Rows: w.duplicates(), Breaks: true,
		})
	}
	add := "ADD CONSTRAINT " + quote(w.Name) + " " + kind + " USING INDEX " + quote(name) + later + ";"
	if there {
		add = "DROP CONSTRAINT " + quote(w.Name) + ", " + add
	}
	steps = append(steps, Step{SQL: w.alter() + " " + add, Lock: accessExclusive, On: []string{w.Table}, Breaks: true})

	return append(steps, together(w.Table, w.withComment()...)...)
}

// notNull are the steps that forbid NULL in a column of a table that is written to. PostgreSQL takes a validated check as the
// proof, and reads no row under its strong lock.
// https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL
func (c *comparison) notNull(table, column string) []Step {
	name := notNullName(column)
	alter := "ALTER TABLE " + quote(table)
	check, there := c.have.part("constraint", table, name)
	var steps []Step
	if !there {
		steps = append(steps, Step{
			SQL:  alter + " ADD CONSTRAINT " + quote(name) + " CHECK (" + quote(column) + " IS NOT NULL) NOT VALID;",
			Lock: accessExclusive, On: []string{table}, Breaks: true,
		})
	}
	if !there || strings.HasSuffix(check.Def, " NOT VALID") {
		steps = append(steps, Step{
			SQL:  alter + " VALIDATE CONSTRAINT " + quote(name) + ";",
			Lock: shareUpdateExclusive, On: []string{table}, Scans: true,
			Rows: "SELECT * FROM " + quote(table) + " WHERE " + quote(column) + " IS NULL", //nolint:unqueryvet // the rows as they are
		})
	}

	return append(steps,
		Step{SQL: alter + " ALTER COLUMN " + quote(column) + " SET NOT NULL;", Lock: accessExclusive, On: []string{table}},
		Step{SQL: alter + " DROP CONSTRAINT IF EXISTS " + quote(name) + ";", Lock: accessExclusive, On: []string{table}})
}

// quoteIfNeeded is a name as PostgreSQL prints it.
func quoteIfNeeded(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) || name[0] >= '0' && name[0] <= '9' {
		return quote(name)
	}

	return name
}
