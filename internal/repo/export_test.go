package repo

import (
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Conn is what the generated queries of a store run on.
func Conn(r *Repo) *conn { return r.conn }

// Keyed is what those run on that carry their own key.
func Keyed(r *Repo) *conn {
	c := *r.conn
	c.keyed = true

	return &c
}

// Decoded says whether rows were read without pgx's Scan.
func Decoded(rs pgx.Rows) bool {
	r, ok := rs.(*rows)

	return ok && !r.scanned
}

// ConstraintsInWords are the constraints that constraints.go has words for.
func ConstraintsInWords() []Constraint { return slices.Collect(maps.Keys(refusals)) }

var (
	Operation = operation
	Reads     = reads
	WritesTo  = writesTo
	Param     = param
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
	for name, of := range knownNames().rules {
		tables[name] = of.table
	}

	return tables
}
