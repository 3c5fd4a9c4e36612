package repo

import (
	"context"
	"errors"
	"sync/atomic"

	"musicstore/internal/session"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What a connection must be before a statement is sent on it.

var (
	// ErrSettings: a setting of the session, or the encoding of the database, gives SQL another meaning. A *SettingError
	// says which. Nothing was sent.
	ErrSettings = session.ErrSettings

	// ErrUntrusted: the session is a superuser's, and another role that can log in may make functions and operators on its
	// search_path, or has made some with the name of one of PostgreSQL's own. They would run with a superuser's rights. The
	// text has the statements that mend it. None of the store's queries was sent.
	ErrUntrusted = session.ErrUntrusted
)

// SettingError is a setting with which SQL would mean something else. It is ErrSettings.
type SettingError = session.SettingError

// Warnings returns what another role can do to run code with the rights of this session, with the statement that mends
// it: a role that can log in and may make functions in a schema of the search_path, or functions that it has made there.
// It is one round trip, and returns the same at every call until somebody mends it. The caller may log it.
//
// For a superuser it returns nothing: each of the store's statements is refused then, with ErrUntrusted.
func (r *Repo) Warnings(ctx context.Context) ([]string, error) {
	path, err := session.Look(ctx, r.conn.db)
	if err != nil {
		return nil, typed(ctx, "look at the search_path", err, "", false)
	}
	if path.Superuser {
		return nil, nil
	}

	return path.Warnings(), nil
}

// pin gives the connections of a pool to be the settings that SQL is written for.
func pin(config *pgx.ConnConfig) error {
	err := session.Configure(config)
	if wrong, ok := errors.AsType[*session.SettingError](err); ok {
		const reason = "the database URL gives it a value with which SQL means something else: it must be "

		return &InvalidError{Op: "open", Field: wrong.Setting, Reason: reason + wrong.Want}
	}

	return err
}

// guard is what a store, with those on its transactions, knows of its sessions.
type guard struct {
	trusted atomic.Bool // a superuser's search_path was looked at, and nothing was dangerous
}

// take returns the connection for one statement, after a look whether it is fit for it. Of a pool, the connection is lent
// and has to be released.
func (c *conn) take(ctx context.Context) (db DB, lent *pgxpool.Conn, err error) {
	switch db := c.db.(type) {
	case *pgxpool.Pool:
		lent, err := db.Acquire(ctx)
		if err != nil {
			return nil, nil, err
		}
		if err := c.fit(ctx, lent.Conn()); err != nil {
			lent.Release()

			return nil, nil, err
		}

		return lent.Conn(), lent, nil
	case *pgx.Conn:
		return db, nil, c.fit(ctx, db)
	case pgx.Tx:
		return db, nil, c.fit(ctx, db.Conn())
	default: // a DB of the caller's own
		return db, nil, nil
	}
}

// fit returns an error when a connection has settings with which SQL means something else, or is a superuser's that
// another role could make use of. The server reports the settings whenever they change, so the first costs nothing.
// The second is one round trip, once for a store and for superusers only.
func (c *conn) fit(ctx context.Context, conn *pgx.Conn) error {
	if conn == nil {
		return nil
	}
	if err := session.Check(conn.PgConn()); err != nil {
		return err
	}
	if c.guard.trusted.Load() || !session.MayBeSuperuser(conn.PgConn()) {
		return nil
	}
	path, err := session.Look(ctx, conn)
	if err != nil {
		return unsentError{err}
	}
	if err := path.Refuse(); err != nil {
		return err
	}
	c.guard.trusted.Store(true)

	return nil
}

// unsentError is what kept a statement from being sent.
type unsentError struct{ error }

func (e unsentError) Unwrap() error { return e.error }

// SafeToRetry tells pgconn.SafeToRetry that nothing of the statement has left.
func (unsentError) SafeToRetry() bool { return true }

// giveBack gives a connection back to its pool, if it is one of a pool.
func giveBack(lent *pgxpool.Conn) {
	if lent != nil {
		lent.Release()
	}
}

// queryRow is the QueryRow of the pool or connection, with the look at the connection.
func (c *conn) queryRow(ctx context.Context, sql string, args, dest []any) error {
	db, lent, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer giveBack(lent)

	return db.QueryRow(ctx, sql, args...).Scan(dest...)
}

// exec is the Exec of the pool or connection, with the look at the connection.
func (c *conn) exec(ctx context.Context, sql string, args []any) (pgconn.CommandTag, error) {
	db, lent, err := c.take(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer giveBack(lent)

	return db.Exec(ctx, sql, args...)
}

// failedRow is the row of a statement that was not sent.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
