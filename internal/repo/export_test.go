package repo

import (
	"maps"
	"slices"
	"time"

	"musicstore/internal/dbgen"
	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
)

// Conn is what the generated queries of a store run on.
func Conn(r *Repo) *conn { return r.conn }

// Generated is the generated code of a store, with nothing of this package's before it.
func Generated(r *Repo) dbgen.Querier { return r.querier }

// Keyed is what the generated queries of a store run on, if this is the only one, with the mark +keyed.
func Keyed(r *Repo, sql string) *conn {
	c := *r.conn
	c.known = newCatalogue(&dbtx.Metadata{Queries: []*dbtx.Query{{SQL: sql, Write: true, Keyed: true}}})

	return &c
}

// Knowing is what the generated queries of a store run on, if these are all, with the functions that derive columns.
func Knowing(r *Repo, known *dbtx.Metadata, derivations map[string]dbtx.Derivation) *conn {
	c := *r.conn
	d := *c.defaults
	d.derivations = derivations
	c.known, c.defaults, c.guard = newCatalogue(known), &d, newGuard(known)

	return &c
}

// Decoded says whether rows were read without pgx's Scan.
func Decoded(rs pgx.Rows) bool {
	r, ok := rs.(*rows)

	return ok && !r.scanned
}

// ConstraintsInWords are the constraints that there are words for.
func ConstraintsInWords() []Constraint { return slices.Collect(maps.Keys(known().words)) }

var (
	Operation = known().operation
	Reads     = known().reads
	WritesTo  = known().writesTo
	Param     = known().param
	Midnight  = midnight
)

// Gathers says whether look-ups of a store can be gathered.
func Gathers(r *Repo) bool { return r.conn.gatherer != nil }

// SetPatience makes the pipelining of a store wait so long for a slow look-up, and take any for quick.
func SetPatience(r *Repo, d time.Duration) {
	r.conn.gatherer.patience, r.conn.gatherer.quick = d, time.Hour
}

// Unsharded returns the known name that a name is, or that it is on a shard.
var Unsharded = unsharded[bool]

// KnownConstraints returns the constraints that the schema's files name, with their tables.
func KnownConstraints() map[string]string {
	tables := map[string]string{}
	for name, of := range known().rules {
		tables[name] = of.table
	}

	return tables
}

// Fill gives the arguments of a query their defaults.
func Fill(c *conn, sql string, args []any) error { return c.fill(c.known.Query(sql), args) }
