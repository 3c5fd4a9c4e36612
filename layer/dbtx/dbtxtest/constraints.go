package dbtxtest

import (
	"testing"

	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Refuser is what can refuse a row: a constraint, or a unique index that is none.
type Refuser struct {
	Table, Name string
	Type        string // as pg_constraint has it; u of an index
}

// Refusers returns those of the schema public, but for the not-null constraints, which PostgreSQL lists since 18.
func Refusers(tb testing.TB, db dbtx.DB) []Refuser {
	tb.Helper()
	rows, err := db.Query(tb.Context(), `
SELECT conrelid::regclass::text AS table, conname::text AS name, contype::text AS type
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION
SELECT indrelid::regclass::text, indexrelid::regclass::text, 'u'
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = 'public'::regnamespace AND indisunique
ORDER BY 1, 2`)
	require.NoError(tb, err)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Refuser])
	require.NoError(tb, err)

	return all
}
