package schema

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
)

// Graph returns the tables of the current schema as a Mermaid entity-relationship diagram, by name: their columns with
// types, the keys that they are part of (PK, FK) or that they are alone (UK), whether they can be null, and the foreign
// keys with how many rows can be on either side. It is read from the catalogue, so the database says what is drawn, in
// the order of names, and it needs no privilege on the tables. A partitioned table is one table. Its partitions are left
// out, and so are views, types, functions and the tables of extensions: the diagram is of where rows are kept, and of
// the foreign keys between them.
//
// Mermaid reads the diagram, whatever the names are. A table whose name Mermaid would read as something else is in
// quotes, with characters that look alike for those that cannot stand there. A column's name has "_" for them.
// https://mermaid.js.org/syntax/entityRelationshipDiagram.html
func Graph(ctx context.Context, db DB) (string, error) {
	columns, relations, err := graphed(ctx, db)
	if err != nil {
		return "", fmt.Errorf("graph: %w", err)
	}
	tables := make([]string, len(columns))
	for i, c := range columns {
		tables[i] = c.Table
	}
	names := entities(tables)
	var b strings.Builder
	b.WriteString("erDiagram\n")
	for i, c := range columns {
		if i == 0 || columns[i-1].Table != c.Table {
			b.WriteString("    " + names[c.Table] + " {\n")
		}
		if c.Name != "" {
			b.WriteString("        " + c.String() + "\n")
		}
		if i == len(columns)-1 || columns[i+1].Table != c.Table {
			b.WriteString("    }\n")
		}
	}
	for _, r := range relations {
		b.WriteString("    " + r.in(names) + "\n")
	}

	return b.String(), nil
}

// graphed reads the catalogue in a transaction that is rolled back: for its settings.
func graphed(ctx context.Context, db DB) (columns []graphColumn, relations []graphRelation, err error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if failure := settings.Rollback(ctx, tx); err == nil {
			err = failure
		}
	}()
	path, err := settings.Look(ctx, tx)
	if err == nil {
		_, err = settings.Seal(ctx, tx, "")
	}
	if err == nil {
		columns, err = collect[graphColumn](ctx, tx, columnsSQL, path.Setting)
	}
	if err == nil {
		relations, err = collect[graphRelation](ctx, tx, relationsSQL, path.Setting)
	}

	return columns, relations, err
}

// collect runs a query that has drawn in it. The server reads the text with pg_catalog alone in the search_path.
func collect[T any](ctx context.Context, tx pgx.Tx, sql, path string) ([]T, error) {
	if err := settings.SetCataloguePath(ctx, tx); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, sql, pgx.QueryExecModeExec, path)
	if err != nil {
		return nil, err
	}

	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}

type graphColumn struct {
	Table, Name, Type string
	Keys              []string
	Nullable          bool
}

func (c graphColumn) String() string {
	text := word(strings.ReplaceAll(c.Type, `"`, "")) + " " + word(c.Name)
	if len(c.Keys) > 0 {
		text += " " + strings.Join(c.Keys, ", ")
	}
	if c.Nullable {
		text += ` "null"`
	}

	return text
}

// graphRelation is a foreign key.
type graphRelation struct {
	Parent, Child, Columns string
	Optional               bool // a row of the child may have no parent
	One                    bool // a parent has one row of the child at the most
}

// in is the relation between the entities of those names.
func (r graphRelation) in(names map[string]string) string {
	parent, child := "||", "o{"
	if r.Optional {
		parent = "|o"
	}
	if r.One {
		child = "o|"
	}

	return fmt.Sprintf("%s %s--%s %s : %s", names[r.Parent], parent, child, names[r.Child], quoted(r.Columns))
}

// drawn are the tables: no partitions, and none that an extension made. It sets the search_path, by which names are
// printed, before it reads the first row.
const drawn = `
WITH drawn AS (
    SELECT c.oid, c.relname
    FROM pg_catalog.pg_class AS c
    WHERE (SELECT set_config('search_path', $1, true)) IS NOT NULL
        AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema())
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend AS d
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        )
)`

// A table without columns is a row without one. The indexes that count are those of all rows.
const columnsSQL = drawn + `
SELECT
    drawn.relname::text,
    coalesce(a.attname::text, ''),
    coalesce(pg_catalog.format_type(a.atttypid, a.atttypmod), ''),
    ARRAY(
        SELECT key.name
        FROM (VALUES
            ('PK', EXISTS (SELECT FROM pg_catalog.pg_index AS i
                WHERE i.indrelid = a.attrelid AND i.indisprimary
                    AND a.attnum = ANY((i.indkey::smallint[])[0:i.indnkeyatts - 1]))),
            ('FK', EXISTS (SELECT FROM pg_catalog.pg_constraint AS f
                WHERE f.conrelid = a.attrelid AND f.contype = 'f' AND a.attnum = ANY(f.conkey))),
            ('UK', EXISTS (SELECT FROM pg_catalog.pg_index AS i
                WHERE i.indrelid = a.attrelid AND i.indisunique AND NOT i.indisprimary AND i.indpred IS NULL
                    AND i.indisvalid AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum))
        ) AS key (name, has)
        WHERE key.has
    ),
    coalesce(NOT (a.attnotnull OR t.typnotnull), false)
FROM drawn
LEFT JOIN (
    pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
) ON a.attrelid = drawn.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY drawn.relname::text COLLATE "C", a.attnum`

// A parent has one row at the most where the foreign key's columns, or some of them, are unique.
const relationsSQL = drawn + `
SELECT
    parent.relname::text,
    child.relname::text,
    (
        SELECT string_agg(a.attname, ', ' ORDER BY key.n)
        FROM unnest(f.conkey) WITH ORDINALITY AS key (attnum, n)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = key.attnum
    ),
    EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = f.conrelid AND a.attnum = ANY(f.conkey) AND NOT (a.attnotnull OR t.typnotnull)
    ),
    EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = f.conrelid AND i.indisunique AND i.indpred IS NULL AND i.indisvalid
            AND (i.indkey::smallint[])[0:i.indnkeyatts - 1] <@ f.conkey
    )
FROM pg_catalog.pg_constraint AS f
JOIN drawn AS parent ON parent.oid = f.confrelid
JOIN drawn AS child ON child.oid = f.conrelid
WHERE f.contype = 'f'
ORDER BY parent.relname::text COLLATE "C", child.relname::text COLLATE "C", f.conname::text COLLATE "C"`

// What Mermaid's lexer reads as something else, in upper and lower case. The words of relations, such as "one" and
// "to", are among them, and the statements of a diagram.
var reserved = regexp.MustCompile(`^(?i:accdescr|acctitle|class|classdef|click|direction|end|erdiagram|fk|many|more|o|one|only|` +
	`optionally|or|pk|style|subgraph|title|to|u|uk|zero)$`)

var (
	plain     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	direction = regexp.MustCompile(`(?i)(direction)\s+(TB|BT|RL|LR)`) // turns the diagram, in quotes, too
	unplain   = regexp.MustCompile(`[^A-Za-z0-9_()\[\]]+`)
	first     = regexp.MustCompile(`^[A-Za-z_]`)
	keyword   = regexp.MustCompile(`^(?i:[PFU]K)([^A-Za-z0-9_]|$)`)
)

// entities gives each table the name that it has in the diagram: its own where Mermaid reads that as a name, and
// otherwise in quotes. No two have the same.
func entities(tables []string) map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
	for _, table := range tables {
		if _, known := names[table]; known {
			continue
		}
		name := table
		if !plain.MatchString(table) || reserved.MatchString(table) {
			name = quoted(table)
		}
		for n := 2; taken[name]; n++ {
			name = quoted(fmt.Sprintf("%s (%d)", table, n))
		}
		names[table], taken[name] = name, true
	}

	return names
}

// quoted is a text in quotes. Characters that Mermaid does not take there, or takes for markup, are replaced by others
// that look alike. Those that cannot be seen, such as an escape sequence for a terminal, become spaces.
func quoted(text string) string {
	text = strings.NewReplacer(
		`"`, "'", "%", "％", `\`, "＼", "<", "＜", ">", "＞", "&", "＆", "#", "＃", "`", "'",
	).Replace(text)
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}

		return r
	}, text)

	return `"` + direction.ReplaceAllString(text, "${1}_$2") + `"`
}

// word is a type or the name of a column, of which every version of Mermaid takes ASCII letters, digits and brackets.
func word(text string) string {
	text = unplain.ReplaceAllString(strings.ReplaceAll(text, "timestamp with time zone", "timestamptz"), "_")
	if !first.MatchString(text) || keyword.MatchString(text) {
		text = "_" + text
	}

	return text
}
