package repo

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// InTx runs fn in a transaction, with a Repo that stands on it: all that fn writes through it is kept when fn returns
// nil, and nothing of it when fn returns an error or panics. The error of fn comes back as it is.
//
// fn runs again, whole and in a new transaction, after a serialization failure or a deadlock, wherever it shows (at
// COMMIT, too), when the connection is lost before COMMIT was sent, and when a change of the schema made a cached plan
// invalid; a pool gets new connections then, so that once is enough. So it should do nothing outside the database that
// must not be done twice. When the connection is lost with COMMIT on its way, the error is ErrOutcomeUnknown.
//
// In a Repo that stands on a transaction already, InTx makes a savepoint: fn's error undoes what fn did, and the
// transaction goes on.
func (r *Repo) InTx(ctx context.Context, fn func(*Repo) error) error {
	return r.InTxOptions(ctx, pgx.TxOptions{}, fn)
}

// InTxOptions is InTx at another isolation level, read only, or deferrable. On a transaction the options must be none:
// it has begun.
// https://www.postgresql.org/docs/current/transaction-iso.html
func (r *Repo) InTxOptions(ctx context.Context, opts pgx.TxOptions, fn func(*Repo) error) error {
	if r.conn.inTx {
		if opts != (pgx.TxOptions{}) {
			return &InvalidError{Op: "begin", Field: "options", Reason: "the transaction has begun already"}
		}
		return r.attempt(ctx, opts, fn)
	}
	for try := 1; ; try++ {
		err := r.attempt(ctx, opts, fn)
		if err == nil || !r.rerun(ctx, err, try) || !pause(ctx, try) {
			return err
		}
	}
}

// rerun says whether a transaction that ended with err is worth another attempt.
func (r *Repo) rerun(ctx context.Context, err error, try int) bool {
	if ctx.Err() != nil || errors.Is(err, ErrOutcomeUnknown) || try >= lastTry {
		return false
	}
	if conflicted(err) {
		return true
	}
	switch code(err) {
	case codeInvalidStatementName:
		return try == 1
	case codeFeatureNotSupported:
		if !outdated(err, try) {
			return false
		}
		if pool, ok := r.conn.db.(*pgxpool.Pool); ok {
			// A changed table outdates more statements than the one that failed, on every connection, and each would
			// take a run of the closure to show: new connections have none.
			pool.Reset()
		}

		return true
	default:
		return r.conn.pooled && errors.Is(err, ErrUnavailable)
	}
}

// beginner is what a pool and a connection have, and a transaction has not.
type beginner interface {
	BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error)
}

// rollbackTimeout bounds a rollback, which a context that has ended does not stop.
const rollbackTimeout = 5 * time.Second

// attempt runs fn in one transaction, or at one savepoint.
func (r *Repo) attempt(ctx context.Context, opts pgx.TxOptions, fn func(*Repo) error) error {
	tx, err := r.begin(ctx, opts)
	if err != nil {
		return err
	}
	done := false
	defer func() {
		if !done { // an error of fn, or a panic
			r.rollback(ctx, tx)
		}
	}()
	if err := fn(newRepo(tx, r.opts)); err != nil {
		return err
	}
	done = true

	start := r.conn.echo.start()
	// Of a COMMIT that was sent, too, pgx says "conn closed" and that it is safe to try again. So what counts is how
	// things stood before.
	sent := ctx.Err() == nil && !tx.Conn().IsClosed()
	err = tx.Commit(ctx)
	r.conn.echo.statement(start, r.verb("COMMIT", "RELEASE SAVEPOINT"), nil, 0, err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrTxCommitRollback):
		const text = "rolled back: a statement in the transaction had failed"

		return &opError{op: "commit", errs: []error{err}, text: text}
	}

	if raised := r.conn.raised("commit", err); raised != nil { // by a deferred trigger
		return raised
	}

	return typed(ctx, "commit", err, "", !r.conn.inTx && sent)
}

func (r *Repo) begin(ctx context.Context, opts pgx.TxOptions) (tx pgx.Tx, err error) {
	start := r.conn.echo.start()
	sql := "SAVEPOINT"
	if b, ok := r.conn.db.(beginner); ok {
		sql = beginSQL(opts)
		tx, err = b.BeginTx(ctx, opts)
	} else {
		tx, err = r.conn.db.Begin(ctx)
	}
	r.conn.echo.statement(start, sql, nil, 0, err)
	if err != nil {
		return nil, (&call{c: r.conn, ctx: ctx, sql: "BEGIN"}).fail(err)
	}

	return tx, nil
}

// rollback undoes tx, also when ctx has ended. A rollback that fails has lost its connection, and with it the
// transaction; there is nothing else to do.
func (r *Repo) rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	start := r.conn.echo.start()
	err := tx.Rollback(ctx)
	r.conn.echo.statement(start, r.verb("ROLLBACK", "ROLLBACK TO SAVEPOINT"), nil, 0, err)
}

func (r *Repo) verb(inTransaction, atSavepoint string) string {
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
