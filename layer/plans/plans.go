// Package plans asks PostgreSQL how it would run every query, and says which index is missing and which one nobody
// needs.
//
// It decides little itself. Whether an index would spare a sort or a filter is found by making it and planning the
// query again; whether an index is needed, by dropping it and planning again what used it. A foreign key is planned as
// the statement by which the server looks for the rows that refer to one.
//
// On a database in use, Explain runs a query and returns the plan that PostgreSQL took, and Slow lists the queries by the time that they
// have taken.
package plans

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"musicstore/layer/dbtx"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DB is a *pgxpool.Pool, a *pgx.Conn or a pgx.Tx.
type DB = dbtx.DB

// Report is how the queries are run.
type Report struct {
	Reads    []Read    // in the order of the queries, then the foreign keys
	Findings []Finding // what has to be mended; none if every query uses an index and every index is used
}

// Read is a table that a statement reads, and the index by which it does: "" if it reads the table as it lies. A
// statement that reads none has one with no table.
type Read struct{ Statement, Table, Index string }

// String lists the reads under a line of headings, then the findings, a line each.
func (r Report) String() string {
	var b strings.Builder
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	statement := ""
	if len(r.Reads) > 0 {
		_, _ = fmt.Fprint(out, "query\ttable\tindex\n")
	}
	for _, read := range r.Reads {
		if read.Statement == statement {
			read.Statement = ""
		} else {
			statement = read.Statement
		}
		if read.Table == "" {
			read.Table, read.Index = "-", "-"
		} else if read.Index == "" {
			read.Index = "none"
		}
		_, _ = fmt.Fprintf(out, "%s\t%s\t%s\n", read.Statement, read.Table, read.Index)
	}
	_ = out.Flush()
	for _, f := range r.Findings {
		b.WriteString(f.String() + "\n")
	}

	return b.String()
}

// Finding is something that has to be mended.
type Finding struct {
	Of      string // the query's name, "foreign key chapters_book_id_fkey", "index books_year_id_idx"
	Problem string // what is wrong, beginning with what an excuse begins with: "filters books"
	Remedy  string // the SQL that mends it; empty if none was found
}

func (f Finding) String() string {
	if f.Remedy == "" {
		return f.Of + " " + f.Problem
	}

	return f.Of + " " + f.Problem + ": " + f.Remedy
}

// Check plans each of the queries that are known, against the tables of the current schema. It finds:
//
//   - a query that can't be planned, that scans a table, or that walks an index without a condition and without a LIMIT;
//   - a query that sorts or filters rows where an index that was tried spares it that. Of other sorts and filters nothing is said,
//     and nothing of filters for which an index is no help that one could count on: OR, <>, LIKE, a test for NULL or of a boolean
//     column, a filter that may be left out, a comparison of columns, the keys of a list. A queue is an exception: a query that takes
//     the next few rows FOR UPDATE and reads past all that were done. An index of the rows whose column IS NULL spares it that;
//   - a foreign key whose referring rows can't be found by an index;
//   - a table without a primary key;
//   - an index that no query and no foreign key needs: it isn't used, or another one does as well. Of an index that can't
//     be shown to be useless nothing is said: a query that filters rows by it would filter others without it;
//   - an excuse, of a query or an index, that excuses nothing. One for a sort or a filter of which nothing is said does no harm.
//
// A partitioned table is judged as one: a read of its partitions is a read of it, and their indexes are its index. A view is
// judged by the tables that it reads, a materialized view as a table, and a function by what the planner sees of it: the query
// of one that it puts in its place, and otherwise nothing. A CALL, a REFRESH and other statements that have no plan are left out.
//
// The tables should be empty and never have been analysed: the planner then takes the same things for granted of every
// table, so that what it chooses depends on the SQL and the indexes alone. A transaction is rolled back at the end. It
// creates and drops indexes, and so keeps others from the tables: the database should not be one in use. It fails when it has
// to wait five seconds for a lock that somebody holds.
func Check(ctx context.Context, db DB, known *dbtx.Metadata) (Report, error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("check plans: %w", err)
	}
	defer settings.Rollback(ctx, tx) //nolint:errcheck // nothing is to be kept

	c := checker{tx: tx}
	if err := c.check(ctx, known); err != nil {
		return Report{}, fmt.Errorf("check plans: %w", err)
	}

	return c.report, nil
}

// plannerSettings let the planner choose what needs an index wherever there is one. They make every
// plan without an index expensive and forbid none, so what is chosen in spite of them can use no index. The arguments are NULL, for
// which PostgreSQL would leave out every partition.
const plannerSettings = `
SET LOCAL lock_timeout = '5s';
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_partition_pruning = off;
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL jit = off`

type checker struct {
	tx      pgx.Tx
	schema  string // the current one, quoted
	indexes map[string]index
	quoted  map[string]string // a table's name as SQL has it
	whole   map[string]string // of a partition, the table that it is a part of; of its index, the index of that
	plans   []planned
	report  Report
}

func (c *checker) check(ctx context.Context, known *dbtx.Metadata) error {
	if err := c.tx.Conn().PgConn().Exec(ctx, plannerSettings).Close(); err != nil {
		return err
	}
	indexes, keys, err := c.read(ctx)
	if err != nil {
		return err
	}
	var statements []statement
	for _, q := range known.Queries {
		if q.Command != dbtx.Copyfrom && !q.Utility { // which have no plan
			statements = append(statements, statement{name: q.Name, sql: q.SQL, params: len(q.Params), excuses: q.Plans})
		}
	}
	excused := map[string][]string{}
	for _, t := range known.Tables {
		for _, i := range t.Indexes {
			excused[i.Name] = append(excused[i.Name], i.Plans...)
		}
	}
	for _, s := range append(statements, keys...) {
		p, err := c.plan(ctx, s)
		if err != nil {
			return err
		}
		if err := c.judge(ctx, p); err != nil {
			return err
		}
		c.plans = append(c.plans, p)
		if len(p.reads) == 0 {
			p.reads = []Read{{Statement: s.name}}
		}
		c.report.Reads = append(c.report.Reads, p.reads...)
	}
	for _, i := range indexes {
		problem, err := c.useless(ctx, i)
		switch excuses := excused[i.Name]; {
		case err != nil:
			return err
		case problem == "":
			for _, excuse := range excuses {
				c.find("index "+i.Name, "needs no excuse: -- +plan "+excuse, "")
			}
		case len(excuses) == 0:
			c.find("index "+i.Name, problem, i.drop()+";")
			if _, err := c.tx.Exec(ctx, i.drop()); err != nil {
				return err
			}
		}
	}

	return nil
}

// read returns the indexes and foreign keys of the current schema, and reports the tables without a primary key. It leaves
// the search_path as it was.
func (c *checker) read(ctx context.Context) (indexes []index, keys []statement, err error) {
	path, err := settings.Look(ctx, c.tx)
	if err != nil {
		return nil, nil, err
	}
	if len(path.Schemas) == 0 {
		return nil, nil, errors.New("the search_path names no schema that exists and that the role may use")
	}
	c.schema = pgx.Identifier{path.Schemas[0]}.Sanitize()
	before, err := settings.Seal(ctx, c.tx, "")
	if err != nil {
		return nil, nil, err
	}
	if indexes, err = c.readIndexes(ctx, path.Setting); err != nil {
		return nil, nil, err
	}
	if err := c.primaryKeys(ctx); err != nil {
		return nil, nil, err
	}
	if keys, err = c.foreignKeys(ctx); err != nil {
		return nil, nil, err
	}
	if err := c.addPartitions(ctx); err != nil {
		return nil, nil, err
	}
	if err := c.readParents(ctx); err != nil {
		return nil, nil, err
	}

	return indexes, keys, settings.Restore(ctx, c.tx, before)
}

// judge reports what is wrong with a plan and not excused, and the excuses that nothing needs.
func (c *checker) judge(ctx context.Context, p planned) error {
	if p.refusal != "" {
		c.find(p.name, "can't be planned: "+p.refusal, "")

		return nil
	}
	used := make([]bool, len(p.excuses))
	for _, w := range p.wrongs {
		if i := w.excusedBy(p.excuses); i >= 0 {
			used[i] = true

			continue
		}
		remedy, err := c.remedy(ctx, p, w)
		if err != nil {
			return err
		}
		if remedy != "" || w.whole() {
			c.find(p.name, w.String(), remedy)
		}
	}
	for i, excuse := range p.excuses {
		if !used[i] {
			c.find(p.name, "needs no excuse: -- +plan "+excuse, "")
		}
	}

	return nil
}

func (c *checker) find(of, problem, remedy string) {
	c.report.Findings = append(c.report.Findings, Finding{of, problem, remedy})
}

// remedy returns the index that leaves the fewest things wrong, as shown by making it; "" if this one thing is mended by none.
func (c *checker) remedy(ctx context.Context, p planned, w wrong) (string, error) {
	const name = "plans_candidate"
	defer delete(c.indexes, name)
	if w.hopeless() {
		return "", nil
	}
	best, remedy := p, ""
	predicates := []string{""}
	if w.where != "" {
		predicates = append(predicates, w.where)
	}
	for _, columns := range w.candidates() {
		for _, predicate := range predicates {
			on := " ON " + cmp.Or(c.quoted[w.table], w.table) + " (" + strings.Join(columns, ", ") + ")"
			words := columns
			if predicate != "" {
				on += " WHERE " + unwrapped(predicate)
				words = append(slices.Clone(columns), strings.ToLower(predicate))
			}
			c.indexes[name] = index{Name: name, Table: w.table, Of: w.table, Ordered: true, Columns: bare(columns), Predicate: predicate}
			after, err := c.with(ctx, "CREATE INDEX "+name+on, p.statement)
			if err != nil {
				return "", err
			}
			if p.mended(w, after) && (remedy == "" || after.compare(best) < 0) {
				best, remedy = after, "CREATE INDEX "+indexName(w.table, words)+on+";"
			}
			if remedy != "" && len(best.unexcused()) == 0 && len(best.reads) <= len(p.reads) {
				return remedy, nil
			}
		}
	}

	return remedy, nil
}

// useless says why nothing would suffer from the absence of an index; "" when something may. A unique one keeps a rule, too,
// and stays unless another keeps the same. A useless one that has no excuse is dropped by the caller, so that of two that are
// the same one is needed.
func (c *checker) useless(ctx context.Context, i index) (problem string, err error) {
	if i.Rule && i.Implied == "" {
		return "", nil
	}
	// Another table's foreign key may hold on to it.
	if p, err := c.with(ctx, i.drop(), statement{sql: "SELECT"}); err != nil || p.refusal != "" {
		return "", err
	}
	without := slices.Clone(c.plans)
	used := false
	for n, before := range c.plans {
		if !slices.Contains(before.indexes(), i.Name) {
			continue
		}
		used = true
		after, err := c.with(ctx, i.drop(), before.statement)
		if err != nil {
			return "", err
		}
		// What is wrong with the table without the index is new, or is as wrong with it: how many rows either reads is not known.
		if after.refusal != "" || slices.ContainsFunc(after.unexcused(), func(w wrong) bool {
			return !slices.ContainsFunc(before.wrongs, w.same)
		}) || slices.ContainsFunc(after.wrongs, func(w wrong) bool { return w.table == i.Of && w.kind != sorts }) {
			return "", nil
		}
		without[n] = after
	}
	c.plans = without
	problem = "isn't used by any query or foreign key"
	switch {
	case i.Implied != "":
		problem = "keeps no rule that " + i.Implied + " doesn't, and no query or foreign key needs it"
	case i.Longer != "":
		problem = "isn't needed beside " + i.Longer
	case used:
		problem = "isn't needed: every query and foreign key has another that does as well"
	}

	return problem, nil
}

// partitioned says whether a table has partitions.
func (c *checker) partitioned() bool {
	for name, whole := range c.whole {
		if name != whole {
			return true
		}
	}

	return false
}

// errUndo rolls back what was only tried.
var errUndo = errors.New("undo")

// with plans the statement as it would be after a change, which is undone. A change that can't be made leaves no
// plan either.
func (c *checker) with(ctx context.Context, change string, s statement) (p planned, err error) {
	quoted, whole := c.quoted, c.whole
	defer func() { c.quoted, c.whole = quoted, whole }()
	err = pgx.BeginFunc(ctx, c.tx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, change); err != nil {
			if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
				p.refusal, err = refusal.Error(), errUndo
			}

			return err
		}
		if c.partitioned() { // the partitions have got indexes, too
			if err := c.readParents(ctx); err != nil {
				return err
			}
		}
		if p, err = c.plan(ctx, s); err != nil {
			return err
		}

		return errUndo
	})
	if errors.Is(err, errUndo) {
		err = nil
	}

	return p, err
}
