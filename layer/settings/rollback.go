package settings

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// rollbackTimeout bounds a rollback when its context has ended. A server that is there answers in that time. After it, the driver
// closes the connection, which rolls back as well.
const rollbackTimeout = time.Second

// Rollback ends a transaction that was begun to look at the catalogue, also when ctx has ended.
func Rollback(ctx context.Context, tx pgx.Tx) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
	}

	return tx.Rollback(ctx)
}
