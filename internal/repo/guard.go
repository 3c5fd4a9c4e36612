package repo

import (
	"context"
	"errors"
	"sync/atomic"

	"musicstore/internal/settings"

	"github.com/jackc/pgx/v5"
)

// What a connection must be before a statement is sent on it.

var (
	// ErrSettings: a setting of the session, or the encoding of the database, gives SQL another meaning. A
	// *SettingError says which. Nothing was sent.
	ErrSettings = settings.ErrSettings

	// ErrUntrusted: the session is a superuser's, and another role could have its functions run with a superuser's
	// rights. That role can log in, and may make functions and operators on the session's search_path, or has made some
	// with the name of one of PostgreSQL's own. The text has the statements that mend it. None of the store's queries
	// was sent. Each call returns it until somebody has mended it.
	ErrUntrusted = settings.ErrUntrusted
)

// SettingError is a setting with which SQL would mean something else. It is ErrSettings.
type SettingError = settings.SettingError

// Warnings returns the ways in which another role can have its code run with the rights of this session, each with the
// statement that mends it. Such a role can log in, and may make functions in a schema of the search_path or has made
// some there. The call is one round trip. It returns the same at every call until somebody has mended it, and texts
// that may be logged. It fails as any query does.
//
// For a superuser it returns nothing, because each of the store's statements is refused with ErrUntrusted then.
func (r *Repo) Warnings(ctx context.Context) ([]string, error) {
	path, err := settings.Look(ctx, r.conn.db)
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
}

// fit returns an error when a connection has settings with which SQL means something else, or is a superuser's that
// another role could make use of. The server reports the settings whenever they change, so the first costs nothing.
// The second is one round trip, once for a store and for superusers only.
func (c *conn) fit(ctx context.Context, conn *pgx.Conn) error {
	if conn == nil {
		return nil
	}
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
