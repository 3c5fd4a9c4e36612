// Package sqlstate reads the code of a server's error.
package sqlstate

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// Of returns the SQLSTATE of a server's error; "" when err has none.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func Of(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}

	return ""
}
