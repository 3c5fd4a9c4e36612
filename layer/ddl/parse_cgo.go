//go:build !windows && cgo

package ddl

import (
	pgquery "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
)

// Parse is PostgreSQL's parser, in the build that sqlc itself uses: it is compiled once. Deparse turns a tree into SQL.
var (
	Parse   = pgquery.Parse
	Deparse = pgquery.Deparse
	scan    = pgquery.Scan
)

// Error is an error of the parser, with the place in the text.
type Error = parser.Error
