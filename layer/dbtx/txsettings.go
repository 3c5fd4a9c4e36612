package dbtx

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"musicstore/layer/private"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TxOptions are the options of InTxWith.
type TxOptions struct {
	pgx.TxOptions

	Settings Settings
}

// Settings are values for SET LOCAL, by the names of the settings: {"app.user_id": "42", "statement_timeout": "2s"}. They are
// sent as parameters, so a value needs no quotes and can't become SQL. They end with the transaction.
// https://www.postgresql.org/docs/current/sql-set.html
type Settings map[string]string

// setSQL is SET LOCAL with parameters, which SET does not take.
// https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-SET
const setSQL = "SELECT pg_catalog.set_config($1, $2, true)"

// setting is one of Settings. Its value is hidden from the echo, a tracer and errors, because it may say who somebody is.
type setting struct {
	name  string
	value private.Secret
}

// sorted returns the settings in the order of their names. It returns an *InvalidError if one can't be sent.
func (s Settings) sorted() ([]setting, error) {
	if len(s) == 0 {
		return nil, nil // without an allocation
	}
	list := make([]setting, 0, len(s))
	for _, name := range slices.Sorted(maps.Keys(s)) {
		reason := Unstorable(name)
		switch {
		case reason != "":
			return nil, &InvalidError{Op: opBegin, Field: "settings", Reason: "a name " + reason}
		case name == "":
			return nil, &InvalidError{Op: opBegin, Field: "settings", Reason: "a name is empty"}
		case slices.ContainsFunc(list, func(s setting) bool { return strings.EqualFold(s.name, name) }):
			reason = "is there twice, in upper and lower case"
		case settings.Fixed(name):
			reason = "can't be set: the store depends on it"
		default:
			reason = Unstorable(s[name])
		}
		if reason != "" {
			return nil, &InvalidError{Op: opBegin, Field: name, Reason: reason}
		}
		list = append(list, setting{name, private.NewSecret(s[name])})
	}

	return list, nil
}

const opBegin = "begin"

func (s setting) args() []any { return []any{s.name, s.value} }

// refusedSettings are the errors of the server about a setting.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
var refusedSettings = map[string]string{
	codeUndefinedObject:  "the server has no such setting; a setting of your own has a dot in its name",
	"42602":              "is not a name that a setting can have",
	codeInvalidParameter: "the server does not take this value",
	"22P02":              "the server does not take this value", // of a setting that an extension checks
	codeNoPrivilege:      "this role may not set it",
	"55P02":              "the server does not let it be changed now",
}

// settingError is the error of a setting that the server refused. It is the error of the statement that BEGIN was sent with.
type settingError struct{ *InvalidError }

func (e settingError) Unwrap() error { return e.InvalidError }

// failed gives the error of a setting its type, if it is the server's about the setting or its value.
func (s setting) failed(k *catalogue, err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		if reason, ok := refusedSettings[pg.Code]; ok {
			return settingError{&InvalidError{Op: opBegin, Field: s.name, Reason: reason, pg: k.withoutValues(pg, setSQL)}}
		}
	}

	return err
}

// set sends the settings of a transaction that has begun, each by itself.
func (c *conn) set(ctx context.Context, tx pgx.Tx, list []setting) error {
	for _, s := range list {
		if err := c.isSet(ctx, c.observer.start(), tx.Conn(), s, func() (pgconn.CommandTag, error) {
			return tx.Exec(ctx, setSQL, c.toSend(s.args())...)
		}); err != nil {
			return err
		}
	}

	return nil
}

// isSet has read read the reply to a setting, and returns its error.
func (c *conn) isSet(ctx context.Context, start time.Time, conn *pgx.Conn, s setting, read func() (pgconn.CommandTag, error)) error {
	tag, err := read()
	if err == nil && tag.String() != "SELECT 1" {
		_ = conn.Close(ctx)
		err = outOfStepError{unsent: true}
	}
	c.observer.statement(ctx, start, setSQL, s.args(), tag.RowsAffected(), err)
	if err != nil {
		return s.failed(c.known, misread(ctx, conn, err))
	}

	return nil
}
