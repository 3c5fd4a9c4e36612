package dbtx

// LongestName is how many bytes of a name PostgreSQL keeps. It cuts the rest off, and says so in a notice alone.
// https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
const LongestName = 63

// Statement is a statement of the schema files, with what it makes. Names are as the catalogue has them: without quotes,
// and without a schema.
type Statement struct {
	SQL  string // without the comments before it, without a semicolon, and without the schema public
	File string // its file and line: db/schema/010_accounts.sql:2
	Kind string // what it makes: KindTable, KindIndex, …

	// Name is the name of what it makes. A function has the types of its input arguments, by the names of the catalogue:
	// f(int4, text[]). A comment has the name of what it is about. Name is "" where PostgreSQL chooses it.
	Name string

	// Table is the table, view or domain that it belongs to: of an index, a constraint, a trigger, an alteration, and a
	// comment on a column or one of these. The Table of a partition is its parent.
	Table string

	// Of is the kind of what a comment is about: KindTable, "column", …
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

	// KindAlteration is a part of a table, an index or a sequence that has no name: ALTER TABLE … ALTER COLUMN … SET DEFAULT,
	// … ATTACH PARTITION, whose Table is the partition, ALTER SEQUENCE … OWNED BY.
	KindAlteration = "alteration"
	// KindSetting is a setting for the statements behind it, until the end of the transaction.
	KindSetting = "setting"
)

// Key tells the object that the statement makes from all others of the schema: "relation albums", "function f(int4)". It is
// "" for a part of an object, except for an index: a part is made with what it is a part of, and is not looked for.
func (s Statement) Key() string {
	if class := classes[s.Kind]; class != "" && s.Name != "" {
		return class + " " + s.Name
	}

	return ""
}

// Owners returns the keys of what the statement may be a part of; none when it is an object of its own. A name can be that
// of a relation or of a type, and a schema has one of them.
func (s Statement) Owners() []string {
	switch {
	case s.Kind == KindComment && s.Table == "":
		return []string{classes[s.Of] + " " + s.Name}
	case s.Kind == KindComment:
		return []string{"relation " + s.Table, "type " + s.Table}
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
