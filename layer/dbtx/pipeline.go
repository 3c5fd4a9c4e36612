package dbtx

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What bounds a flight, which is a number of look-ups that travel together.
const (
	leastFlights = 2  // at a time, each on a connection of its own: as many as there are processors,
	mostFlights  = 4  // but no more, so that there are passengers for each
	maxFlight    = 64 // look-ups in one

	// patience is how long a flight may take. The look-up that keeps it up for longer is ended on the server, with its
	// connection; it and those behind it are then sent the ordinary way.
	patience = 50 * time.Millisecond

	// quick is what a statement has to be once before it is gathered.
	quick = 5 * time.Millisecond

	// apart is how long a statement that was too slow is not gathered: so long the first time, then longer and longer, up
	// to longestApart, less a millisecond for every one of its look-ups that came back with its flight. A machine that
	// stumbles now and then is forgiven so, and a statement that is slow is not.
	apart        = 100 * time.Millisecond
	longestApart = time.Minute
)

// gatherer sends the look-ups of concurrent callers together: they wait in a queue for one of a few connections, which
// takes all that wait, sends them in one write and shares out the replies. Each has a Sync of its own, so that an error
// ends one and not those behind it. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
//
// It is never the last word: a look-up that it can't answer, whatever the reason, is sent the ordinary way.
type gatherer struct {
	pool     *pgxpool.Pool
	tracer   pgx.QueryTracer
	patience time.Duration
	quick    time.Duration

	conn *conn // of the store

	lookups  sync.Map     // *lookup by SQL
	underWay atomic.Int64 // look-ups, gathered or not

	mu         sync.Mutex
	queue      []*request
	flights    int
	maxFlights int
}

// newGatherer returns the gatherer of a pool; nil where connections keep no prepared statements, or where the pool has
// hooks: what they set on a connection may be meant for the one caller it is given to.
func newGatherer(pool *pgxpool.Pool, c *conn) *gatherer {
	config := pool.Config()
	//nolint:staticcheck // BeforeAcquire is deprecated, and works
	hooks := config.PrepareConn != nil || config.BeforeAcquire != nil || config.AfterRelease != nil
	if hooks || config.ConnConfig.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement {
		return nil
	}

	return &gatherer{
		pool: pool, conn: c, tracer: config.ConnConfig.Tracer, patience: patience, quick: quick,
		maxFlights: max(leastFlights, min(runtime.GOMAXPROCS(0), mostFlights)),
	}
}

// lookup is what is known of a statement.
type lookup struct {
	sql   string
	name  string       // as a prepared statement
	never bool         // gathered: it is no mere read
	apart atomic.Int64 // until when it is not gathered, in Unix nanoseconds: for ever until its first quick answer
	slow  atomic.Int64 // for how many milliseconds it was kept apart the last time, less its good look-ups since
}

func (l *lookup) keepApart() {
	ms := min(2*max(l.slow.Load(), 0)+apart.Milliseconds(), longestApart.Milliseconds())
	l.slow.Store(ms)
	l.apart.Store(time.Now().Add(time.Duration(ms) * time.Millisecond).UnixNano())
}

func (l *lookup) isApart() bool {
	until := l.apart.Load()

	return l.never || until != 0 && time.Now().UnixNano() < until
}

// gathers reports that the statement only reads, and never waits for others.
func (g *gatherer) gathers(sql string) bool {
	q := g.conn.known.Query(sql)

	return g.conn.known.reads(sql) && (q == nil || !q.Locks)
}

func (g *gatherer) lookup(sql string) *lookup {
	known, ok := g.lookups.Load(sql)
	if !ok {
		digest := sha256.Sum256([]byte(sql))
		l := &lookup{sql: sql, name: "gathered_" + hex.EncodeToString(digest[:16]), never: !g.gathers(sql)}
		l.apart.Store(math.MaxInt64)
		known, _ = g.lookups.LoadOrStore(sql, l)
	}

	return known.(*lookup) //nolint:forcetypeassert // there is nothing else in it
}

// scan reads the row of a look-up that may be gathered. It is sent now: its reply then goes where it is wanted without
// being kept in between. A caller that is alone uses the pool like any other.
func (g *gatherer) scan(r *row, dest []any) error {
	l := g.lookup(r.sql)
	if l.never {
		return r.alone(dest)
	}
	alone := g.underWay.Add(1) == 1
	defer g.underWay.Add(-1)
	if !alone && !l.isApart() {
		err := g.ask(&request{ctx: r.ctx, lookup: l, args: r.args, dest: dest, reply: make(chan error, 1)})
		if err != errUnanswered { //nolint:errorlint // it is never wrapped
			return err
		}
	}
	if l.apart.Load() != math.MaxInt64 {
		return r.alone(dest)
	}
	start := time.Now()
	err := r.alone(dest)
	if time.Since(start) < g.quick && (err == nil || errors.Is(err, pgx.ErrNoRows)) {
		l.apart.CompareAndSwap(math.MaxInt64, 0)
	}

	return err
}

// alone sends a look-up the ordinary way, as its first try.
func (r *row) alone(dest []any) error {
	start := r.start
	r.try = 0
	r.send()
	r.start = start

	return r.scan(dest)
}

// errUnanswered is the reply to a look-up that is to be sent the ordinary way.
var errUnanswered = errors.New("not gathered")

// request is a look-up in the queue or on its way.
type request struct {
	ctx    context.Context //nolint:containedctx // it is the caller's, which waits
	lookup *lookup
	args   []any
	dest   []any
	reply  chan error
	traced context.Context //nolint:containedctx // the tracer's
	ended  bool            // it has its reply

	mu   sync.Mutex // held while args or dest are in use
	left bool       // the caller waits no more: both are its own again
}

// ask puts a look-up in the queue and waits for the reply. A caller whose context ends leaves at once, and the others
// don't notice.
func (g *gatherer) ask(r *request) error {
	g.mu.Lock()
	g.queue = append(g.queue, r)
	if g.flights < g.maxFlights {
		g.flights++
		go g.run()
	}
	g.mu.Unlock()
	select {
	case err := <-r.reply:
		return err
	case <-r.ctx.Done():
		r.mu.Lock()
		defer r.mu.Unlock()
		r.left = true

		return fmt.Errorf("gathered: %w", r.ctx.Err())
	}
}

// run makes flights for as long as there is a queue.
func (g *gatherer) run() {
	for {
		runtime.Gosched() // those who have their replies from the last flight may have come for the next
		g.mu.Lock()
		n := min(len(g.queue), maxFlight)
		next := g.queue[:n:n]
		if g.queue = g.queue[n:]; len(g.queue) == 0 {
			g.queue = nil
		}
		if n == 0 {
			g.flights--
		}
		g.mu.Unlock()
		if n == 0 {
			return
		}
		g.fly(next)
	}
}

// fly takes look-ups to the server and back, on a connection of the pool, which it leaves there. What panics on the way, a
// tracer, an argument or a destination, does so again where the look-up is sent the ordinary way, and there its caller
// has the panic. The connection is busy then, and the pool closes it.
func (g *gatherer) fly(requests []*request) {
	defer func() {
		_ = recover()
		for _, r := range requests {
			if !r.ended {
				r.reply <- errUnanswered
			}
		}
	}()
	// No caller's context: one that ends must not end the flight.
	ctx, cancel := context.WithTimeout(context.Background(), g.patience)
	defer cancel()
	conn, err := g.pool.Acquire(ctx)
	if err != nil {
		return
	}
	defer conn.Release()
	if own := conn.Conn(); leftOver(own) || settings.Check(own.PgConn()) != nil || g.conn.knowTypes(ctx, own, len(g.conn.known.Enums) > 0) != nil {
		return // the ordinary way closes it, and says what is wrong
	}
	f := flight{g: g, ctx: ctx, conn: conn.Conn()}
	if !f.prepare(requests) {
		return
	}
	f.pipeline = f.conn.PgConn().StartPipeline(ctx)
	sent := f.send(requests)
	f.receive(sent)
	_ = f.pipeline.Close()
	if f.stale || f.broken {
		_ = f.conn.Close(ctx)
	}
}

// flight is one way to the server and back.
type flight struct {
	g        *gatherer
	ctx      context.Context //nolint:containedctx // it lives as long
	conn     *pgx.Conn
	prepared map[string]*prepared // by SQL
	pipeline *pgconn.Pipeline
	params   pgx.ExtendedQueryBuilder
	broken   bool // the connection has ended
	stale    bool // it has an outdated plan: another one is to take its place
}

// prepared is a statement on a connection.
type prepared struct {
	*pgconn.StatementDescription

	formats []int16 // of its results
}

// prepare makes the statements that the connection has not yet. It reports whether the connection lives.
func (f *flight) prepare(requests []*request) bool {
	const key = "dbtx: gathered"
	own := f.conn.PgConn().CustomData()
	if own[key] == nil {
		own[key] = map[string]*prepared{}
	}
	f.prepared = own[key].(map[string]*prepared) //nolint:forcetypeassert // it was made above
	for _, r := range requests {
		if f.prepared[r.lookup.sql] != nil {
			continue
		}
		sd, err := f.conn.Prepare(f.ctx, r.lookup.name, r.lookup.sql)
		if f.conn.IsClosed() {
			f.late(r)

			return false
		}
		if err != nil {
			r.lookup.keepApart()

			continue
		}
		formats := make([]int16, len(sd.Fields))
		for i, field := range sd.Fields {
			formats[i] = f.conn.TypeMap().FormatCodeForOID(field.DataTypeOID)
		}
		f.prepared[r.lookup.sql] = &prepared{sd, formats}
	}

	return true
}

// send writes the look-ups that it returns; of the others the caller has left, or the arguments don't fit.
func (f *flight) send(requests []*request) []*request {
	sent := make([]*request, 0, len(requests))
	for _, r := range requests {
		if f.write(r) {
			sent = append(sent, r)
		}
	}
	_ = f.pipeline.Flush() // receive will find out

	return sent
}

func (f *flight) write(r *request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	statement := f.prepared[r.lookup.sql]
	if r.left || statement == nil || f.params.Build(f.conn.TypeMap(), statement.StatementDescription, r.args) != nil {
		return false
	}
	if t := f.g.tracer; t != nil {
		r.traced = t.TraceQueryStart(r.ctx, f.conn, pgx.TraceQueryStartData{SQL: r.lookup.sql, Args: r.args})
	}
	f.pipeline.SendQueryStatement(statement.StatementDescription, f.params.ParamValues, f.params.ParamFormats, statement.formats)
	f.pipeline.SendPipelineSync()

	return true
}

// receive reads the replies in the order of the look-ups, as far as they come.
func (f *flight) receive(sent []*request) {
	for _, r := range sent {
		tag, err := pgconn.CommandTag{}, errUnanswered
		if !f.broken {
			tag, err = f.read(r)
		}
		if t := f.g.tracer; t != nil {
			end := pgx.TraceQueryEndData{CommandTag: tag, Err: err}
			if errors.Is(err, pgx.ErrNoRows) { // which the statement doesn't know: it is QueryRow's
				end.Err = nil
			}
			t.TraceQueryEnd(r.traced, f.conn, end)
		}
		r.ended = true
		r.reply <- err
	}
}

func (f *flight) read(r *request) (tag pgconn.CommandTag, err error) {
	results, err := f.pipeline.GetResults()
	if reader, ok := results.(*pgconn.ResultReader); ok {
		tag, err = r.scan(f.conn.TypeMap(), reader)
	}
	// The server says that it is ready for the next one, whatever became of this one, or the connection has ended.
	untagged := tag.String() == "" && (err == nil || errors.Is(err, pgx.ErrNoRows))
	if results, _ = f.pipeline.GetResults(); !isSync(results) || untagged {
		f.broken = true
		f.late(r)

		return tag, errUnanswered
	}
	if outdated(err, 1) || sqlstate.Of(err) == codeInvalidStatementName {
		f.stale = true

		return tag, errUnanswered
	}
	if r.lookup.slow.Load() > 0 {
		r.lookup.slow.Add(-1)
	}

	return tag, err
}

func isSync(results any) bool {
	_, ok := results.(*pgconn.PipelineSync)

	return ok
}

// late keeps the look-up at which a flight ended from others, if it was for the time it took.
func (f *flight) late(r *request) {
	if f.ctx.Err() != nil {
		r.lookup.keepApart()
	}
}

// scan reads the reply as pgx's own QueryRow does.
func (r *request) scan(types *pgtype.Map, reader *pgconn.ResultReader) (pgconn.CommandTag, error) {
	rows := pgx.RowsFromResultReader(types, reader)
	found := rows.Next()
	if found {
		r.fill(rows)
	}
	rows.Close()
	err := rows.Err()
	if err == nil && !found {
		err = pgx.ErrNoRows
	}

	return rows.CommandTag(), err
}

// fill scans a row into the caller's destinations, unless it has left.
func (r *request) fill(rows pgx.Rows) {
	r.mu.Lock()
	defer r.mu.Unlock() // of a destination that panics, too
	if !r.left {
		_ = rows.Scan(r.dest...) // which Err has, too
	}
}
