package schema

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"musicstore/layer/dbtx"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
)

// Difference is one thing that is not as the schema files say.
type Difference struct {
	Kind  string `json:"kind"`  // table, column, constraint, index, trigger, rule, view, materialized view, sequence, …
	Table string `json:"table"` // the table it is of; a table's own name
	Name  string `json:"name"`
	Want  string `json:"want"` // what the schema files say; empty: the thing is extra
	Have  string `json:"have"` // what the database has; empty: the thing is missing

	// Mend is the SQL that makes it as the schema files say: one or more statements, for a session of the same search_path.
	Mend string `json:"mend"`
	// LosesData says that Mend takes rows or values with it, or may: it drops a table or column, or changes a type.
	LosesData bool `json:"loses_data"`
}

// String returns the difference in words, on one line unless a name or definition has several.
func (d Difference) String() string {
	of := d.Kind + " " + d.Name
	if d.Table != "" && d.Table != d.Name {
		of = d.Kind + " " + d.Table + "." + d.Name
	}
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

// Check compares the current schema with the schema files and returns what differs, none where nothing does. The order is one
// in which the mending statements can be run; Check runs none.
//
// It builds the schema files as temporary tables, so that PostgreSQL itself reads the SQL, and compares the two catalogues, in
// one transaction that is rolled back (in a transaction of the caller's, a savepoint). So it needs a server that can be
// written to, and a role that may connect, use the schema and make temporary tables: ErrNoTemporaryTables otherwise. It
// takes no lock that a reader or writer waits for, and leaves nothing but the rows that the rollback makes dead in
// the catalogues, for autovacuum: about 500 for the five tables.
//
// Compared are
//
//   - tables: whether they are ordinary ones, logged, and without inheritance and row security;
//   - columns: type, collation, NOT NULL, default, identity with its sequence's options, generation; not their order;
//   - constraints: definition, deferrable, validated, enforced, and whether the triggers that enforce them fire (ALTER
//     TABLE … DISABLE TRIGGER); a NOT NULL is its column's, by whatever name;
//   - indexes: definition, uniqueness, predicate, valid;
//   - triggers, with whether they fire, and rules, and all views, tables and sequences in the schema: the schema files have none
//     but its own. What an extension made is not looked at, nor any other schema.
//
// An expression is compared by what PostgreSQL makes of it. PostgreSQL prints some in another way after a dump and a
// restore: where the texts are different, it reads both sides again, and what is the same then is no difference. That
// takes some more round trips, and waits for a table that is being altered, as a SELECT does.
//
// Owners, privileges, comments, statistics and what only concerns storage are not compared. Neither are policies (row
// security itself is), the bounds of partitions, the triggers of single partitions, and settings of the server, the
// database or a role, such as session_replication_role.
//
// A renamed column is a missing and an extra one, since nothing tells whether it is the same; a constraint or index that
// only has another name is one difference, and renaming mends it. What belongs to a missing or extra table is not listed
// beside it.
//
// A mending statement can fail on the rows that are there, when they break the rule that it restores: a NOT NULL without
// a value, a key that is there twice. A statement that replaces a generated column takes the indexes and constraints on
// it along: check again. CREATE INDEX keeps writers out; outside a transaction CREATE INDEX CONCURRENTLY does not.
func Check(ctx context.Context, db DB, m *dbtx.Metadata) ([]Difference, error) {
	want, have, err := catalogues(ctx, db, m)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}

	return compare(want, have, m.Schema), nil
}

// catalogues returns what the schema files make and what the current schema has.
func catalogues(ctx context.Context, db DB, m *dbtx.Metadata) (want, have *catalogue, err error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if failure := rollback(ctx, tx); err == nil {
			err = failure
		}
	}()
	if err := settings.CheckDatabase(tx.Conn().PgConn()); err != nil {
		return nil, nil, err
	}
	names, _ := creations(m)
	path, err := searchPath(ctx, tx, names)
	if err != nil {
		return nil, nil, err
	}
	// Names are found in, and printed without, the first schema that has them. So a definition reads the same of either.
	// To compile the two readings takes longer than to run them.
	if err := exec(ctx, tx, "SET LOCAL jit = off"); err != nil {
		return nil, nil, err
	}
	build := "pg_temp, " + path
	if err := settings.SetPath(ctx, tx, build); err != nil {
		return nil, nil, err
	}
	if err := apply(ctx, tx, m.Schema); err != nil {
		return nil, nil, err
	}
	if want, err = read(ctx, tx, names, build); err != nil {
		return nil, nil, err
	}
	if have, err = read(ctx, tx, nil, path+", pg_temp"); err != nil {
		return nil, nil, err
	}

	return want, have, reread(ctx, tx, path, want, have)
}

const sessionSQL = `
SELECT
    current_setting('transaction_read_only') = 'on',
    has_database_privilege(current_database(), 'TEMPORARY'),
    current_database(), current_user,
    (SELECT min(relname::text) FROM pg_catalog.pg_class
     WHERE relnamespace = pg_my_temp_schema() AND relname = ANY ($1::text[]))`

// searchPath returns the session's search_path without temporary tables, after a look whether it can have some. It leaves
// the transaction with the settings that the schema files are written for, and pg_catalog alone in its search_path.
func searchPath(ctx context.Context, tx pgx.Tx, names []string) (string, error) {
	path, err := settings.Look(ctx, tx)
	if err == nil {
		err = path.Refuse()
	}
	if err == nil {
		_, err = settings.Seal(ctx, tx, "")
	}
	if err != nil {
		return "", err
	}
	var readOnly, temporary bool
	var database, role string
	var taken *string
	err = tx.QueryRow(ctx, sessionSQL, pgx.QueryExecModeExec, names).
		Scan(&readOnly, &temporary, &database, &role, &taken)
	switch {
	case err != nil:
		return "", err
	case readOnly:
		return "", fmt.Errorf("%w: the server is a standby, or the session reads only: ask the primary", ErrNoTemporaryTables)
	case !temporary:
		return "", fmt.Errorf("%w: the role may not: GRANT TEMPORARY ON DATABASE %s TO %s;", ErrNoTemporaryTables,
			quote(database), quote(role))
	case len(path.Schemas) == 0:
		return "", errors.New("the search_path names no schema that exists and that the role may use")
	case taken != nil:
		return "", fmt.Errorf("%w: the session has one named %s: drop it, or ask in another session", ErrNoTemporaryTables,
			quote(*taken))
	}

	schemas := make([]string, len(path.Schemas))
	for i, name := range path.Schemas {
		schemas[i] = quote(name)
	}

	return strings.Join(schemas, ", "), nil
}

// object is something in the catalogue.
type object struct {
	Kind, Table, Name string
	Def               string // without its name; of a column, its type; of a table, what it is partitioned by

	// Of a table.
	Unlogged, RowSecurity, ForcedRowSecurity, Partition bool
	Parents                                             []string
	Children                                            []string // in other schemas; those of its own are extra tables

	// Of a column.
	Category, Collation, Default, Identity, Generated string
	NotNull, Virtual                                  bool
	Sequence                                          []string // the options of the identity's
	Serial                                            string   // the sequence that it owns otherwise

	// Of a column's NOT NULL.
	NotValid bool

	// Of a constraint, an index or a trigger: what keeps it from being in force. Empty: nothing does.
	State string

	// The expressions in Def, in their order. A column's are in Default and Generated.
	Expressions []string
	again       string // how PostgreSQL prints them after it has read them again

	// Of a foreign key: the table that it refers to, if that is in the same schema, and the index there.
	Target, Key string
}

// What objectsSQL says of the objects of the current schema: all, or the tables named and what belongs to them. It is
// the same for both sides. The server reads its text while pg_catalog is alone in the search_path. Then the query sets the
// search_path by which names are printed, before it reads the first row.
const objectsSQL = `
WITH relation AS (
    SELECT
        c.oid, relname, relnamespace, relkind, relpersistence, relrowsecurity, relforcerowsecurity, relispartition
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
    WHERE (SELECT set_config('search_path', $2, true)) IS NOT NULL
        AND nspname = current_schema() AND ($1::text[] IS NULL OR relname = ANY ($1))
), firing AS ( -- the triggers that do not fire as a trigger does
    SELECT oid, tgconstraint, CASE tgenabled
        WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled for replicas alone' WHEN 'A' THEN 'enabled for replicas, too'
    END AS state
    FROM pg_catalog.pg_trigger
    WHERE tgenabled <> 'O'
), object (catalogue, oid, n, about) AS (
    SELECT 'pg_catalog.pg_class'::regclass, r.oid, 0, jsonb_build_object(
        'Kind', CASE relkind
            WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
            WHEN 'S' THEN 'sequence' ELSE 'table'
        END,
        'Table', CASE WHEN relkind IN ('r', 'p') THEN relname ELSE '' END,
        'Name', relname,
        'Def', CASE WHEN relkind = 'p' THEN pg_get_partkeydef(r.oid) ELSE '' END,
        'Unlogged', relpersistence = 'u',
        'RowSecurity', relrowsecurity,
        'ForcedRowSecurity', relforcerowsecurity,
        'Partition', relispartition,
        'Parents', ARRAY(
            SELECT inhparent::regclass::text FROM pg_catalog.pg_inherits WHERE inhrelid = r.oid ORDER BY inhseqno
        ),
        'Children', ARRAY(
            SELECT child.oid::regclass::text
            FROM pg_catalog.pg_inherits
            JOIN pg_catalog.pg_class AS child ON child.oid = inhrelid
            WHERE inhparent = r.oid AND NOT child.relispartition AND child.relnamespace <> r.relnamespace
                AND child.relpersistence <> 't'
            ORDER BY 1
        ),
        'Expressions', CASE WHEN partexprs IS NOT NULL THEN ARRAY[pg_get_expr(partexprs, r.oid)] END
    )
    FROM relation AS r
    LEFT JOIN pg_catalog.pg_partitioned_table ON partrelid = r.oid
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f') OR relkind = 'S' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend
        WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = r.oid
            AND refclassid = 'pg_catalog.pg_class'::regclass AND deptype IN ('a', 'i')
    )
    UNION ALL
    SELECT 'pg_catalog.pg_attribute'::regclass, r.oid, attnum, jsonb_build_object(
        'Kind', 'column', 'Table', relname, 'Name', attname,
        'Def', format_type(atttypid, atttypmod),
        'Category', typcategory,
        'Collation', CASE WHEN attcollation <> typcollation THEN attcollation::regcollation::text ELSE '' END,
        'NotNull', attnotnull,
        'NotValid', nn.convalidated IS FALSE,
        'Default', CASE WHEN attgenerated = '' THEN pg_get_expr(adbin, adrelid) ELSE '' END,
        'Generated', CASE WHEN attgenerated <> '' THEN pg_get_expr(adbin, adrelid) ELSE '' END,
        'Virtual', attgenerated = 'v',
        'Identity', CASE attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' ELSE '' END,
        'Sequence', CASE WHEN s.deptype = 'i' THEN ARRAY[
            'INCREMENT BY ' || seqincrement, 'MINVALUE ' || seqmin, 'MAXVALUE ' || seqmax, 'START WITH ' || seqstart,
            'CACHE ' || seqcache, CASE WHEN seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END
        ] END,
        'Serial', CASE WHEN s.deptype = 'a' THEN s.objid::regclass::text ELSE '' END
    )
    FROM relation AS r
    JOIN pg_catalog.pg_attribute AS a ON attrelid = r.oid
    JOIN pg_catalog.pg_type AS t ON t.oid = atttypid
    LEFT JOIN pg_catalog.pg_attrdef ON adrelid = attrelid AND adnum = attnum
    LEFT JOIN pg_catalog.pg_constraint AS nn ON nn.conrelid = r.oid AND nn.contype = 'n' AND nn.conkey = ARRAY[attnum]
    LEFT JOIN (
        pg_catalog.pg_depend AS s JOIN pg_catalog.pg_sequence ON seqrelid = s.objid
    ) ON s.classid = 'pg_catalog.pg_class'::regclass AND s.deptype IN ('a', 'i')
        AND s.refclassid = 'pg_catalog.pg_class'::regclass AND s.refobjid = attrelid AND s.refobjsubid = attnum
    WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, c.oid, 0, jsonb_build_object(
        'Kind', 'constraint', 'Table', r.relname, 'Name', conname,
        'Def', pg_get_constraintdef(c.oid),
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
        END
    )
    FROM relation AS r
    JOIN pg_catalog.pg_constraint AS c ON conrelid = r.oid
    LEFT JOIN pg_catalog.pg_class AS target ON target.oid = confrelid
    LEFT JOIN pg_catalog.pg_class AS key ON key.oid = conindid
    LEFT JOIN pg_catalog.pg_index ON indexrelid = conindid
    WHERE contype IN ('c', 'f', 'p', 'u', 'x') AND conparentid = 0
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, i.oid, 0, jsonb_build_object(
        'Kind', 'index', 'Table', r.relname, 'Name', i.relname,
        'Def', replace(
            pg_get_indexdef(i.oid, 0, true),
            ' INDEX ' || quote_ident(i.relname) || ' ON ',
            ' INDEX ON '
        ),
        'State', CASE WHEN NOT (indisvalid AND indisready AND indislive) THEN 'invalid' ELSE '' END,
        'Expressions', ARRAY(
            SELECT pg_get_indexdef(i.oid, n + 1, true)
            FROM generate_series(0, indnkeyatts - 1) AS n
            WHERE indkey[n] = 0
            UNION ALL
            SELECT pg_get_expr(indpred, indrelid, true) WHERE indpred IS NOT NULL
        )
    )
    FROM relation AS r
    JOIN pg_catalog.pg_index ON indrelid = r.oid
    JOIN pg_catalog.pg_class AS i ON i.oid = indexrelid
    WHERE r.relkind IN ('r', 'p') AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint
        WHERE conrelid = r.oid AND conindid = i.oid AND contype IN ('p', 'u', 'x')
    )
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::regclass, t.oid, 0, jsonb_build_object(
        'Kind', 'trigger', 'Table', relname, 'Name', tgname, 'Def', pg_get_triggerdef(t.oid, true),
        'State', (SELECT state FROM firing WHERE firing.oid = t.oid)
    )
    FROM relation AS r
    JOIN pg_catalog.pg_trigger AS t ON tgrelid = r.oid
    WHERE NOT tgisinternal
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::regclass, w.oid, 0, jsonb_build_object(
        'Kind', 'rule', 'Table', relname, 'Name', rulename, 'Def', pg_get_ruledef(w.oid)
    )
    FROM relation AS r
    JOIN pg_catalog.pg_rewrite AS w ON ev_class = r.oid
    WHERE relkind IN ('r', 'p')
)
SELECT about
FROM object AS o
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend WHERE classid = o.catalogue AND objid = o.oid AND deptype = 'e'
)
ORDER BY o.oid, n`

// catalogue is what a schema has, in the order of its creation.
type catalogue struct {
	relations []object // tables, views and the like
	parts     []object // what belongs to a table
}

// read returns what the first schema of path has, printed by that path.
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
			c.relations = append(c.relations, o)
		}
	}

	return c, nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
