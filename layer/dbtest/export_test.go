package dbtest

import (
	"testing"
	"time"

	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
	"github.com/peterldowns/pgtestdb"
)

// Recycler is one whose databases no other test has.
type Recycler = recycler

// Database is one of them.
type Database = database

// ScriptSQL writes the script that empties a database and returns its state.
const ScriptSQL = "SELECT sweep || state FROM (" + lookSQL + ") AS look (sweep, state)"

// NewRecycler returns a recycler that takes a session which is still there after a time for one that was leaked.
func NewRecycler(tb testing.TB, m *dbtx.Metadata, patience time.Duration) *Recycler {
	tb.Helper()
	r := &recycler{template: bootstrapped{m}, patience: patience}
	tb.Cleanup(r.dropAll)

	return r
}

// Take returns a database until the end of the test.
func (r *recycler) Take(tb testing.TB) (*Database, error) {
	tb.Helper()

	return r.take(tb)
}

// TakeBackUnseen keeps a database for the next test, whatever is in it: the naive variant.
func (r *recycler) TakeBackUnseen(d *Database) { r.push(d) }

// Clone returns a URL as URL does, of a clone that nobody has had.
func Clone(tb testing.TB, m *dbtx.Metadata) (string, error) {
	tb.Helper()

	return clone(tb, bootstrapped{m})
}

// URL returns the database's.
func (d *database) URL() string { return d.url }

// ConfigOf returns what pgtestdb gets of a DATABASE_URL.
func ConfigOf(base string, config *pgx.ConnConfig) (pgtestdb.Config, error) {
	return testConfig(base, config)
}
