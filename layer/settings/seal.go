package settings

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Querier is a connection or a transaction.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// catalogueOnly is the search_path with which no other role's function, operator, type or table can take the place of
// PostgreSQL's own. pg_catalog must be alone: with another schema behind it, a function there whose argument types fit
// exactly would win. pg_temp is named because it would come first for tables and types otherwise.
// https://www.postgresql.org/docs/current/typeconv-func.html
const catalogueOnly = "pg_catalog, pg_temp"

// sealSQL sets what changes the meaning of SQL or the text of printed definitions, for the transaction, and returns what
// it was. A setting that the engine does not have is left out. It runs before the search_path is safe, so every name in
// it is qualified.
//
// Not set are the settings of where and how data is stored (default_tablespace, default_table_access_method), of plans, of
// the language of messages, and the time limits of statements: those are the user's choice.
const sealSQL = `
SELECT
    pg_catalog.json_object_agg(s.name, s.setting)::pg_catalog.text,
    pg_catalog.count(pg_catalog.set_config(s.name, w.value, $2::pg_catalog.bool))
FROM pg_catalog.pg_settings AS s
JOIN (VALUES
    ('search_path', '` + catalogueOnly + `'),
    ('client_encoding', 'UTF8'),
    ('standard_conforming_strings', 'on'),
    ('backslash_quote', 'safe_encoding'),
    ('transform_null_equals', 'off'),
    ('array_nulls', 'on'),
    ('quote_all_identifiers', 'off'),
    ('check_function_bodies', 'on'),
    ('DateStyle', 'ISO, MDY'),
    ('IntervalStyle', 'postgres'),
    ('TimeZone', 'UTC'),
    ('timezone_abbreviations', 'Default'),
    ('extra_float_digits', '1'),
    ('bytea_output', 'hex'),
    ('xmlbinary', 'base64'),
    ('xmloption', 'content'),
    ('lc_monetary', 'C'),
    ('lc_numeric', 'C'),
    ('lc_time', 'C'),
    ('default_text_search_config', 'pg_catalog.simple'),
    ('row_security', 'on'),
    ('default_with_oids', 'off'),
    ('lock_timeout', $1::pg_catalog.text),
    ('statement_timeout', $3::pg_catalog.text),
    ('transaction_timeout', $3::pg_catalog.text),
    ('idle_in_transaction_session_timeout', $3::pg_catalog.text),
    ('idle_session_timeout', $3::pg_catalog.text),
    ('default_transaction_isolation', CASE WHEN $3::pg_catalog.text OPERATOR(pg_catalog.<>) '' THEN 'read committed' ELSE '' END)
) AS w (name, value) ON s.name OPERATOR(pg_catalog.=) w.name AND w.value OPERATOR(pg_catalog.<>) ''`

// Seal gives a transaction the settings that SQL text is written for, a search_path of pg_catalog alone, and a
// lock_timeout in milliseconds, or the session's own if that is empty. They end with the transaction. It returns the settings as they were, as JSON, for
// Restore.
func Seal(ctx context.Context, tx Querier, lockTimeout string) (before string, err error) {
	var n int64
	err = tx.QueryRow(ctx, sealSQL, pgx.QueryExecModeExec, lockTimeout, true, "").Scan(&before, &n)

	return before, err
}

// SealSession is Seal for a session whose statements may take hours: the settings stay until RestoreSession, statements and
// transactions have no time limit, and transactions are READ COMMITTED.
func SealSession(ctx context.Context, conn Querier) (before string, err error) {
	var n int64
	err = conn.QueryRow(ctx, sealSQL, pgx.QueryExecModeExec, "0", false, "0").Scan(&before, &n)

	return before, err
}

// Restore gives a transaction the settings that Seal returned. It is for a transaction that goes on.
func Restore(ctx context.Context, tx Querier, before string) error {
	return restore(ctx, tx, before, true)
}

// RestoreSession gives a session the settings that SealSession returned.
func RestoreSession(ctx context.Context, conn Querier, before string) error {
	return restore(ctx, conn, before, false)
}

func restore(ctx context.Context, db Querier, before string, local bool) error {
	var n int64

	return db.QueryRow(ctx, `
SELECT pg_catalog.count(pg_catalog.set_config(s.name, s.value, $2::pg_catalog.bool))
FROM pg_catalog.json_each_text($1::pg_catalog.text::pg_catalog.json) AS s (name, value)`,
		pgx.QueryExecModeExec, before, local).Scan(&n)
}

// SetPath sets the search_path for the transaction.
func SetPath(ctx context.Context, tx Querier, path string) error {
	var set string

	return tx.QueryRow(ctx, "SELECT pg_catalog.set_config('search_path', $1::pg_catalog.text, true)",
		pgx.QueryExecModeExec, path).Scan(&set)
}

// SetCataloguePath sets the search_path for the transaction to pg_catalog alone.
func SetCataloguePath(ctx context.Context, tx Querier) error { return SetPath(ctx, tx, catalogueOnly) }
