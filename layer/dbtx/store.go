package dbtx

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is what a store can stand on: a *pgxpool.Pool, a *pgx.Conn or a pgx.Tx.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Begin(ctx context.Context) (pgx.Tx, error)
}

// DBTX is what the generated queries run on.
type DBTX interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// SQL is what the generated code knows of a store's SQL.
type SQL struct {
	*Metadata

	// Derivations are the functions that derive columns from others, by their names in the metadata.
	Derivations map[string]Derivation
}

// Store is what a store's generated queries run on, on one database. The type with the queries is the store's own; the generator
// writes it.
//
// A Store keeps nothing of its own but its options. Any number of them, over any number of databases, live side by side, and one may
// be used by many goroutines at once, unless it stands on a single connection.
type Store struct {
	conn conn
	opts options

	pool    *pgxpool.Pool // set by Open, ended by Close
	closing *atomic.Int32 // how many of its connections are being closed

	begun bool // by InTx: conn stands on its transaction

	reading atomic.Pointer[Store] // what Reading returns; nil until then
	reads   bool                  // it is that
}

type options struct {
	defaults

	sql      *Metadata
	observer observer
	counts   *Metrics
	tracer   pgx.QueryTracer
	alone    bool // BEGIN is sent by itself, because the tracer is not told of batches
	guard    *guard

	startCheck func(context.Context, DB, *Metadata) error

	ownClock     bool // now is WithClock's
	values       map[any]any
	pipelining   bool
	userMessages bool
	mode         []any // see insteadOf
}

// Option changes how a store behaves.
type Option func(*options)

// WithClock replaces time.Now as the source of the times that the caller leaves zero. What goes by the database's clock goes by this
// one, too.
func WithClock(now func() time.Time) Option {
	return func(o *options) { o.now, o.ownClock = now, true }
}

// WithIDs replaces NewID as the source of the ids that the caller leaves empty. The schema may take ids of one form only. What must
// be secret is always made by NewID.
func WithIDs(newID func() string) Option { return func(o *options) { o.newID = newID } }

// WithValue keeps a value for the methods of a store, which read it with Store.Value. The key is of a type of the store's own, as
// that of a context's value is. So a store makes options of its own.
func WithValue(key, value any) Option {
	return func(o *options) {
		if o.values == nil {
			o.values = map[any]any{}
		}
		o.values[key] = value
	}
}

// WithEcho prints every statement to w, a line each, on its way to the server and back: the query's name, the SQL, the
// arguments, how many rows, how long, and the error if any. Secrets and personal data are not shown. Lines of
// concurrent statements do not mix. A nil w is no echo.
//
// A statement waits until its line is written, but not beyond the end of its context. A line is lost when w fails,
// panics or blocks. The statement goes on.
func WithEcho(w io.Writer) Option {
	return func(o *options) {
		o.observer.echo = nil
		if w != nil {
			o.observer.echo = newEcho(w, o.sql.known())
		}
	}
}

// WithTracer has pgx report to t, which may implement its other tracer interfaces too; otelpgx does. It is for Open. A
// pool or connection that is handed to New has its tracer in its own configuration already, so New panics on it.
//
// When t panics about a statement, so does the statement's caller, and its connection goes back to the pool. When t
// panics about a connection that is made, acquired or released, nothing happens.
func WithTracer(t pgx.QueryTracer) Option { return func(o *options) { o.tracer = t } }

// WithPipelining gathers look-ups and snapshots of callers that run at the same time: one round trip carries all that wait, over two to
// four connections of the pool. A look-up is a ":one" query that only reads and locks no row. For snapshots see Store.Snapshot. No query,
// result or error changes. One caller's error or cancellation does not affect another.
//
// It is for many goroutines that look things up by key. A caller that is alone sends its look-up as without the option. So does one whose
// statement has not yet been answered within 5 ms. A look-up that turns out slow holds up those that travel with it for 50 ms at most. Then
// it is ended on the server, with its connection, and all of them are sent each by itself. Its statement is not gathered for a while, a
// minute at most.
//
// Writes, lists outside a snapshot, what locks rows, and all that runs in InTx are never gathered. The option does nothing where connections
// keep no prepared statements (default_query_exec_mode), on a single connection, and over a pool with hooks (PrepareConn, BeforeAcquire,
// AfterRelease), which may make a connection one caller's own. Another goroutine than the caller's tells the tracer of a look-up, with the
// caller's context, and calls the reads of a snapshot, while the caller waits.
func WithPipelining() Option { return func(o *options) { o.pipelining = true } }

// WithUserMessages shows the messages that functions of the database raise for people. When a function raises an error
// without a code of its own (RAISE EXCEPTION, SQLSTATE P0001), its message is the error's text, as the function wrote
// it. Use it only if no function puts into such a message what must not be shown, because the store does not know what
// is in it. Without the option the error says only that a function raised it, as for every other code.
func WithUserMessages() Option { return func(o *options) { o.userMessages = true } }

// WithStartCheck has Open call check with its first connection and what is known of the store's SQL. If check returns an error, so does Open,
// and no connection is left. schema.AtStart is such a check. A nil check is none. The option is for Open: New panics on it, because it connects to nothing.
func WithStartCheck(check func(ctx context.Context, db DB, m *Metadata) error) Option {
	return func(o *options) { o.startCheck = check }
}

// minConns is the least size that Open gives a pool whose URL does not say pool_max_conns: with fewer, concurrent
// look-ups wait for each other. pgxpool's own default is the number of processors.
const minConns = 16

// Open connects to the database that url names, a PostgreSQL URL or key=value string with pgxpool's parameters, and
// returns a store on a pool of its own, which Close ends. It returns ErrUnavailable when the server
// can't be reached, and the context's error when that has ended. A setting whose file can't be used (sslrootcert, sslcert,
// sslkey) or which the server refuses is an *InvalidError that names it, also when it comes from the environment (PGTZ is
// TimeZone, PGSSLROOTCERT is sslrootcert). No error shows the password. A second call opens a
// second pool.
//
// The query modes exec and simple_protocol send statements as cache_describe, which works behind a pooler like them and
// depends on no setting of the server. A proxy must speak the extended protocol, in simple_protocol too.
//
// Every connection starts with the settings that SQL is written for: client_encoding UTF8, standard_conforming_strings
// on, DateStyle ISO, and the TimeZone of the URL or UTC. They win over those of the database, the role and PGOPTIONS. A
// URL that asks for others is an *InvalidError, and a database whose encoding is not UTF8 is ErrSettings.
//
// A TCP connection on which nothing comes back any more, because packets are dropped on the way, is lost after half a minute
// when it is idle, and, on Linux, after two minutes when a statement was sent. A statement that the server is busy with may
// take any time, except for a COPY of which the server takes nothing for two minutes. A caller with a shorter deadline gets
// its context's error at its deadline.
//
// Open only logs in, unless WithStartCheck has it ask more. Whether session_replication_role turns foreign keys off is found out by Warnings.
func Open(ctx context.Context, url string, sql SQL, opts ...Option) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, badURL(err)
	}
	o := newOptions(sql, opts)
	if err := pin(config.ConnConfig); err != nil {
		return nil, err
	}
	config.ConnConfig.Tracer = poolTracer(o.tracer)
	o.alone = deafToBatches(config.ConnConfig.Tracer)
	// pgx alone takes the pool's parameters for settings of the server, which shows whether the URL has one.
	if said, err := pgx.ParseConfig(url); err == nil && said.RuntimeParams["pool_max_conns"] == "" {
		config.MaxConns = max(config.MaxConns, minConns)
	}
	leaveEnded(config.ConnConfig)
	noticeDeadLinks(config.ConnConfig)
	closing := &atomic.Int32{}
	config.BeforeClose = func(conn *pgx.Conn) {
		closing.Add(1)
		go func() {
			defer closing.Add(-1)
			<-conn.PgConn().CleanupDone()
		}()
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	// A connection that has just been made needs no ping.
	first, err := pool.Acquire(ctx)
	if err != nil {
		pool.Close()

		if refused := refusedSetting(config.ConnConfig.RuntimeParams, err); refused != nil {
			return nil, refused
		}

		return nil, fmt.Errorf("open: %w", sql.known().unreachable(ctx, err))
	}
	err = settings.Check(first.Conn().PgConn())
	if err == nil && o.startCheck != nil {
		err = o.startCheck(ctx, first.Conn(), sql.Metadata)
		if err != nil && (first.Conn().IsClosed() || sqlstate.Of(err) != "") {
			err = sql.known().unreachable(ctx, err)
		}
	}
	first.Release()
	if err != nil {
		pool.Close()

		return nil, fmt.Errorf("open: %w", err)
	}
	o.mode = insteadOf(config.ConnConfig)
	r := newStore(pool, o)
	r.pool, r.closing = pool, closing

	return r, nil
}

// leaveEnded closes a connection whose session an error has ended: pgx does so when the server calls it FATAL, and PANIC, or
// the word of another language, is meant too. A connection on which a write found that none is taken is closed as well if
// the URL has target_session_attrs: it was what that asks for when it was made, and its server may have been demoted
// since. The next one is asked anew.
func leaveEnded(config *pgx.ConnConfig) {
	keep, asked := config.OnPgError, config.ValidateConnect != nil
	config.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		return keep(conn, err) && !endsSession(err) && (!asked || err.Code != codeReadOnly)
	}
}

// New returns a store over a pool, a connection or a transaction that is and stays the caller's. Close does nothing to
// it. In a transaction, InTx makes savepoints.
//
// New changes no setting of the session. It changes how pgx reads times on this connection: in UTC. That holds from the first
// statement on, for each connection of a pool.
//
// When client_encoding or standard_conforming_strings of a connection changes the meaning of SQL, or the database is not UTF8, each
// call returns ErrSettings and sends nothing. The check before each statement needs no round trip, because the server reports these
// settings. When another role can make a superuser's session run its functions, each call returns ErrUntrusted. Only Warnings finds
// out whether session_replication_role turns foreign keys off, unless the session is a superuser's.
//
// A connection of a pool whose settings somebody has changed is closed, and another one takes its place.
func New(db DB, sql SQL, opts ...Option) *Store {
	o := newOptions(sql, opts)
	if o.tracer != nil {
		panic("dbtx: WithTracer is for Open: set ConnConfig.Tracer of the pool or connection that New is given")
	}
	if o.startCheck != nil {
		panic("dbtx: WithStartCheck is for Open: call the check with what New is given")
	}
	config := configOf(db)
	o.mode = insteadOf(config)
	o.alone = config != nil && deafToBatches(config.Tracer)

	return newStore(db, o)
}

// Close ends the pool that Open made, waiting for the queries under way. A second call does nothing.
//
// Connections whose server does not answer any more take up to 15 seconds to end. Close leaves them to it after one.
func (r *Store) Close() {
	if r.pool == nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		r.pool.Close()
	}()
	for waited := time.Duration(0); waited < closeTimeout; {
		select {
		case <-closed:
			return
		case <-time.After(closePoll):
		}
		if r.pool.Stat().AcquiredConns() <= r.closing.Load() { // those that are being closed count as acquired
			waited += closePoll
		}
	}
}

const (
	closeTimeout = time.Second // without a query under way
	closePoll    = 10 * time.Millisecond
)

// DB is the pool, connection or transaction that r stands on: for schema.Bootstrap, and for what no query does.
//
// In a closure of InTx it is the transaction, a pgx.Tx. Its methods return pgx's own errors. They return
// ErrConcurrentUse while another statement of the transaction is under way. When the context of an earlier call has
// ended the transaction, they return that context's error.
func (r *Store) DB() DB {
	if r.begun {
		return &sessionTx{tx: r.conn.db.(pgx.Tx), s: r.conn.session} //nolint:forcetypeassert // InTx made it so
	}

	return r.conn.db
}

// DBTX returns what the generated queries of r run on.
func (r *Store) DBTX() DBTX { return &r.conn }

// Value returns the value that WithValue has kept for a key; nil when there is none.
func (r *Store) Value(key any) any { return r.opts.values[key] }

// Now returns the present time, by WithClock's clock if there is one. It is in UTC and cut to microseconds, as PostgreSQL keeps it.
func (r *Store) Now() time.Time { return Stored(r.opts.now()) }

// Clock returns the time that WithClock's clock shows; nil when there is none, and the server's clock counts.
func (r *Store) Clock() *time.Time {
	if !r.opts.ownClock {
		return nil
	}

	return new(r.Now())
}

// Refused returns the error of an operation that a constraint would have refused, if the statement had not seen to it: a
// *ConstraintError that is the sentinel.
func (r *Store) Refused(op string, of Sentinel) error { return r.conn.known.refused(op, of.Sentinel()) }

func newOptions(sql SQL, opts []Option) options {
	o := options{sql: sql.Metadata}
	o.observer = observer{known: o.sql.known(), slow: defaultSlow}
	o.defaults = defaults{now: time.Now, newID: NewID, derivations: sql.Derivations}
	for _, opt := range opts {
		opt(&o)
	}
	o.observer.metrics = o.counts.recorder(o.observer.known)

	return o
}

func newStore(db DB, o options) *Store {
	if tx, ok := db.(pgx.Tx); ok {
		return newSession(tx, o, &session{conn: tx.Conn()})
	}
	s := &Store{opts: o}
	s.conn = s.opts.conn(db)
	switch db := db.(type) {
	case *pgxpool.Pool:
		s.conn.pool = db
		if o.pipelining {
			s.conn.gatherer = newGatherer(db, &s.conn)
		}
	case *pgx.Conn:
		s.conn.session = &session{conn: db, single: true}
	}

	return s
}

// newSession returns a store on a transaction, whose connection is a session already.
func newSession(tx pgx.Tx, o options, s *session) *Store {
	store := &Store{opts: o}
	store.conn = store.opts.conn(tx)
	store.conn.session, store.conn.inTx = s, true

	return store
}

// conn returns a conn on db with what the options say of every statement.
func (o *options) conn(db DB) conn {
	if o.guard == nil {
		o.guard = newGuard(o.sql)
	}

	return conn{
		db: db, known: o.sql.known(), defaults: &o.defaults, observer: o.observes(), guard: o.guard, mode: o.mode,
		userMessages: o.userMessages,
	}
}

// observes returns the observer; nil if there is nothing to tell it.
func (o *options) observes() *observer {
	if o.observer.echo == nil && o.observer.log == nil && o.observer.metrics == nil {
		return nil
	}

	return &o.observer
}
