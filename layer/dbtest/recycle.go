package dbtest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/peterldowns/pgtestdb"
)

// recycler lends clones of a template and takes them back. A clone costs the server ten times what it costs to empty
// one and to look whether it is as new. One that is not, whatever the reason, is dropped.
type recycler struct {
	template pgtestdb.Migrator
	patience time.Duration // for how long a session may take to end that its client has left

	mu   sync.Mutex
	free []*database

	once  sync.Once
	sweep string // empties a database
	state string // a query for the state of one
	fresh string // the state of a database that nobody has used; empty when it can't be told
}

// database is a clone. To pgtestdb it is the test, which ends when nobody is to have the database again.
type database struct {
	pgtestdb.TB // who has it

	url     string
	dropped func()

	// admin is a session of the server's administrator, kept from test to test: to connect is most of what a look costs.
	admin *pgx.Conn

	// pool is what Databases.Shared has opened, kept from test to test for the same reason; nil until then.
	pool  *pgxpool.Pool
	close func()
}

func (d *database) Cleanup(drop func()) { d.dropped = drop }
func (*database) Failed() bool          { return false }

// session returns the administrator's session, or a new one where a test has ended it.
func (d *database) session(ctx context.Context) (*pgx.Conn, error) {
	if d.admin != nil && d.admin.Ping(ctx) == nil {
		return d.admin, nil
	}
	_, config, err := admin()
	if err != nil {
		return nil, err
	}
	own, err := pgx.ParseConfig(d.url)
	if err != nil {
		return nil, err
	}
	config.Database = own.Database
	d.admin, err = pgx.ConnectConfig(ctx, config)

	return d.admin, err
}

// leave ends the sessions that are kept from test to test. It does not wait for a connection that a test has kept.
func (d *database) leave() {
	switch {
	case d.pool == nil:
	case d.pool.Stat().AcquiredConns() > 0:
		go d.close()
	default:
		d.close()
	}
	if d.admin != nil {
		_ = d.admin.Close(context.Background())
	}
}

// anew is what a session does to be as new for the next test. What it has prepared stays, because pgx knows of it.
// https://www.postgresql.org/docs/current/sql-discard.html
const anew = `CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();
	DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES`

// renew makes the connections of the pool as new and returns the ids of their sessions, as an array of SQL. It closes one that can't be
// as new. The error is errInUse when the test has kept a connection.
func (d *database) renew(ctx context.Context, patience time.Duration) (string, error) {
	var ids []string
	if d.pool == nil {
		return "{}", nil
	}
	for end := time.Now().Add(patience); d.pool.Stat().AcquiredConns() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return "", errInUse
		}
	}
	conns := d.pool.AcquireAllIdle(ctx)
	for _, conn := range conns {
		c := conn.Conn().PgConn()
		var err error
		if c.TxStatus() == 'I' {
			_, err = c.Exec(ctx, anew).ReadAll()
		}
		if err != nil || c.TxStatus() != 'I' {
			_ = c.Close(ctx)
		} else {
			ids = append(ids, strconv.FormatUint(uint64(c.PID()), 10))
		}
	}
	for _, conn := range conns {
		conn.Release()
	}

	return "{" + strings.Join(ids, ",") + "}", nil
}

func (d *database) drop() {
	d.leave()
	d.dropped()
}

// take returns a database that is as a new clone is, until the end of the test.
func (r *recycler) take(tb pgtestdb.TB) (*database, error) {
	tb.Helper()
	d := r.pop()
	if d != nil {
		d.TB = tb
		tb.Logf("testdbconf: %s", d.url) // as pgtestdb does
	} else {
		d = &database{TB: tb}
		var err error
		if d.url, err = clone(d, r.template); err != nil {
			return nil, err
		}
		r.once.Do(func() { r.learn(d) })
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			d.leave() // and it stays

			return
		}
		r.takeBack(d)
	})

	return d, nil
}

// takeBack keeps a database for the next test if it is as new once it is emptied, and drops it otherwise. It fails the
// test that has left a connection to it open.
func (r *recycler) takeBack(d *database) {
	d.Helper()
	state, err := r.look(d)
	switch {
	case errors.Is(err, errInUse):
		d.leave()
		failAtEndf(d.TB, "%s", err)
	case err == nil && r.fresh != "" && state == r.fresh:
		r.push(d)
	default:
		d.drop()
	}
}

func (r *recycler) pop() *database {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.free) == 0 {
		return nil
	}
	d := r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]

	return d
}

func (r *recycler) push(d *database) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, d)
}

// leaveAll ends the sessions of what waits for a test.
func (r *recycler) leaveAll() {
	for d := r.pop(); d != nil; d = r.pop() {
		d.leave()
	}
}

// dropAll drops what waits for a test.
func (r *recycler) dropAll() {
	for d := r.pop(); d != nil; d = r.pop() {
		d.TB = &example{}
		d.drop()
	}
}

// learn finds out from a new clone what a new clone is like. A role that may not look at everything (it takes a
// superuser) leaves r.fresh empty: each test has a new clone then.
func (r *recycler) learn(d *database) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	conn, err := d.session(ctx)
	if err != nil {
		return
	}
	if err := conn.QueryRow(ctx, lookSQL, pgx.QueryExecModeExec).Scan(&r.sweep, &r.state); err != nil {
		return
	}
	if state, err := r.look(d); err == nil {
		r.fresh = state
	}
}

// lookTimeout bounds the time to look at a database.
const lookTimeout = time.Minute

// errInUse is what look returns when something in the database goes on.
var errInUse = errors.New("a connection to the test's database, or a prepared transaction, is still open at its end")

// look empties a database in which nothing else goes on, and returns its state.
func (r *recycler) look(d *database) (state string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	own, err := d.renew(ctx, r.patience)
	if err != nil {
		return "", err
	}
	conn, err := d.session(ctx)
	if err != nil {
		return "", err
	}

	for end := time.Now().Add(r.patience); ; time.Sleep(5 * time.Millisecond) {
		var used bool
		err := conn.QueryRow(ctx, usedSQL, pgx.QueryExecModeSimpleProtocol, own).Scan(&used)
		if err != nil {
			return "", err
		}
		if !used {
			break
		}
		if time.Now().After(end) {
			return "", errInUse
		}
	}
	if _, err := conn.PgConn().Exec(ctx, r.sweep).ReadAll(); err != nil {
		return "", err
	}

	// To plan the query takes as long as to run it, so pgx keeps it prepared.
	err = conn.QueryRow(ctx, r.state).Scan(&state)

	return state, err
}

const usedSQL = `
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid() AND pid <> ALL ($1::int[]) AND backend_type <> 'autovacuum worker')
    OR EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())`

// lookSQL writes the two texts for the databases that are as this one, which is new.
//
// The first deletes the rows, which is ten times as fast as TRUNCATE, starts the sequences again, and forgets the counts
// of what was done. It deletes from the partitions and not from their parents, and leaves an extension's tables as they
// are. No trigger or rule stands in its way, except for those that are enabled ALWAYS or for replicas: where the schema has
// some, it deletes twice, because they may write what was deleted, and the state has how many rows are left.
//
// The second is a query for the state: all that a test could have changed, so that equal states are equal databases.
//
//   - Every catalogue of the database, and every table of an extension: how many rows, and how many of them are younger than
//     the template. A row that was added or changed is younger; one that was removed is missing. So an enum's new label, a
//     function's new body, a view's new query and a materialized view that was refreshed are seen.
//   - Each relation's own row, because ANALYZE and VACUUM change it in place, and whether it is still small: for a table
//     that was never analysed, the planner sees no difference between 0 and 10 pages.
//   - What the server keeps of a database: its own row, settings, comment, labels, subscriptions and replication slots.
const lookSQL = `
WITH extended AS (
    SELECT objid AS oid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e'
), emptied AS (
    SELECT oid, relname FROM pg_class
    WHERE relkind = 'r' AND oid >= 16384 AND oid NOT IN (SELECT oid FROM extended)
), stubborn AS (
    SELECT 1 FROM pg_trigger WHERE tgenabled IN ('A', 'R') UNION SELECT 1 FROM pg_rewrite WHERE ev_enabled IN ('A', 'R')
)
SELECT concat(
    'SET session_replication_role = replica;', -- every table is emptied, in whatever order
    (SELECT string_agg(format('DELETE FROM %s;', oid::regclass), '' ORDER BY n, oid)
     FROM emptied, (SELECT 1 UNION ALL SELECT 2 FROM stubborn) AS pass (n)),
    'SELECT setval(seqrelid, seqstart, false) FROM pg_sequence;',
    'SELECT pg_stat_reset();'
), concat(
    'SELECT concat_ws('' '',',
    (SELECT string_agg(format(
        '(SELECT concat_ws(''/'', %L::text, count(*), count(*) FILTER (WHERE age(xmin) < age(%L::xid))) FROM %s),',
        relname, pg_current_xact_id()::xid::text, oid::regclass), '' ORDER BY relname, oid)
     FROM pg_class WHERE relkind = 'r' AND NOT relisshared
        AND (relnamespace = 'pg_catalog'::regnamespace OR oid >= 16384 AND oid IN (SELECT oid FROM extended))),
    (SELECT string_agg(format('(SELECT count(*) FROM %s),', oid::regclass), '' ORDER BY oid) FROM emptied, stubborn),
    $state$
        (SELECT string_agg(concat(to_jsonb(c), pg_relation_size(oid) <= 10 * 8192), ' ' ORDER BY oid)
         FROM pg_class AS c WHERE oid >= 16384),
        (SELECT to_jsonb(d) - '{oid,datname,datfrozenxid,datminmxid}'::text[] FROM pg_database AS d
         WHERE datname = current_database()),
        (SELECT count(*) FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = setdatabase
         WHERE datname = current_database()),
        shobj_description((SELECT oid FROM pg_database WHERE datname = current_database()), 'pg_database'),
        (SELECT count(*) FROM pg_shseclabel AS s JOIN pg_database AS d ON d.oid = objoid
         WHERE datname = current_database()),
        (SELECT count(*) FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = subdbid
         WHERE datname = current_database()),
        (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()))
    $state$)`
