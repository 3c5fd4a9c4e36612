package schema

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// MigrateOptions say what Migrate may do. The zero value loses nothing and rewrites no table.
type MigrateOptions struct {
	AllowRewrite bool // write a table anew under a lock that keeps readers out, or read all of a large one under a lock that keeps writers out
	AllowLoss    bool // lose rows or values
	Prune        bool // drop the tables, views, functions and types that the files do not have

	Expand bool // only the steps that do not break programs of the old version; the others are in Plan.Later

	// LockTimeout is how long a statement waits for its locks before it is tried again. 0 is a second.
	LockTimeout time.Duration
	// Progress, if it is not nil, is called before each step, with how many known steps follow it.
	Progress func(step Step, left int)
	// Waiting, if it is not nil, is called when a step did not get its lock, and with a Step without SQL when another process migrates.
	Waiting func(step Step)

	underWay bool                // steps have run
	tamper   func([]Step) []Step // puts mistakes into a plan, for a test that must find them
}

// Plan is what Migrate would do.
type Plan struct {
	Steps    []Step       `json:"steps"`
	Refusals []string     `json:"refusals"` // why Migrate does none of it
	Others   []Difference `json:"others"`   // what is not in the files, and may be somebody else's
	Later    []string     `json:"later"`    // with Expand: the differences that wait until the old programs have ended

	lockTimeout time.Duration
}

// SQL returns the plan as a file that psql runs unchanged. Each step is in a transaction of its own, if it may be in one. psql stops at the
// first step that fails, and a plan made then has the rest. For a plan that Migrate refuses SQL returns a *RefusedError, and for one with
// a Go function, which psql can't run, an error that is ErrNoSQL.
func (p Plan) SQL() (string, error) {
	if len(p.Refusals) > 0 {
		return "", &RefusedError{p.Refusals}
	}
	var b strings.Builder
	b.WriteString("\\set ON_ERROR_STOP on\nSET statement_timeout = 0;\n")
	for _, step := range p.Steps {
		switch {
		case step.derive != nil:
			return "", fmt.Errorf("%w: column %s.%s is filled by %s", ErrNoSQL, step.derive.table, step.derive.column, step.derive.function)
		case step.Alone:
			fmt.Fprintf(&b, "\n%s\n", step.SQL)
		default:
			fmt.Fprintf(&b, "\nBEGIN;\nSET LOCAL lock_timeout = '%dms';\n%s\nCOMMIT;\n", p.lockTimeout.Milliseconds(), step.SQL)
		}
	}

	return b.String(), nil
}

// ErrNoSQL means that a plan has a step which is a Go function.
var ErrNoSQL = errors.New("the plan has a Go function in it, which psql can't run")

// RefusedError is a plan that Migrate refuses. Nothing was changed, except by the steps that ran before the reason showed.
type RefusedError struct{ Reasons []string }

func (e *RefusedError) Error() string {
	if len(e.Reasons) == 1 {
		return "refused: " + e.Reasons[0]
	}

	return "refused:\n- " + strings.Join(e.Reasons, "\n- ")
}

// ErrRefused is what errors.Is finds in every *RefusedError.
var ErrRefused = errors.New("refused")

// Is reports whether target is ErrRefused.
func (*RefusedError) Is(target error) bool { return target == ErrRefused }

// PlanOf returns what Migrate would do with these options. It changes nothing.
func PlanOf(ctx context.Context, db DB, m *dbtx.Metadata, opts MigrateOptions) (Plan, error) {
	p, err := planOf(ctx, db, m, opts)
	if err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	p.Steps, p.Refusals = append([]Step{}, p.Steps...), append([]string{}, p.Refusals...) // [] in JSON
	p.Others, p.Later = append([]Difference{}, p.Others...), append([]string{}, p.Later...)
	p.lockTimeout = cmp.Or(opts.LockTimeout, time.Second)

	return p, nil
}

func planOf(ctx context.Context, db DB, m *dbtx.Metadata, opts MigrateOptions) (p Plan, err error) {
	err = catalogues(ctx, db, m, func(tx pgx.Tx, s *site, want, have *catalogue, missing []string) error {
		named := renames(m, want, have)
		look := &probe{ctx: ctx, tx: tx, site: s, look: true, keep: !opts.Prune, m: m, want: want, have: have, renames: named}
		later := map[string]bool{} // the tables that wait for their new names, or those of columns, with their partitions and heirs
		for _, d := range named {
			p.take(look, d, opts)
			if opts.Expand {
				for _, of := range []*catalogue{want, have} {
					maps.Copy(later, of.family(d.Table))
					maps.Copy(later, of.family(d.Name))
				}
			}
		}
		differences := compare(look, missing)
		look.future = &ahead{}
		var waiting []Difference // the columns that get another type later, and what needs that
		for _, d := range differences {
			switch {
			case d.Want == "" && isObject(d.Kind) && !opts.Prune:
				p.Others = append(p.Others, d)
			case len(d.Steps) == 0:
				p.Refusals = append(p.Refusals, d.String()+": "+instead(d.Kind))
			case len(later) > 0 && waits(d, later):
				p.Later = append(p.Later, d.String())
			case look.waitsFor(d, waiting):
				p.Later, waiting = append(p.Later, d.String()), append(waiting, d)
			default:
				steps, put := len(p.Steps), len(p.Later)
				p.take(look, d, opts)
				if len(p.Later) > put && len(p.Steps) == steps && look.retypes(d) {
					waiting = append(waiting, d)
				}
			}
		}
		if opts.tamper != nil {
			p.Steps = opts.tamper(p.Steps)
		}

		return look.err
	})

	return p, err
}

// instead says what to write where PostgreSQL has no statement for a change.
func instead(kind string) string {
	switch kind {
	case "enum":
		return "PostgreSQL neither removes nor moves a label: write another enum, and give the columns its type"
	case "domain", "type":
		return "PostgreSQL does not change that: write another " + kind + ", and give the columns that type"
	default:
		return "no statement changes that"
	}
}

// waits says whether a difference may need the names that tables or columns are to get.
func waits(d Difference, later map[string]bool) bool {
	return d.Table == "" || later[d.Table] || slices.ContainsFunc(d.Steps, func(s Step) bool {
		return slices.ContainsFunc(s.On, func(table string) bool { return later[table] })
	})
}

// waitsFor says whether an index, a trigger, a view or a function needs the other type of a column, or a view or a function that waits for that.
func (p *probe) waitsFor(d Difference, waiting []Difference) bool {
	w, part := p.want.part(d.Kind, d.Table, d.Name)
	if d.Table == "" {
		for _, o := range p.want.relations {
			if o.Kind == d.Kind && o.Name == d.Name {
				w = o
			}
		}
	}

	return slices.ContainsFunc(waiting, func(other Difference) bool {
		switch {
		case w.Kind == "index", w.Kind == "trigger":
			return part && p.have.family(other.Table)[d.Table] && substituted(w.Def, other.Name, other.Name+"_") != w.Def
		case w.isView(), w.isFunction():
			return slices.Contains(w.Needs, nameOf(other.Table, other.Name)) || other.Table == "" && slices.Contains(w.tables(), other.Name)
		default:
			return false
		}
	})
}

// retypes says whether a difference is that a column is of another type.
func (p *probe) retypes(d Difference) bool {
	now, _ := p.have.part("column", d.Table, d.Name)
	then, _ := p.want.part("column", d.Table, d.Name)

	return d.Kind == "column" && (now.Def != then.Def || now.Generated != then.Generated || now.Collation != then.Collation)
}

// inTheWay says that rows of a table keep a step from its end.
func inTheWay(of, table, listing string) string {
	return fmt.Sprintf("%s: rows of %s are in the way; they are listed by: %s", of, table, listing)
}

// misfit says that the values of a column can't be what they are to be. What the server says of it may have one of them in it.
func misfit(of, table, state string) string {
	return fmt.Sprintf("%s: rows of %s are in the way, since the new value of one can't be made (SQLSTATE %s)", of, table, state)
}

// take adds the steps that mend a difference.
func (p *Plan) take(look *probe, d Difference, opts MigrateOptions) {
	of := d.Kind + " " + nameOf(d.Table, d.Name)
	filled := false
	state := "" // with which the values of a column can't be made
	fails := func(step Step) bool {
		state = look.fails(d.Table, step.values)

		return state != ""
	}
	for _, step := range d.Steps {
		if opts.Expand && step.Breaks {
			p.Later = append(p.Later, d.String())

			return
		}
		table := d.Table
		if table == "" && len(step.On) > 0 {
			table = step.On[0]
		}
		// Once the plan is under way, it looks for rows before the step that is the next alone.
		rows := !opts.underWay || len(p.Steps) == 0
		if rows && step.Counts != "" {
			step.Lost = look.count(step.Counts)
		} else if step.Loses != "" {
			step.Lost = -1
		}
		switch {
		case step.Refused != "":
			p.Refusals = append(p.Refusals, step.Refused)
		case step.Rewrites && !opts.AllowRewrite:
			p.Refusals = append(p.Refusals, fmt.Sprintf(
				"%s: this change rewrites table %s, and nobody can read or write it meanwhile: allow it by --allow-rewrite",
				of, strings.Join(step.On, ", ")))
		case step.Scans && slices.Index(locks, step.Lock) >= slices.Index(locks, share) && !opts.AllowRewrite && step.large:
			p.Refusals = append(p.Refusals, fmt.Sprintf(
				"%s: this change reads all rows of %s, and nobody can write to it meanwhile: allow it by --allow-rewrite",
				of, strings.Join(step.On, ", ")))
		case rows && step.Lost != 0 && !opts.AllowLoss:
			p.Refusals = append(p.Refusals, fmt.Sprintf("%s: it loses %s: allow it by --allow-loss", of, step.Losing()))
		case rows && step.values != "" && step.Rows != "":
			if look.now(look.former(step.Rows)) {
				p.Refusals = append(p.Refusals, inTheWay(of, table, look.former(step.Rows)))
			}
		case !opts.underWay && step.values != "" && fails(step):
			p.Refusals = append(p.Refusals, misfit(of, d.Table, state))
		case !opts.underWay && step.Batches && step.derive == nil && look.unreadable(d.Table) != "":
			p.Refusals = append(p.Refusals, of+": PostgreSQL can't read what is to fill it: "+look.unreadable(d.Table))
		case rows && step.values == "" && step.Rows != "" && !filled && (!step.dear || !step.large) && look.finds(step.Rows):
			p.Refusals = append(p.Refusals, inTheWay(of, table, look.listing(step.Rows)))
		}
		filled = filled || step.derive != nil
		if step.Refused == "" {
			p.Steps = append(p.Steps, step)
		}
	}
}

// Losing says what a step loses, and how much where that is known: "the rows of papers (12)".
func (s Step) Losing() string {
	if s.Lost < 0 {
		return s.Loses
	}

	return fmt.Sprintf("%s (%d)", s.Loses, s.Lost)
}

// nameOf is the name of something with that of its table.
func nameOf(table, name string) string {
	if table != "" && table != name {
		return table + "." + name
	}

	return name
}

func isObject(kind string) bool {
	return slices.Contains([]string{
		"table", "partition", "view", "materialized view", "foreign table", "sequence", "enum", "domain", "type", "function",
		"procedure", "aggregate",
	}, kind)
}

// Migrate changes a database until it matches the schema files. It runs one step, then reads the catalogue and plans again, until only
// objects are left that the files do not have (see Prune). A call that was cut off needs no repair: the next one goes on. Migrate
// returns the steps that it has run; a second call runs none.
//
// When the plan has a refusal, Migrate changes nothing and returns a *RefusedError. Rows that are added while it runs can make it refuse
// later: the steps that were done stay done. Each statement waits for its locks for opts.LockTimeout at most. It is tried again, with
// growing pauses, until ctx ends. CREATE INDEX CONCURRENTLY and DROP INDEX CONCURRENTLY have no limit, since they block nobody.
//
// Any number of processes may call it at once: one works, the others wait for it. db is a pool, of which Migrate holds one connection, or a
// connection. It must lead to the server itself: ErrPooler is returned for a connection that a pooler such as PgBouncer gives out, since the lock
// and the settings are a session's. For a transaction an error is returned.
func Migrate(ctx context.Context, db DB, sql dbtx.SQL, opts MigrateOptions) (applied []Applied, err error) {
	conn, release, err := session(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	defer release()
	g := &migration{conn: conn, sql: sql, opts: opts, done: map[string]bool{}}
	if err := g.begin(ctx); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	defer g.end(ctx)
	if err := g.all(ctx); err != nil {
		return g.applied, fmt.Errorf("migrate: %w", err)
	}

	return g.applied, nil
}

// ErrPooler is what Migrate returns for a connection that a pooler gives out.
var ErrPooler = errors.New("the connection is a pooler's, which may give each transaction to another session: connect to the server itself")

// session returns one session of the database.
func session(ctx context.Context, db DB) (conn *pgx.Conn, release func(), err error) {
	switch db := db.(type) {
	case *pgxpool.Pool:
		held, err := db.Acquire(ctx)
		if err != nil {
			return nil, nil, err
		}

		return held.Conn(), held.Release, nil
	case *pgx.Conn:
		return db, func() {}, nil
	default:
		return nil, nil, errors.New("it needs a pool or a connection: its steps can't share a transaction")
	}
}

// migration is a migration under way.
type migration struct {
	conn    *pgx.Conn
	sql     dbtx.SQL
	opts    MigrateOptions
	before  string          // the settings of the session
	done    map[string]bool // the batches that have run
	applied []Applied
}

// begin prepares the session, and waits until no other process migrates.
func (g *migration) begin(ctx context.Context) error {
	var pid uint32
	if err := g.conn.QueryRow(ctx, "SELECT pg_catalog.pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid); err != nil {
		return err
	}
	if pid != g.conn.PgConn().PID() { // a pooler names one of its own
		return ErrPooler
	}
	path, err := settings.Look(ctx, g.conn)
	if err == nil {
		err = path.Refuse()
	}
	if err != nil {
		return err
	}
	if g.before, err = settings.SealSession(ctx, g.conn); err != nil {
		return err
	}
	if _, err = g.conn.Exec(ctx, "SELECT pg_catalog.set_config('search_path', $1, false)", pgx.QueryExecModeExec, path.Setting); err == nil {
		err = g.alone(ctx)
	}
	if err != nil {
		g.restore(ctx)
	}

	return err
}

// migrateKey is the advisory lock of the one that migrates.
const migrateKey = LockKey + 1

// alone waits until no other process migrates. It asks again and again: one that waits inside the server would keep CREATE INDEX
// CONCURRENTLY of the one that works waiting for it.
func (g *migration) alone(ctx context.Context) error {
	const first = 50 * time.Millisecond
	for pause := first; ; pause = min(2*pause, 2*time.Second) {
		var got bool
		if err := g.conn.QueryRow(ctx, fmt.Sprintf("SELECT pg_catalog.pg_try_advisory_lock(%d)", migrateKey), pgx.QueryExecModeExec).Scan(&got); err != nil || got {
			return err
		}
		if pause == first && g.opts.Waiting != nil {
			g.opts.Waiting(Step{})
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end lets others migrate, and gives the session its settings back.
func (g *migration) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = g.conn.Exec(ctx, fmt.Sprintf("SELECT pg_catalog.pg_advisory_unlock(%d)", migrateKey), pgx.QueryExecModeSimpleProtocol)
	g.restore(ctx)
}

// restore gives the session its settings back. A session where that fails is not used again.
func (g *migration) restore(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := settings.RestoreSession(ctx, g.conn, g.before); err != nil {
		_ = g.conn.Close(ctx)
	}
}

func (g *migration) all(ctx context.Context) error {
	times := map[string]int{}
	for {
		if _, err := g.conn.Exec(ctx, "SET lock_timeout = 0", pgx.QueryExecModeSimpleProtocol); err != nil { // nobody waits for one who plans
			return err
		}
		p, err := planOf(ctx, g.conn, g.sql.Metadata, g.opts)
		if err != nil {
			return err
		}
		if len(p.Refusals) > 0 {
			return &RefusedError{p.Refusals}
		}
		at := slices.IndexFunc(p.Steps, func(s Step) bool { return !g.done[s.key()] })
		if at < 0 {
			return nil
		}
		step := p.Steps[at]
		if times[step.SQL]++; times[step.SQL] > 2 && !step.Batches {
			return fmt.Errorf("a step changed nothing, and comes again: %s", step.SQL)
		}
		if g.opts.Progress != nil {
			g.opts.Progress(step, len(p.Steps)-at-1)
		}
		start := time.Now()
		if err := g.run(ctx, step); err != nil {
			if g.spoiled(step, err) { // the next plan takes it away
				times[step.SQL]--
				if err := wait(ctx, time.Second); err != nil {
					return err
				}

				continue
			}
			switch state := sqlstate.Of(err); { // data_exception, integrity_constraint_violation: by rows that came since
			case step.Rows != "" && (strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23")):
				return &RefusedError{[]string{inTheWay(step.SQL, step.On[0], step.Rows)}}
			case step.values != "" && (strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23")):
				return &RefusedError{[]string{misfit("column "+step.On[0]+"."+step.values, step.On[0], state)}}
			}

			return fmt.Errorf("%s: %w", step.SQL, err)
		}
		if step.Batches {
			g.done[step.key()] = true
		}
		a := Applied{SQL: step.String(), At: start, Seconds: time.Since(start).Seconds(), To: Version(g.sql.Metadata)}
		if err := g.record(ctx, &a); err != nil {
			return fmt.Errorf("record the step: %w", err)
		}
		g.applied, g.opts.underWay = append(g.applied, a), true
	}
}

// key tells the batches apart: a column is filled again when its check is there.
func (s Step) key() string {
	if !s.Batches {
		return ""
	}
	if s.derive != nil {
		return fmt.Sprintf("%s.%s %t", s.derive.table, s.derive.column, s.again)
	}

	return fmt.Sprintf("%s %t", s.SQL, s.again)
}

// run runs a step, again and again where it does not get its lock.
func (g *migration) run(ctx context.Context, step Step) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := g.try(ctx, step)
		switch state := sqlstate.Of(err); {
		case err == nil:
			return nil
		case state != "55P03" && state != "40P01", g.spoiled(step, err): // lock_not_available, deadlock_detected
			return err
		}
		if g.opts.Waiting != nil {
			g.opts.Waiting(step)
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// spoiled says whether a step has left something that is in its way: an index that is not valid, when others and it would have waited for
// each other.
func (*migration) spoiled(step Step, err error) bool {
	return sqlstate.Of(err) == "40P01" && strings.Contains(step.SQL, " CONCURRENTLY ")
}

func (g *migration) try(ctx context.Context, step Step) error {
	// While it waits for the last of its locks it keeps others waiting for the first. 0 would be no limit.
	timeout := max(1, cmp.Or(g.opts.LockTimeout, time.Second).Milliseconds()/int64(max(1, len(step.On))))
	if strings.Contains(step.SQL, " CONCURRENTLY ") {
		timeout = 0 // under a lock_timeout it fails beside any older snapshot, and leaves an index that is not valid
	}
	if _, err := g.conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", timeout), pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	switch {
	case step.derive != nil:
		return g.derive(ctx, step.derive)
	case step.Alone:
		_, err := g.conn.Exec(ctx, step.SQL, pgx.QueryExecModeSimpleProtocol)

		return err
	}

	return pgx.BeginFunc(ctx, g.conn, func(tx pgx.Tx) error {
		if step.Loses != "" && step.Counts != "" && !g.opts.AllowLoss { // the plan has found none
			if err := exec(ctx, tx, "LOCK TABLE "+quote(step.On[0])+" IN ACCESS EXCLUSIVE MODE"); err != nil {
				return err
			}
			if err := exec(ctx, tx, fmt.Sprintf("SET LOCAL statement_timeout = %d", timeout)); err != nil {
				return err
			}
			var lost int64
			err := tx.QueryRow(ctx, step.Counts, pgx.QueryExecModeExec).Scan(&lost)
			switch {
			case sqlstate.Of(err) == "57014" && ctx.Err() == nil: // query_canceled
				return &RefusedError{[]string{"it takes too long to see, while nobody can use " + step.On[0] + ", that nothing is lost: allow it by --allow-loss"}}
			case err != nil || lost > 0:
				return cmp.Or(err, error(&RefusedError{[]string{"rows were added to " + step.On[0] + " meanwhile"}}))
			}
			if err := exec(ctx, tx, "SET LOCAL statement_timeout = 0"); err != nil {
				return err
			}
		}

		return exec(ctx, tx, step.SQL)
	})
}

// String is the step as SQL, or in words where a Go function runs.
func (s Step) String() string {
	if s.derive != nil {
		return "-- fill " + quote(s.derive.table) + "." + quote(s.derive.column) + " by the Go function " + s.derive.function
	}

	return s.SQL
}
