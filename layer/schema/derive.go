package schema

import (
	"context"
	"fmt"
	"strings"
	"time"

	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
)

// derive fills a column by its Go function where it is NULL, some pages of the table in a transaction. It waits for no row.
func (g *migration) derive(ctx context.Context, d *derivation) error {
	function := g.sql.Derivations[d.function]
	if function == nil {
		return fmt.Errorf("column %s.%s: its function %s is not known", d.table, d.column, d.function)
	}
	from := make([]string, len(d.from))
	places := make([]int, len(d.from))
	for i, name := range d.from {
		from[i], places[i] = quote(name), i
	}
	rows, err := g.conn.Query(ctx, fmt.Sprintf(`
SELECT format('%[1]s', relid::regclass), pg_relation_size(relid) / current_setting('block_size')::bigint FROM (`+tablesOf+`) AS part`,
		"%s", literal(quote(d.table))), pgx.QueryExecModeExec)
	if err != nil {
		return err
	}
	type part struct {
		Name  string
		Pages int64
	}
	parts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[part])
	if err != nil {
		return err
	}
	const pages = 4 // of one transaction, which locks their rows until it ends
	for _, p := range parts {
		for pass := 1; pass <= d.passes; pass++ {
			null := 0 // the rows for which the function has no value
			for page := int64(0); page <= p.Pages; page += pages {
				n, err := g.derivePages(ctx, d, function, p.Name, strings.Join(from, ", "), places, page, page+pages)
				if err != nil {
					return err
				}
				null += n
			}
			var rest int
			err := g.conn.QueryRow(ctx, "SELECT count(*) FROM ONLY "+p.Name+" WHERE "+quote(d.column)+" IS NULL", pgx.QueryExecModeExec).Scan(&rest)
			if err != nil {
				return err
			}
			if rest <= null {
				break
			}
			if err := wait(ctx, 100*time.Millisecond); err != nil { // others hold the locks of these rows
				return err
			}
		}
	}

	return nil
}

// derivePages fills the column in some pages, and returns for how many of their rows the function has no value.
func (g *migration) derivePages(
	ctx context.Context, d *derivation, function dbtx.Derivation, table, from string, places []int, page, end int64,
) (null int, err error) {
	err = pgx.BeginFunc(ctx, g.conn, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(
			"SELECT ctid::text, %s FROM ONLY %s WHERE %s IS NULL AND ctid >= '(%d,0)' AND ctid < '(%d,0)' FOR NO KEY UPDATE SKIP LOCKED",
			from, table, quote(d.column), page, end))
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		for rows.Next() {
			args := make([]any, len(places))
			for i := range args {
				field := rows.FieldDescriptions()[i+1]
				args[i] = dbtx.Read(rows.Conn().TypeMap(), field.DataTypeOID, field.Format, rows.RawValues()[i+1])
			}
			value, err := function(args, places)
			if err != nil {
				rows.Close()

				return dbtx.Underived("migrate "+d.table, d.column, err)
			}
			id := string(rows.RawValues()[0])
			if value == nil {
				null++
			} else {
				batch.Queue("UPDATE ONLY "+table+" SET "+quote(d.column)+" = $1 WHERE ctid = $2::text::tid", value, id)
			}
		}
		if err := rows.Err(); err != nil || batch.Len() == 0 {
			return err
		}

		return tx.SendBatch(ctx, batch).Close()
	})

	return null, err
}
