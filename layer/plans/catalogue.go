package plans

// The queries of the catalogue. They run with pg_catalog alone in the search_path.

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// primaryKeys reports the tables of the current schema that have none.
func (c *checker) primaryKeys(ctx context.Context) error {
	rows, err := c.tx.Query(ctx, `
SELECT relname
FROM pg_class
WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND NOT EXISTS (
    SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'p'
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
// refer to one which is deleted or gets another key.
func (c *checker) foreignKeys(ctx context.Context) ([]statement, error) {
	rows, err := c.tx.Query(ctx, `
SELECT 'foreign key ' || conname,
    format('SELECT FROM ONLY %s WHERE %s', conrelid::regclass,
        string_agg(format('$%s::%s = %I', n, format_type(parent.atttypid, NULL), child.attname), ' AND ' ORDER BY n)),
    count(*)
FROM pg_constraint
CROSS JOIN unnest(conkey, confkey) WITH ORDINALITY AS key (child, parent, n)
JOIN pg_attribute AS child ON child.attrelid = conrelid AND child.attnum = key.child
JOIN pg_attribute AS parent ON parent.attrelid = confrelid AND parent.attnum = key.parent
WHERE contype = 'f' AND connamespace = $1::regnamespace
GROUP BY pg_constraint.oid, conname, conrelid
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
	Unique      bool
	Ordered     bool     // a B-tree, which is read from where its first columns say
	Columns     []string // or expressions, of the key
	Predicate   string   // of a partial one
	Constraint  string   // that it belongs to, if any
	Rule        bool     // it refuses rows
	Implied     string   // another one, which refuses all that this one refuses
	Longer      string   // another one, which begins with the same columns
}

func (i index) drop() string {
	if i.Constraint != "" {
		return "ALTER TABLE " + i.Table + " DROP CONSTRAINT " + i.Constraint
	}

	return "DROP INDEX " + i.Name
}

// readIndexes returns the indexes in the order of tables and names, and keeps them by name.
func (c *checker) readIndexes(ctx context.Context) ([]index, error) {
	// A unique index refuses all that another refuses if the other's columns are among its own. Of two that are the
	// same stays the primary key, or else the constraint, or else the first.
	rows, err := c.tx.Query(ctx, `
WITH indexes AS (
    SELECT own.relname::text AS name, tables.relname::text AS "table", indisunique AS "unique", amname = 'btree' AS ordered,
        ARRAY(
            SELECT pg_get_indexdef(indexrelid, n, true)
            FROM generate_series(1, indnkeyatts) AS n
            ORDER BY n
        ) AS columns,
        coalesce(conname::text, '') AS constraint_name,
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
    WHERE tables.relnamespace = $1::regnamespace AND tables.relkind IN ('r', 'p', 'm')
)
SELECT a.name, a."table", a."unique", a.ordered, a.columns, a.predicate, a.constraint_name, a.rule, coalesce((
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
ORDER BY a."table", a.name`, c.schema)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	if err != nil {
		return nil, err
	}
	c.indexes = map[string]index{}
	for _, i := range all {
		c.indexes[i.Name] = i
	}

	return all, nil
}
