package repo

import (
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A trigger of the database can drop a row on its way into a table, or change it. So what a write returns is what the
// statement returned, and a write of which a row is missing fails as a whole.

// missingSetting is a setting that no server has. A statement of db/queries reads it when a row is missing: that fails,
// with the setting's name in the message, and so keeps nothing.
const missingSetting = "musicstore.rows_not_kept"

// notKept is the error of an operation of which the database did not keep a row.
func notKept(op string) error {
	return &opError{op: op, errs: []error{ErrRowsNotKept}, text: ErrRowsNotKept.Error()}
}

// refusedAsNotKept reports whether a statement failed because a row was missing.
func refusedAsNotKept(pg *pgconn.PgError) bool {
	return pg.Code == codeUndefinedObject && strings.Contains(pg.Message, missingSetting)
}
