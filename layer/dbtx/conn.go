package dbtx

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/private"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// conn is the DBTX that the generated queries run on. All that holds for every statement is done here:
//
//   - an argument that the caller left unset gets its default;
//   - a text or a time that can't be stored is refused before anything is sent;
//   - a connection with settings that change the meaning of SQL is refused, and pgx learns the enum types of the schema;
//   - a statement is tried again after a lost connection, where that is safe;
//   - errors get their types;
//   - times are read in UTC;
//   - the observer is told of each statement.
type conn struct {
	db       DB
	pool     *pgxpool.Pool // db, if it is a pool: another try gets another connection
	session  *session      // of db, if it is a transaction or a connection
	inTx     bool          // db is a transaction: only the closure as a whole can be tried again
	observer *observer
	guard    *guard
	known    *catalogue
	defaults *defaults
	mode     []any // the query mode, if it is not the configured one; it is sent before the arguments

	userMessages bool // the messages that functions raise for people are shown

	gatherer *gatherer // of the pool's look-ups; nil without WithPipelining
}

// Exec runs a statement that returns no rows.
func (c *conn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := c.accept(ctx, sql, args); err != nil {
		return pgconn.CommandTag{}, err
	}
	cl := call{c: c, ctx: ctx, sql: sql, args: args}
	defer cl.done(nil) // if a tracer or an argument panics
	for {
		var tag pgconn.CommandTag
		err := cl.begin()
		if err == nil {
			tag, err = cl.db.Exec(ctx, sql, c.toSend(args)...)
			err = cl.inStep(tag, err)
			cl.done(err)
		}
		c.observer.statement(ctx, cl.start, sql, args, tag.RowsAffected(), err)
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
	if err := c.accept(ctx, sql, args); err != nil {
		return nil, err
	}
	r := &rows{call: call{c: c, ctx: ctx, sql: sql, args: args}}
	if err := r.send(); err != nil {
		return nil, err
	}

	return r, nil
}

// QueryRow runs a statement that returns one row. Scan of the row returns the error.
func (c *conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	r := &row{call: call{c: c, ctx: ctx, sql: sql, args: args}}
	switch r.err = c.accept(ctx, sql, args); {
	case r.err != nil:
		r.refused = true
	case c.gatherer != nil:
		r.gathered, r.try, r.start = true, 1, c.observer.start()
	default:
		r.send()
	}

	return r
}

// CopyFrom loads rows by COPY, all of them or none. If the source can be read again, the COPY is tried again like any other write
// without a key: when nothing was sent, or when it failed by a deadlock or a serialization failure.
func (c *conn) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	query := c.known.Copy(strings.Join(table, "."), columns)
	cl := call{c: c, ctx: ctx, sql: copySQL(query, table, columns)}
	defer cl.done(nil)
	checked := &checkedSource{CopyFromSource: src, c: c, query: query, table: table, columns: columns}
	start, rereadable := copyOf(src)
	checked.keeps = rereadable
	for {
		n, err := cl.copyFrom(checked)
		if err != nil && checked.err == nil {
			checked.err = checked.unfit(err)
		}
		if err != nil && checked.err != nil { // the server's error has only its text
			err = checked.err
		}
		c.observer.statement(ctx, cl.start, cl.sql, nil, n, err)
		if err == nil {
			return n, nil
		}
		if checked.panicked != nil {
			panic(checked.panicked)
		}
		if checked.err != nil {
			return n, err
		}
		if checked.read && !rereadable || !cl.again(err) {
			return n, cl.fail(err)
		}
		if checked.read {
			reflect.ValueOf(src).Elem().Set(start)
			checked.kept = 0
		}
	}
}

// copyFrom is one try of a COPY. It asks for the present types of the columns first.
//
// pgx remembers the columns' types from the first COPY on a connection. If a type is changed later, pgx still writes the bytes of
// the old type, and the server reads them as the new one. A query would fail then, because its plan is outdated. COPY has no plan.
func (cl *call) copyFrom(src *checkedSource) (n int64, err error) {
	if err = cl.begin(); err != nil {
		return 0, err
	}
	defer func() { cl.done(err) }()
	src.conn = connOf(cl.db)
	if err = misread(cl.ctx, src.conn, learnTypes(cl.ctx, cl.db, src.table, src.columns)); err != nil {
		cl.unread = true // the COPY itself was not sent
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
			pg.Position = 0 // it is one in the question
		}

		return 0, err
	}
	n, err = cl.db.CopyFrom(cl.ctx, src.table, src.columns, src)

	return n, misread(cl.ctx, src.conn, err)
}

// copyOf returns a copy of a source, from which the source can be read again. ok is false if that is not possible. It is possible
// for a pointer to a struct that has only slices, booleans and integers, as sqlc generates it. Any other source may have read
// something that can't be read again.
func copyOf(src pgx.CopyFromSource) (start reflect.Value, ok bool) {
	v := reflect.ValueOf(src)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return start, false
	}
	now := v.Elem()
	for i := range now.NumField() { //nolint:modernize // Fields allocates for each field
		switch now.Field(i).Kind() {
		case reflect.Slice, reflect.Bool, reflect.Int:
		default:
			return start, false
		}
	}
	start = reflect.New(now.Type()).Elem()
	start.Set(now)

	return start, true
}

// connOf returns the connection of db, which is a connection or a transaction; nil when it is neither.
func connOf(db DB) *pgx.Conn {
	switch db := db.(type) {
	case *pgx.Conn:
		return db
	case pgx.Tx:
		return db.Conn()
	default:
		return nil
	}
}

// learnTypes asks the server for the types of a table's columns. If they have changed since the last time on this connection, pgx is told
// to forget the statements that it knows.
func learnTypes(ctx context.Context, db DB, table pgx.Identifier, columns []string) error {
	on, ok := db.(interface { // not the connection: a transaction that has ended refuses, and its connection may be in use elsewhere
		Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error)
	})
	conn := connOf(db)
	if !ok || conn == nil { // a DB of the caller's own
		return nil
	}
	known, sql, plan, insert := conn.PgConn().CustomData(), typesSQL(table, columns), "", ""
	if o, ok := db.(*opening); ok {
		var err error
		insert = insertSQL(table, columns)
		if plan, err = o.plan(ctx, insert); err != nil || plan != "" && known[insert] == plan {
			return err
		}
	}
	described, err := on.Prepare(ctx, "", sql) // needs no right to select
	if err != nil {
		return err
	}
	if len(described.Fields) != len(columns) {
		_ = conn.Close(ctx)

		return outOfStepError{unsent: true}
	}
	types := make([]uint32, len(columns))
	for i, field := range described.Fields {
		types[i] = field.DataTypeOID
	}
	if before, ok := known[sql].([]uint32); ok && !slices.Equal(before, types) {
		err = conn.DeallocateAll(ctx)
	}
	known[sql] = types
	if plan != "" && isInsertInto(plan, table) {
		known[insert] = plan
	}

	return err
}

// SendBatch sends several statements in one round trip. It is never tried again, not even after a deadlock: its caller
// may have acted on the results of its first statements.
func (c *conn) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return c.sendBatch(call{c: c, ctx: ctx, try: lastTry, batch: true}, b)
}

func (c *conn) sendBatch(cl call, b *pgx.Batch) pgx.BatchResults {
	for i, q := range b.QueuedQueries {
		if i == 0 {
			cl.sql = q.SQL
		}
		if err := c.complete(q.SQL, q.Arguments); err != nil {
			return refusedBatch{err}
		}
		cl.enums = cl.enums || c.known.needsEnums(q.SQL)
	}
	if err := c.badBatch(b); err != nil {
		return refusedBatch{err}
	}
	defer cl.done(nil)
	if err := cl.begin(); err != nil {
		c.observer.statement(cl.ctx, cl.start, cl.sql, nil, 0, err)

		return refusedBatch{cl.fail(err)}
	}
	for _, q := range b.QueuedQueries { // all are one transaction, which ends after the last of them
		cl.writes = cl.writes || !cl.snapshot && !c.known.reads(q.SQL)
	}
	results := &batch{BatchResults: cl.db.SendBatch(cl.ctx, b), call: cl, queued: b.QueuedQueries}
	if tx := results.BatchResults.Tx(); tx != nil {
		s := c.session
		if s == nil {
			s = &session{conn: tx.Conn()}
		}
		results.tx, results.held = &sessionTx{tx: tx, s: s, held: cl.held}, nil
	}
	cl.held, cl.entered = nil, nil // the results give them back

	return results
}

// call is a statement under way.
type call struct {
	c    *conn
	ctx  context.Context //nolint:containedctx // as pgx's own rows do: it lives as long as the statement
	sql  string
	args []any

	start   time.Time
	try     int
	db      DB            // what this try runs on; nil if it got no connection
	held    *pgxpool.Conn // to be given back to the pool
	entered *session      // to be left
	dead    bool          // the connection had ended before this try
	over    bool          // the outage has lasted too long
	unread  bool          // this try only asked for a description

	batch    bool // it is a batch
	writes   bool // a statement of the batch changes something
	snapshot bool // the batch is a transaction that only reads
	enums    bool // it needs the enum types

	sent   bool   // an earlier try was sent and got no reply, so it may have been kept
	outage outage // the outage in which it is tried
}

// outage is a time in which no statement reaches the server. The store tries for retryFor from the first failure, however long
// each attempt to connect takes. Then it gives up.
type outage struct {
	until time.Time
	last  error // of the last try
}

const retryFor = 4 * time.Second

// goesOn notes a failure, and says whether to try again.
func (o *outage) goesOn(err error) bool {
	o.last = err
	if o.until.IsZero() {
		o.until = time.Now().Add(retryFor)
	}

	return time.Now().Before(o.until)
}

// acquire returns a connection of the pool. In an outage it waits until the outage has lasted too long. Then it returns the error
// of the last try.
func (o *outage) acquire(ctx context.Context, pool *pgxpool.Pool) (conn *pgxpool.Conn, over bool, err error) {
	if o.until.IsZero() {
		conn, err = pool.Acquire(ctx)

		return conn, false, err
	}
	bounded, cancel := context.WithDeadline(ctx, o.until)
	defer cancel()
	if conn, err = pool.Acquire(bounded); err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return nil, true, o.last
	}

	return conn, false, err
}

// begin begins a try. It gets the connection for the statement.
func (cl *call) begin() (err error) {
	cl.try++
	cl.start = cl.c.observer.start()
	cl.db, cl.dead, cl.unread = nil, false, false
	switch c := cl.c; {
	case c.pool != nil:
		return cl.borrow()
	case c.session != nil:
		if err = c.session.enter(); err == nil {
			cl.entered, cl.db, cl.dead = c.session, c.db, c.session.single && c.session.conn.IsClosed()
			err = c.session.inStep(cl.ctx)
		}
	default:
		cl.db = c.db
	}
	if err != nil {
		cl.done(err)

		return err
	}

	return cl.fit()
}

// borrow gets a connection of the pool that is fit for the statement. It closes a connection whose replies are out of step, or
// whose settings change the meaning of SQL, and takes the next one. Somebody may have changed the settings of that connection
// alone. It gives up when every connection that was idle in the pool, and one more, has such settings.
func (cl *call) borrow() (err error) {
	for more := int32(-1); ; {
		if cl.held, cl.over, err = cl.outage.acquire(cl.ctx, cl.c.pool); err != nil {
			return err
		}
		held := cl.held.Conn()
		cl.db = held
		if !leftOver(held) {
			if err = settings.Check(held.PgConn()); err == nil {
				return cl.fit()
			}
			if more < 0 {
				more = cl.c.pool.Stat().IdleConns() + 1
			}
			if more--; more < 0 {
				cl.done(err)
				cl.db = nil

				return err
			}
		}
		_ = held.Close(cl.ctx)
		cl.done(err)
	}
}

// fit checks that the statement may run on its connection. If it may not, fit gives the connection back and returns the error.
func (cl *call) fit() error {
	err := cl.c.ready(cl.ctx, connOf(cl.db), cl.enums || cl.c.known.needsEnums(cl.sql))
	if err != nil {
		cl.done(err)
		cl.db = nil
	}

	return err
}

// done ends a try and gives its connection back. err is the try's error. A second call does nothing.
func (cl *call) done(err error) {
	if cl.held != nil {
		held := cl.held
		cl.held = nil
		held.Release()
	}
	if cl.entered != nil {
		cl.entered.leave(cl.ctx, err)
		cl.entered = nil
	}
}

// checkedSource is the source of a COPY. Its values get their defaults and are checked like all arguments. pgx reads the source in
// a goroutine of its own. A panic there would end the process, so it is caught, and raised again in the caller's goroutine.
type checkedSource struct {
	pgx.CopyFromSource

	c        *conn
	query    *Query // nil when it is not of db/queries
	table    pgx.Identifier
	columns  []string
	read     bool
	err      error
	panicked any
	last     []any     // the row that was read last
	conn     *pgx.Conn // of this try

	keeps bool  // the defaults are kept, so that another try sends the same rows
	made  []any // the defaults, in the order of the rows
	kept  int   // how many of them this try has used
}

// op returns the operation, with which an error about a row begins.
func (s *checkedSource) op() string {
	if s.query != nil {
		return s.query.Op
	}

	return "copy " + s.table.Sanitize()
}

// fill gives a row its defaults: new ones in the first try that reads it, and the same in any later.
func (s *checkedSource) fill(values []any) error {
	if s.query == nil || len(s.query.Fills) == 0 || !s.keeps {
		return s.c.fill(s.query, values)
	}
	var room [8]int
	left := room[:0] // the parameters that the caller left unset
	for _, f := range s.query.Fills {
		if unset(values[f.Param]) {
			left = append(left, f.Param)
		}
	}
	if first := s.kept; first+len(left) <= len(s.made) && len(left) > 0 {
		for i, param := range left {
			values[param] = s.made[first+i]
		}
	} else {
		if err := s.c.setDefaults(s.query, values); err != nil {
			return err
		}
		for _, param := range left {
			s.made = append(s.made, values[param])
		}
	}
	s.kept += len(left)

	return checkTimes(s.query, values)
}

var errPanicked = errors.New("the source of the rows panicked")

func (s *checkedSource) keep() {
	if s.panicked = recover(); s.panicked != nil {
		s.err = errPanicked
	}
}

func (s *checkedSource) Next() (next bool) {
	defer s.keep()
	s.read = true

	return s.CopyFromSource.Next()
}

func (s *checkedSource) Values() (values []any, err error) {
	defer func() { err = s.err }()
	defer s.keep()
	values, s.err = s.CopyFromSource.Values()
	s.last = values
	if s.err == nil {
		s.err = s.fill(values)
	}
	for i, v := range values {
		if reason := badText(v); reason != "" && s.err == nil {
			s.err = &InvalidError{Op: s.op(), Field: s.columns[i], Reason: reason}
		}
	}

	return values, s.err
}

// unfit returns the error of a value that pgx could not write as the type of its column; nil when err has another reason. In that
// case pgx sends its reason, with the value in it, to the server, and the server returns it as its own error (57014).
func (s *checkedSource) unfit(err error) error {
	if sqlstate.Of(err) != codeCanceled || s.conn == nil {
		return nil
	}
	types, _ := s.conn.PgConn().CustomData()[typesSQL(s.table, s.columns)].([]uint32)
	for i, v := range s.last {
		if i < len(types) && !copyable(s.conn.TypeMap(), types[i], v) {
			return &InvalidError{Op: s.op(), Field: s.columns[i], Reason: "does not fit " + typeName(types[i])}
		}
	}

	return nil
}

// copyable reports whether pgx can write a value in the binary format of a type. Like pgx, it also tries to write the value as text,
// to read that text as a value of the type, and to write that one.
func copyable(types *pgtype.Map, oid uint32, v any) bool {
	if _, err := types.Encode(oid, pgx.BinaryFormatCode, v, nil); err == nil {
		return true
	}
	text, ok := v.(string)
	if !ok {
		encoded, err := types.Encode(oid, pgx.TextFormatCode, v, nil)
		if err != nil {
			return false
		}
		text = string(encoded)
	}
	var one any
	var list pgtype.Array[any]
	err := types.Scan(oid, pgx.TextFormatCode, []byte(text), &one)
	if of, ok := types.TypeForOID(oid); ok {
		if _, ok := of.Codec.(*pgtype.ArrayCodec); ok {
			err = types.Scan(oid, pgx.TextFormatCode, []byte(text), &list)
			one = list
		}
	}
	if err == nil {
		_, err = types.Encode(oid, pgx.BinaryFormatCode, one, nil)
	}

	return err == nil
}

func (s *checkedSource) Err() error {
	if s.err == nil {
		defer s.keep()
		s.err = s.CopyFromSource.Err()
	}

	return s.err
}

// accept gives the unset arguments of a statement their defaults. It returns an error when the statement must not be sent, because
// its context has ended or an argument is refused.
func (c *conn) accept(ctx context.Context, sql string, args []any) error {
	if err := ctx.Err(); err != nil {
		return c.known.typed(ctx, c.known.operation(sql), err, sql, false)
	}

	return c.complete(sql, args)
}

// complete gives a statement's unset arguments their defaults, and refuses a text or a time that can't be stored.
func (c *conn) complete(sql string, args []any) error {
	if err := c.fill(c.known.Query(sql), args); err != nil {
		return err
	}

	return c.known.checkText(sql, args)
}

// checkText refuses a text that PostgreSQL would refuse (SQLSTATE 22021): it is not UTF-8, or it has a NUL. It also refuses a time
// that is not in the years 1 to 9999.
// https://www.postgresql.org/docs/current/datatype-character.html
func (k *catalogue) checkText(sql string, args []any) error {
	for i, arg := range args {
		if reason := badText(arg); reason != "" {
			return &InvalidError{Op: k.operation(sql), Field: k.param(sql, i), Reason: reason}
		}
	}

	return nil
}

func badText(arg any) string {
	switch v := arg.(type) {
	case string:
		return Unstorable(v)
	case private.Email:
		return Unstorable(string(v))
	case private.Secret:
		return Unstorable(v.Reveal())
	case *private.Secret:
		if v != nil {
			return Unstorable(v.Reveal())
		}
	case []private.Secret:
		for _, s := range v {
			if reason := Unstorable(s.Reveal()); reason != "" {
				return reason
			}
		}
	case *string:
		if v != nil {
			return Unstorable(*v)
		}
	case []string:
		for _, s := range v {
			if reason := Unstorable(s); reason != "" {
				return reason
			}
		}
	default:
		return badTime(arg)
	}

	return ""
}

// Unstorable returns what is wrong with a text that PostgreSQL can't store, in words; "" when it can.
// https://www.postgresql.org/docs/current/datatype-character.html
func Unstorable(s string) string {
	switch {
	case strings.IndexByte(s, 0) >= 0:
		return "has a NUL character"
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	}

	return ""
}

// inUTC converts the times that were read to UTC. It is for a DB of the caller's own. There, knowTypes can't reach the connection.
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

// A statement is tried up to lastTry times. The pauses double from firstPause to longestPause. Each is cut at random to between
// half and all of it. All pauses together take up to four seconds, which is enough for a server that restarts.
const (
	lastTry      = 24
	firstPause   = 2 * time.Millisecond
	longestPause = 250 * time.Millisecond
)

// again says whether to send a statement once more after err. If so, it pauses first. The reasons to send it again are:
//
//   - The connection was lost, and the statement is a read, or a write with the mark +keyed, or was never sent.
//     pgconn.SafeToRetry alone is not enough, because it is false when a backend was killed.
//   - A pooler forgot the prepared statement. Nothing ran. It is sent again once.
//   - A change of the schema made the plan invalid. It may be sent again more than once, because each connection of a pool has
//     plans of its own, and another try may get another connection.
//   - It failed by a deadlock or a serialization failure. It was a transaction of its own, and nothing of it was kept.
func (cl *call) again(err error) bool {
	c := cl.c
	switch {
	case c.inTx || cl.over || cl.try >= lastTry || cl.ctx.Err() != nil:
		return false
	case outdated(err, cl.try):
		return true
	case conflicted(err):
		return pause(cl.ctx, cl.try)
	case c.pool == nil:
		return false
	case forgotten(err):
		return cl.try == 1
	}
	unsent := cl.unsent(err)
	safe := unsent || c.known.reads(cl.sql) || c.keyed(cl.sql)
	if !lost(err) || !safe || !cl.outage.goesOn(err) || !pause(cl.ctx, cl.try) {
		return false
	}
	cl.sent = cl.sent || !unsent

	return true
}

// pause waits, longer at each try. It returns false when ctx has ended.
func pause(ctx context.Context, try int) bool {
	d := min(firstPause<<min(try-1, 10), longestPause)
	select {
	case <-time.After(d/2 + rand.N(d/2)): //nolint:gosec // spreading retries needs no secrecy
		return true
	case <-ctx.Done():
		return false
	}
}
