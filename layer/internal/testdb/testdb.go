// Package testdb is the store of the layer's own tests: a newsstand with readers, papers, their articles, sales and invitations. It is
// no example of how a store should look.
package testdb

import (
	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb/dbgen"
)

// Store returns what the generated queries of r run on.
func Store(r *Repo) *dbtx.Store { return r.store }

// Generated is the generated code of a store, with nothing of this package's before it.
func Generated(r *Repo) dbgen.Querier { return r.querier }
