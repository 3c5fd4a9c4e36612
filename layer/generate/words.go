package main

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jinzhu/inflection"
	pgquery "github.com/pganalyze/pg_query_go/v6"

	"musicstore/layer/dbtx"
)

// What a constraint that has no mark is called, and what it says.

// nameConstraints gives every constraint its sentinels and its words. taken has the names that are not free.
func (s *schema) nameConstraints(taken map[string]bool) {
	own := map[string]place{}
	for _, t := range s.tables {
		for _, c := range t.constraints {
			for i, m := range c.marks {
				if at, ok := own[m.name]; ok {
					s.problems.addf(c.at.file, c.at.line, "%s is the error of the constraint at %s already", m.name, at)
				} else if taken[m.name] {
					s.problems.addf(c.at.file, c.at.line, "%s is a name of package %s already", m.name, s.config.store)
				}
				own[m.name] = c.at
				c.sentinels[i], c.words[i] = m.name, m.words
			}
		}
	}
	for _, t := range s.tables {
		for _, c := range t.constraints {
			name, other := s.sentinels(t, c)
			words, otherWords := s.words(t, c)
			c.words[0] = cmp.Or(c.words[0], words)
			if c.keeps {
				c.words[1] = cmp.Or(c.words[1], otherWords)
			}
			for i, n := range []string{name, other} {
				if c.sentinels[i] != "" || n == "" {
					continue
				}
				if _, ok := own[n]; ok || taken[n] {
					n = "Err" + s.goName(c.name) + map[int]string{1: "Referenced"}[i]
				}
				if at, ok := own[n]; ok || taken[n] {
					s.problems.addf(c.at.file, c.at.line, "the error of constraint %s would be %s, which is that of %s already: "+
						"give it a mark, -- +error ErrName: words", c.name, n, at)
				}
				own[n] = c.at
				c.sentinels[i] = n
			}
		}
	}
	s.refuseSharedNames()
}

// refuseSharedNames refuses two constraints of one name that say different things: an error of the database is known by the
// name of its constraint alone.
func (s *schema) refuseSharedNames() {
	first := map[string]*constraint{}
	for _, t := range s.tables {
		for _, c := range t.constraints {
			other := first[c.name]
			if other == nil {
				first[c.name] = c
			} else if other.words != c.words {
				s.problems.addf(c.at.file, c.at.line, "constraint %s has the name of the one at %s: call one otherwise", c.name, other.at)
			}
		}
	}
}

// goName returns a name of SQL as sqlc writes it in Go.
func (s *schema) goName(name string) string {
	if renamed := s.config.rename[name]; renamed != "" {
		return renamed
	}
	var b strings.Builder
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if slices.Contains(s.config.initialisms, part) {
			b.WriteString(strings.ToUpper(part))

			continue
		}
		first, size := utf8.DecodeRuneInString(part)
		b.WriteRune(unicode.ToTitle(first))
		b.WriteString(part[size:])
	}

	return b.String()
}

// singular returns a table's name for one of its rows, in words.
func singular(table string) string { return spaced(inflection.Singular(bareName(table))) }

// spaced returns a name of SQL as words.
func spaced(name string) string { return strings.Trim(strings.ReplaceAll(name, "_", " "), " ") }

func bareName(table string) string { return table[strings.LastIndexByte(table, '.')+1:] }

func withoutID(column string) string {
	for _, suffix := range []string{"_id", "Id", "ID"} {
		if name, ok := strings.CutSuffix(column, suffix); ok && name != "" {
			return name
		}
	}

	return column
}

// owns reports that a column refers to another table: it says whose a row is.
func (t *table) owns(column string) bool {
	return slices.ContainsFunc(t.constraints, func(k *constraint) bool {
		return k.kind == dbtx.ForeignKey && slices.Contains(k.columns, column)
	})
}

// onlyOwners reports that a unique constraint has only columns that refer to other tables.
func (t *table) onlyOwners(c *constraint) bool {
	return !slices.ContainsFunc(c.mentioned, func(name string) bool { return !t.owns(name) })
}

// telling returns the columns of a unique constraint that tell what is taken: not those that only say whose it is.
func (t *table) telling(c *constraint) []string {
	var columns []string
	for _, name := range c.mentioned {
		switch {
		case t.onlyOwners(c):
			columns = append(columns, withoutID(name))
		case !t.owns(name):
			columns = append(columns, name)
		}
	}

	return columns
}

// refersTo returns what a foreign key refers to: as its column calls it, or as the table is called. Of a key of several columns,
// that is the column which no other foreign key has: (tenant_id, owner_id) refers to an owner. A column that is not called after an id
// gives its name only where the table's would not tell which key is meant.
func (t *table) refersTo(c *constraint) string {
	own := c.columns
	if len(own) > 1 {
		own = slices.DeleteFunc(slices.Clone(own), func(name string) bool {
			return slices.ContainsFunc(t.constraints, func(k *constraint) bool {
				return k != c && k.kind == dbtx.ForeignKey && slices.Contains(k.columns, name)
			})
		})
	}
	several := t.name == c.references || slices.ContainsFunc(t.constraints, func(k *constraint) bool {
		return k != c && k.kind == dbtx.ForeignKey && k.references == c.references
	})
	if len(own) == 1 {
		if name := withoutID(own[0]); name != own[0] || several {
			return name
		}
	}

	return inflection.Singular(bareName(c.references))
}

func (s *schema) sentinels(t *table, c *constraint) (name, other string) {
	row := s.goName(inflection.Singular(bareName(t.name)))
	all := func(columns []string) string {
		var b strings.Builder
		for _, column := range columns {
			b.WriteString(s.goName(column))
		}

		return b.String()
	}
	switch c.kind {
	case dbtx.PrimaryKey, dbtx.Unique:
		return "Err" + row + all(t.telling(c)) + "Taken", ""
	case dbtx.ForeignKey:
		if c.keeps {
			other = "Err" + s.goName(inflection.Singular(bareName(c.references))) + "Has" + s.goName(bareName(t.name))
		}

		return "Err" + row + s.goName(t.refersTo(c)) + "Unknown", other
	case dbtx.NotNull:
		return "Err" + row + all(c.columns) + "Missing", ""
	case dbtx.Exclusion:
		return "Err" + row + all(c.columns) + "Conflict", ""
	default:
		return "Err" + row + all(c.columns) + "Invalid", ""
	}
}

func (s *schema) words(t *table, c *constraint) (words, other string) {
	row := singular(t.name)
	switch c.kind {
	case dbtx.PrimaryKey, dbtx.Unique:
		if t.onlyOwners(c) {
			return row + " of the " + list(t.telling(c), "and") + " already exists", ""
		}

		return row + " " + list(t.telling(c), "and") + " already taken", ""
	case dbtx.ForeignKey:
		other = singular(c.references) + " has " + spaced(bareName(t.name))

		return spaced(t.refersTo(c)) + " of the " + row + " does not exist", other
	case dbtx.NotNull:
		return row + " " + list(c.columns, "and") + " is missing", ""
	case dbtx.Exclusion:
		return row + " conflicts with another in " + list(c.columns, "and"), ""
	default:
		says := must(c.check, t)
		switch {
		case says != "":
			return row + " " + says, ""
		case len(c.columns) == 0:
			return row + " is not valid", ""
		case len(c.columns) > 1:
			return row + " " + list(c.columns, "and") + " do not fit each other", ""
		}

		return row + " " + c.columns[0] + " is not valid", ""
	}
}

func list(names []string, before string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}

	return strings.Join(names[:len(names)-1], ", ") + " " + before + " " + names[len(names)-1]
}

// must says in words what a CHECK asks for; "" when it has no simple form.
func must(node *pgquery.Node, t *table) string {
	subject, rules := rulesOf(node, t)
	if subject == "" {
		return ""
	}

	return subject + " must " + strings.Join(rules, " and must ")
}

// rulesOf returns the column that an expression is about and what it must be or have.
func rulesOf(node *pgquery.Node, t *table) (subject string, rules []string) {
	if b := node.GetBoolExpr(); b.GetBoolop() == pgquery.BoolExprType_AND_EXPR {
		for _, arg := range b.GetArgs() {
			of, more := rulesOf(arg, t)
			if of == "" || subject != "" && of != subject {
				return "", nil
			}
			subject = of
			rules = append(rules, more...)
		}

		return subject, rules
	}
	e := node.GetAExpr()
	if e == nil {
		return "", nil
	}
	subject, unit := measured(e.GetLexpr())
	if subject == "" {
		return "", nil
	}
	verb := "be "
	if unit != "" {
		verb = "have "
	}
	behind := func(text string) []string { return []string{strings.TrimSpace(verb + text + " " + unit)} }
	switch e.GetKind() {
	case pgquery.A_Expr_Kind_AEXPR_BETWEEN:
		bounds := e.GetRexpr().GetList().GetItems()
		low, high := shown(bounds[0]), shown(bounds[1])
		if low == "" || high == "" {
			return "", nil
		}
		if unit != "" {
			return subject, behind(low + " to " + high)
		}

		return subject, behind("from " + low + " to " + high)
	case pgquery.A_Expr_Kind_AEXPR_IN:
		var values []string
		for _, item := range e.GetRexpr().GetList().GetItems() {
			values = append(values, shown(item))
		}
		if operator(e) != "=" || slices.Contains(values, "") {
			return "", nil
		}

		return subject, behind(list(values, "or"))
	case pgquery.A_Expr_Kind_AEXPR_OP_ANY: // as a dump has IN
		var values []string
		for _, item := range uncast(e.GetRexpr()).GetAArrayExpr().GetElements() {
			values = append(values, shown(item))
		}
		if operator(e) != "=" || len(values) == 0 || slices.Contains(values, "") {
			return "", nil
		}

		return subject, behind(list(values, "or"))
	case pgquery.A_Expr_Kind_AEXPR_OP:
		other := shown(e.GetRexpr())
		compared := map[string]string{
			"=": "", ">=": "at least ", "<=": "at most ", ">": "more than ", "<": "less than ", "<>": "other than ",
		}
		if col := t.column(subject); col != nil && slices.Contains(timeTypes, col.typ) {
			compared = map[string]string{
				"=": "", ">=": "at or after ", "<=": "at or before ", ">": "after ", "<": "before ", "<>": "other than ",
			}
		}
		how, ok := compared[operator(e)]
		switch {
		case other == "":
			return "", nil
		case unit == ofJSON && operator(e) == "=":
			return subject, []string{"be a JSON " + other}
		case unit == ofJSON:
			return "", nil
		case operator(e) == "~" && unit == "" && other == `\S`:
			return subject, []string{"not be blank"}
		case operator(e) == "~" && unit == "":
			if exact := hexadecimal.FindStringSubmatch(other); exact != nil {
				return subject, []string{"be " + exact[1] + " lower-case hexadecimal characters"}
			}

			return subject, []string{"match " + other}
		case operator(e) == "!~" && unit == "":
			return subject, []string{"not match " + other}
		case !ok:
			return "", nil
		}

		return subject, behind(how + other)
	default:
		return "", nil
	}
}

var hexadecimal = regexp.MustCompile(`^\^\[0-9a-f\]\{(\d+)\}\$$`)

// ofJSON is the unit of JSON, which has a kind and no size.
const ofJSON = "JSON"

// measured returns the column that an expression is, and what of it is counted.
func measured(node *pgquery.Node) (column, unit string) {
	node = uncast(node)
	if fields := node.GetColumnRef().GetFields(); len(fields) > 0 {
		return lastName(fields), ""
	}
	call := node.GetFuncCall()
	if call == nil || len(call.GetArgs()) != 1 {
		return "", ""
	}
	column = lastName(uncast(call.GetArgs()[0]).GetColumnRef().GetFields())
	switch lastName(call.GetFuncname()) {
	case "char_length", "character_length", "length":
		return column, "characters"
	case "octet_length":
		return column, "bytes"
	case "cardinality":
		return column, "elements"
	case "jsonb_typeof", "json_typeof":
		return column, ofJSON
	default:
		return "", ""
	}
}

// shown returns a constant or a column as words have it; "" for anything else, and for a text of more than one line.
func shown(node *pgquery.Node) string {
	node = uncast(node)
	if fields := node.GetColumnRef().GetFields(); len(fields) > 0 {
		return lastName(fields)
	}
	c := node.GetAConst()
	switch {
	case c.GetIval() != nil:
		return itoa(int(c.GetIval().GetIval()))
	case c.GetFval() != nil:
		return c.GetFval().GetFval()
	case c.GetSval() != nil:
		if text := c.GetSval().GetSval(); !strings.ContainsFunc(text, unicode.IsControl) {
			return text
		}
	case node.GetAExpr().GetLexpr() == nil && operator(node.GetAExpr()) == "-":
		if n := shown(node.GetAExpr().GetRexpr()); n != "" {
			return "-" + n
		}
	}

	return ""
}

func singularName(table string) string { return inflection.Singular(bareName(table)) }
