package schema

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/sqlstate"

	"github.com/jackc/pgx/v5"
)

// Applied is a step that Migrate has run.
type Applied struct {
	SQL     string    `json:"sql"`     // or, of a Go function, a comment that names it
	At      time.Time `json:"at"`      // when it began
	Seconds float64   `json:"seconds"` // how long it took, with the waits for its lock
	From    string    `json:"from"`    // the Version that the database had before; "" when that is not known
	To      string    `json:"to"`      // the Version that it leads to
}

// recordTable is the name of the table that records the steps.
func recordTable(m *dbtx.Metadata) string { return cmp.Or(m.Migrations, "musicstore_migrations") }

// record writes down a step that has run. The version before is that of the last step which led to another one.
func (g *migration) record(ctx context.Context, a *Applied) error {
	table := quote(recordTable(g.sql.Metadata))

	return pgx.BeginFunc(ctx, g.conn, func(tx pgx.Tx) error {
		if len(g.applied) == 0 {
			err := exec(ctx, tx, "CREATE TABLE IF NOT EXISTS "+table+` (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    from_version text NOT NULL,
    to_version text NOT NULL,
    step text NOT NULL
)`)
			if err != nil {
				return err
			}
		}

		err := tx.QueryRow(ctx, "INSERT INTO "+table+` (at, seconds, from_version, to_version, step)
SELECT $1, $2, coalesce((SELECT to_version FROM `+table+` WHERE to_version <> $3 ORDER BY id DESC LIMIT 1), ''), $3, $4
RETURNING from_version`, pgx.QueryExecModeExec, a.At, a.Seconds, a.To, a.SQL).Scan(&a.From)
		if err == nil && len(g.applied) == 0 {
			err = comment(ctx, tx, table)
		}

		return err
	})
}

// recordIntro begins the comment on the table of the record. Every role may read a comment, and Fits does.
const recordIntro = "versions of the schema, the first one first, then the present one: "

// recordedMost is how many versions the comment keeps.
const recordedMost = 100

// comment writes the versions of the record into the comment on its table, if the table is the role's own.
func comment(ctx context.Context, tx pgx.Tx, table string) error {
	var versions string
	err := tx.QueryRow(ctx, fmt.Sprintf(`SELECT concat_ws(' ', string_agg(to_version, ' ' ORDER BY at),
    (SELECT to_version FROM %[1]s ORDER BY id DESC LIMIT 1))
FROM (SELECT to_version, min(id) AS at FROM %[1]s GROUP BY to_version ORDER BY at DESC LIMIT %[2]d) AS latest`, table, recordedMost),
		pgx.QueryExecModeExec).Scan(&versions)
	if err != nil {
		return err
	}

	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		return exec(ctx, tx, "COMMENT ON TABLE "+table+" IS "+literal(recordIntro+versions))
	})
	if sqlstate.Of(err) == "42501" { // insufficient_privilege: the table is another role's
		return nil
	}

	return err
}

// recorded returns the versions in such a comment; none where it is another.
func recorded(comment string) []string {
	versions, ours := strings.CutPrefix(comment, recordIntro)
	if !ours {
		return nil
	}

	return strings.Fields(versions)
}

// Log returns the steps that Migrate has run in the current schema, in their order; none where it has run none. It changes nothing.
func Log(ctx context.Context, db DB, m *dbtx.Metadata) ([]Applied, error) {
	rows, err := db.Query(ctx, "SELECT step, at, seconds, from_version, to_version FROM "+quote(recordTable(m))+" ORDER BY id",
		pgx.QueryExecModeExec)
	var applied []Applied
	if err == nil {
		applied, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Applied])
	}
	if sqlstate.Of(err) == "42P01" { // undefined_table
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("log of migrations: %w", err)
	}

	return applied, nil
}
