// Package repo is the store: the generated queries, and around them what SQL cannot say.
//
// A *Repo has every query of db/queries as a method, because it embeds the generated code. Where Go adds something, a
// default, an invariant, a shape, the method of that name here comes before the generated one. All that is generic
// (typed errors, echo, retries) sits under the generated code, in conn.go: a query that is added tomorrow has it too.
//
// A Repo keeps nothing of its own but its options. Any number of them, over any number of databases, live side by
// side, and one may be used by many goroutines at once, unless it stands on a single connection.
package repo

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"musicstore/internal/dbgen"
	"musicstore/layer/private"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The types of the columns that hide themselves from logs, errors and the echo.
type (
	// Email is an e-mail address. It prints as it is, but not in a log.
	Email = private.Email
	// PasswordHash is a password's hash as a PHC string. Nothing prints it; its method Reveal returns it. Two are
	// compared with Equal.
	PasswordHash = private.PasswordHash
)

// NewPasswordHash returns the hash of a PHC string, such as "$argon2id$…". It checks nothing: a text that is no PHC
// string is refused with ErrInvalid by the operation that it is given to.
func NewPasswordHash(phc string) PasswordHash { return private.NewPasswordHash(phc) }

// DB is what a Repo can stand on: a *pgxpool.Pool, a *pgx.Conn or a pgx.Tx.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Begin(ctx context.Context) (pgx.Tx, error)
}

// querier is embedded under a name that other packages can't use: what this package adds to a query can't be gone around.
type querier = dbgen.Querier

// Repo is the store on one database.
type Repo struct {
	querier // every query of db/queries

	conn *conn
	opts options

	pool    *pgxpool.Pool // set by Open, ended by Close
	closing *atomic.Int32 // how many of its connections are being closed

	begun bool // by InTx: conn stands on its transaction
}

type options struct {
	defaults

	echo   *echo
	tracer pgx.QueryTracer
	guard  *guard

	ownClock      bool // now is WithClock's
	resetInterval time.Duration
	pipelining    bool
	userMessages  bool
	mode          []any // see insteadOf
}

// Option changes how a Repo behaves.
type Option func(*options)

// WithClock replaces time.Now as the source of the times that the caller leaves zero. Password resets go by it, too,
// instead of by the database's clock.
func WithClock(now func() time.Time) Option {
	return func(o *options) { o.now, o.ownClock = now, true }
}

// WithIDs replaces NewID as the source of the ids that the caller leaves empty. The schema takes 32 lower-case
// hexadecimal characters and nothing else. Reset tokens are always made by NewID: they must be secret.
func WithIDs(newID func() string) Option { return func(o *options) { o.newID = newID } }

// WithResetInterval sets how long after one password reset an account's next is taken, instead of ResetInterval. 0 is
// no limit.
func WithResetInterval(d time.Duration) Option { return func(o *options) { o.resetInterval = d } }

// WithEcho prints every statement to w, a line each, on its way to the server and back: the query's name, the SQL, the
// arguments, how many rows, how long, and the error if any. Secrets and personal data are not shown. Lines of
// concurrent statements do not mix. A nil w is no echo.
//
// A statement waits until its line is written, but not beyond the end of its context. A line is lost when w fails,
// panics or blocks. The statement goes on.
func WithEcho(w io.Writer) Option {
	return func(o *options) {
		o.echo = nil
		if w != nil {
			o.echo = newEcho(w)
		}
	}
}

// WithTracer has pgx report to t, which may implement its other tracer interfaces too; otelpgx does. It is for Open. A
// pool or connection that is handed to New has its tracer in its own configuration already, so New panics on it.
//
// When t panics about a statement, so does the statement's caller, and its connection goes back to the pool. When t
// panics about a connection that is made, acquired or released, nothing happens.
func WithTracer(t pgx.QueryTracer) Option { return func(o *options) { o.tracer = t } }

// WithPipelining gathers look-ups, the queries of db/queries that only read and are ":one", of callers that run at the
// same time: one round trip carries all that wait, over two to four connections of the pool. No query, result or error
// changes. One caller's error or cancellation is not felt by another.
//
// It is for many goroutines that look things up by key. A caller that is alone sends its look-up as ever. So does one
// whose statement has not yet been answered within 5 ms. A look-up that turns out slow holds up those that travel with
// it, for 50 ms at most: then it is ended on the server, with its connection, and all of them are sent each by itself.
// Its statement is not gathered for some time then, longer and longer, up to a minute.
//
// Writes, lists, what locks rows, and all that runs in a transaction are never gathered. The option does nothing where
// connections keep no prepared statements (default_query_exec_mode), on a single connection, and over a pool with hooks
// (PrepareConn, BeforeAcquire, AfterRelease), which may make a connection one caller's own. A tracer is told of a
// look-up by another goroutine than the caller's, with the caller's context.
func WithPipelining() Option { return func(o *options) { o.pipelining = true } }

// WithUserMessages shows the messages that functions of the database raise for people. When a function raises an error
// without a code of its own (RAISE EXCEPTION, SQLSTATE P0001), its message is the error's text, as the function wrote
// it. Use it only if no function puts into such a message what must not be shown, because the store does not know what
// is in it. Without the option the error says only that a function raised it, as for every other code.
func WithUserMessages() Option { return func(o *options) { o.userMessages = true } }

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
// Open only logs in. Whether session_replication_role turns foreign keys off is found out by Warnings.
func Open(ctx context.Context, url string, opts ...Option) (*Repo, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, badURL(err)
	}
	o := newOptions(opts)
	if err := pin(config.ConnConfig); err != nil {
		return nil, err
	}
	config.ConnConfig.Tracer = poolTracer(o.tracer)
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

		return nil, fmt.Errorf("open: %w", known().unreachable(ctx, err))
	}
	err = settings.Check(first.Conn().PgConn())
	first.Release()
	if err != nil {
		pool.Close()

		return nil, fmt.Errorf("open: %w", err)
	}
	o.mode = insteadOf(pool)
	r := newRepo(pool, o)
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
func New(db DB, opts ...Option) *Repo {
	o := newOptions(opts)
	if o.tracer != nil {
		panic("repo: WithTracer is for Open: set ConnConfig.Tracer of the pool or connection that New is given")
	}
	o.mode = insteadOf(db)

	return newRepo(db, o)
}

// Close ends the pool that Open made, waiting for the queries under way. A second call does nothing.
//
// Connections whose server does not answer any more take up to 15 seconds to end. Close leaves them to it after one.
func (r *Repo) Close() {
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
func (r *Repo) DB() DB {
	if r.begun {
		return &sessionTx{tx: r.conn.db.(pgx.Tx), s: r.conn.session} //nolint:forcetypeassert // InTx made it so
	}

	return r.conn.db
}

func newOptions(opts []Option) options {
	o := options{resetInterval: ResetInterval}
	o.defaults = defaults{now: time.Now, newID: NewID, derivations: derivations}
	for _, opt := range opts {
		opt(&o)
	}

	return o
}

func newRepo(db DB, o options) *Repo {
	c := o.conn(db)
	switch db := db.(type) {
	case *pgxpool.Pool:
		c.pool = db
		if o.pipelining {
			c.gatherer = newGatherer(db, &c)
		}
	case pgx.Tx:
		return newSession(db, o, &session{conn: db.Conn()})
	case *pgx.Conn:
		c.session = &session{conn: db, single: true}
	}

	return c.repo(o)
}

// newSession returns a store on a transaction, whose connection is a session already.
func newSession(tx pgx.Tx, o options, s *session) *Repo {
	c := o.conn(tx)
	c.session, c.inTx = s, true

	return c.repo(o)
}

// conn returns a conn on db with what the options say of every statement.
func (o *options) conn(db DB) conn {
	if o.guard == nil {
		o.guard = newGuard(known().Metadata)
	}

	return conn{
		db: db, known: known(), defaults: &o.defaults, echo: o.echo, guard: o.guard, mode: o.mode,
		userMessages: o.userMessages,
	}
}

func (c *conn) repo(o options) *Repo {
	return &Repo{querier: dbgen.New(c), conn: c, opts: o}
}
