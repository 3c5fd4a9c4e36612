package repo

import (
	"maps"
	"slices"
)

// Conn is what the generated queries of a store run on.
func Conn(r *Repo) *conn { return r.conn }

// Keyed is what those run on that carry their own key.
func Keyed(r *Repo) *conn {
	c := *r.conn
	c.keyed = true

	return &c
}

// ConstraintsInWords are the constraints that constraints.go has words for.
func ConstraintsInWords() []Constraint { return slices.Collect(maps.Keys(refusals)) }

// QueryNames are the names of the queries of db/queries.
func QueryNames() []string { return slices.Collect(maps.Keys(sources())) }

var (
	Operation = operation
	Reads     = reads
	Param     = param
	Midnight  = midnight
)
