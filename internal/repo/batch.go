package repo

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

type batch struct {
	pgx.BatchResults

	lent   *pgxpool.Conn // by a pool, until the end
	c      *conn
	ctx    context.Context //nolint:containedctx // as pgx's own results do
	queued []*pgx.QueuedQuery
	start  time.Time
}

// next is the statement whose result comes next.
func (b *batch) next() call {
	cl := call{c: b.c, ctx: b.ctx, start: b.start, try: lastTry}
	if len(b.queued) > 0 {
		cl.sql, cl.args = b.queued[0].SQL, b.queued[0].Arguments
		b.queued = b.queued[1:]
	}

	return cl
}

func (b *batch) Exec() (pgconn.CommandTag, error) {
	cl := b.next()
	tag, err := b.BatchResults.Exec()
	b.c.echo.statement(cl.start, cl.sql, cl.args, tag.RowsAffected(), err)
	if err != nil {
		return tag, cl.fail(err)
	}

	return tag, nil
}

func (b *batch) Query() (pgx.Rows, error) {
	cl := b.next()
	rs, err := b.BatchResults.Query()
	if err != nil {
		b.c.echo.statement(cl.start, cl.sql, cl.args, 0, err)

		return nil, cl.fail(err)
	}

	return &rows{call: cl, Rows: rs}, nil
}

func (b *batch) QueryRow() pgx.Row {
	return &row{call: b.next(), Row: b.BatchResults.QueryRow()}
}

// Close ends the batch, those of its statements included whose results nobody asked for.
func (b *batch) Close() error {
	err := b.BatchResults.Close()
	giveBack(b.lent)
	b.lent = nil
	for len(b.queued) > 0 {
		cl := b.next()
		b.c.echo.statement(cl.start, cl.sql, cl.args, 0, err)
	}
	if err != nil {
		return (&call{c: b.c, ctx: b.ctx}).fail(err)
	}

	return nil
}

// fail gives the error of a batch that was not sent its type.
func (b *batch) fail(err error) error {
	cl := b.next()

	return cl.fail(err)
}

// refusedBatch is the result of a batch that was not sent.
type refusedBatch struct{ err error }

func (b refusedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, b.err }
func (b refusedBatch) Query() (pgx.Rows, error)         { return nil, b.err }
func (b refusedBatch) QueryRow() pgx.Row                { return &row{refused: b.err} }
func (b refusedBatch) Close() error                     { return b.err }
func (b refusedBatch) Tx() pgx.Tx                       { return nil }
