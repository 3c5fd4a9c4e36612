// Package dbgen is the Go that sqlc makes of db/schema and db/queries, but for this file: types for rows and parameters,
// and a method a query. It is not edited; `make generate` writes it anew. Only package repo uses it.
package dbgen
