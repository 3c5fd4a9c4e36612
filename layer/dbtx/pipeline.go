package dbtx

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
	// to longestApart, less a millisecond for every one of its look-ups that came back with its flight. So a machine that is
	// slow now and then does not keep a statement apart for long, and a statement that is slow stays apart.
	apart        = 100 * time.Millisecond
	longestApart = time.Minute

	// mostOwn is how many statements that are not generated may be gathered: as many as pgx keeps prepared on a connection. A
	// program that writes a new text for each call would otherwise fill the memory of both sides.
	mostOwn = 512
)

// gatherer sends the look-ups of concurrent callers together: they wait in a queue for one of a few connections, which
// takes all that wait, sends them in one write and shares out the replies. Each has a Sync of its own, so that an error
// ends one and not those behind it. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
//
// A look-up that it can't answer, whatever the reason, is sent the ordinary way. A snapshot is gathered like a look-up: its statements have one
// Sync.
type gatherer struct {
	pool     *pgxpool.Pool
	tracer   pgx.QueryTracer
	patience time.Duration
	quick    time.Duration

	conn *conn // of the store

	begin, commit *lookup // of a snapshot

	lookups  sync.Map     // *lookup by SQL
	own      atomic.Int64 // those of lookups that are not generated
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
		begin: newLookup(beginSnapshot), commit: newLookup("COMMIT"),
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

// ungathered stands for the statements for which there is no room.
var ungathered = &lookup{never: true}

func newLookup(sql string) *lookup {
	digest := sha256.Sum256([]byte(sql))

	return &lookup{sql: sql, name: "gathered_" + hex.EncodeToString(digest[:16])}
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
		if g.conn.known.Query(sql) == nil && (g.own.Load() >= mostOwn || g.own.Add(1) > mostOwn) {
			return ungathered
		}
		l := newLookup(sql)
		l.never = !g.gathers(sql)
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
		err := g.ask(&request{
			ctx: r.ctx, queries: []query{{l, r.args}}, reply: make(chan error, 1),
			take: func(f *flight) (pgconn.CommandTag, error) { return f.row(dest) },
		})
		if err != errUnanswered { //nolint:errorlint // it is never wrapped
			return err
		}
	}
	start := time.Now()
	err := r.alone(dest)
	g.prove(l, start, err)

	return err
}

// snapshot runs the queries of a snapshot, which may be gathered, and has reads read the replies. alone sends them the ordinary way.
func (g *gatherer) snapshot(ctx context.Context, queries []noting, reads []func(DBTX) error, alone func() error) error {
	start, apart := time.Now(), false
	statements := make([]query, 0, len(queries)+2)
	statements = append(statements, query{lookup: g.begin})
	for _, q := range queries {
		l := g.lookup(q.sql)
		if l.never {
			return alone()
		}
		apart = apart || l.isApart()
		statements = append(statements, query{l, q.args})
	}
	statements = append(statements, query{lookup: g.commit})
	single := g.underWay.Add(1) == 1
	defer g.underWay.Add(-1)
	if !single && !apart {
		reads := slices.Clone(reads) // so that the caller's own slice need not be on the heap
		err := g.ask(&request{ctx: ctx, queries: statements, reply: make(chan error, 1), take: func(f *flight) (pgconn.CommandTag, error) {
			cl := call{c: g.conn, ctx: ctx, start: start, try: lastTry, batch: true, snapshot: true, db: f.conn}

			return f.snapshot(cl, statements, queries, reads)
		}})
		if left, ok := err.(leftError); ok { //nolint:errorlint // it is never wrapped
			g.conn.observer.statement(ctx, start, beginSnapshot, nil, 0, left)

			return g.conn.known.typed(ctx, opBegin, left, beginSnapshot, false)
		}
		if err != errUnanswered { //nolint:errorlint // it is never wrapped
			return err
		}
		start = time.Now()
	}
	err := alone()
	for _, s := range statements {
		g.prove(s.lookup, start, err)
	}

	return err
}

// prove has a statement gathered from now on if its first answer was quick.
func (g *gatherer) prove(l *lookup, start time.Time, err error) {
	if l.apart.Load() == math.MaxInt64 && time.Since(start) < g.quick && (err == nil || errors.Is(err, pgx.ErrNoRows)) {
		l.apart.CompareAndSwap(math.MaxInt64, 0)
	}
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

// query is a statement with its arguments.
type query struct {
	lookup *lookup
	args   []any
}

// request is a look-up, or a snapshot, in the queue or on its way.
type request struct {
	ctx     context.Context //nolint:containedctx // it is the caller's, which waits
	queries []query
	take    func(*flight) (pgconn.CommandTag, error) // reads the replies
	reply   chan error
	traced  []context.Context // the tracer's, of each query

	mu    sync.Mutex // held while what belongs to the caller is in use
	left  bool       // the caller waits no more: it is its own again
	ended bool       // it has its reply
}

// answer gives the caller the reply, unless it has one.
func (r *request) answer(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.ended = true
		r.reply <- err
	}
}

// abandon leaves a request to its caller, unless it has its reply. It waits while the reply is read.
func (r *request) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = true
	if !r.ended {
		r.ended = true
		r.reply <- errUnanswered
	}
}

// ask puts a request in the queue and waits for the reply. A caller whose context ends leaves at once, and the others don't notice. While its
// own reply is read, it leaves when that is done, or when the flight takes too long.
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

		return leftError{r.ctx.Err()}
	}
}

// leftError says that the caller has left, because its context has ended.
type leftError struct{ error }

func (e leftError) Unwrap() error { return e.error }

// run makes flights for as long as there is a queue, or until one of them takes too long.
func (g *gatherer) run() {
	var f *flight
	defer func() { // also when a read ends the goroutine, as FailNow of a test does
		if f != nil && f.replaced {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.queue) > 0 {
			go g.run()
		} else {
			g.flights--
		}
	}()
	for f == nil || !f.replaced {
		runtime.Gosched() // those who have their replies from the last flight may have come for the next
		g.mu.Lock()
		n := min(len(g.queue), maxFlight)
		next := g.queue[:n:n]
		if g.queue = g.queue[n:]; len(g.queue) == 0 {
			g.queue = nil
		}
		g.mu.Unlock()
		if n == 0 {
			return
		}
		f = &flight{g: g}
		f.fly(next)
	}
}

// fly takes look-ups to the server and back, on a connection of the pool, which it leaves there. What panics on the way, a
// tracer, an argument or a destination, does so again where the look-up is sent the ordinary way, and there its caller
// has the panic. The connection is busy then, and the pool closes it.
//
// A flight that takes too long has another run in its place, and leaves those that have no reply to their callers. A read of a snapshot is a
// caller's own code: it may wait for a caller whose look-up is behind it, or in the queue.
func (f *flight) fly(requests []*request) {
	// No caller's context: one that ends must not end the flight.
	ctx, cancel := context.WithTimeout(context.Background(), f.g.patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		go f.g.run()
		for _, r := range slices.Backward(requests) { // the first waits while its reply is read
			r.abandon()
		}
	})
	defer func() {
		_ = recover()
		f.replaced = !stop()
		for _, r := range requests {
			r.answer(errUnanswered)
		}
	}()
	conn, err := f.g.pool.Acquire(ctx)
	if err != nil {
		return
	}
	defer conn.Release()
	store := f.g.conn
	if own := conn.Conn(); leftOver(own) || settings.Check(own.PgConn()) != nil || store.knowTypes(ctx, own, len(store.known.Enums) > 0) != nil {
		return // the ordinary way closes it, and says what is wrong
	}
	f.ctx, f.conn = ctx, conn.Conn()
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
	params   []*pgx.ExtendedQueryBuilder
	rows     pgx.Rows // of the statement whose reply was read last
	left     int      // how many replies to the request are not read
	broken   bool     // the connection has ended
	stale    bool     // it has an outdated plan: another one is to take its place
	replaced bool     // it took too long, and another run has its place
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
		for _, q := range r.queries {
			if f.prepared[q.lookup.sql] != nil {
				continue
			}
			sd, err := f.conn.Prepare(f.ctx, q.lookup.name, q.lookup.sql)
			if f.conn.IsClosed() {
				f.late(r)

				return false
			}
			if err != nil {
				q.lookup.keepApart()

				continue
			}
			formats := make([]int16, len(sd.Fields))
			for i, field := range sd.Fields {
				formats[i] = f.conn.TypeMap().FormatCodeForOID(field.DataTypeOID)
			}
			f.prepared[q.lookup.sql] = &prepared{sd, formats}
		}
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
	if r.left {
		return false
	}
	for len(f.params) < len(r.queries) {
		f.params = append(f.params, &pgx.ExtendedQueryBuilder{})
	}
	for i, q := range r.queries {
		statement := f.prepared[q.lookup.sql]
		if statement == nil || f.params[i].Build(f.conn.TypeMap(), statement.StatementDescription, q.args) != nil {
			return false
		}
	}
	for i, q := range r.queries {
		if t := f.g.tracer; t != nil {
			r.traced = append(r.traced, t.TraceQueryStart(r.ctx, f.conn, pgx.TraceQueryStartData{SQL: q.lookup.sql, Args: q.args}))
		}
		statement := f.prepared[q.lookup.sql]
		f.pipeline.SendQueryStatement(statement.StatementDescription, f.params[i].ParamValues, f.params[i].ParamFormats, statement.formats)
	}
	f.pipeline.SendPipelineSync()

	return true
}

// receive reads the replies in the order of the requests, as far as they come.
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
			for _, traced := range r.traced {
				t.TraceQueryEnd(traced, f.conn, end)
			}
		}
		r.answer(err)
	}
}

func (f *flight) read(r *request) (tag pgconn.CommandTag, err error) {
	f.left = len(r.queries)
	tag, err = r.read(f)
	for f.left > 0 { // what the caller did not want to know
		var failed error
		if tag, failed = f.Exec(); failed != nil {
			err = errUnanswered
		}
	}
	// The server says that it is ready for the next one, whatever became of this one, or the connection has ended.
	untagged := tag.String() == "" && (err == nil || errors.Is(err, pgx.ErrNoRows))
	if f.broken || !f.sync() || untagged {
		f.broken = true
		f.late(r)
		if f.conn.PgConn().TxStatus() == 'E' { // a snapshot that fails takes those behind it along
			f.g.keepApart(r)
		}

		return tag, errUnanswered
	}
	if outdated(err, 1) || sqlstate.Of(err) == codeInvalidStatementName {
		f.stale = true

		return tag, errUnanswered
	}
	for _, q := range r.queries {
		if q.lookup.slow.Load() > 0 {
			q.lookup.slow.Add(-1)
		}
	}

	return tag, err
}

// sync reads the end of the replies to a request.
func (f *flight) sync() bool {
	results, _ := f.pipeline.GetResults()
	_, ok := results.(*pgconn.PipelineSync)

	return ok
}

// late keeps the request at which a flight ended from others, if it was for the time it took.
func (f *flight) late(r *request) {
	if f.ctx.Err() != nil {
		f.g.keepApart(r)
	}
}

// keepApart keeps the statements of a request apart. Those that every snapshot has are not.
func (g *gatherer) keepApart(r *request) {
	for _, q := range r.queries {
		if q.lookup != g.begin && q.lookup != g.commit {
			q.lookup.keepApart()
		}
	}
}

// read has the caller's own code read the replies, unless the caller has left.
func (r *request) read(f *flight) (tag pgconn.CommandTag, err error) {
	r.mu.Lock()
	defer r.mu.Unlock() // of a destination that panics, too
	if r.left {
		return tag, context.Canceled
	}

	return r.take(f)
}

// row reads the reply of a look-up as pgx's own QueryRow does.
func (f *flight) row(dest []any) (pgconn.CommandTag, error) {
	rs, err := f.Query()
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	err = scanOne(rs, dest)

	return rs.CommandTag(), err
}

// snapshot reads the replies of a snapshot. What fails is sent the ordinary way, which says why.
func (f *flight) snapshot(cl call, statements []query, queries []noting, reads []func(DBTX) error) (tag pgconn.CommandTag, err error) {
	b := &batch{BatchResults: f, call: cl}
	for _, s := range statements {
		b.queued = append(b.queued, &pgx.QueuedQuery{SQL: s.lookup.sql, Arguments: s.args})
	}
	if err = replies(b, queries, reads, false); err == nil {
		tag, err = b.Exec()
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = errUnanswered
	}

	return tag, err
}

// next returns the reply to the next statement of the request. After an error the server skips the rest of a request, and pgx then
// gives the replies to those behind it the columns of what was skipped. So the connection is not used any more.
func (f *flight) next() (*pgconn.ResultReader, error) {
	if f.rows != nil { // which a read may have kept: pgx reads the next reply through the same reader
		f.rows.Close()
		f.rows = nil
	}
	f.left--
	results, err := f.pipeline.GetResults()
	reader, ok := results.(*pgconn.ResultReader)
	if !ok && err == nil {
		f.broken, f.left = true, 0
		err = errUnanswered
	}

	return reader, err
}

// Exec returns the result of the next statement of a request, as pgx's results of a batch do. A flight is such results for the request whose
// replies are read.
func (f *flight) Exec() (pgconn.CommandTag, error) {
	reader, err := f.next()
	if err != nil {
		return pgconn.CommandTag{}, err
	}

	return reader.Close()
}

// Query returns the rows of the next statement.
func (f *flight) Query() (pgx.Rows, error) {
	reader, err := f.next()
	if err != nil {
		return pgx.FailedBatchResults(&pgx.Batch{}, err).Query()
	}
	f.rows = pgx.RowsFromResultReader(f.conn.TypeMap(), reader)

	return f.rows, nil
}

// QueryRow returns the row of the next statement.
func (f *flight) QueryRow() pgx.Row {
	rs, _ := f.Query() // the rows have the error, too

	return firstRow{rs}
}

func (f *flight) Close() error { return nil } // read does it
func (f *flight) Tx() pgx.Tx   { return nil }
