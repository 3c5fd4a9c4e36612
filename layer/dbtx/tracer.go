package dbtx

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"
)

// poolTracer returns a tracer as Open gives it to its pool. pgx connects in goroutines of its own, where a panic would end
// the process, and a panic while a connection is handed over would lose that: what a tracer says then is dropped. A
// statement's own panic is its caller's.
func poolTracer(t pgx.QueryTracer) pgx.QueryTracer {
	if t == nil {
		return nil
	}
	all := multitracer.New(t)
	if len(all.ConnectTracers)+len(all.PoolAcquireTracers)+len(all.PoolReleaseTracers) == 0 {
		return t
	}
	for i, of := range all.ConnectTracers {
		all.ConnectTracers[i] = connectTracer{of}
	}
	for i, of := range all.PoolAcquireTracers {
		all.PoolAcquireTracers[i] = acquireTracer{of}
	}
	for i, of := range all.PoolReleaseTracers {
		all.PoolReleaseTracers[i] = releaseTracer{of}
	}

	return all
}

// deafToBatches says whether a tracer is told of statements, but not of those in a batch.
func deafToBatches(t pgx.QueryTracer) bool {
	if all, ok := t.(*multitracer.Tracer); ok {
		return len(all.QueryTracers) > len(all.BatchTracers)
	}
	_, ok := t.(pgx.BatchTracer)

	return t != nil && !ok
}

func drop() { _ = recover() }

type connectTracer struct{ of pgx.ConnectTracer }

func (t connectTracer) TraceConnectStart(ctx context.Context, data pgx.TraceConnectStartData) (traced context.Context) {
	traced = ctx //nolint:wastedassign // it is the result when the tracer panics
	defer drop()

	return t.of.TraceConnectStart(ctx, data)
}

func (t connectTracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	defer drop()
	t.of.TraceConnectEnd(ctx, data)
}

type acquireTracer struct{ of pgxpool.AcquireTracer }

func (t acquireTracer) TraceAcquireStart(
	ctx context.Context, pool *pgxpool.Pool, data pgxpool.TraceAcquireStartData,
) (traced context.Context) {
	traced = ctx //nolint:wastedassign // it is the result when the tracer panics
	defer drop()

	return t.of.TraceAcquireStart(ctx, pool, data)
}

func (t acquireTracer) TraceAcquireEnd(ctx context.Context, pool *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	defer drop()
	t.of.TraceAcquireEnd(ctx, pool, data)
}

type releaseTracer struct{ of pgxpool.ReleaseTracer }

func (t releaseTracer) TraceRelease(pool *pgxpool.Pool, data pgxpool.TraceReleaseData) {
	defer drop()
	t.of.TraceRelease(pool, data)
}
