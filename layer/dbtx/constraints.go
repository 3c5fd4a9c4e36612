package dbtx

import (
	"errors"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Sentinel is the error of one constraint or unique index. A store has a type of its own for it, which the generator writes. Every
// *ConstraintError of the constraint is it.
type Sentinel interface {
	error

	// Sentinel returns the constraint's name, with Referenced behind it if the error is that of a row that is referred to.
	Sentinel() string
}

// Referenced is what the name of a foreign key ends with when it is seen from the other side: the row can't go, because another one
// refers to it.
const Referenced = " (referenced)"

// Words returns what a sentinel's constraint refuses, in words.
func (m *Metadata) Words(sentinel string) string {
	if text, ok := m.known().words[sentinel]; ok {
		return text
	}

	return "constraint " + sentinel
}

// columnOf returns the column that a constraint is about, from its name: table, column, kind.
func columnOf(table, constraint string) string {
	rest := strings.TrimPrefix(constraint, table+"_")
	if rest == "pkey" {
		return "id"
	}
	if column, ok := strings.CutSuffix(rest, "_not_null"); ok {
		return column
	}
	if i := strings.LastIndexByte(rest, '_'); i > 0 {
		return rest[:i]
	}

	return rest
}

// rule is what is known of a constraint or unique index of the schema, beside its name.
type rule struct {
	kind  error // ErrUnique, ErrForeignKey, ErrCheck, ErrNotNull or ErrExclusion
	table string
}

// catalogue is what is known of the SQL of a store, as its errors, its echo and its retries need it.
type catalogue struct {
	*Metadata

	words  map[string]string // by the name of the sentinel
	rules  map[string]rule   // by the name of the constraint; a not-null constraint has the name that PostgreSQL 18 gives it
	tables map[string]bool
	wholes map[string]*Table // the partitioned tables, by their partitions that the schema files make

	listsOfEnums map[string]bool // the tables that have such a column
}

func newCatalogue(m *Metadata) *catalogue {
	kinds := map[string]error{
		PrimaryKey: ErrUnique, Unique: ErrUnique, ForeignKey: ErrForeignKey, Check: ErrCheck,
		NotNull: ErrNotNull, Exclusion: ErrExclusion,
	}
	k := &catalogue{Metadata: m, words: map[string]string{}, rules: map[string]rule{}, tables: map[string]bool{}}
	k.wholes = map[string]*Table{}
	k.listsOfEnums = map[string]bool{}
	for _, table := range m.Tables {
		k.tables[table.Name] = true
		for _, part := range table.Partitions {
			k.wholes[part] = table
		}
		for _, column := range table.Columns {
			if column.Array && m.Enum(column.Type) != nil {
				k.listsOfEnums[table.Name] = true
			}
		}
		for _, of := range table.Constraints {
			k.rules[of.Name] = rule{kinds[of.Kind], table.Name}
			k.words[of.Name] = of.Words
			if of.Referenced != "" {
				k.words[of.Name+Referenced] = of.Referenced
			}
		}
	}

	return k
}

// known returns what is known of the SQL, in the form in which it is looked up. It is worked out at the first call.
func (m *Metadata) known() *catalogue {
	m.once.Do(func() { m.catalogue = newCatalogue(m) })

	return m.catalogue
}

// notNull is the name that PostgreSQL 18 gives to a not-null constraint.
func notNull(table, column string) string { return table + "_" + column + "_not_null" }

func cutName(name string) string { return name[:min(len(name), LongestName)] }

// A shard's name is the table's or constraint's own with the shard's number behind it. Citus cuts a name that gets too
// long by that, and puts eight digits of a hash before the number.
var shardSuffix = regexp.MustCompile(`(?:_[0-9a-f]{8})?_\d*$`)

// unsharded returns the known name that name is, or that it is on a shard. A name that is known as it stands is never
// taken for a shard's: a constraint may itself be called papers_key_102008.
func unsharded[V any](known map[string]V, name string) (string, bool) {
	if _, ok := known[name]; ok {
		return name, true
	}
	end := strings.LastIndexByte(name, '_')
	if end < 1 || strings.Trim(name[end+1:], "0123456789") != "" {
		return "", false
	}
	if _, ok := known[name[:end]]; ok {
		return name[:end], true
	}
	if len(name) < LongestName-3 { // which a cut leaves, if it falls into a character of four bytes
		return "", false
	}
	found := ""
	begin := shardSuffix.ReplaceAllString(name, "")
	for candidate := range known {
		if len(candidate)+len(name)-end <= LongestName || !strings.HasPrefix(candidate, begin) {
			continue // it need not have been cut, or is another
		}
		if found != "" {
			return "", false // two begin alike: which one it is, is not known
		}
		found = candidate
	}

	return found, found != ""
}

// ownRoutines are the places in PostgreSQL that report a violated constraint, with its names from the catalogue. RAISE
// can put any text into the fields of names, but it can't say that it is one of these.
var ownRoutines = map[string]bool{
	"_bt_check_unique": true, "check_exclusion_or_unique_constraint": true,
	"comparetup_index_btree": true, "comparetup_index_btree_tiebreak": true,
	"ri_ReportViolation": true, "ExecConstraints": true, "ReportNotNullViolationError": true, "ExecPartitionCheckEmitError": true,
	"ExecEvalConstraintCheck": true, "ExecEvalConstraintNotNull": true, "domain_check_input": true, "ATRewriteTable": true,
}

// constraintIn returns the constraint that an error of the server is about: its name in the schema and its table, column
// and kind. The kind is nil when the error is about none.
//
// Names are taken from the error's own fields. A field that does not come from PostgreSQL's own check counts only if it
// has a name of the schema, because a function may have put a value of the row there. Where the fields are empty, as
// they are in the error of another server's shard, a name of the schema is looked for in the message.
func (k *catalogue) constraintIn(pg *pgconn.PgError) (c ConstraintError) {
	c.Kind = kinds[pg.Code]
	if c.Kind == nil && pg.Code != codeInternalError { // as which COPY returns the error of a shard
		return c
	}
	own := ownRoutines[pg.Routine]
	if own {
		c.Table, c.Column, c.Constraint = pg.TableName, pg.ColumnName, pg.ConstraintName
	}
	if table, ok := unsharded(k.tables, pg.TableName); ok {
		c.Table = table
	}
	name, ok := unsharded(k.rules, pg.ConstraintName)
	if whole := k.whole(pg.TableName); whole != nil && own {
		c.Table = whole.Name
		if !ok {
			name, ok = whole.constraintOf(pg.TableName, pg.ConstraintName)
		}
	}
	if !ok && pg.ConstraintName == "" {
		name, ok = k.ruleIn(pg, c.Table)
	}
	if ok {
		of := k.rules[name]
		c.Constraint, c.Table = name, of.table
		if c.Kind == nil {
			c.Kind = of.kind
		}
	}
	if c.Constraint == "" && errors.Is(c.Kind, ErrNotNull) && c.Column != "" {
		c.Constraint = notNull(c.Table, c.Column)
	}
	if c.Column == "" && c.Constraint != "" {
		c.Column = columnOf(c.Table, c.Constraint)
	}

	return c
}

// whole returns the table that a table of the server is a partition of; nil when it is none. A partition that the schema files do
// not make, because a job makes one a month, is known by its name, which begins with that of its table.
func (k *catalogue) whole(name string) *Table {
	whole := k.wholes[name]
	if whole != nil || k.tables[name] {
		return whole
	}
	for _, t := range k.Tables {
		if t.Partitioned && strings.HasPrefix(name, t.Name+"_") && (whole == nil || len(t.Name) > len(whole.Name)) {
			whole = t
		}
	}

	return whole
}

// constraintOf returns the constraint of a partitioned table that the constraint or index of a partition is a part of. PostgreSQL gives
// checks and foreign keys of partitions the name that the table's has. It makes the name of an index out of those of the partition and
// of the columns. https://www.postgresql.org/docs/current/ddl-partitioning.html
func (t *Table) constraintOf(partition, name string) (string, bool) {
	rest := strings.TrimRight(strings.TrimPrefix(name, partition), "0123456789")
	var found []string
	for _, c := range t.Constraints {
		columns := "_" + strings.Join(c.Columns, "_")
		switch {
		case c.Kind == PrimaryKey && rest == "_pkey",
			c.Kind == Unique && (rest == columns+"_key" || rest == columns+"_idx"),
			c.Kind == Exclusion && rest == columns+"_excl":
			found = append(found, c.Name)
		}
	}
	if len(found) != 1 {
		return "", false
	}

	return found[0], true
}

var (
	nameInText = regexp.MustCompile(`[\pL_][\pL\d_$]*`)
	// The quotation marks of PostgreSQL's translations, which may have a space inside.
	quotedName = regexp.MustCompile(`["“”„«»‹›「『][\s\x{a0}\x{202f}]*([\pL_][\pL\d_$]*)[\s\x{a0}\x{202f}]*["“”„«»‹›」』]`)
)

// ruleIn returns the one constraint of the schema that an error without a constraint's name is about. Two are as good as
// none.
func (k *catalogue) ruleIn(pg *pgconn.PgError, table string) (name string, ok bool) {
	found := map[string]bool{}
	if pg.Code == codeNotNullViolation || pg.Code == codeInternalError {
		quoted := quotedName.FindAllStringSubmatch(pg.Message, -1)
		columns, tables := make([]string, 0, 1+len(quoted)), []string{table}
		columns = append(columns, pg.ColumnName)
		for _, m := range quoted {
			columns = append(columns, m[1])
			if t, ok := unsharded(k.tables, m[1]); ok {
				tables = append(tables, t)
			}
		}
		for _, t := range tables {
			for _, column := range columns {
				if name := cutName(notNull(t, column)); k.rules[name].kind == ErrNotNull { //nolint:errorlint // it is that
					found[name] = true
				}
			}
		}
	}
	if pg.Code != codeNotNullViolation {
		for _, word := range nameInText.FindAllString(pg.Message, -1) {
			if name, ok := unsharded(k.rules, word); ok {
				found[name] = true
			}
		}
	}
	for name = range found {
		ok = len(found) == 1
	}

	return name, ok
}
