package dbtx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Snapshot runs reads, each of which is one query that only reads, in one round trip. All of them see the database at one moment: they
// are a transaction at REPEATABLE READ. It returns the first error of a read, which has its type as ever.
// https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ
//
// Each read is called twice. The first call finds out its query, and that query returns an error at once. The second reads the reply.
// So a read does nothing but call the query, keep what that returns, and return its error. A read that does not run one query, or
// another one the second time, is an *InvalidError, and so is a query that may write.
//
// A lost connection is replaced, and all reads are called again, as InTx calls its closure. In a transaction that has begun, the reads
// are still one round trip. They see one moment only if the transaction's isolation level is REPEATABLE READ or SERIALIZABLE. On a DB
// of the caller's own, which is no pool, connection or transaction, they are an InTx with a round trip for each.
func (r *Store) Snapshot(ctx context.Context, reads ...func(DBTX) error) error {
	switch {
	case r.reads:
		return errRead
	case len(reads) == 0:
		return nil
	case r.conn.pool == nil && r.conn.session == nil:
		return r.InTxOptions(ctx, snapshot, func(r *Store) error {
			for _, read := range reads {
				if err := read(r.DBTX()); err != nil {
					return err
				}
			}

			return nil
		})
	}
	queries, err := r.conn.noted(ctx, reads)
	if err != nil {
		return err
	}
	s := r.conn.session
	begun := r.conn.inTx || s != nil && !s.conn.IsClosed() && s.conn.PgConn().TxStatus() != 'I' // by a BEGIN of the caller's own

	if g := r.conn.gatherer; g != nil {
		return g.snapshot(ctx, queries, reads, func() error { return r.snapshotAlone(ctx, queries, reads, begun) })
	}

	return r.snapshotAlone(ctx, queries, reads, begun)
}

func (r *Store) snapshotAlone(ctx context.Context, queries []noting, reads []func(DBTX) error, begun bool) error {
	return r.again(ctx, func(out *outage) error { return r.conn.replay(ctx, queries, reads, begun, out) })
}

// Reading returns the store of a Repo that a read of Snapshot is given, the same at each call. Such a Repo runs queries on the DBTX of the
// read. All else, such as InTx, a Snapshot within it or a statement on DB, is an *InvalidError: it would not be part of the snapshot.
func (r *Store) Reading() *Store {
	if r.reading.Load() == nil {
		s := &Store{opts: r.opts, reads: true}
		s.conn = s.opts.conn(readDB{})
		r.reading.CompareAndSwap(nil, s)
	}

	return r.reading.Load()
}

// errRead is the error of what a read of a snapshot may not do.
var errRead error = &InvalidError{Op: "snapshot", Field: "reads", Reason: "must run one query that only reads, and nothing else"}

// readDB is the DB of such a store.
type readDB struct{}

func (readDB) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errRead
}
func (readDB) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errRead }
func (readDB) QueryRow(context.Context, string, ...any) pgx.Row {
	return &row{refused: true, err: errRead}
}

func (readDB) SendBatch(context.Context, *pgx.Batch) pgx.BatchResults { return refusedBatch{errRead} }
func (readDB) Begin(context.Context) (pgx.Tx, error)                  { return nil, errRead }

func (readDB) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	return 0, errRead
}

var (
	snapshot      = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	beginSnapshot = beginSQL(snapshot)
)

// noted returns the queries of reads.
func (c *conn) noted(ctx context.Context, reads []func(DBTX) error) ([]noting, error) {
	queries := make([]noting, len(reads))
	for i, read := range reads {
		note := &queries[i]
		note.c = c
		if err := read(note); !errors.Is(err, errNoted) || note.queries != 1 {
			if err == nil || errors.Is(err, errNoted) {
				err = notOneQuery(i)
			}

			return nil, err
		}
		if err := c.accept(ctx, note.sql, note.args); err != nil {
			return nil, err
		}
	}

	return queries, nil
}

func notOneQuery(read int) error {
	return &InvalidError{Op: "snapshot", Field: fmt.Sprintf("reads[%d]", read), Reason: "must run one query that only reads, the same in each call, and return its error"}
}

// replay sends the queries, and has reads read the replies. begun says that they are part of a transaction already.
func (c *conn) replay(
	ctx context.Context, queries []noting, reads []func(DBTX) error, begun bool, out *outage,
) (err error) {
	b := &pgx.Batch{QueuedQueries: make([]*pgx.QueuedQuery, 0, len(queries)+2)} // anew: pgx keeps in it what is prepared on one connection
	if !begun {
		b.Queue(beginSnapshot)
	}
	for _, q := range queries {
		b.Queue(q.sql, q.args...)
	}
	if !begun {
		b.Queue("COMMIT")
	}
	results := c.sendBatch(call{c: c, ctx: ctx, try: lastTry, batch: true, snapshot: !begun, outage: *out}, b)
	defer func() {
		if closed := results.Close(); err == nil {
			err = closed
		}
	}()

	return replies(results, queries, reads, begun)
}

// replies has reads read the replies to the queries of a snapshot, and to its BEGIN.
func replies(results pgx.BatchResults, queries []noting, reads []func(DBTX) error, begun bool) error {
	if !begun {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	for i, read := range reads {
		db := replaying{results: results, sql: queries[i].sql}
		err := read(&db)
		switch {
		case errors.Is(err, errOther), err == nil && !db.done:
			return notOneQuery(i)
		case err != nil:
			return err
		}
	}

	return nil
}

// noting is the DBTX that a read is called with first. It notes the query.
type noting struct {
	c       *conn
	queries int
	sql     string
	args    []any
}

var errNoted = errors.New("the query was noted")

func (n *noting) note(sql string, args []any) error {
	n.queries++
	if !n.c.known.reads(sql) {
		n.queries = -1
	}
	n.sql, n.args = sql, args

	return errNoted
}

func (n *noting) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	return nil, n.note(sql, args)
}

func (n *noting) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	return &row{refused: true, err: n.note(sql, args)}
}

func (n *noting) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, n.note(sql, args)
}

func (n *noting) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	n.queries = -1

	return 0, errNoted
}

func (n *noting) SendBatch(context.Context, *pgx.Batch) pgx.BatchResults {
	n.queries = -1

	return refusedBatch{errNoted}
}

// replaying is the DBTX that a read is called with next. It has the reply to the query.
type replaying struct {
	results pgx.BatchResults
	sql     string
	done    bool
}

var errOther = errors.New("a read of a snapshot runs another query than before")

func (r *replaying) is(sql string) bool {
	is := !r.done && sql == r.sql
	r.done = true

	return is
}

func (r *replaying) Query(_ context.Context, sql string, _ ...any) (pgx.Rows, error) {
	if !r.is(sql) {
		return nil, errOther
	}

	return r.results.Query()
}

func (r *replaying) QueryRow(_ context.Context, sql string, _ ...any) pgx.Row {
	if !r.is(sql) {
		return &row{refused: true, err: errOther}
	}

	return r.results.QueryRow()
}

func (r *replaying) Exec(_ context.Context, sql string, _ ...any) (pgconn.CommandTag, error) {
	if !r.is(sql) {
		return pgconn.CommandTag{}, errOther
	}

	return r.results.Exec()
}

func (*replaying) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	return 0, errOther
}

func (*replaying) SendBatch(context.Context, *pgx.Batch) pgx.BatchResults {
	return refusedBatch{errOther}
}

// endSnapshot ends the transaction of a snapshot of which a query failed: the server skipped its COMMIT.
func (cl *call) endSnapshot() {
	conn := connOf(cl.db)
	if !cl.snapshot || conn == nil || conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cl.ctx), rollbackTimeout)
	defer cancel()
	start := time.Now()
	err := conn.PgConn().Exec(ctx, "ROLLBACK").Close()
	cl.c.observer.statement(cl.ctx, start, "ROLLBACK", nil, 0, err)
}
