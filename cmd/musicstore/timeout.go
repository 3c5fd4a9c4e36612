package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// watchConnecting ends the command when there is no connection in time. The function that it returns says that there is.
func (a *app) watchConnecting() (connected func()) {
	if a.timeout <= 0 {
		return func() {}
	}
	timer := time.AfterFunc(a.timeout, func() {
		a.giveUp(noConnection(a.timeout))
	})

	return func() { timer.Stop() }
}

// grace is how long a command that has to end may take for it. A server that lives answers in that time.
const grace = 2 * time.Second

// within runs fn, and leaves it behind when it does not return in time after ctx has ended: on a link that is silent, each
// step of an orderly end has a time limit of its own, and they add up. The process ends then, which ends the sessions.
func within(ctx context.Context, fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(grace):
		const unknown = "%w\nThe server stopped answering, so the outcome of the last statement is unknown"

		return &advisedError{fmt.Errorf(unknown, context.Cause(ctx)), lookFirst}
	}
}

// leave runs what ends the sessions, and leaves it behind when it takes long.
func leave(end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		end()
	}()
	select {
	case <-done:
	case <-time.After(grace / 4):
	}
}

// watchdog ends the command when a statement is not answered in time. A deadline of the statement would not do: the store
// tries a read again whose connection is lost.
type watchdog struct {
	limit  time.Duration
	giveUp context.CancelCauseFunc
}

type watched struct{}

// TraceQueryStart begins to wait.
func (w watchdog) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return w.start(ctx, conn)
}

// TraceQueryEnd is the answer.
func (watchdog) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) { stop(ctx) }

// TraceBatchStart begins to wait.
func (w watchdog) TraceBatchStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return w.start(ctx, conn)
}

// TraceBatchQuery is one answer of several.
func (watchdog) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd is the last answer.
func (watchdog) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) { stop(ctx) }

// TraceCopyFromStart begins to wait.
func (w watchdog) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return w.start(ctx, conn)
}

// TraceCopyFromEnd is the answer.
func (watchdog) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromEndData) {
	stop(ctx)
}

// TraceConnectStart begins to wait for a connection: also for one that takes the place of a lost one.
func (w watchdog) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return context.WithValue(ctx, watched{}, time.AfterFunc(w.limit, func() { w.giveUp(noConnection(w.limit)) }))
}

// TraceConnectEnd is the connection, or the reason that there is none.
func (watchdog) TraceConnectEnd(ctx context.Context, _ pgx.TraceConnectEndData) { stop(ctx) }

func noConnection(limit time.Duration) error {
	return &advisedError{fmt.Errorf("no connection within %s (--timeout)", limit), checkTimeout}
}

func (w watchdog) start(ctx context.Context, conn *pgx.Conn) context.Context {
	config, pid := conn.Config(), conn.PgConn().PID()
	timer := time.AfterFunc(w.limit, func() {
		err := fmt.Errorf("no answer within %s (--timeout)", w.limit)
		next := raiseTimeout
		if holder := blocker(config, pid); holder != 0 {
			err = fmt.Errorf("%w: it waits for a lock of the session %d", err, holder)
			next = fmt.Sprintf(endLockHolder, holder)
		}
		w.giveUp(&advisedError{err, next})
	})

	return context.WithValue(ctx, watched{}, timer)
}

func stop(ctx context.Context) {
	if timer, ok := ctx.Value(watched{}).(*time.Timer); ok {
		timer.Stop()
	}
}

// blocker returns a session that holds the lock that another waits for. It returns 0 if that one does not wait, or if this
// can't be found out.
func blocker(config *pgx.ConnConfig, pid uint32) int32 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	config.Tracer = nil
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0
	}
	defer conn.Close(ctx)
	var pids []int32
	err = conn.QueryRow(ctx, "SELECT pg_catalog.pg_blocking_pids($1)", pid).Scan(&pids)
	if err != nil || len(pids) == 0 {
		return 0
	}

	return pids[0]
}
