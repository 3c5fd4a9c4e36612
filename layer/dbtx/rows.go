package dbtx

import (
	"errors"
	"hash/maphash"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

type row struct {
	call

	rows     pgx.Rows
	err      error // why it was not sent
	refused  bool  // for good
	gathered bool  // it has not been sent: its look-up may travel with others
}

func (r *row) send() {
	if r.err = r.begin(); r.err != nil {
		return
	}
	r.rows = nil
	defer func() {
		if r.rows == nil { // a tracer or an argument panics
			r.done(nil)
		}
	}()
	if r.rows, r.err = r.db.Query(r.ctx, r.sql, r.c.toSend(r.args)...); r.rows != nil {
		r.err = nil // the rows have it, too
	}
}

// Scan reads the row; ErrNotFound when there is none.
func (r *row) Scan(dest ...any) error {
	if r.refused {
		return r.err
	}
	for {
		var err error
		if r.gathered {
			err = r.c.gatherer.scan(r, dest)
		} else {
			err = r.scan(dest)
		}
		r.c.observer.row(r.ctx, r.start, r.sql, r.args, err)
		if err == nil {
			inUTC(dest)

			return nil
		}
		if !r.again(err) {
			return r.fail(err)
		}
		r.gathered = false
		r.send()
	}
}

// scan reads the row of a try.
func (r *row) scan(dest []any) (err error) {
	if r.err != nil {
		return r.err
	}
	defer func() { r.done(err) }() // of a destination that panics, too

	err = scanOne(r.rows, dest)
	if errors.Is(err, pgx.ErrNoRows) {
		if step := r.inStep(r.rows.CommandTag(), nil); step != nil {
			err = step
		}

		return err
	}

	return r.inStep(r.rows.CommandTag(), err)
}

// scanOne reads the first row as pgx's own QueryRow does.
func scanOne(rows pgx.Rows, dest []any) error {
	found := rows.Next()
	if found {
		_ = rows.Scan(dest...) // which Err has, too
	}
	rows.Close()
	if err := rows.Err(); err != nil || found {
		return err
	}

	return pgx.ErrNoRows
}

type rows struct {
	call
	pgx.Rows

	read    int64 // of this try
	closed  bool
	scanned bool // by pgx: decode does not know some column

	text     strings.Builder // the block that texts are cut from
	nullable []string        // places for those that may be NULL,
	places   int             // and how many there were at first

	// What the caller has seen of a try that was lost, and a hash of it: another try has to begin with the same.
	shown int64
	was   uint64
	hash  uint64 // of this try
	lost  error  // what ended that try
	err   error  // that the last try could not be sent
	step  error  // that its reply was out of step
	other bool   // the rows are not those that were shown
}

// send runs the statement until the server takes it or trying again is no use.
func (r *rows) send() error {
	for {
		err := r.begin()
		if err == nil {
			err = r.query()
		}
		if err == nil {
			return nil
		}
		r.c.observer.statement(r.ctx, r.start, r.sql, r.args, 0, err)
		if !r.again(err) {
			r.closed = true
			r.err = r.fail(err)

			return r.err
		}
	}
}

func (r *rows) query() (err error) {
	sent := false
	defer func() {
		if err != nil || !sent { // or a tracer or an argument panics
			r.done(err)
		}
	}()
	r.Rows, err = r.db.Query(r.ctx, r.sql, r.c.toSend(r.args)...)
	sent = true
	if err != nil {
		err = r.inStep(pgconn.CommandTag{}, err)
	}

	return err
}

// Next moves to the next row. A statement that was lost is tried again where that is safe, also in the midst of the
// rows of a read: those that the caller has seen are passed over, if they are the same as before. What the caller gets
// is so always the result of one try, and where that can't be, an error.
func (r *rows) Next() bool {
	for {
		for r.Rows.Next() {
			if r.note(); r.read > r.shown {
				return true
			}
			if r.differs() {
				break
			}
		}
		err := r.end()
		r.other = err == nil && r.shown > 0 && (r.read < r.shown || r.differs())
		if err == nil || r.read > 0 && !r.c.known.reads(r.sql) || !r.again(err) {
			r.Close()

			return false
		}
		r.c.observer.statement(r.ctx, r.start, r.sql, r.args, r.read, err)
		if r.read > r.shown {
			r.shown, r.was = r.read, r.hash
		}
		r.read, r.hash, r.lost = 0, 0, err
		if r.send() != nil {
			return false
		}
	}
}

// differs says that the rows which were shown have been read again, and are others.
func (r *rows) differs() bool { return r.read == r.shown && r.hash != r.was }

// note counts a row, and adds it to the hash where there may be another try.
func (r *rows) note() {
	r.read++
	if r.c.pool == nil {
		return
	}
	for _, value := range r.RawValues() {
		const odd = 0x9e3779b97f4a7c15 // 2^64 by the golden ratio: each value moves the bits of those before it
		if r.hash = (r.hash + 1) * odd; value != nil {
			r.hash += maphash.Bytes(seed, value)
		}
	}
}

var seed = maphash.MakeSeed()

// Scan reads the row that Next moved to.
func (r *rows) Scan(dest ...any) error {
	if !r.scanned && r.decode(dest) {
		return nil
	}
	r.scanned = true
	if err := r.Rows.Scan(dest...); err != nil {
		return r.fail(err)
	}
	inUTC(dest)

	return nil
}

// Values returns the values of the row that Next moved to.
func (r *rows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		return nil, r.fail(err)
	}

	return values, nil
}

// Err is the error that ended the rows, if one did.
func (r *rows) Err() error {
	if r.err != nil {
		return r.err
	}
	if r.other {
		return r.fail(r.lost)
	}
	if r.step != nil {
		return r.fail(r.step)
	}
	if err := r.Rows.Err(); err != nil {
		return r.fail(err)
	}

	return nil
}

// Close ends the statement; a second call does nothing.
func (r *rows) Close() {
	err := r.end()
	if !r.closed {
		r.closed = true
		r.c.observer.statement(r.ctx, r.start, r.sql, r.args, r.read, err)
	}
}

// end ends a try, and returns what it failed by.
func (r *rows) end() error {
	defer r.done(nil) // of a tracer that panics
	r.Rows.Close()
	err := r.inStep(r.CommandTag(), r.Rows.Err())
	r.step = nil
	if _, step := errors.AsType[outOfStepError](err); step {
		r.step = err
	}
	r.done(err)

	return err
}
