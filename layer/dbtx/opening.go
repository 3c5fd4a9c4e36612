package dbtx

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// opening is a transaction whose BEGIN is sent with its first statement. Without a statement nothing is sent. BEGIN is sent by itself
// before what can't be in a batch of pgx: a savepoint, or a statement in another query mode than the connection's. BEGIN is also
// sent by itself if the tracer does not see statements in a batch, or if the connection is the caller's own: pgx closes it if an argument in a
// batch does not fit. A COPY can't be in a batch either. But the question for the types of its columns can, so BEGIN goes with that.
type opening struct {
	c        *conn // of the store
	conn     *pgx.Conn
	opts     pgx.TxOptions
	settings []setting // they are sent with BEGIN
	alone    bool      // BEGIN is always sent by itself

	tx   pgx.Tx // nil until it has begun
	err  error  // why it could not begin, or could not be set
	done bool
}

var _ pgx.Tx = (*opening)(nil)

// begin sends BEGIN by itself, unless the transaction has begun.
func (o *opening) begin(ctx context.Context) error {
	switch {
	case o.err != nil:
		return o.err
	case o.done:
		return pgx.ErrTxClosed
	case o.tx != nil:
		return nil
	case ctx.Err() != nil: // pgx closes the connection when BEGIN fails
		return ctx.Err()
	}
	start := o.c.observer.start()
	tx, err := o.conn.BeginTx(ctx, o.opts)
	if err == nil && o.conn.PgConn().TxStatus() != 'T' {
		_ = o.conn.Close(ctx)
		err = outOfStepError{unsent: true}
	}
	if err = o.begun(ctx, start, tx, err); err != nil {
		return err
	}
	o.err = o.c.set(ctx, tx, o.settings)

	return o.err
}

// begun notes how BEGIN went, and returns its error. If it was not sent because the context of its call had ended, a
// later call may send it.
func (o *opening) begun(ctx context.Context, start time.Time, tx pgx.Tx, err error) error {
	err = misread(ctx, o.conn, err)
	o.c.observer.statement(ctx, start, beginSQL(o.opts), nil, 0, err)
	switch {
	case err == nil:
		o.tx = tx
	case o.conn.IsClosed() || !pgconn.SafeToRetry(err):
		o.err = err
	}

	return err
}

// first sends BEGIN, the settings and statements in one go, and returns the results of the statements. It returns nil if it has sent BEGIN by
// itself: the caller sends the statements then.
func (o *opening) first(ctx context.Context, statements ...*pgx.QueuedQuery) (pgx.BatchResults, error) {
	if o.tx != nil || o.err != nil || o.done || o.alone || ctx.Err() != nil || o.conn.PgConn().TxStatus() != 'I' || otherMode(statements) {
		return nil, o.begin(ctx)
	}
	start := o.c.observer.start()
	b := &pgx.Batch{}
	b.BeginTx(o.opts)
	for _, s := range o.settings {
		b.Queue(setSQL, s.args()...)
	}
	b.QueuedQueries = append(b.QueuedQueries, statements...)
	results := o.conn.SendBatch(ctx, b)
	tag, err := results.Exec()
	if err == nil && tag.String() == "" {
		_ = o.conn.Close(ctx)
		err = outOfStepError{unsent: true}
	}
	if err != nil {
		_ = results.Close()
		if _, unbuilt := errors.AsType[pgx.ErrPreprocessingBatch](err); unbuilt && !o.conn.IsClosed() && o.conn.PgConn().TxStatus() == 'I' {
			return nil, o.begin(ctx) // the statement could not be built: it is to fail inside the transaction
		}
	}
	if err = o.begun(ctx, start, results.Tx(), err); err != nil {
		return nil, err
	}
	for _, s := range o.settings {
		if o.err = o.c.isSet(ctx, start, o.conn, s, results.Exec); o.err != nil {
			_ = results.Close()

			return nil, o.err
		}
	}

	return results, nil
}

// otherMode says whether a statement asks for a query mode of its own, which a batch of pgx does not take. The BEGIN of a batch of the caller's
// own is for pgx to refuse.
func otherMode(statements []*pgx.QueuedQuery) bool {
	if len(statements) > 0 && StatementName(statements[0].SQL) == "BEGIN" {
		return true
	}
	for _, q := range statements {
		if len(q.Arguments) > 0 {
			switch q.Arguments[0].(type) {
			case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
				return true
			}
		}
	}

	return false
}

// one is first for a statement that is not in a batch of the caller's. Its error does not speak of a batch.
func (o *opening) one(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	results, err := o.first(ctx, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	if unbuilt, is := errors.AsType[pgx.ErrPreprocessingBatch](err); is {
		err = unbuilt.Unwrap()
	}

	return results, err
}

func (o *opening) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if o.tx != nil && o.err == nil {
		return o.tx.Exec(ctx, sql, args...)
	}
	if len(args) == 0 && strings.Contains(sql, ";") { // these may be several statements, which a batch does not take
		if err := o.begin(ctx); err != nil {
			return tag, err
		}
	}
	results, err := o.one(ctx, sql, args)
	switch {
	case err != nil:
		return tag, err
	case results == nil:
		return o.tx.Exec(ctx, sql, args...)
	}
	tag, err = results.Exec()
	if closed := results.Close(); err == nil {
		err = closed
	}

	return tag, err
}

func (o *opening) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if o.tx != nil && o.err == nil {
		return o.tx.Query(ctx, sql, args...)
	}
	results, err := o.one(ctx, sql, args)
	switch {
	case err != nil:
		return pgx.FailedBatchResults(&pgx.Batch{}, err).Query()
	case results == nil:
		return o.tx.Query(ctx, sql, args...)
	}
	rs, err := results.Query()
	r := &firstRows{Rows: rs, results: results}
	if err != nil {
		r.Close()
	}

	return r, err
}

func (o *opening) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rs, _ := o.Query(ctx, sql, args...) // the rows have the error, too

	return firstRow{rs}
}

func (o *opening) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if o.tx != nil && o.err == nil {
		return o.tx.SendBatch(ctx, b)
	}
	if b.Len() == 0 {
		if err := o.begin(ctx); err != nil {
			return pgx.FailedBatchResults(b, err)
		}
	}
	copies := make([]*pgx.QueuedQuery, len(b.QueuedQueries)) // pgx keeps in them what it prepares, also what it could not prepare
	for i, q := range b.QueuedQueries {
		copies[i] = &pgx.QueuedQuery{SQL: q.SQL, Arguments: q.Arguments, Fn: q.Fn}
	}
	results, err := o.first(ctx, copies...)
	switch {
	case err != nil:
		return pgx.FailedBatchResults(b, err)
	case results == nil:
		return o.tx.SendBatch(ctx, b)
	}

	return firstResults{results}
}

// plan sends BEGIN with an EXPLAIN, and returns the lines of the plan. It returns "" if BEGIN was sent by itself.
func (o *opening) plan(ctx context.Context, sql string) (string, error) {
	results, err := o.first(ctx, &pgx.QueuedQuery{SQL: sql})
	if err != nil || results == nil {
		return "", err
	}
	rs, _ := results.Query() // the rows have its error, too
	lines, err := pgx.CollectRows(rs, pgx.RowTo[string])
	if closed := results.Close(); err == nil {
		err = closed
	}

	return strings.Join(lines, "\n"), err
}

func (o *opening) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	if err := o.begin(ctx); err != nil {
		return 0, err
	}

	return o.tx.CopyFrom(ctx, table, columns, src)
}

func (o *opening) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if err := o.begin(ctx); err != nil {
		return nil, err
	}

	return o.tx.Prepare(ctx, name, sql)
}

func (o *opening) Begin(ctx context.Context) (pgx.Tx, error) {
	if err := o.begin(ctx); err != nil {
		return nil, err
	}

	return o.tx.Begin(ctx)
}

// LargeObjects returns a value of no use if BEGIN fails, because it has no error to return.
func (o *opening) LargeObjects() pgx.LargeObjects {
	if o.begin(context.Background()) != nil {
		return pgx.LargeObjects{}
	}

	return o.tx.LargeObjects()
}

func (o *opening) Conn() *pgx.Conn { return o.conn }

func (o *opening) Commit(ctx context.Context) error {
	if o.tx != nil && o.err != nil { // the settings are not all set, so nothing else was sent
		_ = o.tx.Rollback(ctx)

		return pgx.ErrTxCommitRollback
	}

	return o.end(ctx, pgx.Tx.Commit)
}

func (o *opening) Rollback(ctx context.Context) error { return o.end(ctx, pgx.Tx.Rollback) }

func (o *opening) end(ctx context.Context, by func(pgx.Tx, context.Context) error) error {
	switch {
	case o.tx != nil:
		return by(o.tx, ctx)
	case o.done:
		return pgx.ErrTxClosed
	}
	o.done = true

	return o.err
}

// firstRows are the rows of a transaction's first statement. They end the batch in which it was sent.
type firstRows struct {
	pgx.Rows

	results pgx.BatchResults
	err     error
}

func (r *firstRows) Next() bool {
	next := r.Rows.Next()
	if !next {
		r.Close()
	}

	return next
}

func (r *firstRows) Close() {
	r.Rows.Close()
	if r.results != nil {
		r.err = r.results.Close()
		r.results = nil
	}
}

func (r *firstRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}

	return r.err
}

func (r *firstRows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}

	return err
}

func (r *firstRows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}

	return values, err
}

type firstRow struct{ rows pgx.Rows }

func (r firstRow) Scan(dest ...any) error { return scanOne(r.rows, dest) }

// firstResults are the results of a batch that was sent with BEGIN. Tx returns nil, because the caller's batch has no BEGIN.
type firstResults struct{ pgx.BatchResults }

func (firstResults) Tx() pgx.Tx { return nil }
