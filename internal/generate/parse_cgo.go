//go:build !windows && cgo

package main

import (
	pgquery "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
)

// PostgreSQL's parser, in the build that sqlc itself uses: it is compiled once.
var (
	parseSQL = pgquery.Parse
	scanSQL  = pgquery.Scan
)

type parseError = parser.Error
