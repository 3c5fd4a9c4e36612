package schema

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
)

// Difference is one thing that is not as the schema files say.
type Difference struct {
	Kind  string `json:"kind"`  // table, partition, column, constraint, index, trigger, view, function, enum, comment on table, …
	Table string `json:"table"` // the table, view or domain that it is of; a table's own name; of a partition, its parent
	Name  string `json:"name"`  // of a function, in quotes where SQL needs them, with the types of its arguments
	Want  string `json:"want"`  // what the schema files say; empty: the thing is extra
	Have  string `json:"have"`  // what the database has; empty: the thing is missing

	// Mend is the SQL that makes it as the schema files say: one or more statements, for a session of the same search_path. It
	// is empty where PostgreSQL has no statement that does.
	Mend string `json:"mend"`
	// LosesData says that Mend takes rows or values with it, or may: it drops a table or column, or changes a type. So does what turns row
	// security off.
	LosesData bool `json:"loses_data"`
	// Steps are the statements of Mend, with what each of them costs.
	Steps []Step `json:"steps"`
}

// String returns the difference in words, on one line unless a name or definition has several.
func (d Difference) String() string {
	of := d.Kind + " " + nameOf(d.Table, d.Name)
	switch {
	case d.Have == "" && d.Want == d.Kind:
		return of + " is missing"
	case d.Have == "":
		return of + " is missing: " + d.Want
	case d.Want == "" && d.Have == d.Kind:
		return of + " is extra"
	case d.Want == "":
		return of + " is extra: " + d.Have
	default:
		return of + " is " + d.Have + ", not " + d.Want
	}
}

// ErrNoTemporaryTables is what Check returns where it can't build the schema to compare with: on a standby, in a
// transaction that only reads, or for a role without the privilege TEMPORARY on the database. The text says which.
var ErrNoTemporaryTables = errors.New("can't make temporary tables")

// ErrNoSchema is what Check returns where the files have more than temporary tables can show, such as a materialized view, and it
// can't make a schema for them: on a standby, in a transaction that only reads, or for a role without the privilege CREATE on
// the database. The text says which.
var ErrNoSchema = errors.New("can't make a schema to compare with")

// Check compares the current schema with the schema files and returns what differs, none where nothing does. The order is one
// in which the mending statements can be run; Check runs none.
//
// It builds the schema files, so that PostgreSQL itself reads the SQL, and compares the two catalogues, in one transaction
// that is rolled back (in a transaction of the caller's, a savepoint). There are two ways:
//
//   - Files of tables, indexes, views, sequences, enums, domains and comments are built as temporary objects. So are those with
//     functions and triggers, while the database has all of these functions, whatever is in them, and none has a comment. The role needs to
//     connect, to use the schema, and TEMPORARY on the database, which PostgreSQL gives to everybody: ErrNoTemporaryTables
//     otherwise.
//   - All other files are built in a schema of their own: those with more, with an extension or a function that is
//     missing, or with a function over one of their own types. PostgreSQL looks for no function among temporary objects, and makes no
//     materialized view, unlogged table, composite type or range of use there. The role needs CREATE on the database in place of
//     TEMPORARY: ErrNoSchema otherwise.
//
// A file that creates a function in an untrusted language needs the right to use that language, too.
//
// Either needs a server that can be written to. Check takes no lock that a reader or writer waits for. It runs nothing of
// the files: a materialized view stays empty, functions are created and not called. It leaves nothing but the rows that
// the rollback makes dead in the catalogues, for autovacuum: about 500 for five tables.
//
// Compared are
//
//   - tables: whether they are ordinary ones, logged, and without inheritance and row security;
//   - partitioned tables: what they are partitioned by; partitions: whether they are attached, and their bounds. Where the files
//     give a table partitions with bounds, another one is extra. Where they give none, or a default one alone, a job makes
//     the others, and they are not looked at;
//   - columns: type, collation, NOT NULL, default, identity or serial with its sequence's options, generation; not their order;
//   - constraints: definition, deferrable, validated, enforced, and whether the triggers that enforce them fire (ALTER
//     TABLE … DISABLE TRIGGER); a NOT NULL is its column's, by whatever name;
//   - indexes: definition, uniqueness, predicate, valid, name; those of partitions where the parent does not have them;
//   - views and materialized views: query and options; not whether a materialized view is refreshed;
//   - functions, procedures and aggregates: arguments with their names and defaults, result, language, body, volatility and
//     all else of CREATE FUNCTION. The name of one has the types of its arguments, so one with other types is another;
//   - enums: labels and their order; domains: type, default, NOT NULL, constraints; composite types and ranges; sequences: type
//     and options;
//   - triggers, with whether they fire, and rules;
//   - how tables, materialized views, their columns, those of partitions, and keys are stored: storage parameters, STATISTICS, STORAGE,
//     COMPRESSION, REPLICA IDENTITY and CLUSTER ON;
//   - comments on all of these;
//   - extensions that the files create: whether they are there. Where one is missing that the session cannot create, nothing
//     else can be compared, and nothing else is returned.
//
// What the files do not have is extra. What an extension made is not looked at, nor any other schema.
//
// An expression, a view's query and a function's parsed body (BEGIN ATOMIC) are compared by what PostgreSQL makes of them.
// PostgreSQL prints some in another way after a dump and a restore: where the texts are different, it reads both sides
// again, and what is the same then is no difference. That takes some more round trips. To print views and functions waits for a
// table that is being altered, as a SELECT does.
//
// Owners, privileges, extended statistics, the STATISTICS of an index and tablespaces are not compared. Neither are policies, the row
// security of a table that has one, triggers, defaults and NOT NULL of single partitions, operators, casts, collations, and settings of
// the server, the database or a role, such as session_replication_role.
//
// A column or table with a new name is one difference where the mark +was says its old name, and a missing and an extra one otherwise. A
// constraint or index that only has another name is one difference, and renaming mends it. What belongs to a missing or extra table is
// not listed beside it, except for its triggers and the foreign keys that ALTER TABLE adds.
//
// What a migration has made for the time being, and will take away, is no difference: a default by which programs of the version before
// insert rows, an index that is being built beside another. Nor is the table in which Migrate records its steps.
//
// The statements that mend a difference are the steps of Migrate, in the forms that keep nobody waiting. CREATE INDEX CONCURRENTLY, DROP
// INDEX CONCURRENTLY and the filling of a column can't run in a transaction. Migrate also looks at the rows first, runs each with a limit
// on its wait for a lock, and goes on where it was cut off. Where no statement mends a difference, Mend is empty: an enum's label that is extra
// or in another place, the type of a domain, a range, the order of a composite type's attributes. To alter a column, a view or a function, a
// mend may drop the views, functions, triggers, constraints and indexes that need it, and make them again, with the rights on the views.
// Where a column's default or expression needs a function that has to be dropped, there is no mend.
//
// A statement that replaces a generated column takes the indexes and constraints on it along, and one that replaces a function leaves those
// that call it to be made again: check again. A view of SELECT * has the columns
// in the order of the table, which is no difference of the table, but one of the view.
func Check(ctx context.Context, db DB, m *dbtx.Metadata) ([]Difference, error) {
	var differences []Difference
	err := catalogues(ctx, db, m, func(tx pgx.Tx, s *site, want, have *catalogue, missing []string) error {
		named := renames(m, want, have)
		p := &probe{ctx: ctx, tx: tx, site: s, m: m, want: want, have: have, renames: named}
		differences = append(append([]Difference{}, named...), compare(p, missing)...)

		return p.err
	})
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}

	return differences, nil
}

// catalogues calls fn with what the schema files make and what the current schema has, in the transaction that has both. Where
// an extension of the files is missing that the session cannot create, it gives it those extensions, and nil for what the files
// make: they cannot be built then.
func catalogues(
	ctx context.Context, db DB, m *dbtx.Metadata, fn func(tx pgx.Tx, s *site, want, have *catalogue, missing []string) error,
) (err error) {
	var want, have *catalogue
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if failure := settings.Rollback(ctx, tx); err == nil {
			err = failure
		}
	}()
	if err := settings.CheckDatabase(tx.Conn().PgConn()); err != nil {
		return err
	}
	path, missing, err := look(ctx, tx, m)
	if err != nil {
		return err
	}
	// To compile the readings takes longer than to run them. What a body does is not looked at when a function is created:
	// it may look for tables by a search_path of its own.
	if err := exec(ctx, tx, "SET LOCAL jit = off"); err != nil {
		return err
	}
	if have, err = read(ctx, tx, nil, path+", pg_temp"); err != nil {
		return err
	}
	s := temporary(m, path, have)
	built := false
	if s != nil && len(missing) == 0 {
		if built, err = s.tryBuild(ctx, tx, m); err != nil {
			return err
		}
	}
	if !built {
		if s, err = newSchema(ctx, tx, path); err != nil {
			return err
		}
		if missing, err = s.extend(ctx, tx, m, missing); err != nil {
			return err
		}
		if slices.ContainsFunc(missing, func(name string) bool { return !s.extended[name] }) {
			return fn(tx, s, nil, have, missing)
		}
		if err := s.build(ctx, tx, m); err != nil {
			return err
		}
	}
	if want, err = read(ctx, tx, s.names, s.want); err != nil {
		return err
	}

	if err := reread(ctx, tx, s, want, have); err != nil {
		return err
	}

	return fn(tx, s, want, have, missing)
}

// site is where the schema files are built: a schema of its own that the rollback removes, or, where temporary tables are
// enough, the session's own for those.
type site struct {
	schema     string   // quoted
	names      []string // of what the files make there; nil: everything there is theirs
	functions  bool     // some of them are temporary
	want, have string   // the search_paths by which the two sides are read: names are found in, and printed without, the first schemas
	extended   map[string]bool
}

// temporary returns the session's own schema for temporary tables, or nil where that is not enough: the schema has
// something that PostgreSQL doesn't allow there, or a function that is missing. PostgreSQL looks for no function there, so what
// calls one gets the function of the same name that the database has.
func temporary(m *dbtx.Metadata, path string, have *catalogue) *site {
	s := &site{schema: "pg_temp", want: "pg_temp, " + path, have: path + ", pg_temp"}
	for _, st := range m.Schema {
		switch st.Kind {
		case dbtx.KindComment:
			if st.Of == dbtx.KindFunction { // it would be the comment of the function that the database has
				return nil
			}
		case dbtx.KindTable, dbtx.KindSequence:
			if words := strings.Fields(st.SQL); len(words) > 1 && strings.EqualFold(words[1], "UNLOGGED") {
				return nil
			}
		case dbtx.KindFunction:
			if !slices.ContainsFunc(have.relations, func(o object) bool { return o.Signature == st.Name }) {
				return nil
			}
			s.functions = true
			st.Name, _, _ = strings.Cut(st.Name, "(")
		case dbtx.KindIndex, dbtx.KindConstraint, dbtx.KindView, dbtx.KindEnum, dbtx.KindDomain,
			dbtx.KindExtension, dbtx.KindSetting, dbtx.KindAlteration, dbtx.KindTrigger:
		default:
			return nil
		}
		if st.Kind != dbtx.KindComment && st.Kind != dbtx.KindConstraint && st.Kind != dbtx.KindTrigger && st.Name != "" {
			s.names = append(s.names, st.Name)
		}
	}

	return s
}

// newSchema makes a schema for the site.
func newSchema(ctx context.Context, tx pgx.Tx, path string) (*site, error) {
	if err := looked(ctx, tx, "CREATE", nil); err != nil {
		return nil, err
	}
	name := quote(fmt.Sprintf("musicstore_check_%016x", rand.Uint64())) //nolint:gosec // no secret: two at once must differ

	return &site{schema: name, want: name + ", " + path + ", pg_temp", have: path + ", pg_temp"},
		exec(ctx, tx, "CREATE SCHEMA "+name)
}

// extend creates the extensions that the database does not have, so that the files can be built. It returns
// those that are missing: all that it was given, for they go with the rollback. s.extended has those that it could create.
func (s *site) extend(ctx context.Context, tx pgx.Tx, m *dbtx.Metadata, missing []string) ([]string, error) {
	s.extended = map[string]bool{}
	for _, st := range m.Schema {
		if st.Kind != dbtx.KindExtension || !slices.Contains(missing, st.Name) {
			continue
		}
		nested, err := tx.Begin(ctx)
		if err != nil {
			return nil, err
		}
		err = exec(ctx, nested, "SET LOCAL search_path = "+s.want+";"+st.SQL)
		if err == nil {
			s.extended[st.Name] = true
			err = nested.Commit(ctx)
		} else if unreadable(err) || sqlstate.Of(err) == "58P01" { // undefined_file: the server does not have the extension
			err = settings.Rollback(ctx, nested)
		}
		if err != nil {
			return nil, err
		}
	}

	return missing, nil
}

// tryBuild builds the schema files among the temporary tables. It returns false where they have functions and another schema
// has to be tried: the role may make no temporary table, or PostgreSQL can't read the files there, for example since a temporary
// type is not the type of a function's argument.
func (s *site) tryBuild(ctx context.Context, tx pgx.Tx, m *dbtx.Metadata) (bool, error) {
	switch err := looked(ctx, tx, "TEMPORARY", s.names); {
	case errors.Is(err, ErrNoTemporaryTables) && s.functions && looked(ctx, tx, "CREATE", nil) == nil:
		return false, nil
	case err != nil:
		return false, err
	case !s.functions:
		return true, s.build(ctx, tx, m)
	}
	nested, err := tx.Begin(ctx)
	if err != nil {
		return false, err
	}
	err = s.build(ctx, nested, m)
	if err == nil {
		return true, nested.Commit(ctx)
	}
	if !unreadable(err) {
		return false, err
	}

	return false, settings.Rollback(ctx, nested)
}

// build runs the schema files. No code of theirs runs: a materialized view stays empty, and the body of a function is not
// looked at, which may search for tables by a search_path of its own.
func (s *site) build(ctx context.Context, tx pgx.Tx, m *dbtx.Metadata) error {
	if err := settings.SetPath(ctx, tx, s.want); err != nil {
		return err
	}
	if err := exec(ctx, tx, "SET LOCAL check_function_bodies = off"); err != nil {
		return err
	}
	for _, st := range m.Schema {
		sql := st.SQL
		switch {
		case st.Kind == dbtx.KindExtension, st.Kind == dbtx.KindComment && st.Of == dbtx.KindExtension:
			continue
		case st.Kind == dbtx.KindMaterializedView:
			sql = withNoData(sql)
		}
		if err := exec(ctx, tx, sql); err != nil {
			return fmt.Errorf("%s: %w", st.File, err)
		}
	}

	return nil
}

// withNoData returns the statement that makes a materialized view without running its query.
func withNoData(sql string) string {
	rest := sql
	for _, word := range []string{"DATA", "NO", "WITH"} {
		trimmed := strings.TrimRightFunc(rest, unicode.IsSpace)
		at := len(trimmed) - len(word)
		switch {
		case at > 0 && strings.EqualFold(trimmed[at:], word) && unicode.IsSpace(rune(trimmed[at-1])):
			rest = trimmed[:at]
		case word != "NO":
			return sql + "\nWITH NO DATA"
		}
	}

	return rest + "\nWITH NO DATA"
}

const sessionSQL = `
SELECT
    current_setting('transaction_read_only') = 'on',
    has_database_privilege(current_database(), $2),
    current_database(), current_user,
    (SELECT min(name::text) FROM (
        SELECT relname, relnamespace FROM pg_catalog.pg_class UNION ALL SELECT typname, typnamespace FROM pg_catalog.pg_type
        UNION ALL SELECT proname, pronamespace FROM pg_catalog.pg_proc
     ) AS own (name, namespace)
     WHERE namespace = pg_my_temp_schema() AND name = ANY ($1::text[]))`

// look returns the session's search_path without temporary tables, and which extensions of the files are missing. It
// leaves the transaction with the settings that the schema files are written for, and pg_catalog alone in its search_path.
func look(ctx context.Context, tx pgx.Tx, m *dbtx.Metadata) (path string, missing []string, err error) {
	p, err := settings.Look(ctx, tx)
	if err == nil {
		err = p.Refuse()
	}
	if err == nil {
		_, err = settings.Seal(ctx, tx, "")
	}
	if err == nil && len(p.Schemas) == 0 {
		err = errors.New("the search_path names no schema that exists and that the role may use: create one, or set another search_path")
	}
	if err != nil {
		return "", nil, err
	}
	schemas := make([]string, len(p.Schemas))
	for i, name := range p.Schemas {
		schemas[i] = quote(name)
	}
	var names []string
	for _, st := range m.Schema {
		if st.Kind == dbtx.KindExtension {
			names = append(names, st.Name)
		}
	}
	if names != nil {
		err = tx.QueryRow(ctx, `
SELECT ARRAY(SELECT unnest($1::text[]) EXCEPT SELECT extname::text FROM pg_catalog.pg_extension)`,
			pgx.QueryExecModeExec, names).Scan(&missing)
	}

	return strings.Join(schemas, ", "), missing, err
}

// looked returns why the session can't build the schema files, if it can't. names are those that no temporary table may have.
func looked(ctx context.Context, tx pgx.Tx, privilege string, names []string) error {
	var readOnly, may bool
	var database, role string
	var taken *string
	err := tx.QueryRow(ctx, sessionSQL, pgx.QueryExecModeExec, names, privilege).
		Scan(&readOnly, &may, &database, &role, &taken)
	cannot := ErrNoTemporaryTables
	if privilege == "CREATE" {
		cannot = ErrNoSchema
	}
	switch {
	case err != nil:
		return err
	case readOnly:
		return fmt.Errorf("%w: the server is a standby, or the session reads only: ask the primary", cannot)
	case !may:
		return fmt.Errorf("%w: the role may not: GRANT %s ON DATABASE %s TO %s;", cannot, privilege, quote(database), quote(role))
	case taken != nil:
		return fmt.Errorf("%w: the session has one named %s: drop it, or ask in another session", cannot, quote(*taken))
	default:
		return nil
	}
}

// object is something in the catalogue.
type object struct {
	Kind, Table, Name string
	Was               string // of a table or a column that is renamed: the name that it has
	// Def is what stands behind its name: of a column, its type; of a table, what it is partitioned by; of a domain, the
	// type that it is of.
	Def     string
	Comment string

	// Of a table.
	Unlogged, RowSecurity, ForcedRowSecurity bool
	Parents                                  []string
	Children                                 []string // in other schemas; those of its own are extra tables

	// Of a partition.
	Partition     bool
	Bound, Parent string // Parent is a name; Parents has it as text
	Belongs       string // which rows belong there

	// Of a column. A domain has a default and NOT NULL as well.
	Category, Collation, Default, Identity, Generated string
	NotNull, Virtual                                  bool
	Sequence                                          []string // the options of the identity's, or of Serial
	Serial                                            string   // the sequence that it owns otherwise
	Owns                                              string   // the name of either

	// Of a column's NOT NULL.
	NotValid bool

	// Of a table, a column, a materialized view or a key: what is stored how, each a name and a value. See compareSettings.
	Settings map[string]string
	Storage  string // of a column: that of its type, which it has without a setting

	// Of a constraint, an index or a trigger: what keeps it from being in force. Empty: nothing does.
	State string

	// The expressions in Def, in their order. A column's are in Default and Generated.
	Expressions []string
	again       string // how PostgreSQL prints them after it has read them again

	// Of a constraint: c, f, p, u or x, as in pg_constraint.
	Type string

	// Of a constraint or an index: its columns or expressions as SQL, and whether no two rows may have the same ones, with NULL
	// as a value or not.
	Keys       []string
	Unique     bool
	NullsEqual bool
	Predicate  string

	// Of a foreign key: the columns that it refers to.
	TargetKeys []string

	// Of an index or a key of a partitioned table: the indexes that are parts of it, by their partitions.
	Attached map[string]string
	// Its columns by the names that they had when it was made.
	IndexColumns []string

	// Of a relation: the statements that give others the rights on it that they have.
	Grants []string

	// Of a foreign key: the table that it refers to, if that is in the same schema, and the index there.
	Target, Key string

	// Of a domain's constraint: the type that the domain is of.
	Domain string

	// Of a type: the labels of an enum; the attributes of a composite type, each a name and a type.
	Labels     []string
	Attributes [][2]string

	// Of a function, a procedure or an aggregate. Its Name has the types of its arguments and is quoted.
	Bare              string // the name alone
	Signature         string // its name in the metadata
	Result, Arguments string
	Parsed            bool // PostgreSQL keeps it, or a part of it, as it was parsed
	Used              bool // a table or a domain needs it

	// Of a view.
	Options string
	Columns []string // the name and the type of each

	// Of a view, a function, a trigger, a constraint or an index: what it needs in the same schema. A column has the form table.column.
	Needs []string
}

// What objectsSQL says of the objects of the current schema: all, or the relations and types named and what belongs to
// them. It is the same for both sides. The server reads its text while pg_catalog is alone in the search_path. Then the
// query sets the search_path by which names are printed, before it reads the first row.
const objectsSQL = `
WITH here AS MATERIALIZED (
    SELECT oid, nspname
    FROM pg_catalog.pg_namespace
    WHERE (SELECT set_config('search_path', $2, true)) IS NOT NULL AND nspname = current_schema()
), relation AS (
    SELECT
        c.oid, relname, relnamespace, relkind, relpersistence, relrowsecurity, relforcerowsecurity, relispartition,
        relpartbound, reloptions, relacl, relowner, reltoastrelid, relreplident,
        EXISTS (SELECT FROM pg_catalog.pg_policy WHERE polrelid = c.oid) AS policed
    FROM pg_catalog.pg_class AS c
    WHERE relnamespace = (SELECT oid FROM here) AND ($1::text[] IS NULL OR relname = ANY ($1))
), type AS ( -- those that no table has
    SELECT t.oid, typname, typtype, typbasetype, typtypmod, typcollation, typrelid, typnotnull, typdefaultbin
    FROM pg_catalog.pg_type AS t
    WHERE typnamespace = (SELECT oid FROM here) AND ($1::text[] IS NULL OR typname = ANY ($1))
        AND (typtype IN ('d', 'e', 'r') OR typtype = 'c' AND typrelid IN (
            SELECT oid FROM relation WHERE relkind = 'c'
        ))
), routine AS (
    SELECT
        f.oid, proname, proargtypes, pronargdefaults, proparallel, quote_ident(proname) || '(' || oidvectortypes(proargtypes) || ')' AS signature,
        CASE prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END AS kind
    FROM pg_catalog.pg_proc AS f
    WHERE pronamespace = (SELECT oid FROM here) AND ($1::text[] IS NULL OR proname = ANY ($1)) AND NOT EXISTS ( -- a range makes some
        SELECT FROM pg_catalog.pg_depend
        WHERE classid = 'pg_catalog.pg_proc'::regclass AND objid = f.oid AND deptype = 'i'
    )
), need AS ( -- what views, functions, triggers, constraints, indexes, defaults and generated columns depend on
    SELECT
        d.classid, d.objid,
        array_agg(DISTINCT CASE WHEN c.oid IS NULL THEN signature ELSE concat_ws('.', c.relname, attname) END) AS names
    FROM pg_catalog.pg_depend AS d
    LEFT JOIN pg_catalog.pg_type AS t ON d.refclassid = 'pg_catalog.pg_type'::regclass AND t.oid = d.refobjid
    LEFT JOIN relation AS c ON c.oid = CASE d.refclassid
        WHEN 'pg_catalog.pg_class'::regclass THEN d.refobjid WHEN 'pg_catalog.pg_type'::regclass THEN t.typrelid
    END
    LEFT JOIN pg_catalog.pg_attribute ON attrelid = c.oid AND attnum = d.refobjsubid AND d.refobjsubid > 0
    LEFT JOIN routine AS f ON d.refclassid = 'pg_catalog.pg_proc'::regclass AND f.oid = d.refobjid
    WHERE d.classid IN (
            'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_trigger'::regclass,
            'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_attrdef'::regclass
        )
        AND d.refobjid >= 16384 AND d.deptype = 'n' AND (c.oid IS NOT NULL OR f.oid IS NOT NULL)
    GROUP BY d.classid, d.objid
), firing AS ( -- the triggers that do not fire as a trigger does
    SELECT oid, tgconstraint, CASE tgenabled
        WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled for replicas alone' WHEN 'A' THEN 'enabled for replicas, too'
    END AS state
    FROM pg_catalog.pg_trigger
    WHERE tgenabled <> 'O'
), stored AS (
    SELECT
        attrelid, attnum, (
            SELECT jsonb_object_agg(name, value)
            FROM (
                SELECT split_part(o, '=', 1), substr(o, strpos(o, '=') + 1) FROM unnest(attoptions) AS o
                WHERE o NOT LIKE 'pg\_%' -- PostgreSQL keeps options of its own here: pg_attver from 17.12 on
                UNION ALL
                SELECT 'STATISTICS', attstattarget::text WHERE attstattarget >= 0 -- NULL, and -1 before PostgreSQL 17, is the default
                UNION ALL
                SELECT 'STORAGE', letters.names ->> attstorage::text WHERE attstorage <> typstorage
                UNION ALL
                SELECT 'COMPRESSION', CASE attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END WHERE attcompression <> ''
            ) AS setting (name, value)
        ) AS settings,
        letters.names ->> typstorage::text AS storage
    FROM (SELECT jsonb '{"p": "PLAIN", "e": "EXTERNAL", "x": "EXTENDED", "m": "MAIN"}') AS letters (names), pg_catalog.pg_attribute
    JOIN relation AS r ON r.oid = attrelid
    JOIN pg_catalog.pg_type AS t ON t.oid = atttypid
    WHERE relkind IN ('r', 'p', 'm') AND attnum > 0 AND NOT attisdropped
), sequence (oid, type, options) AS (
    SELECT seqrelid, 'AS ' || format_type(seqtypid, NULL), ARRAY[
        'INCREMENT BY ' || seqincrement, 'MINVALUE ' || seqmin, 'MAXVALUE ' || seqmax, 'START WITH ' || seqstart,
        'CACHE ' || seqcache, CASE WHEN seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END
    ]
    FROM pg_catalog.pg_sequence
), partitioned AS ( -- the indexes of partitioned tables, with those that the partitions have of them
    SELECT
        x.indexrelid AS oid, (
            SELECT jsonb_object_agg(t.relname, i.relname)
            FROM pg_partition_tree(x.indexrelid) AS tree
            JOIN pg_catalog.pg_class AS i ON i.oid = tree.relid
            JOIN pg_catalog.pg_index AS of ON of.indexrelid = i.oid
            JOIN pg_catalog.pg_class AS t ON t.oid = of.indrelid
            WHERE level > 0
        ) AS attached,
        ARRAY(SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = x.indexrelid ORDER BY attnum) AS index_columns
    FROM relation AS r
    JOIN pg_catalog.pg_index AS x ON x.indrelid = r.oid
    WHERE relkind = 'p'
), object (catalogue, oid, n, about) AS (
    SELECT 'pg_catalog.pg_class'::regclass, r.oid, 0, jsonb_build_object(
        'Kind', CASE relkind
            WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
            WHEN 'S' THEN 'sequence' ELSE 'table'
        END,
        'Table', CASE WHEN relkind IN ('r', 'p') THEN relname ELSE '' END,
        'Name', relname,
        'Def', CASE
            WHEN relkind = 'p' THEN pg_get_partkeydef(r.oid)
            WHEN relkind = 'S' THEN 'AS ' || format_type(seqtypid, NULL) || ' ' || array_to_string(options, ' ')
            WHEN relkind IN ('v', 'm') THEN 'AS' || rtrim(pg_get_viewdef(r.oid), ';')
            ELSE ''
        END,
        'Options', CASE relkind WHEN 'v' THEN array_to_string(reloptions, ', ') END,
        'Columns', CASE WHEN relkind IN ('v', 'm') THEN ARRAY(
            SELECT concat_ws(' ', quote_ident(attname), format_type(atttypid, atttypmod), 'COLLATE ' || nullif(attcollation, 0)::regcollation)
            FROM pg_catalog.pg_attribute
            WHERE attrelid = r.oid AND attnum > 0
            ORDER BY attnum
        ) END,
        'Grants', ARRAY(
            SELECT format(
                'GRANT %s ON %s TO %s%s;', privilege_type || column_of, quote_ident(relname),
                CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
                CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
            )
            FROM (
                SELECT privilege_type, grantee, is_grantable, '' AS column_of FROM aclexplode(relacl) AS g
                UNION ALL
                SELECT privilege_type, grantee, is_grantable, ' (' || quote_ident(attname) || ')'
                FROM pg_catalog.pg_attribute, aclexplode(attacl) AS g
                WHERE attrelid = r.oid AND attacl IS NOT NULL
            ) AS g
            WHERE relkind IN ('v', 'm') AND grantee <> r.relowner
            ORDER BY 1
        ),
        'Settings', CASE WHEN relkind IN ('r', 'p', 'm') THEN (
            SELECT jsonb_object_agg(name, value)
            FROM (
                SELECT split_part(o, '=', 1), substr(o, strpos(o, '=') + 1) FROM unnest(reloptions) AS o
                UNION ALL
                SELECT 'toast.' || split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)
                FROM pg_catalog.pg_class AS toast, unnest(toast.reloptions) AS o
                WHERE toast.oid = r.reltoastrelid
                UNION ALL
                SELECT 'REPLICA IDENTITY', CASE relreplident WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL' ELSE 'USING INDEX ' || (
                    SELECT quote_ident(x.relname)
                    FROM pg_catalog.pg_index
                    JOIN pg_catalog.pg_class AS x ON x.oid = indexrelid
                    WHERE indrelid = r.oid AND indisreplident
                ) END
                WHERE relkind <> 'm' AND relreplident <> 'd'
                UNION ALL
                SELECT 'CLUSTER ON', quote_ident(x.relname)
                FROM pg_catalog.pg_index
                JOIN pg_catalog.pg_class AS x ON x.oid = indexrelid
                WHERE indrelid = r.oid AND indisclustered
            ) AS setting (name, value)
            WHERE value IS NOT NULL
        ) END,
        'Unlogged', relpersistence = 'u',
        'RowSecurity', relrowsecurity AND NOT policed,
        'ForcedRowSecurity', relforcerowsecurity AND NOT policed,
        'Partition', relispartition,
        'Belongs', CASE WHEN relispartition THEN pg_get_partition_constraintdef(r.oid) END,
        'Bound', CASE WHEN relispartition THEN pg_get_expr(relpartbound, r.oid) ELSE '' END,
        'Parents', ARRAY(
            SELECT inhparent::regclass::text FROM pg_catalog.pg_inherits WHERE inhrelid = r.oid ORDER BY inhseqno
        ),
        'Parent', CASE WHEN relispartition THEN (
            SELECT parent.relname
            FROM pg_catalog.pg_inherits
            JOIN pg_catalog.pg_class AS parent ON parent.oid = inhparent
            WHERE inhrelid = r.oid AND parent.relnamespace = r.relnamespace
        ) END,
        'Children', ARRAY(
            SELECT child.oid::regclass::text
            FROM pg_catalog.pg_inherits
            JOIN pg_catalog.pg_class AS child ON child.oid = inhrelid
            WHERE inhparent = r.oid AND NOT child.relispartition AND child.relnamespace <> r.relnamespace
                AND child.relpersistence <> 't'
            ORDER BY 1
        ),
        'Expressions', CASE
            WHEN relkind IN ('v', 'm') THEN ARRAY[rtrim(pg_get_viewdef(r.oid), ';')]
            WHEN partexprs IS NOT NULL THEN ARRAY[pg_get_expr(partexprs, r.oid)]
        END,
        'Needs', names
    )
    FROM relation AS r
    LEFT JOIN pg_catalog.pg_partitioned_table ON partrelid = r.oid
    LEFT JOIN pg_catalog.pg_sequence ON seqrelid = r.oid
    LEFT JOIN sequence AS s ON s.oid = r.oid
    LEFT JOIN pg_catalog.pg_rewrite AS w ON relkind IN ('v', 'm') AND ev_class = r.oid AND rulename = '_RETURN'
    LEFT JOIN need ON classid = 'pg_catalog.pg_rewrite'::regclass AND objid = w.oid
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f') OR relkind = 'S' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend
        WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = r.oid
            AND refclassid = 'pg_catalog.pg_class'::regclass AND deptype IN ('a', 'i')
    )
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, t.oid, 0, jsonb_build_object(
        'Kind', CASE typtype WHEN 'd' THEN 'domain' WHEN 'e' THEN 'enum' ELSE 'type' END,
        'Name', typname,
        'Def', CASE typtype
            WHEN 'd' THEN format_type(typbasetype, typtypmod) || CASE WHEN typcollation <> (
                SELECT typcollation FROM pg_catalog.pg_type WHERE oid = t.typbasetype
            ) THEN ' COLLATE ' || typcollation::regcollation ELSE '' END
            WHEN 'r' THEN (
                SELECT concat_ws(
                    ', ', 'RANGE (SUBTYPE = ' || format_type(rngsubtype, NULL), 'SUBTYPE_OPCLASS = ' || opcname,
                    'COLLATION = ' || nullif(rngcollation, 0)::regcollation,
                    'CANONICAL = ' || nullif(rngcanonical, 0)::regproc,
                    'SUBTYPE_DIFF = ' || nullif(rngsubdiff, 0)::regproc,
                    'MULTIRANGE_TYPE_NAME = ' || format_type(rngmultitypid, NULL)
                ) || ')'
                FROM pg_catalog.pg_range
                JOIN pg_catalog.pg_opclass AS o ON o.oid = rngsubopc
                WHERE rngtypid = t.oid
            )
            ELSE ''
        END,
        'Labels', CASE WHEN typtype = 'e' THEN ARRAY(
            SELECT enumlabel::text FROM pg_catalog.pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder
        ) END,
        'Attributes', CASE WHEN typtype = 'c' THEN ARRAY(
            SELECT ARRAY[attname, format_type(atttypid, atttypmod) || CASE WHEN attcollation <> a.typcollation
                THEN ' COLLATE ' || attcollation::regcollation ELSE '' END]
            FROM pg_catalog.pg_attribute
            JOIN pg_catalog.pg_type AS a ON a.oid = atttypid
            WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped
            ORDER BY attnum
        ) END,
        'NotNull', typnotnull,
        'Default', CASE WHEN typtype = 'd' THEN pg_get_expr(typdefaultbin, 0) ELSE '' END
    )
    FROM type AS t
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, f.oid, 0, jsonb_build_object(
        'Kind', kind, 'Name', signature, 'Bare', proname,
        'Def', CASE kind WHEN 'aggregate' THEN (
            SELECT concat_ws(
                ', ', pg_get_function_result(f.oid) || ' (SFUNC = ' || aggtransfn::regprocedure,
                'STYPE = ' || format_type(aggtranstype, NULL), 'FINALFUNC = ' || nullif(aggfinalfn, 0)::regprocedure,
                'COMBINEFUNC = ' || nullif(aggcombinefn, 0)::regprocedure, 'INITCOND = ' || quote_literal(agginitval),
                'SORTOP = ' || nullif(aggsortop, 0)::regoperator, 'KIND = ' || aggkind::text, 'PARALLEL = ' || proparallel::text
            ) || ')'
            FROM pg_catalog.pg_aggregate
            WHERE aggfnoid = f.oid
        ) ELSE substr(
            pg_get_functiondef(f.oid),
            1 + length(quote_ident(proname)) + CASE here.oid
                WHEN pg_my_temp_schema() THEN strpos(pg_get_functiondef(f.oid), '.') -- it prints the schema by another name
                ELSE length('CREATE OR REPLACE ' || kind || ' ' || quote_ident(nspname) || '.')
            END
        ) END,
        'Result', coalesce(pg_get_function_result(f.oid), ''),
        'Arguments', pg_get_function_arguments(f.oid),
        'Signature', proname || '(' || array_to_string(ARRAY(
            SELECT coalesce(element.typname || '[]', given.typname)
            FROM unnest(proargtypes) WITH ORDINALITY AS arg (oid, n)
            JOIN pg_catalog.pg_type AS given ON given.oid = arg.oid
            LEFT JOIN pg_catalog.pg_type AS element ON given.typcategory = 'A' AND element.oid = given.typelem
            ORDER BY n
        ), ', ') || ')',
        'Parsed', kind <> 'aggregate' AND (pg_get_function_sqlbody(f.oid) IS NOT NULL OR pronargdefaults > 0),
        'Used', EXISTS (
            SELECT FROM pg_catalog.pg_depend
            WHERE refclassid = 'pg_catalog.pg_proc'::regclass AND refobjid = f.oid AND deptype IN ('n', 'a')
                AND classid NOT IN (
                    'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_trigger'::regclass
                )
        ),
        'Needs', names
    )
    FROM routine AS f
    CROSS JOIN here
    LEFT JOIN need ON classid = 'pg_catalog.pg_proc'::regclass AND objid = f.oid
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, r.oid, attnum, jsonb_build_object(
        'Kind', 'column', 'Table', relname, 'Name', attname,
        'Needs', names,
        'Def', format_type(atttypid, atttypmod),
        'Category', typcategory,
        'Collation', CASE WHEN attcollation <> typcollation THEN attcollation::regcollation::text ELSE '' END,
        'NotNull', attnotnull,
        'NotValid', nn.convalidated IS FALSE,
        'Default', CASE WHEN attgenerated = '' THEN pg_get_expr(adbin, adrelid) ELSE '' END,
        'Generated', CASE WHEN attgenerated <> '' THEN pg_get_expr(adbin, adrelid) ELSE '' END,
        'Virtual', attgenerated = 'v',
        'Settings', settings,
        'Storage', storage,
        'Identity', CASE attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' ELSE '' END,
        'Sequence', CASE s.deptype WHEN 'a' THEN type || options ELSE options END, -- that of an identity has the column's type
        'Serial', CASE WHEN s.deptype = 'a' THEN s.objid::regclass::text ELSE '' END,
        'Owns', (SELECT relname FROM pg_catalog.pg_class WHERE oid = s.objid)
    )
    FROM relation AS r
    JOIN pg_catalog.pg_attribute AS a ON attrelid = r.oid
    JOIN pg_catalog.pg_type AS t ON t.oid = atttypid
    JOIN stored USING (attrelid, attnum)
    LEFT JOIN pg_catalog.pg_attrdef ON adrelid = attrelid AND adnum = attnum
    LEFT JOIN pg_catalog.pg_constraint AS nn ON nn.conrelid = r.oid AND nn.contype = 'n' AND nn.conkey = ARRAY[attnum]
    LEFT JOIN (
        pg_catalog.pg_depend AS s JOIN sequence ON sequence.oid = s.objid
    ) ON s.classid = 'pg_catalog.pg_class'::regclass AND s.deptype IN ('a', 'i')
        AND s.refclassid = 'pg_catalog.pg_class'::regclass AND s.refobjid = attrelid AND s.refobjsubid = attnum
    LEFT JOIN need ON need.classid = 'pg_catalog.pg_attrdef'::regclass AND need.objid = pg_attrdef.oid
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, r.oid, attnum, jsonb_build_object(
        'Kind', 'column', 'Table', relname, 'Name', attname, -- for their comments and settings
        'Settings', settings,
        'Storage', storage
    )
    FROM relation AS r
    JOIN pg_catalog.pg_attribute ON attrelid = r.oid
    LEFT JOIN stored USING (attrelid, attnum)
    WHERE (relkind IN ('v', 'm', 'c') OR relispartition) AND (settings IS NOT NULL OR EXISTS (
        SELECT FROM pg_catalog.pg_description WHERE objoid = r.oid AND classoid = 'pg_catalog.pg_class'::regclass AND objsubid = attnum
    ))
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, c.oid, 0, jsonb_build_object(
        'Kind', 'constraint', 'Table', r.relname, 'Name', conname,
        'Def', pg_get_constraintdef(c.oid),
        'Type', contype,
        'Attached', attached,
        'IndexColumns', index_columns,
        'Keys', ARRAY(
            SELECT quote_ident(attname)
            FROM unnest(conkey) WITH ORDINALITY AS k (attnum, n)
            JOIN pg_catalog.pg_attribute AS a ON attrelid = conrelid AND a.attnum = k.attnum
            ORDER BY n
        ),
        'TargetKeys', ARRAY(
            SELECT quote_ident(attname)
            FROM unnest(confkey) WITH ORDINALITY AS k (attnum, n)
            JOIN pg_catalog.pg_attribute AS a ON attrelid = confrelid AND a.attnum = k.attnum
            ORDER BY n
        ),
        'Settings', (
            SELECT jsonb_object_agg(split_part(o, '=', 1), substr(o, strpos(o, '=') + 1))
            FROM unnest(CASE WHEN contype IN ('p', 'u', 'x') THEN key.reloptions END) AS o
        ),
        'Unique', contype IN ('p', 'u'),
        'NullsEqual', contype = 'u' AND pg_get_constraintdef(c.oid) LIKE 'UNIQUE NULLS NOT DISTINCT%',
        'Target', CASE WHEN target.relnamespace = r.relnamespace THEN target.relname ELSE '' END,
        'Key', CASE WHEN contype = 'f' THEN key.relname ELSE '' END,
        'State', concat_ws(
            ', ',
            CASE WHEN contype <> 'f' AND NOT (indisvalid AND indisready AND indislive) THEN 'invalid' END,
            (
                SELECT string_agg(DISTINCT 'triggers ' || state, ', ') FROM firing WHERE tgconstraint = c.oid
            )
        ),
        'Expressions', CASE contype
            WHEN 'c' THEN ARRAY[pg_get_expr(conbin, conrelid)]
            WHEN 'x' THEN ARRAY(
                SELECT pg_get_indexdef(indexrelid, n + 1, false)
                FROM generate_series(0, indnkeyatts - 1) AS n
                WHERE indkey[n] = 0
                UNION ALL
                SELECT pg_get_expr(indpred, indrelid) WHERE indpred IS NOT NULL
            )
        END,
        'Needs', names
    )
    FROM relation AS r
    JOIN pg_catalog.pg_constraint AS c ON conrelid = r.oid
    LEFT JOIN need ON need.objid = CASE contype WHEN 'x' THEN conindid ELSE c.oid END AND need.classid = CASE contype
        WHEN 'x' THEN 'pg_catalog.pg_class'::regclass ELSE 'pg_catalog.pg_constraint'::regclass
    END
    LEFT JOIN pg_catalog.pg_class AS target ON target.oid = confrelid
    LEFT JOIN pg_catalog.pg_class AS key ON key.oid = conindid
    LEFT JOIN pg_catalog.pg_index ON indexrelid = conindid
    LEFT JOIN partitioned ON contype IN ('p', 'u') AND partitioned.oid = conindid
    WHERE contype IN ('c', 'f', 'p', 'u', 'x') AND conparentid = 0 AND NOT (r.relispartition AND coninhcount > 0)
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, c.oid, 0, jsonb_build_object(
        'Kind', 'constraint', 'Table', typname, 'Name', conname, 'Domain', format_type(typbasetype, typtypmod),
        'Def', pg_get_constraintdef(c.oid),
        'Expressions', ARRAY[pg_get_expr(conbin, 0)],
        'Needs', names
    )
    FROM type AS t
    JOIN pg_catalog.pg_constraint AS c ON contypid = t.oid
    LEFT JOIN need ON need.classid = 'pg_catalog.pg_constraint'::regclass AND need.objid = c.oid
    WHERE contype = 'c'
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, i.oid, 0, jsonb_build_object(
        'Kind', 'index', 'Table', r.relname, 'Name', i.relname,
        'Def', replace(
            pg_get_indexdef(i.oid, 0, true),
            ' INDEX ' || quote_ident(i.relname) || CASE r.relkind WHEN 'p' THEN ' ON ONLY ' ELSE ' ON ' END,
            ' INDEX ON '
        ),
        'Attached', attached,
        'IndexColumns', index_columns,
        'Keys', ARRAY(SELECT pg_get_indexdef(i.oid, n, true) FROM generate_series(1, indnkeyatts) AS n),
        'Unique', indisunique,
        'NullsEqual', pg_get_indexdef(i.oid) LIKE '%) NULLS NOT DISTINCT%',
        'Predicate', pg_get_expr(indpred, indrelid),
        'State', CASE WHEN NOT (indisvalid AND indisready AND indislive) THEN 'invalid' ELSE '' END,
        'Expressions', ARRAY(
            SELECT pg_get_indexdef(i.oid, n + 1, true)
            FROM generate_series(0, indnkeyatts - 1) AS n
            WHERE indkey[n] = 0
            UNION ALL
            SELECT pg_get_expr(indpred, indrelid, true) WHERE indpred IS NOT NULL
        ),
        'Needs', names
    )
    FROM relation AS r
    JOIN pg_catalog.pg_index ON indrelid = r.oid
    JOIN pg_catalog.pg_class AS i ON i.oid = indexrelid AND NOT i.relispartition
    LEFT JOIN need ON need.classid = 'pg_catalog.pg_class'::regclass AND need.objid = i.oid
    LEFT JOIN partitioned ON partitioned.oid = i.oid
    WHERE r.relkind IN ('r', 'p', 'm') AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint
        WHERE conrelid = r.oid AND conindid = i.oid AND contype IN ('p', 'u', 'x')
    )
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::regclass, t.oid, 0, jsonb_build_object(
        'Kind', 'trigger', 'Table', relname, 'Name', tgname, 'Def', pg_get_triggerdef(t.oid, true),
        'State', (SELECT state FROM firing WHERE firing.oid = t.oid),
        'Expressions', CASE WHEN tgqual IS NOT NULL THEN ARRAY[
            substring(pg_get_triggerdef(t.oid, true) FROM ' WHEN \((.*)\) EXECUTE FUNCTION ')
        ] END,
        'Needs', names
    )
    FROM relation AS r
    JOIN pg_catalog.pg_trigger AS t ON tgrelid = r.oid
    LEFT JOIN need ON classid = 'pg_catalog.pg_trigger'::regclass AND objid = t.oid
    WHERE NOT tgisinternal AND tgparentid = 0
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::regclass, w.oid, 0, jsonb_build_object(
        'Kind', 'rule', 'Table', relname, 'Name', rulename, 'Def', pg_get_ruledef(w.oid)
    )
    FROM relation AS r
    JOIN pg_catalog.pg_rewrite AS w ON ev_class = r.oid
    WHERE relkind IN ('r', 'p') OR rulename <> '_RETURN'
)
SELECT CASE WHEN description IS NULL THEN about ELSE about || jsonb_build_object('Comment', description) END
FROM object AS o
LEFT JOIN pg_catalog.pg_description ON objoid >= 16384 AND objoid = o.oid AND classoid = o.catalogue AND objsubid = n
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend WHERE classid = o.catalogue AND objid = o.oid AND deptype = 'e'
)
ORDER BY o.oid, n`

// catalogue is what a schema has, in the order of its creation.
type catalogue struct {
	relations []object // tables, views, types, functions and the like
	parts     []object // what belongs to a table, a view or a domain
}

// part returns a part of a table, a view or a domain.
func (c *catalogue) part(kind, table, name string) (object, bool) {
	for _, o := range c.parts {
		if o.Kind == kind && o.Table == table && o.Name == name {
			return o, true
		}
	}

	return object{}, false
}

// read returns what the first schema of path has, printed by that path: all, or what has one of the names.
func read(ctx context.Context, tx pgx.Tx, names []string, path string) (*catalogue, error) {
	if err := settings.SetCataloguePath(ctx, tx); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, objectsSQL, pgx.QueryExecModeExec, names, path)
	if err != nil {
		return nil, err
	}
	objects, err := pgx.CollectRows(rows, pgx.RowTo[object])
	if err != nil {
		return nil, err
	}
	c := &catalogue{}
	for _, o := range objects {
		switch o.Kind {
		case "column", "constraint", "index", "trigger", "rule":
			c.parts = append(c.parts, o)
		default:
			if o.Parsed {
				o.Expressions = []string{o.Def}
			}
			c.relations = append(c.relations, o)
		}
	}

	return c, nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
