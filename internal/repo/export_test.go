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

var (
	Operation = operation
	Reads     = reads
	Param     = param
	Midnight  = midnight
)
