package dbtx

import (
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The ways in which pgx sends a statement. https://pkg.go.dev/github.com/jackc/pgx/v5#QueryExecMode
//
// In two of them, exec and simple_protocol, pgx does not know the types of parameters. It guesses them from the Go values,
// so that JSON in a []byte is sent as a bytea, and values come back as text, whose form depends on settings of the server
// (bytea_output, DateStyle, IntervalStyle, extra_float_digits): a row could be stored and then not be read. So a store
// sends statements as cache_describe instead: pgx asks for the types of a statement once on each connection, and values go
// both ways in the binary format, which depends on no setting. It keeps no prepared statement, which is what the two are
// for: like them it works behind a pooler in transaction mode.

// typedMode returns the mode that a store uses instead of the one that is configured.
func typedMode(config *pgx.ConnConfig) pgx.QueryExecMode {
	switch mode := config.DefaultQueryExecMode; {
	case mode != pgx.QueryExecModeExec && mode != pgx.QueryExecModeSimpleProtocol:
		return mode
	case config.DescriptionCacheCapacity <= 0:
		return pgx.QueryExecModeDescribeExec // which asks each time
	default:
		return pgx.QueryExecModeCacheDescribe
	}
}

// configOf returns the configuration of a DB; nil where it is not known.
func configOf(db DB) *pgx.ConnConfig {
	if pool, ok := db.(*pgxpool.Pool); ok {
		return pool.Config().ConnConfig
	}
	if conn := connOf(db); conn != nil {
		return conn.Config()
	}

	return nil
}

// insteadOf returns what to put before the arguments of each statement, so that it is sent in the mode that typedMode
// says; nil where that is the configured one, or not known.
func insteadOf(config *pgx.ConnConfig) []any {
	if config == nil || typedMode(config) == config.DefaultQueryExecMode {
		return nil
	}

	return []any{typedMode(config)}
}

// toSend returns the arguments as they go to pgx.
func (c *conn) toSend(args []any) []any {
	if c.mode == nil {
		return args
	}

	return append(slices.Clip(c.mode), args...)
}

// badBatch is the error of a batch in exec or simple_protocol mode, which pgx can't send in another; nil when it has no
// bytes that pgx would take for what they are not, and no list of an enum, whose type pgx can't guess.
func (c *conn) badBatch(b *pgx.Batch) error {
	if c.mode == nil {
		return nil
	}
	for _, q := range b.QueuedQueries {
		for i, arg := range q.Arguments {
			what := ""
			if _, ok := arg.([]byte); ok {
				what = "bytes"
			} else if t := reflect.TypeOf(arg); t != nil && t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String &&
				t.Elem() != reflect.TypeFor[string]() {
				what = "a list of this type"
			}
			if what != "" {
				const why = " can't be sent in a batch in this mode: set default_query_exec_mode to cache_describe"

				return &InvalidError{Op: c.known.operation(q.SQL), Field: c.known.param(q.SQL, i), Reason: what + why}
			}
		}
	}

	return nil
}
