package dbtx

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

type batch struct {
	pgx.BatchResults
	call

	queued []*pgx.QueuedQuery
	tx     pgx.Tx // that the batch began, if it did
}

// next is the statement whose result comes next.
func (b *batch) next() call {
	cl := b.call
	cl.held, cl.entered, cl.sql, cl.args = nil, nil, "", nil
	if len(b.queued) > 0 {
		cl.sql, cl.args = b.queued[0].SQL, b.queued[0].Arguments
		b.queued = b.queued[1:]
	}

	return cl
}

func (b *batch) Exec() (pgconn.CommandTag, error) {
	cl := b.next()
	tag, err := b.BatchResults.Exec()
	err = cl.inStep(tag, err)
	b.c.observer.statement(b.ctx, cl.start, cl.sql, cl.args, tag.RowsAffected(), err)
	if err != nil {
		return tag, cl.fail(err)
	}

	return tag, nil
}

func (b *batch) Query() (pgx.Rows, error) {
	cl := b.next()
	rs, err := b.BatchResults.Query()
	if err != nil {
		err = cl.inStep(pgconn.CommandTag{}, err)
		b.c.observer.statement(b.ctx, cl.start, cl.sql, cl.args, 0, err)

		return nil, cl.fail(err)
	}

	return &rows{call: cl, Rows: rs}, nil
}

func (b *batch) QueryRow() pgx.Row {
	rs, _ := b.BatchResults.Query() // the rows have the error, too

	return &row{call: b.next(), rows: rs}
}

// Tx returns the transaction that the batch began, if it did.
func (b *batch) Tx() pgx.Tx { return b.tx }

// Close ends the batch, those of its statements included whose results nobody asked for.
func (b *batch) Close() (err error) {
	defer func() { b.done(err) }() // of a callback that panics, too
	if err = b.BatchResults.Close(); err != nil {
		err = b.inStep(pgconn.CommandTag{}, err)
	}
	b.endSnapshot()
	b.done(err)
	for len(b.queued) > 0 {
		cl := b.next()
		b.c.observer.statement(b.ctx, cl.start, cl.sql, cl.args, 0, err)
	}
	if err != nil {
		cl := b.next()

		return cl.fail(err)
	}

	return nil
}

// refusedBatch is the result of a batch that was not sent.
type refusedBatch struct{ err error }

func (b refusedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, b.err }
func (b refusedBatch) Query() (pgx.Rows, error)         { return nil, b.err }
func (b refusedBatch) QueryRow() pgx.Row                { return &row{err: b.err, refused: true} }
func (b refusedBatch) Close() error                     { return b.err }
func (b refusedBatch) Tx() pgx.Tx                       { return nil }
