// Package dbtx has what is known of a store's SQL before the program runs. `make generate` works it out, with
// PostgreSQL's own parser, and writes it down as Go: nothing reads SQL while the program runs.
package dbtx

import (
	"slices"
	"strings"
	"sync"
)

// LongestName is how many bytes of a name PostgreSQL keeps. It cuts the rest off, and says so in a notice alone.
// https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
const LongestName = 63

// Metadata is what is known of the SQL of one database. The generated code has it as a variable that needs no code at start-up.
type Metadata struct {
	Schema  []Statement // of the schema files, in the order in which they are run
	Tables  []*Table    // with the views, in the order of the schema files
	Queries []*Query    // in the order of their names
	Enums   []Enum

	Migrations string // the table in which Migrate records its steps; "" is musicstore_migrations

	once      sync.Once
	catalogue *catalogue // see known
}

// Enum is an enum type.
type Enum struct {
	Name   string // it has the form schema.enum when the schema is not the default one
	Labels []string
}

// Enum returns the enum type of this name; nil when there is none.
func (m *Metadata) Enum(name string) *Enum {
	for i := range m.Enums {
		if m.Enums[i].Name == name {
			return &m.Enums[i]
		}
	}

	return nil
}

// Statement is a statement of the schema files, with what it makes. Names are as the catalogue has them: without quotes,
// and without a schema.
type Statement struct {
	SQL  string // without the comments before it, without a semicolon, and without the schema public
	File string // its file and line: db/schema/010_readers.sql:2
	Kind string // what it makes: KindTable, KindIndex, …

	// Name is the name of what it makes. A function has the types of its input arguments, by the names of the catalogue:
	// f(int4, text[]). A comment has the name of what it is about. Name is "" where PostgreSQL chooses it.
	Name string

	// Table is the table, view or domain that it belongs to: of an index, a constraint, a trigger, an alteration, and a
	// comment on a column or one of these. The Table of a partition is its parent.
	Table string

	// Of is the kind of what a comment is about: KindTable, "column", …; and of a constraint: PrimaryKey, Unique, …
	Of string
}

// The kinds of the statements of a schema.
const (
	KindTable            = "table" // and a partition that is made as one
	KindView             = "view"
	KindMaterializedView = "materialized view"
	KindSequence         = "sequence"
	KindEnum             = "enum"
	KindDomain           = "domain"
	KindType             = "type" // composite, or a range
	KindFunction         = "function"
	KindProcedure        = "procedure"
	KindAggregate        = "aggregate"
	KindExtension        = "extension"
	KindIndex            = "index"
	KindConstraint       = "constraint" // ALTER TABLE … ADD CONSTRAINT
	KindTrigger          = "trigger"
	KindComment          = "comment"

	// KindPartition is ATTACH PARTITION. Name is the table or index that becomes a partition, and Table its parent.
	KindPartition = "partition"
	// KindAlteration is a part of a table or a sequence that has no name: ALTER TABLE … ALTER COLUMN … SET DEFAULT, ALTER
	// SEQUENCE … OWNED BY.
	KindAlteration = "alteration"
	// KindSetting is a setting for the statements behind it, until the end of the transaction.
	KindSetting = "setting"
)

// Key tells the object that the statement makes from all others of the schema: "relation papers", "function f(int4)". It is
// "" for a part of an object, except for an index: a part is made with what it is a part of, and is not looked for.
func (s Statement) Key() string {
	if class := classes[s.Kind]; class != "" && s.Name != "" {
		return class + " " + s.Name
	}

	return ""
}

// HasIndex reports that the statement adds a key, which PostgreSQL keeps by an index of its name.
func (s Statement) HasIndex() bool {
	return s.Kind == KindConstraint && (s.Of == PrimaryKey || s.Of == Unique || s.Of == Exclusion)
}

// Owners returns the keys of what the statement may be a part of; none when it is an object of its own. A name can be that
// of a relation or of a type, and a schema has one of them.
func (s Statement) Owners() []string {
	switch {
	case s.Kind == KindComment && s.Table == "":
		return []string{classes[s.Of] + " " + s.Name}
	case s.Kind == KindComment:
		return []string{"relation " + s.Table, "type " + s.Table}
	case s.Kind == KindPartition:
		return []string{"relation " + s.Name}
	case s.Kind == KindIndex, s.Kind == KindConstraint, s.Kind == KindTrigger, s.Kind == KindAlteration:
		return []string{"relation " + s.Table}
	default:
		return nil
	}
}

// classes are the catalogues of PostgreSQL that have the names of the objects: pg_class, pg_type, pg_proc, pg_extension.
var classes = map[string]string{
	KindTable: "relation", KindView: "relation", KindMaterializedView: "relation", KindSequence: "relation", KindIndex: "relation",
	KindEnum: "type", KindDomain: "type", KindType: "type",
	KindFunction: "function", KindProcedure: "function", KindAggregate: "function",
	KindExtension: "extension",
}

// Find returns the query of this name; nil when there is none.
func (m *Metadata) Find(name string) *Query {
	at, ok := slices.BinarySearchFunc(m.Queries, name, func(q *Query, name string) int { return strings.Compare(q.Name, name) })
	if !ok {
		return nil
	}

	return m.Queries[at]
}

// Query returns the query that has this text in the generated code; nil when there is none. A :copyfrom query is found by name
// alone. Comparing the text is fast for the generated constant itself, because it is the same memory.
func (m *Metadata) Query(sql string) *Query {
	if q := m.Find(Name(sql)); q != nil && (q.SQL == sql || q.Command == Copyfrom) {
		return q
	}

	return nil
}

// Name returns the name that sqlc put into the first line of a query, "-- name: GetReader :one"; "" when there is none.
func Name(sql string) string {
	const before = "-- name: "
	if len(sql) < len(before) || sql[:len(before)] != before {
		return ""
	}
	for i := len(before); i < len(sql); i++ {
		if sql[i] == ' ' {
			return sql[len(before):i]
		}
	}

	return ""
}

// Copy returns the :copyfrom query that writes these columns of the table; nil when there is none.
func (m *Metadata) Copy(table string, columns []string) *Query {
	for _, q := range m.Queries {
		if q.Command != Copyfrom || q.Uses[0].Table != table || len(q.Params) != len(columns) {
			continue
		}
		same := true
		for i := range q.Params {
			same = same && q.Params[i].Assigned[0].Column == columns[i]
		}
		if same {
			return q
		}
	}

	return nil
}

// The commands of sqlc that matter here.
const (
	One      = "one"
	Many     = "many"
	Copyfrom = "copyfrom"
)

// Query is what is known of a query.
type Query struct {
	Name    string // CreateReader
	Op      string // its name in words, as errors begin with it: create reader
	Command string // without the colon: one
	SQL     string // as the generated code sends it; that of Copyfrom is never sent
	File    string // the file and line of the query: db/queries/readers.sql:12
	Params  []Param
	Fills   []Fill   // its defaults, in the order in which they are made
	Uses    []Use    // the tables and views that it touches; of Copyfrom, the table alone
	Calls   []string // the functions of the schema files that it calls, without their arguments
	Write   bool     // it may change something: it writes, or calls a function that is not known to be STABLE
	Locks   bool     // it locks rows, and so may wait for others
	Utility bool     // it has no plan: it is no SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES

	// Keyed means that the query may be sent twice. The second time it changes nothing, and returns the stored row or no row.
	Keyed bool
	// Taken is the constraint of the key of a keyed query. If the query returns no row, another row has that key. Taken is ""
	// when no row has another meaning.
	Taken string

	Plans []string // the texts of its +plan marks: "filters reviews: newest first, up to a page"
}

// ColumnOf names a column of a table.
type ColumnOf struct{ Table, Column string }

// Param is a parameter of a query. Params[0] is $1.
type Param struct {
	Name      string     // as it is written in the query: created_at
	Type      string     // PostgreSQL's name of the type, without []: timestamptz
	Array     bool       // of Type
	Null      bool       // it may be NULL
	Sensitive bool       // it is a value of a sensitive column
	Assigned  []ColumnOf // the columns that the query sets to it
	Compared  []ColumnOf // the columns that it is compared with
}

// The sources of a default.
const (
	ID      = "id"      // a new id
	Now     = "now"     // the present time
	Derived = "derived" // Func of the parameters From
)

// Fill is the default of a parameter: the value that it gets if the caller left it unset.
type Fill struct {
	Param  int    // an index of Params
	By     string // ID, Now or Derived
	Func   string // the Go function that derives it
	From   []int  // the parameters that it is derived from, as indexes of Params
	Always bool   // a value that the caller sets is refused
}

// Use is what a query does with a table. The columns are what a role needs privileges on.
type Use struct {
	Table  string
	Read   bool     // rows are read, perhaps without a column, as in count(*)
	Select []string // columns that are read
	Insert []string
	Update []string
	Delete bool
	Empty  bool // TRUNCATE
	Lock   bool // rows are locked, which needs the right to update any column
}

// Table is a table or a view.
type Table struct {
	Name        string
	Was         string // the name that it had before, by its mark
	View        bool
	File        string // the file and line of its CREATE: db/schema/010_readers.sql:2
	Columns     []Column
	Constraints []Constraint
	Indexes     []Index // those that have a mark

	Partitioned bool     // its rows are in partitions
	Partitions  []string // the partitions that the schema files make, with their own; none of them is in Tables
}

// Index is what the marks say of an index.
type Index struct {
	Name  string
	Plans []string // the texts of its +plan marks: why it exists, though no query and no foreign key needs it
}

// Column is a column of a table.
type Column struct {
	Name      string
	Type      string // PostgreSQL's name of the type, without []
	Array     bool
	NotNull   bool
	Sensitive bool // its Go type hides the value

	Was  string // the name that it had before, by its mark
	Fill string // the SQL expression for rows that were there before the column, by its mark

	// By is the source of the column's default: ID, Now, Derived or "". Func is the Go function that derives it, and From are the columns
	// that it is derived from.
	By   string
	Func string
	From []string

	// Sequence is the sequence of an identity, a serial or a nextval default; "" when there is none. It has the form
	// schema.sequence when the schema is not the default one.
	Sequence string
}

// The kinds of constraints.
const (
	PrimaryKey = "primary key"
	Unique     = "unique"
	ForeignKey = "foreign key"
	Check      = "check"
	NotNull    = "not null"
	Exclusion  = "exclusion"
)

// Constraint is a constraint or a unique index.
type Constraint struct {
	Name       string // a not-null constraint has the name that PostgreSQL 18 gives it: readers_email_not_null
	Kind       string
	Columns    []string
	References string // the table that a foreign key refers to
	Words      string // what is wrong when it refuses a row: e-mail already taken
	Referenced string // what is wrong when a foreign key keeps the row that it refers to: reader has sales
}
