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
	"time"

	"musicstore/internal/dbgen"
	"musicstore/internal/private"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The types of the columns that hide themselves from logs, errors and the echo.
type (
	// Email is an e-mail address. It prints as it is, but not in a log.
	Email = private.Email
	// PasswordHash is a password's hash as a PHC string. Nothing prints it; string(h) shows it.
	PasswordHash = private.PasswordHash
)

// DB is what a Repo can stand on: a *pgxpool.Pool, a *pgx.Conn or a pgx.Tx.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Repo is the store on one database.
type Repo struct {
	dbgen.Querier // every query of db/queries

	// keyed is the same queries for a write that carries its own key, an id made in Go or a payment reference: sent
	// again when the reply is lost, it finds its own row.
	keyed dbgen.Querier

	conn *conn
	opts options
	pool *pgxpool.Pool // set by Open, ended by Close
}

type options struct {
	now    func() time.Time
	newID  func() string
	echo   *echo
	tracer pgx.QueryTracer

	ownClock      bool // now is WithClock's
	resetInterval time.Duration
	pipelining    bool
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
func WithEcho(w io.Writer) Option {
	return func(o *options) {
		o.echo = nil
		if w != nil {
			o.echo = &echo{w: w}
		}
	}
}

// WithTracer has pgx report to t, which may implement its other tracer interfaces too; otelpgx does. It is for Open. A
// pool or connection that is handed to New has its tracer in its own configuration already, so New panics on it.
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

// minConns is the least size that Open gives a pool whose URL does not say pool_max_conns: with fewer, concurrent
// look-ups wait for each other. pgxpool's own default is the number of processors.
const minConns = 16

// Open connects to the database that url names, a PostgreSQL URL or key=value string with pgxpool's parameters, and
// returns a store on a pool of its own, which Close ends. It fails when the server does not answer, with an error that
// shows no password.
func Open(ctx context.Context, url string, opts ...Option) (*Repo, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The parser's own reason quotes what it could not read, which may be the password.
		const reason = "can't be read: it must be like postgres://user:password@host:port/database?setting=value, " +
			"or key=value pairs, and each setting have a value that it can have"

		return nil, &InvalidError{Op: "open", Field: "database URL", Reason: reason}
	}
	o := newOptions(opts)
	config.ConnConfig.Tracer = o.tracer
	// pgx alone takes the pool's parameters for settings of the server, which shows whether the URL has one.
	if said, err := pgx.ParseConfig(url); err == nil && said.RuntimeParams["pool_max_conns"] == "" {
		config.MaxConns = max(config.MaxConns, minConns)
	}
	if config.ConnConfig.ValidateConnect != nil {
		leaveReadOnly(config.ConnConfig)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	// A connection that has just been made needs no ping.
	first, err := pool.Acquire(ctx)
	if err != nil {
		pool.Close()

		return nil, fmt.Errorf("open: %w", unreachable(ctx, err))
	}
	first.Release()
	r := newRepo(pool, o)
	r.pool = pool

	return r, nil
}

// leaveReadOnly closes a connection on which a write found that none is taken. Of a URL with target_session_attrs a
// connection was what it asks for when it was made; its server may have been demoted since. The next one is asked anew.
func leaveReadOnly(config *pgx.ConnConfig) {
	keep := config.OnPgError
	config.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		return keep(conn, err) && err.Code != codeReadOnly
	}
}

// New returns a store over a pool, a connection or a transaction that is and stays the caller's. Close does nothing to
// it. In a transaction, InTx makes savepoints.
func New(db DB, opts ...Option) *Repo {
	o := newOptions(opts)
	if o.tracer != nil {
		panic("repo: WithTracer is for Open: set ConnConfig.Tracer of the pool or connection that New is given")
	}

	return newRepo(db, o)
}

// Close ends the pool that Open made, waiting for the queries under way. A second call does nothing.
func (r *Repo) Close() {
	if r.pool != nil {
		r.pool.Close()
	}
}

// DB is the pool, connection or transaction that r stands on: for schema.Bootstrap, and for what no query does.
func (r *Repo) DB() DB { return r.conn.db }

func newOptions(opts []Option) options {
	o := options{now: time.Now, newID: NewID, resetInterval: ResetInterval}
	for _, opt := range opts {
		opt(&o)
	}

	return o
}

func newRepo(db DB, o options) *Repo {
	c := conn{db: db, echo: o.echo}
	_, c.inTx = db.(pgx.Tx)
	var pool *pgxpool.Pool
	if pool, c.pooled = db.(*pgxpool.Pool); c.pooled && o.pipelining {
		c.gatherer = newGatherer(pool)
	}
	keyed := c
	keyed.keyed = true

	return &Repo{Querier: dbgen.New(&c), keyed: dbgen.New(&keyed), conn: &c, opts: o}
}
