package repo

import (
	"hash/maphash"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type row struct {
	call
	pgx.Row

	lent    *pgxpool.Conn // by a pool, for this try
	refused error
}

func (r *row) send() {
	r.begin()
	if g := r.c.gatherer; g != nil && r.try == 1 {
		r.Row = &gathered{g: g, c: r.c, ctx: r.ctx, sql: r.sql, args: r.args}

		return
	}
	db, lent, err := r.c.take(r.ctx)
	if r.lent = lent; err != nil {
		r.Row = failedRow{err}

		return
	}
	r.Row = db.QueryRow(r.ctx, r.sql, r.args...)
}

// scan reads the row of this try, and ends the try.
func (r *row) scan(dest []any) error {
	defer func() { // also when a Scanner of the caller's panics
		giveBack(r.lent)
		r.lent = nil
	}()

	return r.Row.Scan(dest...)
}

// Scan reads the row; ErrNotFound when there is none.
func (r *row) Scan(dest ...any) error {
	if r.refused != nil {
		return r.refused
	}
	for {
		err := r.scan(dest)
		r.c.echo.row(r.start, r.sql, r.args, err)
		if err == nil {
			inUTC(dest)

			return nil
		}
		if !r.again(err) {
			return r.fail(err)
		}
		r.send()
	}
}

type rows struct {
	call
	pgx.Rows

	lent    *pgxpool.Conn // by a pool, for this try
	read    int64         // of this try
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
	other bool   // the rows are not those that were shown, or no connection was fit to be asked
}

// send runs the statement until the server takes it or trying again is no use.
func (r *rows) send() error {
	for {
		r.begin()
		db, lent, err := r.c.take(r.ctx)
		if err == nil {
			r.other = false
			if r.Rows, err = db.Query(r.ctx, r.sql, r.args...); err == nil {
				r.lent = lent

				return nil
			}
			giveBack(lent)
		} else {
			r.lost, r.other = err, true // what Err returns, if there were rows before
		}
		r.c.echo.statement(r.start, r.sql, r.args, 0, err)
		if !r.again(err) {
			r.closed = true

			return r.fail(err)
		}
	}
}

// Next moves to the next row. A statement that was lost is tried again where that is safe, also in the midst of the rows
// of a read: those that the caller has seen are passed over, if they are the same as before. What the caller gets is so
// always the result of one try, and where that can't be, an error.
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
		if r.Rows.Err() != nil {
			r.giveBack()
		}
		err := r.Rows.Err()
		r.other = err == nil && r.shown > 0 && (r.read < r.shown || r.differs())
		if err == nil || r.read > 0 && !reads(r.sql) || !r.again(err) {
			r.Close()

			return false
		}
		r.c.echo.statement(r.start, r.sql, r.args, r.read, err)
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
	if !r.c.pooled {
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

// Err is the error that ended the rows, if one did.
func (r *rows) Err() error {
	if r.other {
		return r.fail(r.lost)
	}
	if err := r.Rows.Err(); err != nil {
		return r.fail(err)
	}

	return nil
}

// giveBack gives the connection of a try that has ended back to its pool.
func (r *rows) giveBack() {
	giveBack(r.lent)
	r.lent = nil
}

// Close ends the statement; a second call does nothing.
func (r *rows) Close() {
	r.Rows.Close()
	r.giveBack()
	if !r.closed {
		r.closed = true
		r.c.echo.statement(r.start, r.sql, r.args, r.read, r.Rows.Err())
	}
}
