package dbtx

import (
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A trigger of the database can drop or change a row before it is stored. So a write returns the row that the statement returned. If
// a row is missing, the whole write fails.

// missingSetting is a setting that does not exist on any server. A query reads it when a row is missing. The statement
// then fails, with the setting's name in the message, and nothing is kept.
const missingSetting = "dbtx.rows_not_kept"

// refusedAsNotKept reports whether a statement failed because a row was missing.
func refusedAsNotKept(pg *pgconn.PgError) bool {
	return pg.Code == codeUndefinedObject && strings.Contains(pg.Message, missingSetting)
}
