package dbtx

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// Keyed is what the generated queries of a store run on, if this is the only one, with the mark +keyed.
func Keyed(r *Store, sql string) *conn {
	c := r.conn
	c.known = newCatalogue(&Metadata{Queries: []*Query{{SQL: sql, Write: true, Keyed: true}}})

	return &c
}

// Knowing is what the generated queries of a store run on, if these are all, with the functions that derive columns.
func Knowing(r *Store, known *Metadata, derivations map[string]Derivation) *conn {
	c := r.conn
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

// Operation returns a query's name in words.
func Operation(m *Metadata, sql string) string { return m.known().operation(sql) }

// Reads reports whether a statement changes nothing.
func Reads(m *Metadata, sql string) bool { return m.known().reads(sql) }

// WritesTo reports whether a statement inserts or updates rows of a table.
func WritesTo(m *Metadata, sql, table string) bool { return m.known().writesTo(sql, table) }

// ParamOf returns the name of a parameter.
func ParamOf(m *Metadata, sql string, i int) string { return m.known().param(sql, i) }

// Gathers says whether look-ups of a store can be gathered.
func Gathers(r *Store) bool { return r.conn.gatherer != nil }

// SetPatience makes the pipelining of a store wait so long for a slow look-up, and take any for quick.
func SetPatience(r *Store, d time.Duration) {
	r.conn.gatherer.patience, r.conn.gatherer.quick = d, time.Hour
}

// Unsharded returns the known name that a name is, or that it is on a shard.
var Unsharded = unsharded[bool]

// FillIn gives the arguments of a query their defaults.
func FillIn(db DBTX, sql string, args []any) error {
	c := db.(*conn)

	return c.fill(c.known.Query(sql), args)
}
