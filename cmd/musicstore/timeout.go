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
		a.giveUp(fmt.Errorf("no connection within %s (--timeout)", a.timeout))
	})

	return func() { timer.Stop() }
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
	config, pid := conn.Config(), conn.PgConn().PID()
	timer := time.AfterFunc(w.limit, func() {
		w.giveUp(fmt.Errorf("no answer within %s (--timeout)%s", w.limit, blockers(config, pid)))
	})

	return context.WithValue(ctx, watched{}, timer)
}

// TraceQueryEnd is the answer.
func (watchdog) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if timer, ok := ctx.Value(watched{}).(*time.Timer); ok {
		timer.Stop()
	}
}

// blockers says which sessions hold the lock that a session waits for; nothing when it waits for none, or when nobody
// can tell.
func blockers(config *pgx.ConnConfig, pid uint32) string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	config.Tracer = nil
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return ""
	}
	defer conn.Close(ctx)
	var pids []int32
	err = conn.QueryRow(ctx, "SELECT pg_blocking_pids($1)", pid).Scan(&pids)
	if err != nil || len(pids) == 0 {
		return ""
	}

	return fmt.Sprintf(": it waits for a lock of the session %d, which 'SELECT pg_terminate_backend(%[1]d)' ends", pids[0])
}
