package dbtx

import (
	"context"
	"errors"
	"strings"
	"time"

	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// InTx runs fn in a transaction, with a store that stands on it: all that fn writes through it is kept when fn returns
// nil, and nothing of it when fn returns an error or panics. The error of fn comes back as it is.
//
// fn runs again, whole and in a new transaction, after a serialization failure or a deadlock, wherever it shows (at
// COMMIT, too), when the connection is lost before COMMIT was sent, and when a change of the schema made a cached plan
// invalid; a pool gets new connections then, so that once is enough. So it should do nothing outside the database that
// must not be done twice. After a lost connection InTx tries for four seconds; then the error is ErrUnavailable.
// When the connection is lost with COMMIT on its way, the error is ErrOutcomeUnknown.
//
// fn does not run again because of what the caller did. If the context of a call in fn ends during its statement, the
// driver closes the connection: the transaction has ended, and that call, all later ones and COMMIT return the
// context's error. A transaction is for one goroutine at a time: a statement that is sent while another is under way
// returns ErrConcurrentUse.
//
// When ctx has ended, the transaction is still rolled back. A deadline of ctx bounds the rollback too: InTx returns at
// most a tenth of a second after the deadline, unless fn itself takes longer.
//
// In a store that stands on a transaction already, InTx makes a savepoint: fn's error undoes what fn did, and the
// transaction goes on.
func (r *Store) InTx(ctx context.Context, fn func(*Store) error) error {
	return r.InTxOptions(ctx, pgx.TxOptions{}, fn)
}

// InTxOptions is InTx at another isolation level, read only, or deferrable. On a transaction the options must be none:
// it has begun. On a DB of the caller's own that has no method BeginTx they are sent by SET TRANSACTION, in a round trip of their own.
// https://www.postgresql.org/docs/current/transaction-iso.html
func (r *Store) InTxOptions(ctx context.Context, opts pgx.TxOptions, fn func(*Store) error) error {
	return r.InTxWith(ctx, TxOptions{TxOptions: opts}, fn)
}

// InTxWith is InTxOptions with settings for the transaction. They are sent with BEGIN, in the same round trip, and again if fn runs
// again. If BEGIN is sent by itself, each setting takes a round trip of its own. If fn sends nothing, nothing is set.
//
// A name or a value that can't be set is an *InvalidError, with the setting's name as its Field. The server finds most of them, when fn sends
// its first statement: that statement returns the error, and nothing of the transaction is kept. These settings can't be set, because the
// store depends on them: client_encoding, DateStyle, session_replication_role and standard_conforming_strings.
func (r *Store) InTxWith(ctx context.Context, opts TxOptions, fn func(*Store) error) error {
	if r.reads {
		return errRead
	}
	list, err := opts.Settings.sorted()
	if err != nil {
		return err
	}
	if r.conn.inTx {
		if opts.TxOptions != (pgx.TxOptions{}) || len(list) > 0 {
			return &InvalidError{Op: opBegin, Field: "options", Reason: "the transaction has begun already"}
		}

		return r.attempt(ctx, opts.TxOptions, nil, fn, &outage{})
	}

	return r.again(ctx, func(out *outage) error { return r.attempt(ctx, opts.TxOptions, list, fn, out) })
}

// again makes attempts at a transaction until one succeeds or another is no use.
func (r *Store) again(ctx context.Context, attempt func(*outage) error) error {
	var out outage
	for try := 1; ; try++ {
		err := attempt(&out)
		if err == nil || !r.rerun(ctx, err, try) || errors.Is(err, ErrUnavailable) && !out.goesOn(err) || !pause(ctx, try) {
			return err
		}
	}
}

// rerun says whether a transaction that ended with err is worth another attempt.
func (r *Store) rerun(ctx context.Context, err error, try int) bool {
	if r.conn.inTx || ctx.Err() != nil || errors.Is(err, ErrOutcomeUnknown) || try >= lastTry {
		return false
	}
	if conflicted(err) {
		return true
	}
	if errors.Is(err, ErrUnavailable) {
		return r.conn.pool != nil
	}
	switch {
	case forgotten(err):
		return try == 1
	case outdated(err, try):
		if pool := r.conn.pool; pool != nil {
			// A changed table outdates more statements than the one that failed, on every connection, and each would
			// take a run of the closure to show: new connections have none.
			pool.Reset()
		}

		return true
	default:
		return false
	}
}

// beginner is what a pool and a connection have, and a transaction has not.
type beginner interface {
	BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error)
}

// rollbackTimeout bounds a rollback, which a context that has ended does not stop.
const rollbackTimeout = 5 * time.Second

// transaction is one transaction, or one savepoint, of InTx.
type transaction struct {
	r     *Store // that it was begun on
	tx    pgx.Tx
	s     *session
	held  *pgxpool.Conn // to be given back to the pool at its end
	depth int           // of a savepoint, from 1
	done  bool          // it has been committed or rolled back
	own   session       // s, unless r stands on a session already
}

// attempt runs fn in one transaction, or at one savepoint.
func (r *Store) attempt(ctx context.Context, opts pgx.TxOptions, list []setting, fn func(*Store) error, out *outage) error {
	t, err := r.begin(ctx, opts, list, out)
	if err != nil {
		return err
	}
	defer func() {
		defer t.release()
		if !t.done { // an error of fn, a panic, or a COMMIT that was not sent
			t.rollback(ctx)
		}
	}()
	inner := newSession(t.tx, r.opts, t.s)
	inner.begun = true
	if err := fn(inner); err != nil {
		return err
	}

	return t.commit(ctx)
}

func (r *Store) begin(ctx context.Context, opts pgx.TxOptions, list []setting, out *outage) (t *transaction, err error) {
	cl := call{c: &r.conn, ctx: ctx, sql: "BEGIN", outage: *out}
	defer func() { cl.done(err) }()
	sql := r.verb("BEGIN", "SAVEPOINT")
	t = &transaction{r: r, s: r.conn.session}
	if err = cl.begin(); err != nil && cl.over {
		return nil, err // it has its type
	}
	if conn, ok := cl.db.(*pgx.Conn); ok && err == nil {
		t.tx = &opening{c: &r.conn, conn: conn, opts: opts, settings: list, alone: r.opts.alone || r.conn.pool == nil}
	} else {
		var left pgx.TxOptions // that Begin does not take
		if err == nil {
			if b, ok := cl.db.(beginner); ok {
				sql = beginSQL(opts)
				t.tx, err = b.BeginTx(ctx, opts)
			} else {
				left = opts
				t.tx, err = cl.db.Begin(ctx)
			}
		}
		if err == nil && t.tx.Conn().PgConn().TxStatus() != 'T' {
			_ = t.tx.Conn().Close(ctx)
			err = outOfStepError{unsent: true}
		}
		r.conn.observer.statement(ctx, cl.start, sql, nil, 0, err)
		if err == nil {
			if err = r.conn.setModes(ctx, t.tx, left); err == nil {
				err = r.conn.set(ctx, t.tx, list)
			}
			if err != nil {
				_ = settings.Rollback(ctx, t.tx)
			}
		}
	}
	if err != nil {
		cl.done(err)

		return nil, cl.fail(err)
	}
	if r.conn.inTx {
		t.s.depth++
		t.depth = t.s.depth
	}
	if t.s == nil {
		t.own.conn = t.tx.Conn()
		t.s = &t.own
	}
	t.held, cl.held = cl.held, nil

	return t, nil
}

// setModes gives a transaction that has just begun the options that its Begin could not be given.
func (c *conn) setModes(ctx context.Context, tx pgx.Tx, opts pgx.TxOptions) error {
	if opts.BeginQuery != "" || opts.CommitQuery != "" {
		return settingError{&InvalidError{
			Op: opBegin, Field: "options", Reason: "have a BeginQuery or a CommitQuery, and the DB of the store has no method BeginTx",
		}}
	}
	modes, some := strings.CutPrefix(beginSQL(opts), "BEGIN ")
	if !some {
		return nil
	}
	start, sql := c.observer.start(), "SET TRANSACTION "+modes
	_, err := tx.Exec(ctx, sql)
	err = misread(ctx, tx.Conn(), err)
	c.observer.statement(ctx, start, sql, nil, 0, err)

	return err
}

// commit keeps what the transaction did. If it returns with the transaction not done, COMMIT was not sent.
func (t *transaction) commit(ctx context.Context) error {
	const op = "commit"
	if ctx.Err() != nil {
		return t.r.conn.known.typed(ctx, op, ctx.Err(), "", false)
	}
	if err := t.s.enter(); err != nil {
		return t.r.conn.known.typed(ctx, op, err, "", false)
	}
	if err := t.s.inStep(ctx); err != nil {
		t.s.leave(ctx, err)

		return t.r.conn.known.typed(ctx, op, err, "", false)
	}
	if o := t.unsent(); o != nil {
		t.done = true
		t.s.leave(ctx, o.err)
		if o.err != nil {
			return t.s.typed(ctx, t.r.conn.known, op, o.err, "", false)
		}

		return nil
	}
	const rolledBack = "rolled back: a statement in the transaction had failed"
	nested := t.r.conn.inTx
	if err := t.close(); err != nil {
		t.s.leave(ctx, nil)

		return t.r.conn.known.typed(ctx, op, err, "", false)
	}
	// Of a COMMIT that was sent, too, pgx says "conn closed" and that it is safe to try again. So what counts is how
	// things stood before.
	sent := !nested && !t.s.conn.IsClosed()
	if nested && t.s.conn.PgConn().TxStatus() == 'E' { // RELEASE would fail, and leave the transaction failed
		t.s.leave(ctx, nil)

		return &opError{op: op, errs: []error{pgx.ErrTxCommitRollback}, text: rolledBack}
	}
	t.done = true
	start := t.r.conn.observer.start()
	err := misread(ctx, t.s.conn, t.tx.Commit(ctx))
	if err == nil && sent && t.s.conn.PgConn().TxStatus() != 'I' {
		_ = t.s.conn.Close(ctx)
		err = outOfStepError{}
	}
	t.s.leave(ctx, err)
	t.release()
	t.r.conn.observer.statement(ctx, start, t.r.verb("COMMIT", "RELEASE SAVEPOINT"), nil, 0, err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return &opError{op: op, errs: []error{err}, text: rolledBack}
	}

	if raised := t.r.conn.raised(op, err); raised != nil { // by a deferred trigger
		return raised
	}

	return t.s.typed(ctx, t.r.conn.known, op, err, "", sent && !idled(err))
}

// close ends a savepoint. Those of two goroutines may end in another order than they should, and then what was rolled back
// is not what was meant: the whole transaction has to fail.
func (t *transaction) close() error {
	if t.depth == 0 {
		return nil
	}
	inner := t.s.depth > t.depth
	t.s.depth, t.depth = t.depth-1, 0
	if inner {
		t.s.end(ErrConcurrentUse)

		return ErrConcurrentUse
	}

	return nil
}

// unsent returns a transaction that has not begun, so that it ends without a message; nil for another.
func (t *transaction) unsent() *opening {
	if o, ok := t.tx.(*opening); ok && o.tx == nil {
		return o
	}

	return nil
}

// rollback undoes what the transaction did, also when ctx has ended. A rollback that fails has lost its connection, and
// with it the transaction; there is nothing else to do.
func (t *transaction) rollback(ctx context.Context) {
	limit := rollbackTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, max(time.Until(deadline), 0)+moment)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	nested := t.r.conn.inTx
	if !t.s.await(!nested) && nested { // what the savepoint was for can't be undone now
		t.s.end(ErrConcurrentUse)

		return
	}
	defer t.s.busy.Store(false)
	if t.close() != nil {
		return
	}
	if o := t.unsent(); o != nil {
		o.done = true

		return
	}
	start := t.r.conn.observer.start()
	err := t.tx.Rollback(ctx)
	t.r.conn.observer.statement(ctx, start, t.r.verb("ROLLBACK", "ROLLBACK TO SAVEPOINT"), nil, 0, err)
}

// release gives the connection back. A second call does nothing.
func (t *transaction) release() {
	if t.held != nil {
		held := t.held
		t.held = nil
		held.Release()
	}
}

func (r *Store) verb(inTransaction, atSavepoint string) string {
	if r.conn.inTx {
		return atSavepoint
	}

	return inTransaction
}

func beginSQL(opts pgx.TxOptions) string {
	sql := "BEGIN"
	if opts.IsoLevel != "" {
		sql += " ISOLATION LEVEL " + string(opts.IsoLevel)
	}

	return strings.Join(strings.Fields(sql+" "+string(opts.AccessMode)+" "+string(opts.DeferrableMode)), " ")
}
