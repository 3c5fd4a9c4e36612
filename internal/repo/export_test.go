package repo

import (
	"musicstore/internal/dbgen"
	"musicstore/layer/dbtx"
)

// Store returns what the generated queries of r run on.
func Store(r *Repo) *dbtx.Store { return r.store }

// Generated is the generated code of a store, with nothing of this package's before it.
func Generated(r *Repo) dbgen.Querier { return r.querier }

// Midnight is the first instant of a date.
var Midnight = midnight
