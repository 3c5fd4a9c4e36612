//go:build windows || !cgo

package main

import (
	pgquery "github.com/wasilibs/go-pgquery"
	"github.com/wasilibs/go-pgquery/parser"
)

// PostgreSQL's parser, in the build that sqlc itself uses: it is compiled once.
var (
	parseSQL = pgquery.Parse
	scanSQL  = pgquery.Scan
)

type parseError = parser.Error
