package dbtx

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
)

// What a connection must be before a statement is sent on it.

var (
	// ErrSettings means that a setting of the session, or the encoding of the database, gives SQL another meaning, or
	// that session_replication_role turns foreign keys and triggers off. A *SettingError says which. Nothing was sent.
	ErrSettings = settings.ErrSettings

	// ErrUntrusted means that the session is a superuser's, and another role that can log in may make functions and
	// operators on its search_path, or has made some with the name of one of PostgreSQL's own. They would run with a
	// superuser's rights. The text has the statements that mend it. None of the store's queries was sent.
	ErrUntrusted = settings.ErrUntrusted
)

// SettingError is a setting with which SQL would mean something else. It is ErrSettings.
type SettingError = settings.SettingError

// Warnings returns what another role can do to run code with the rights of this session, with the statement that mends
// it: a role that can log in and may make functions in a schema of the search_path, or functions that it has made there.
// For a superuser these are not returned: each of the store's statements is refused then, with ErrUntrusted.
//
// It also returns which settings have the server lose rows or commits silently: zero_damaged_pages,
// ignore_checksum_failure, and synchronous_commit = off of the role, the database or the session. When
// session_replication_role turns foreign keys off, it returns ErrSettings. So do schema.Bootstrap, schema.Check and the
// statements of a superuser. Those of other roles do not, because they would need one more round trip for it: a program
// that does not trust its database's settings calls Warnings when it starts.
//
// It is one round trip, and returns the same at every call until somebody mends it. The caller may log it.
func (r *Store) Warnings(ctx context.Context) ([]string, error) {
	path, err := settings.Look(ctx, r.conn.db)
	if err != nil {
		return nil, r.conn.known.typed(ctx, "look at the search_path", err, "", false)
	}

	return path.Checked()
}

// pin gives the connections of a pool to be the settings that SQL is written for.
func pin(config *pgx.ConnConfig) error {
	err := settings.Configure(config)
	if wrong, ok := errors.AsType[*settings.SettingError](err); ok {
		const reason = "the database URL gives it a value with which SQL means something else: it must be "

		return &InvalidError{Op: "open", Field: wrong.Setting, Reason: reason + wrong.Want}
	}

	return err
}

// guard is what a store, with those on its transactions, knows of its sessions.
type guard struct {
	trusted atomic.Bool // a superuser's search_path was looked at, and nothing was dangerous
	types   string      // what marks a connection that knows the types
}

func newGuard(known *Metadata) *guard { return &guard{types: fmt.Sprintf("types of %p", known)} }

// ready makes sure of a connection before a statement is sent on it.
func (c *conn) ready(ctx context.Context, conn *pgx.Conn, enums bool) error {
	if conn == nil { // of a DB of the caller's own
		return nil
	}
	if err := c.fit(ctx, conn); err != nil {
		return err
	}

	return c.knowTypes(ctx, conn, enums)
}

// fit returns an error when a connection has settings with which SQL means something else, or is a superuser's that
// another role could make use of, or that does not enforce foreign keys. The server reports the settings of the first kind
// whenever they change, so they cost nothing. The rest is one round trip, once for a store and for superusers only.
func (c *conn) fit(ctx context.Context, conn *pgx.Conn) error {
	if err := settings.Check(conn.PgConn()); err != nil {
		return err
	}
	if c.guard.trusted.Load() || !settings.MayBeSuperuser(conn.PgConn()) {
		return nil
	}
	path, err := settings.Look(ctx, conn)
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
