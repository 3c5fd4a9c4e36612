package plans

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// statement is what is planned: a query, or the look-up that a foreign key makes.
type statement struct {
	name    string
	sql     string // as it is sent
	params  int
	excuses []string // "filters books: …"
}

// plan returns the generic plan of a statement: the one for any arguments. One that can't be planned has the reason.
func (c *checker) plan(ctx context.Context, s statement) (planned, error) {
	p, err := c.planWith(ctx, s, "off")
	if err != nil || p.certain() == [2]int{} {
		return p, err
	}
	// A table was perhaps read in a bad way, only so that it needn't be sorted.
	sorted, err := c.planWith(ctx, s, "on")
	if err != nil {
		return p, err
	}
	if less(sorted.certain(), p.certain()) {
		p = sorted
	}

	return c.byOthers(ctx, p)
}

// byOthers returns the plan that a statement has without the indexes of which it makes bad use, if that is better. On an empty table
// the way by one index costs the planner as much as by another, so it may take one that only fits the query's predicate, or its
// order, where another finds the rows.
func (c *checker) byOthers(ctx context.Context, p planned) (planned, error) {
	for _, w := range p.wrongs {
		i, ok := c.indexes[w.index]
		if !ok || w.late || w.excusedBy(p.excuses) >= 0 {
			continue
		}
		other, err := c.with(ctx, i.drop()+" CASCADE", p.statement)
		if err != nil {
			return p, err
		}
		if other.refusal == "" && (less(other.certain(), p.certain()) || other.certain() == p.certain() && other.whole() < p.whole()) {
			return other, nil
		}
	}

	return p, nil
}

func less(a, b [2]int) bool { return slices.Compare(a[:], b[:]) < 0 }

func (c *checker) planWith(ctx context.Context, s statement, sort string) (planned, error) {
	p := planned{statement: s}
	text, err := c.explain(ctx, s, sort)
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		p.refusal = refusal.Error()

		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("%s: %w", s.name, err)
	}

	return p, p.explained(text, c.indexes, c.whole)
}

// explain returns what EXPLAIN prints of a statement. It leaves nothing behind, also when the server refuses the statement. The
// savepoint is a message of its own: of one with a syntax error the server runs nothing.
func (c *checker) explain(ctx context.Context, s statement, sort string) ([]byte, error) {
	const name = "plans_statement"
	arguments := ""
	if s.params > 0 { // a generic plan takes no notice of them
		arguments = "(NULL" + strings.Repeat(", NULL", s.params-1) + ")"
	}
	conn := c.tx.Conn().PgConn()
	if err := conn.Exec(ctx, "SAVEPOINT "+name).Close(); err != nil {
		return nil, err
	}
	results, err := conn.Exec(ctx, "SET LOCAL enable_sort = "+sort+"; SET LOCAL enable_incremental_sort = "+sort+
		"; PREPARE "+name+" AS\n"+s.sql+
		"\n; EXPLAIN (VERBOSE, COSTS off, FORMAT json) EXECUTE "+name+arguments+
		"; DEALLOCATE "+name+"; RELEASE "+name).ReadAll()
	if err != nil {
		return nil, errors.Join(err, conn.Exec(ctx, "ROLLBACK TO "+name).Close(), conn.Deallocate(ctx, name))
	}
	for _, result := range results {
		if len(result.Rows) > 0 {
			return result.Rows[0][0], nil
		}
	}

	return nil, errors.New("EXPLAIN printed nothing")
}
