package plans

// The queries of the catalogue. They run with pg_catalog alone in the search_path.

import (
	"context"

	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
)

// primaryKeys reports the tables of the current schema that have none. That of a partition is its parent's.
func (c *checker) primaryKeys(ctx context.Context) error {
	rows, err := c.tx.Query(ctx, `
SELECT relname
FROM pg_class
WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND NOT EXISTS (
    SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'p'
) AND NOT EXISTS ( -- an extension's
    SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
)
ORDER BY relname`, c.schema)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, table := range tables {
		c.find("table "+table, "has no primary key", "")
	}

	return err
}

// foreignKeys returns a statement for each foreign key of the current schema: how the server looks for the rows that
// refer to one which is deleted or gets another key. That of a partition is its parent's.
func (c *checker) foreignKeys(ctx context.Context) ([]statement, error) {
	rows, err := c.tx.Query(ctx, `
SELECT 'foreign key ' || conname,
    format('SELECT FROM %s%s WHERE %s', CASE WHEN relkind = 'p' THEN '' ELSE 'ONLY ' END, conrelid::regclass,
        string_agg(format('$%s::%s = %I', n, format_type(parent.atttypid, NULL), child.attname), ' AND ' ORDER BY n)),
    count(*)
FROM pg_constraint
JOIN pg_class ON pg_class.oid = conrelid
CROSS JOIN unnest(conkey, confkey) WITH ORDINALITY AS key (child, parent, n)
JOIN pg_attribute AS child ON child.attrelid = conrelid AND child.attnum = key.child
JOIN pg_attribute AS parent ON parent.attrelid = confrelid AND parent.attnum = key.parent
WHERE contype = 'f' AND connamespace = $1::regnamespace AND conparentid = 0
GROUP BY pg_constraint.oid, conname, conrelid, relkind
ORDER BY conrelid::regclass::text, conname`, c.schema)
	if err != nil {
		return nil, err
	}

	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s statement, err error) {
		return s, row.Scan(&s.name, &s.sql, &s.params)
	})
}

// index is an index of the current schema.
type index struct {
	Name, Table string
	Of          string // the table: of a partition, the one that it is a part of
	Quoted      string // the name as SQL has it
	QuotedTable string
	Unique      bool
	Ordered     bool     // a B-tree, which is read from where its first columns say
	Columns     []string // or expressions, of the key
	Predicate   string   // of a partial one
	Constraint  string   // that it belongs to, if any, as SQL has it
	Rule        bool     // it refuses rows
	Implied     string   // another one, which refuses all that this one refuses
	Longer      string   // another one, which begins with the same columns
}

func (i index) drop() string {
	if i.Constraint != "" {
		return "ALTER TABLE " + i.QuotedTable + " DROP CONSTRAINT " + i.Constraint
	}

	return "DROP INDEX " + i.Quoted
}

// readIndexes returns the indexes in the order of tables and names, and keeps them by name. It prints expressions by the
// search_path of the session, as EXPLAIN does: the query sets that before it reads the first row.
func (c *checker) readIndexes(ctx context.Context, path string) ([]index, error) {
	// A unique index refuses all that another refuses if the other's columns are among its own. Of two that are the
	// same stays the primary key, or else the constraint, or else the first.
	rows, err := c.tx.Query(ctx, `
WITH indexes AS (
    SELECT own.relname::text AS name, tables.relname::text AS "table",
        coalesce((SELECT relname FROM pg_class WHERE oid = pg_partition_root(tables.oid)), tables.relname)::text AS whole,
        quote_ident(own.relname) AS quoted, quote_ident(tables.relname) AS quoted_table, indisunique AS "unique", amname = 'btree' AS ordered,
        ARRAY(
            SELECT pg_get_indexdef(indexrelid, n, false) -- with the brackets that EXPLAIN prints
            FROM generate_series(1, indnkeyatts) AS n
            ORDER BY n
        ) AS columns,
        coalesce(quote_ident(conname), '') AS constraint_name,
        indisunique OR indisexclusion AS rule,
        CASE contype WHEN 'p' THEN 2 WHEN 'u' THEN 1 ELSE 0 END AS rank,
        ARRAY(
            SELECT format('%s %s %s', coalesce(nullif(key, 0)::text, pg_get_indexdef(indexrelid, n::integer, true)), class, coll)
            FROM unnest(indkey, indclass, indcollation) WITH ORDINALITY AS keys (key, class, coll, n)
            WHERE n <= indnkeyatts
        ) AS keys,
        coalesce(pg_get_expr(indpred, indrelid), '') AS predicate,
        -- The last one is new in PostgreSQL 15.
        row(pg_get_expr(indpred, indrelid), indimmediate, to_jsonb(pg_index) ->> 'indnullsnotdistinct')::text AS kind
    FROM pg_index
    JOIN pg_class AS own ON own.oid = indexrelid
    JOIN pg_am ON pg_am.oid = own.relam
    JOIN pg_class AS tables ON tables.oid = indrelid
    LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u', 'x')
    WHERE (SELECT set_config('search_path', $2, true)) IS NOT NULL
        AND tables.relnamespace = $1::regnamespace AND tables.relkind IN ('r', 'p', 'm')
        AND NOT own.relispartition -- which goes with its parent's
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = tables.oid AND deptype = 'e')
)
SELECT a.name, a."table", a.whole, a.quoted, a.quoted_table, a."unique", a.ordered, a.columns, a.predicate, a.constraint_name, a.rule, coalesce((
    SELECT min(b.name)
    FROM indexes AS b
    WHERE a."unique" AND b."unique" AND b."table" = a."table" AND b.name <> a.name AND b.kind = a.kind
        AND b.keys <@ a.keys AND (NOT a.keys <@ b.keys
            OR (b.rank, a.name) > (a.rank, b.name))
), ''), coalesce((
    SELECT min(b.name)
    FROM indexes AS b
    WHERE b."table" = a."table" AND b.name <> a.name AND b.ordered AND a.ordered AND b.predicate = a.predicate
        AND b.keys[1:cardinality(a.keys)] = a.keys
), '')
FROM indexes AS a
ORDER BY a."table", a.name`, c.schema, path)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	if err != nil {
		return nil, err
	}
	if err := settings.SetCataloguePath(ctx, c.tx); err != nil {
		return nil, err
	}
	c.indexes = map[string]index{}
	for _, i := range all {
		c.indexes[i.Name] = i
	}

	return all, nil
}

// readParents learns which tables and indexes are parts of others, and how SQL writes the names of tables. It runs
// with the session's own search_path.
func (c *checker) readParents(ctx context.Context) error {
	rows, err := c.tx.Query(ctx, `
SELECT c.relname::text, pg_catalog.quote_ident(c.relname), coalesce(whole.relname, c.relname)::text
FROM pg_catalog.pg_class AS c
LEFT JOIN pg_catalog.pg_class AS whole ON c.relispartition AND whole.oid = pg_catalog.pg_partition_root(c.oid)
WHERE c.relnamespace = $1::pg_catalog.regnamespace AND c.relkind IN ('r', 'p', 'm', 'i', 'I')`, c.schema)
	if err != nil {
		return err
	}
	c.quoted, c.whole = map[string]string{}, map[string]string{}
	var name, quoted, whole string
	_, err = pgx.ForEachRow(rows, []any{&name, &quoted, &whole}, func() error {
		c.quoted[name], c.whole[name] = quoted, whole

		return nil
	})

	return err
}

// addPartitions gives every partitioned table a partition for the rows that no other takes. Without one, the planner finds
// that a query reads nothing: where a job makes the partitions, or where the query names a day that none is for.
func (c *checker) addPartitions(ctx context.Context) error {
	rows, err := c.tx.Query(ctx, `
SELECT format('CREATE TABLE %s.plans_partition_%s PARTITION OF %s %s', $1::text, partrelid, partrelid::regclass,
    CASE partstrat WHEN 'h' THEN 'FOR VALUES WITH (MODULUS 1, REMAINDER 0)' ELSE 'DEFAULT' END)
FROM pg_partitioned_table
JOIN pg_class ON pg_class.oid = partrelid
WHERE relnamespace = $1::regnamespace AND partdefid = 0
    AND (partstrat <> 'h' OR NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = partrelid))
ORDER BY partrelid`, c.schema)
	if err != nil {
		return err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, sql := range statements {
		if err == nil {
			_, err = c.tx.Exec(ctx, sql)
		}
	}

	return err
}
