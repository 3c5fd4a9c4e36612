package repo

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"musicstore/internal/private"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// conn is the DBTX that the generated queries run on, and the one place for what holds for every statement: text that
// PostgreSQL can't hold is refused before it is sent, lost connections are retried where that is safe, errors get their
// types, times come back in UTC, and the echo sees it all.
type conn struct {
	db     DB
	inTx   bool // db is a transaction: only the closure as a whole can be tried again
	pooled bool // db is a pool: another try gets another connection
	keyed  bool // a write may be tried again: it carries its own key
	echo   *echo

	gatherer *gatherer // of the pool's look-ups; nil without WithPipelining
}

// Exec runs a statement that returns no rows.
func (c *conn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := refuse(ctx, sql, args); err != nil {
		return pgconn.CommandTag{}, err
	}
	for cl := (call{c: c, ctx: ctx, sql: sql, args: args}); ; {
		cl.begin()
		tag, err := c.db.Exec(ctx, sql, args...)
		c.echo.statement(cl.start, sql, args, tag.RowsAffected(), err)
		if err == nil {
			return tag, nil
		}
		if !cl.again(err) {
			return tag, cl.fail(err)
		}
	}
}

// Query runs a statement that returns rows.
func (c *conn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := refuse(ctx, sql, args); err != nil {
		return nil, err
	}
	r := &rows{call: call{c: c, ctx: ctx, sql: sql, args: args}}
	if err := r.send(); err != nil {
		return nil, err
	}

	return r, nil
}

// QueryRow runs a statement of which one row is wanted; its error comes with Scan.
func (c *conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	r := &row{call: call{c: c, ctx: ctx, sql: sql, args: args}}
	if r.refused = refuse(ctx, sql, args); r.refused == nil {
		r.send()
	}

	return r
}

// CopyFrom loads rows by COPY. Once rows are on their way it is not tried again: the source has been read.
func (c *conn) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	db, release, err := c.copier(ctx, table, columns)
	if err != nil {
		return 0, err
	}
	defer release()
	sql := copySQL(table, columns)
	start := c.echo.start()
	checked := &checkedSource{CopyFromSource: src, table: table, columns: columns}
	n, err := db.CopyFrom(ctx, table, columns, checked)
	c.echo.statement(start, sql, nil, n, err)
	if err != nil {
		if checked.err != nil { // of which the server's error has the text alone
			return n, checked.err
		}

		return n, (&call{c: c, ctx: ctx, sql: sql}).fail(err)
	}

	return n, nil
}

// copier returns a connection that knows these columns' types as they are now, and what gives it back.
//
// pgx writes each value of a COPY as the type that it saw in its column at the connection's first COPY, and COPY has no plan
// that a change of the table would outdate: the server would take the old type's bytes for the new one's.
func (c *conn) copier(ctx context.Context, table pgx.Identifier, columns []string) (db DB, release func(), err error) {
	for cl := (call{c: c, ctx: ctx, sql: typesSQL(table, columns)}); ; {
		cl.begin()
		db, release, err = c.one(ctx)
		if err == nil {
			if err = learnTypes(ctx, db, cl.sql); err == nil {
				return db, release, nil
			}
			release()
		}
		if !cl.again(err) {
			return nil, nil, cl.fail(err)
		}
	}
}

// one returns a connection of the pool, or what stands there instead of a pool, and what gives it back.
func (c *conn) one(ctx context.Context) (db DB, release func(), err error) {
	pool, ok := c.db.(*pgxpool.Pool)
	if !ok {
		return c.db, func() {}, nil
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}

	return conn.Conn(), conn.Release, nil
}

// learnTypes asks for the types of the columns that sql selects, and has pgx forget what it knows of statements when they
// are others than the last time on this connection.
func learnTypes(ctx context.Context, db DB, sql string) error {
	var conn *pgx.Conn
	var on interface { // a transaction refuses when it has ended, and its connection may be another's by then
		Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error)
	}
	switch db := db.(type) {
	case *pgx.Conn:
		conn, on = db, db
	case pgx.Tx:
		conn, on = db.Conn(), db
	default: // a DB of the caller's own
		return nil
	}
	described, err := on.Prepare(ctx, "", sql) // which needs no right to select
	if err != nil {
		return err
	}
	types := make([]uint32, len(described.Fields))
	for i, field := range described.Fields {
		types[i] = field.DataTypeOID
	}
	known := conn.PgConn().CustomData()
	if before, ok := known[sql].([]uint32); ok && !slices.Equal(before, types) {
		err = conn.DeallocateAll(ctx)
	}
	known[sql] = types

	return err
}

// SendBatch sends several statements in one round trip. It is never tried again.
func (c *conn) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, q := range b.QueuedQueries {
		if err := checkText(q.SQL, q.Arguments); err != nil {
			return refusedBatch{err}
		}
	}

	return &batch{BatchResults: c.db.SendBatch(ctx, b), c: c, ctx: ctx, queued: b.QueuedQueries, start: c.echo.start()}
}

// call is a statement under way.
type call struct {
	c     *conn
	ctx   context.Context //nolint:containedctx // as pgx's own rows do: it lives as long as the statement
	sql   string
	args  []any
	start time.Time
	try   int
	sent  bool // an earlier try left and got no reply: whatever became of the later ones, it may have been kept
}

func (cl *call) begin() {
	cl.try++
	cl.start = cl.c.echo.start()
}

// checkedSource is the source of a COPY whose text is checked like every argument.
type checkedSource struct {
	pgx.CopyFromSource

	table   pgx.Identifier
	columns []string
	err     error
}

func (s *checkedSource) Values() (values []any, err error) {
	values, s.err = s.CopyFromSource.Values()
	for i, v := range values {
		if reason := badText(v); reason != "" && s.err == nil {
			s.err = &InvalidError{Op: "copy " + s.table.Sanitize(), Field: s.columns[i], Reason: reason}
		}
	}

	return values, s.err
}

func (s *checkedSource) Err() error {
	if s.err == nil {
		s.err = s.CopyFromSource.Err()
	}

	return s.err
}

// refuse is the error of a statement that is not to be sent: its context has ended, or it has a text or a time that can't
// be.
func refuse(ctx context.Context, sql string, args []any) error {
	if err := ctx.Err(); err != nil {
		return typed(ctx, operation(sql), err, sql, false)
	}

	return checkText(sql, args)
}

// checkText refuses text that PostgreSQL would refuse: what is not UTF-8, or has a NUL in it (SQLSTATE 22021). And it
// refuses times that are not of the years 1 to 9999.
// https://www.postgresql.org/docs/current/datatype-character.html
func checkText(sql string, args []any) error {
	for i, arg := range args {
		if reason := badText(arg); reason != "" {
			return &InvalidError{Op: operation(sql), Field: param(sql, i), Reason: reason}
		}
	}

	return nil
}

func badText(arg any) string {
	switch v := arg.(type) {
	case string:
		return badString(v)
	case private.Email:
		return badString(string(v))
	case *string:
		if v != nil {
			return badString(*v)
		}
	case []string:
		for _, s := range v {
			if reason := badString(s); reason != "" {
				return reason
			}
		}
	default:
		return badTime(arg)
	}

	return ""
}

func badString(s string) string {
	switch {
	case strings.IndexByte(s, 0) >= 0:
		return "has a NUL character"
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	}

	return ""
}

// inUTC turns the times that were read, which pgx gives in the local zone, to UTC.
func inUTC(dest []any) {
	for _, d := range dest {
		switch t := d.(type) {
		case *time.Time:
			*t = t.UTC()
		case **time.Time:
			if *t != nil {
				**t = (*t).UTC()
			}
		}
	}
}

// A statement is tried up to lastTry times. The pauses double from firstPause to longestPause, each cut at random
// between half and whole: four seconds in all, enough for a server that restarts.
const (
	lastTry      = 24
	firstPause   = 2 * time.Millisecond
	longestPause = 250 * time.Millisecond
)

// again says whether to send a statement once more after err, and pauses before it does.
//
// A lost connection is tried again for a read, for a write that carries its own key, and for anything that never left.
// pgconn.SafeToRetry alone would not do: it is not true of a backend that was killed. A plan that a pooler forgot is
// tried again once: nothing of it ran. So is one that a change of the schema made invalid, and more than once, because
// each connection of a pool has plans of its own, and another try may get another connection. And so is a statement that
// was the victim of a deadlock or could not be serialized: it was a transaction of its own, of which nothing was kept.
func (cl *call) again(err error) bool {
	c := cl.c
	switch {
	case c.inTx || cl.try >= lastTry || cl.ctx.Err() != nil:
		return false
	case outdated(err, cl.try):
		return true
	case conflicted(err):
		return pause(cl.ctx, cl.try)
	case !c.pooled:
		return false
	case code(err) == codeInvalidStatementName:
		return cl.try == 1
	}
	safe := c.keyed || unsent(err) || reads(cl.sql)
	if !lost(err) || !safe || !pause(cl.ctx, cl.try) {
		return false
	}
	cl.sent = cl.sent || !unsent(err)

	return true
}

// pause waits longer at each try, and says whether ctx is still alive.
func pause(ctx context.Context, try int) bool {
	d := min(firstPause<<min(try-1, 10), longestPause)
	select {
	case <-time.After(d/2 + rand.N(d/2)): //nolint:gosec // spreading retries needs no secrecy
		return true
	case <-ctx.Done():
		return false
	}
}
