package schema_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
)

// invented is a schema that a seed makes. What refers to something does so by a number, so that names can change: the numbers stay
// the same in the old and in the new schema.
type invented struct {
	Server    int // its version
	Next      int
	Enums     []*worldType
	Domains   []*worldType
	Functions []*worldFunction
	Tables    []*worldTable
	Views     []*worldView
}

type worldType struct {
	ID              int
	Name, Comment   string
	Labels          []string // of an enum
	Base            string   // of a domain: integer or text
	Check           int
	NotNull         bool
	Default         bool
	RemovedALabel   bool
	LabelsInUseOnly []string
}

type worldFunction struct {
	ID            int
	Name, Comment string
	Trigger       bool
	Result        string
	Body          int
}

type worldTable struct {
	ID                 int
	Name, Was, Comment string
	Columns            []*worldColumn
	Parts              []*worldPart
	Partitions         []*worldPartition // by list of its column area; none: an ordinary table
	Fillfactor         int
	Full               bool // its replica identity
}

type worldPartition struct {
	Name   string
	Values []string // none: the default one
}

type worldColumn struct {
	ID                 int
	Name, Was, Comment string
	Statistics         int
	Type               string // PostgreSQL's, or enum:3, domain:4
	Collation          string
	NotNull            bool
	Default            string
	Identity           string
	Serial             bool
	Generated          int // the column that it is made of
	Variant            int
	Fill               string
	By                 string

	Distinct bool // its values are
	Ref      int  // the table whose id it has
	Fixed    bool // it keeps its name and type
	New      bool
}

type worldPart struct {
	ID            int
	Kind          string // primary key, unique, check, foreign key, exclude, index, trigger
	Name, Comment string
	Columns       []int
	Variant       int
	Target        int // the table of a foreign key
	Function      int
}

type worldView struct {
	ID            int
	Name, Comment string
	Materialized  bool
	Table         int
	Over          int // a view
	Columns       []int
	Variant       int
	Function      int
	Index         string
}

func (w *invented) copy() *invented {
	text, err := json.Marshal(w) //nolint:musttag // its own fields, for a copy
	if err != nil {
		panic(err)
	}
	c := &invented{}
	if err := json.Unmarshal(text, c); err != nil { //nolint:musttag // as above
		panic(err)
	}

	return c
}

func (w *invented) id() int { w.Next++; return w.Next }

func find[T any, K comparable](all []*T, id K, of func(*T) K) *T {
	for _, o := range all {
		if of(o) == id {
			return o
		}
	}

	return nil
}

func (w *invented) table(id int) *worldTable {
	return find(w.Tables, id, func(t *worldTable) int { return t.ID })
}

func (w *invented) view(id int) *worldView {
	return find(w.Views, id, func(v *worldView) int { return v.ID })
}

func (w *invented) function(id int) *worldFunction {
	return find(w.Functions, id, func(f *worldFunction) int { return f.ID })
}

func (t *worldTable) column(id int) *worldColumn {
	return find(t.Columns, id, func(c *worldColumn) int { return c.ID })
}

func (t *worldTable) part(id int) *worldPart {
	return find(t.Parts, id, func(p *worldPart) int { return p.ID })
}

func (t *worldTable) named(name string) *worldColumn {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}

	return nil
}

func (w *invented) userType(name string) *worldType {
	var kind string
	var id int
	if _, err := fmt.Sscanf(strings.Replace(name, ":", " ", 1), "%s %d", &kind, &id); err != nil {
		return nil
	}

	return find(slices.Concat(w.Enums, w.Domains), id, func(t *worldType) int { return t.ID })
}

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

func textOf(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }

// sqlType is a type as SQL.
func (w *invented) sqlType(name string) string {
	if t := w.userType(name); t != nil {
		return ident(t.Name)
	}

	return name
}

// family says which expressions a type has.
func (w *invented) family(name string) string {
	t := w.userType(name)
	switch {
	case strings.HasPrefix(name, "enum:"):
		return "enum"
	case t != nil:
		return w.family(t.Base)
	case slices.Contains([]string{"smallint", "integer", "bigint"}, name):
		return "int"
	case strings.HasPrefix(name, "numeric"), name == "double precision", name == "real":
		return "num"
	case name == "text", strings.HasPrefix(name, "varchar"):
		return "text"
	default:
		return name
	}
}

// predicate is true of every value. Where immutable is set, an index can have it.
func (w *invented) predicate(c *worldColumn, variant int, immutable bool) string {
	name := ident(c.Name)
	var all []string
	switch w.family(c.Type) {
	case "int", "num":
		all = []string{name + " >= 0", name + " <> 1000003 AND " + name + " < 2000000000", "abs(" + name + ") > -1", name + " BETWEEN 0 AND 1000000000"}
		if c.Type == "smallint" {
			all = []string{name + " >= 0", name + " <> 32001", "abs(" + name + ") > -1", name + " BETWEEN 0 AND 30000"}
		}
	case "text":
		all = []string{"length(" + name + ") < 100", name + " <> ''", "lower(" + name + ") <> 'x'", name + " IS NULL OR " + name + " > ''"}
	case "boolean":
		all = []string{"(" + name + " OR NOT " + name + ")", name + " IS NOT NULL OR " + name + " IS NULL"}
	case "enum":
		labels := w.userType(c.Type).Labels
		all = []string{name + " IN (" + textsOf(labels) + ")", name + " >= " + textOf(labels[0])}
		if !immutable {
			all = append(all, name+"::text <> 'zzz'")
		}
	default:
		all = []string{name + " IS NOT NULL OR " + name + " IS NULL"}
		if !immutable {
			all = append(all, name+"::text <> 'zzz'")
		}
	}

	return all[variant%len(all)]
}

func textsOf(values []string) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = textOf(value)
	}

	return strings.Join(texts, ", ")
}

// expression is one that an index can have.
func (w *invented) expression(c *worldColumn, f *worldFunction, variant int) string {
	name := ident(c.Name)
	switch family := w.family(c.Type); {
	case family == "int" && f != nil:
		return ident(f.Name) + "(" + name + "::integer)"
	case family == "int":
		return []string{"(" + name + " + 1)", "abs(" + name + ")", "(" + name + " % 7)"}[variant%3]
	case family == "text":
		return []string{"lower(" + name + ")", "(" + name + " || 'x'::text)", "upper(" + name + ")"}[variant%3]
	default:
		return name
	}
}

func (w *invented) columnSQL(t *worldTable, c *worldColumn) string {
	text := ident(c.Name) + " "
	switch {
	case c.Serial && c.Type == "bigint":
		text += "bigserial"
	case c.Serial && c.Type == "smallint":
		text += "smallserial"
	case c.Serial:
		text += "serial"
	default:
		text += w.sqlType(c.Type)
	}
	if c.Collation != "" {
		text += ` COLLATE "` + c.Collation + `"`
	}
	if from := t.column(c.Generated); from != nil {
		text += " GENERATED ALWAYS AS (" + w.generation(c, from) + ") STORED"
	}
	if c.Default != "" {
		text += " DEFAULT " + c.Default
	}
	if c.Identity != "" {
		text += " GENERATED " + c.Identity + " AS IDENTITY"
	}
	if c.NotNull {
		text += " NOT NULL"
	}

	return text
}

func (w *invented) generation(c, from *worldColumn) string {
	name := ident(from.Name)
	if w.family(from.Type) == "int" {
		return []string{name + " + 1", name + " + 2", "abs(" + name + ")"}[c.Variant/2%3]
	}

	return []string{"upper(" + name + ")", name + " || '!'", "lower(" + name + ")"}[c.Variant/2%3]
}

func (t *worldTable) names(ids []int) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = ident(t.column(id).Name)
	}

	return strings.Join(names, ", ")
}

func (w *invented) key(t *worldTable) *worldPart {
	for _, p := range t.Parts {
		if p.Kind == "primary key" {
			return p
		}
	}

	return nil
}

// constraint is what stands behind the name of a constraint.
func (w *invented) constraint(t *worldTable, p *worldPart) string {
	columns := t.names(p.Columns)
	first := t.column(p.Columns[0])
	deferrable := []string{"", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"}
	switch p.Kind {
	case "primary key":
		return "PRIMARY KEY (" + columns + ")"
	case "unique":
		if p.Variant%4 == 1 && w.Server >= 15 {
			return "UNIQUE NULLS NOT DISTINCT (" + columns + ")"
		}

		return "UNIQUE (" + columns + ")" + deferrable[p.Variant/4%3]
	case "check":
		if f := w.function(p.Function); f != nil && w.family(first.Type) == "int" {
			return "CHECK (" + ident(f.Name) + "(" + ident(first.Name) + "::integer) > -1)"
		}

		return "CHECK (" + w.predicate(first, p.Variant, false) + ")"
	case "foreign key":
		target := w.table(p.Target)

		return "FOREIGN KEY (" + columns + ") REFERENCES " + ident(target.Name) + " (" + ident(target.Columns[0].Name) + ")" +
			[]string{"", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON UPDATE CASCADE", " ON DELETE RESTRICT ON UPDATE SET NULL"}[p.Variant%5] +
			deferrable[p.Variant/5%3]
	case "exclude":
		return "EXCLUDE USING btree ((" + ident(first.Name) + "::bigint + 1) WITH =)" + deferrable[p.Variant%3]
	}
	panic(p.Kind)
}

// index is what stands behind CREATE … INDEX name ON table.
func (w *invented) index(t *worldTable, p *worldPart) (unique, rest string) {
	first := t.column(p.Columns[0])
	key := ident(first.Name)
	v := p.Variant
	if v%3 == 1 {
		key = w.expression(first, w.function(p.Function), v/3)
	}
	if v%3 == 2 {
		key += " DESC"
	}
	rest = "(" + key
	if len(p.Columns) > 1 && v%2 == 0 {
		rest += ", " + t.names(p.Columns[1:])
	}
	rest += ")"
	if len(p.Columns) > 1 && v%2 == 1 {
		rest += " INCLUDE (" + t.names(p.Columns[1:]) + ")"
	}
	if first.Distinct && v/3%2 == 1 && v%3 != 1 && len(t.Partitions) == 0 {
		unique = "UNIQUE "
		if v/6%2 == 1 && w.Server >= 15 {
			rest += " NULLS NOT DISTINCT"
		}
	}
	if v/12%3 == 1 {
		last := t.column(p.Columns[len(p.Columns)-1])
		rest += " WHERE " + w.predicate(last, v, true)
	}

	return unique, rest
}

func (w *invented) trigger(t *worldTable, p *worldPart) string {
	name := ident(t.column(p.Columns[0]).Name)
	when := "BEFORE UPDATE OF " + name
	if t.column(p.Columns[0]).Generated != 0 || p.Variant%3 == 1 {
		when = "BEFORE UPDATE"
	}
	if p.Variant%3 == 2 {
		when = "AFTER INSERT OR UPDATE"
	}
	condition := ""
	if p.Variant/3%2 == 1 && when == "BEFORE UPDATE" && t.column(p.Columns[0]).Generated == 0 {
		condition = " WHEN (OLD." + name + " IS DISTINCT FROM NEW." + name + ")"
	}

	return "CREATE TRIGGER " + ident(p.Name) + " " + when + " ON " + ident(t.Name) + " FOR EACH ROW" + condition +
		" EXECUTE FUNCTION " + ident(w.function(p.Function).Name) + "();"
}

func (w *invented) viewSQL(v *worldView) string {
	kind := "VIEW "
	if v.Materialized {
		kind = "MATERIALIZED VIEW "
	}
	sql := "CREATE " + kind + ident(v.Name) + " AS SELECT "
	if over := w.view(v.Over); over != nil {
		return sql + "count(*) AS n, max(o." + ident("id") + ") AS last FROM " + ident(over.Name) + " AS o;"
	}
	t := w.table(v.Table)
	columns := []string{"t." + ident(t.Columns[0].Name) + " AS id"}
	for i, id := range v.Columns {
		c := t.column(id)
		expression := ident(c.Name)
		if (v.Variant+i)%3 == 1 {
			expression = w.expression(c, w.function(v.Function), v.Variant)
		}
		columns = append(columns, fmt.Sprintf("%s AS c%d", expression, i))
	}
	sql += strings.Join(columns, ", ") + " FROM " + ident(t.Name) + " AS t"
	if len(v.Columns) > 0 && v.Variant%4 == 1 {
		sql += " WHERE " + w.predicate(t.column(v.Columns[0]), v.Variant, false)
	}

	return sql + ";"
}

func (w *invented) functionSQL(f *worldFunction) string {
	head := "CREATE OR REPLACE FUNCTION " + ident(f.Name)
	if f.Trigger {
		return head + fmt.Sprintf("() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n    -- %d\n    RETURN NEW;\nEND $$;", f.Body)
	}
	body := []string{"abs($1)", "abs($1) + 1", "greatest($1, 0)"}[f.Body%3]
	if f.Body/3%3 == 1 {
		return head + "(integer) RETURNS " + f.Result + " LANGUAGE sql IMMUTABLE RETURN " + body + ";"
	}

	return head + "(integer) RETURNS " + f.Result + " LANGUAGE sql IMMUTABLE AS $$ SELECT (" + body + ")::" + f.Result + " $$;"
}

// sql is the schema as a file.
func (w *invented) sql() string {
	var b strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	comment := func(text, format string, args ...any) {
		if text != "" {
			line("COMMENT ON %s IS %s;", fmt.Sprintf(format, args...), textOf(text))
		}
	}
	for _, e := range w.Enums {
		line("CREATE TYPE %s AS ENUM (%s);", ident(e.Name), textsOf(e.Labels))
		comment(e.Comment, "TYPE %s", ident(e.Name))
	}
	for _, d := range w.Domains {
		sql := "CREATE DOMAIN " + ident(d.Name) + " AS " + d.Base
		if d.Default {
			sql += map[string]string{"integer": " DEFAULT 7", "text": " DEFAULT 'seven'"}[d.Base]
		}
		if d.NotNull {
			sql += " NOT NULL"
		}
		if d.Check > 0 {
			value := map[string]string{"integer": "VALUE >= -", "text": "length(VALUE) < 100"}[d.Base]
			sql += fmt.Sprintf(" CONSTRAINT %s CHECK (%s%d)", ident(d.Name+"_check"), value, d.Check)
		}
		line("%s;", sql)
		comment(d.Comment, "DOMAIN %s", ident(d.Name))
	}
	for _, f := range w.Functions {
		line("%s", w.functionSQL(f))
		arguments := "integer"
		if f.Trigger {
			arguments = ""
		}
		comment(f.Comment, "FUNCTION %s(%s)", ident(f.Name), arguments)
	}
	var later []string
	for _, t := range w.Tables {
		var lines []string
		for _, c := range t.Columns {
			lines = append(lines, w.columnSQL(t, c))
		}
		for _, p := range t.Parts {
			if p.Kind == "index" || p.Kind == "trigger" {
				continue
			}
			sql := "CONSTRAINT " + ident(p.Name) + " " + w.constraint(t, p)
			if p.Kind == "foreign key" && p.ID%2 == 0 {
				later = append(later, "ALTER TABLE "+ident(t.Name)+" ADD "+sql+";")
			} else {
				lines = append(lines, sql)
			}
		}
		end := ""
		if len(t.Partitions) > 0 {
			end = " PARTITION BY LIST (" + ident(t.Columns[1].Name) + ")"
		}
		line("CREATE TABLE %s (\n    %s\n)%s;", ident(t.Name), strings.Join(lines, ",\n    "), end)
		for _, p := range t.Partitions {
			bound := "DEFAULT"
			if len(p.Values) > 0 {
				bound = "FOR VALUES IN (" + textsOf(p.Values) + ")"
			}
			line("CREATE TABLE %s PARTITION OF %s %s;", ident(p.Name), ident(t.Name), bound)
		}
	}
	for _, sql := range later {
		line("%s", sql)
	}
	for _, t := range w.Tables {
		comment(t.Comment, "TABLE %s", ident(t.Name))
		if t.Fillfactor > 0 {
			line("ALTER TABLE %s SET (fillfactor = %d);", ident(t.Name), t.Fillfactor)
		}
		if t.Full {
			line("ALTER TABLE %s REPLICA IDENTITY FULL;", ident(t.Name))
		}
		for _, c := range t.Columns {
			if c.Statistics > 0 {
				line("ALTER TABLE %s ALTER COLUMN %s SET STATISTICS %d;", ident(t.Name), ident(c.Name), c.Statistics)
			}
			comment(c.Comment, "COLUMN %s.%s", ident(t.Name), ident(c.Name))
		}
		for _, p := range t.Parts {
			switch p.Kind {
			case "index":
				unique, rest := w.index(t, p)
				line("CREATE %sINDEX %s ON %s %s;", unique, ident(p.Name), ident(t.Name), rest)
				comment(p.Comment, "INDEX %s", ident(p.Name))
			case "trigger":
				line("%s", w.trigger(t, p))
				comment(p.Comment, "TRIGGER %s ON %s", ident(p.Name), ident(t.Name))
			default:
				comment(p.Comment, "CONSTRAINT %s ON %s", ident(p.Name), ident(t.Name))
			}
		}
	}
	for _, v := range w.Views {
		line("%s", w.viewSQL(v))
		if v.Index != "" {
			line("CREATE UNIQUE INDEX %s ON %s (id);", ident(v.Index), ident(v.Name))
		}
		kind := "VIEW"
		if v.Materialized {
			kind = "MATERIALIZED VIEW"
		}
		comment(v.Comment, "%s %s", kind, ident(v.Name))
	}

	return b.String()
}

// tables are what make generate would know of the tables.
func (w *invented) tables() (tables []*dbtx.Table) {
	for _, t := range w.Tables {
		known := &dbtx.Table{Name: t.Name, Was: t.Was, Partitioned: len(t.Partitions) > 0}
		for _, c := range t.Columns {
			known.Columns = append(known.Columns, dbtx.Column{
				Name: c.Name, Type: w.sqlType(c.Type), NotNull: c.NotNull, Was: c.Was, Fill: c.Fill, By: c.By,
			})
		}
		tables = append(tables, known)
	}

	return tables
}

// tidy takes away what refers to something that is gone.
func (w *invented) tidy() {
	for again := true; again; {
		before := w.sql0()
		for _, t := range w.Tables {
			t.Columns = slices.DeleteFunc(t.Columns, func(c *worldColumn) bool {
				user := strings.Contains(c.Type, ":") && w.userType(c.Type) == nil

				return user || c.Generated != 0 && t.column(c.Generated) == nil
			})
			for _, c := range t.Columns {
				if from := t.column(c.Generated); from != nil && w.family(from.Type) != w.family(c.Type) {
					c.Generated = 0
				}
			}
			t.Parts = slices.DeleteFunc(t.Parts, func(p *worldPart) bool {
				first := t.column(p.Columns[0])
				lost := slices.ContainsFunc(p.Columns, func(id int) bool { return t.column(id) == nil })

				return lost || p.Target != 0 && w.table(p.Target) == nil || p.Kind == "trigger" && w.function(p.Function) == nil ||
					p.Kind == "exclude" && w.family(first.Type) != "int"
			})
		}
		w.Views = slices.DeleteFunc(w.Views, func(v *worldView) bool {
			if v.Over != 0 {
				return w.view(v.Over) == nil
			}
			t := w.table(v.Table)

			return t == nil || slices.ContainsFunc(v.Columns, func(id int) bool { return t.column(id) == nil })
		})
		again = w.sql0() != before
	}
}

// sql0 tells two states of tidy apart.
func (w *invented) sql0() string {
	text, _ := json.Marshal(w) //nolint:errchkjson,musttag // as in copy

	return string(text)
}

var (
	tableNames  = []string{"boxes", "Crates", "order", "shelf life", "pallets", "ünits", "bins"}
	columnNames = []string{
		"name", "label", "Weight", "state", "note", "user", "amount", "Kind Of", "größe", "code", "made", "value", "height", "a", "b", "select",
	}
	columnTypes = []string{
		"smallint", "integer", "bigint", "numeric(8,2)", "numeric", "double precision", "text", "text", "text", "varchar(40)", "boolean", "uuid", "date",
		"timestamp", "timestamptz", "jsonb", "json", "text[]", "bytea", "integer", "enum", "enum", "domain",
	}
	canBeDistinct = []string{"smallint", "integer", "bigint", "numeric(8,2)", "numeric", "text", "varchar(40)", "uuid", "date"}
)

type chooser struct{ *rand.Rand }

func pick[T any](r chooser, all []T) T { return all[r.IntN(len(all))] }

func (r chooser) one(in int) bool { return r.IntN(in) == 0 }

// freshName is one of the names that the table has not, in either schema.
func freshName(r chooser, tables ...*worldTable) string {
	for range 50 {
		name := pick(r, columnNames)
		if !slices.ContainsFunc(tables, func(t *worldTable) bool { return t != nil && t.named(name) != nil }) {
			return name
		}
	}

	return fmt.Sprintf("c%d", r.IntN(1000000))
}

func (w *invented) anyType(r chooser) string {
	switch name := pick(r, columnTypes); {
	case name == "enum" && len(w.Enums) > 0:
		return fmt.Sprintf("enum:%d", pick(r, w.Enums).ID)
	case name == "domain" && len(w.Domains) > 0:
		return fmt.Sprintf("domain:%d", pick(r, w.Domains).ID)
	case name == "enum", name == "domain":
		return "text"
	default:
		return name
	}
}

func (w *invented) newEnum(r chooser) *worldType {
	e := &worldType{ID: w.id()}
	e.Name = fmt.Sprintf("%s_%d", pick(r, []string{"mood", "Level", "phase"}), e.ID)
	for i := range 2 + r.IntN(3) {
		e.Labels = append(e.Labels, fmt.Sprintf("l%d", i))
	}

	return e
}

func (w *invented) newDomain(r chooser) *worldType {
	d := &worldType{ID: w.id(), Base: pick(r, []string{"integer", "text"}), Check: r.IntN(3), Default: r.one(3)}
	d.Name = fmt.Sprintf("%s_%d", pick(r, []string{"measure", "Words"}), d.ID)

	return d
}

func (w *invented) newFunction(r chooser, trigger bool) *worldFunction {
	f := &worldFunction{ID: w.id(), Trigger: trigger, Result: "integer", Body: r.IntN(9)}
	f.Name = fmt.Sprintf("%s_%d", pick(r, []string{"f", "Do It"}), f.ID)

	return f
}

// value is a default of a type.
func (w *invented) constant(r chooser, name string) string {
	switch family := w.family(name); family {
	case "int", "num":
		return strconv.Itoa(r.IntN(100))
	case "text":
		return textOf(pick(r, []string{"x", "it's", "100%", "a $fill$ b"}))
	case "enum":
		return textOf(pick(r, w.userType(name).Labels))
	case "boolean":
		return pick(r, []string{"true", "false"})
	case "uuid":
		return pick(r, []string{"gen_random_uuid()", "'00000000-0000-4000-8000-000000000000'"})
	case "date":
		return pick(r, []string{"'2020-01-02'", "CURRENT_DATE"})
	case "timestamp", "timestamptz":
		return pick(r, []string{"now()", "clock_timestamp()", "'2020-01-02 03:04:05+00'"})
	case "json", "jsonb":
		return "'{}'"
	case "text[]":
		return "'{}'"
	case "bytea":
		return `'\x00'`
	default:
		panic(family)
	}
}

func (w *invented) newColumn(r chooser, name string) *worldColumn {
	c := &worldColumn{ID: w.id(), Name: name, Type: w.anyType(r), NotNull: r.one(2), Variant: r.IntN(12)}
	if r.one(8) {
		c.Statistics = 100
	}
	c.Distinct = slices.Contains(canBeDistinct, c.Type) && r.one(2)
	if w.family(c.Type) == "text" && !strings.Contains(c.Type, ":") && r.one(6) {
		c.Collation = "C"
	}
	if r.one(4) {
		c.Default = w.constant(r, c.Type)
	}
	if r.one(6) {
		c.Comment = "of " + name
	}

	return c
}

// newPart adds a constraint, an index or a trigger of a kind, if the table can have one.
func (w *invented) newPart(r chooser, t *worldTable, kind string) *worldPart {
	p := &worldPart{ID: w.id(), Kind: kind, Variant: r.IntN(36)}
	var columns []*worldColumn
	for _, c := range t.Columns[1:] {
		family := w.family(c.Type)
		ordered := !slices.Contains([]string{"json", "jsonb", "text[]", "bytea"}, family)
		switch {
		case !ordered, kind == "unique" && !c.Distinct, kind == "exclude" && (!c.Distinct || family != "int"),
			kind == "foreign key" && (c.Ref == 0 || w.table(c.Ref) == nil):
		default:
			columns = append(columns, c)
		}
	}
	if len(columns) == 0 || len(t.Partitions) > 0 && slices.Contains([]string{"unique", "exclude"}, kind) {
		return nil
	}
	first := pick(r, columns)
	p.Columns = []int{first.ID}
	if (kind == "unique" || kind == "exclude") && slices.ContainsFunc(t.Parts, func(o *worldPart) bool { return o.Kind == kind && o.Columns[0] == first.ID }) {
		return nil // PostgreSQL makes one of two that are the same
	}
	if other := pick(r, columns); kind == "index" && other != first && r.one(2) {
		p.Columns = append(p.Columns, other.ID)
	}
	functions := slices.DeleteFunc(slices.Clone(w.Functions), func(f *worldFunction) bool { return f.Trigger != (kind == "trigger") })
	if len(functions) > 0 && (kind == "trigger" || r.one(2) && slices.Contains([]string{"check", "index"}, kind)) {
		p.Function = pick(r, functions).ID
	}
	if kind == "trigger" && p.Function == 0 {
		return nil
	}
	if kind == "foreign key" {
		p.Target = first.Ref
	}
	p.Name = fmt.Sprintf("%s_%s_%d", []string{t.Name, "Part"}[r.IntN(2)], strings.ReplaceAll(kind, " ", ""), p.ID)
	if r.one(6) {
		p.Comment = "why " + kind
	}
	t.Parts = append(t.Parts, p)

	return p
}

var partKinds = []string{"unique", "check", "foreign key", "exclude", "index", "index", "index", "trigger", "check"}

func (w *invented) newTable(r chooser) *worldTable {
	t := &worldTable{ID: w.id()}
	for t.Name == "" || slices.ContainsFunc(w.Tables, func(o *worldTable) bool { return o.Name == t.Name }) {
		t.Name = pick(r, tableNames)
	}
	key := &worldColumn{ID: w.id(), Name: "id", Type: pick(r, []string{"smallint", "integer", "bigint", "integer"}), NotNull: true, Distinct: true}
	switch r.IntN(4) {
	case 0:
		key.Identity = "BY DEFAULT"
	case 1:
		key.Identity = "ALWAYS"
	case 2:
		key.Serial = true
	}
	t.Columns = []*worldColumn{key}
	primary := &worldPart{ID: w.id(), Kind: "primary key", Name: t.Name + "_pkey", Columns: []int{key.ID}}
	t.Parts = []*worldPart{primary}
	if r.one(4) { // partitioned
		key.Serial = false
		if key.Identity != "" && w.Server < 17 { // before, partitioned tables have no identity columns
			key.Identity = ""
		}
		area := &worldColumn{ID: w.id(), Name: pick(r, []string{"area", "Area"}), Type: "text", NotNull: true, Fixed: true}
		t.Columns = append(t.Columns, area)
		primary.Columns = append(primary.Columns, area.ID)
		for i, value := range []string{"a", "b"} {
			t.Partitions = append(t.Partitions, &worldPartition{Name: fmt.Sprintf("%s_p%d", t.Name, i), Values: []string{value}})
		}
		if r.one(2) {
			t.Partitions = append(t.Partitions, &worldPartition{Name: t.Name + "_rest"})
		}
	}
	for range 3 + r.IntN(4) {
		t.Columns = append(t.Columns, w.newColumn(r, freshName(r, t)))
	}
	for _, other := range w.Tables { // that it may refer to
		if len(other.Partitions) == 0 && r.one(2) {
			c := &worldColumn{ID: w.id(), Name: freshName(r, t), Type: other.Columns[0].Type, Ref: other.ID, NotNull: r.one(2)}
			t.Columns = append(t.Columns, c)
		}
	}
	if r.one(3) {
		w.newGenerated(r, t)
	}
	for range 2 + r.IntN(5) {
		w.newPart(r, t, pick(r, partKinds))
	}
	if r.one(3) {
		t.Comment = "holds " + t.Name
	}

	return t
}

func (w *invented) newGenerated(r chooser, t *worldTable) *worldColumn {
	for range 10 {
		from := pick(r, t.Columns)
		if family := w.family(from.Type); (family == "int" || family == "text") && from.Generated == 0 && !strings.Contains(from.Type, ":") {
			c := &worldColumn{ID: w.id(), Name: freshName(r, t), Generated: from.ID, Variant: r.IntN(6), Type: "text"}
			if family == "int" {
				c.Type = pick(r, []string{"integer", "bigint"})
				if from.Type == "bigint" {
					c.Type = "bigint"
				}
			}
			t.Columns = append(t.Columns, c)

			return c
		}
	}

	return nil
}

func (w *invented) newView(r chooser) {
	v := &worldView{ID: w.id(), Materialized: r.one(3), Variant: r.IntN(12)}
	v.Name = fmt.Sprintf("%s_%d", pick(r, []string{"seen", "All Of"}), v.ID)
	if r.one(4) {
		v.Comment = "shows"
	}
	if len(w.Views) > 0 && r.one(4) {
		if over := pick(r, w.Views); over.Over == 0 {
			v.Over = over.ID
			w.Views = append(w.Views, v)

			return
		}
	}
	t := pick(r, w.Tables)
	v.Table = t.ID
	for _, c := range t.Columns[1:] {
		if r.one(2) {
			v.Columns = append(v.Columns, c.ID)
		}
	}
	if f := pick(r, w.Functions); !f.Trigger && r.one(2) {
		v.Function = f.ID
	}
	if v.Materialized && r.one(2) && len(t.Partitions) == 0 {
		v.Index = v.Name + "_idx"
	}
	w.Views = append(w.Views, v)
}

// newInvented is the old schema of a seed.
func newInvented(r chooser, server int) *invented {
	w := &invented{Server: server}
	for range 1 + r.IntN(2) {
		w.Enums = append(w.Enums, w.newEnum(r))
	}
	w.Domains = append(w.Domains, w.newDomain(r))
	w.Functions = append(w.Functions, w.newFunction(r, false), w.newFunction(r, true))
	for range 2 + r.IntN(2) {
		w.Tables = append(w.Tables, w.newTable(r))
	}
	for range 1 + r.IntN(3) {
		w.newView(r)
	}
	w.tidy()

	return w
}
