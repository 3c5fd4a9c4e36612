// Package db holds the SQL that everything else is made from: the schema and the queries. Both folders are embedded
// whole, so a file that is added is a file that is seen.
package db

import "embed"

// Schema holds schema/*.sql, a file per table, applied in the order of their names.
//
//go:embed schema/*.sql
var Schema embed.FS

// Queries holds queries/*.sql, a file per table: the source that sqlc reads. The parameters' names are here, which
// the generated code has turned into numbers.
//
//go:embed queries/*.sql
var Queries embed.FS
