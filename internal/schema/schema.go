// Package schema is the layer's package schema on the store's own SQL.
package schema

import (
	"context"

	"musicstore/internal/dbgen"
	"musicstore/layer/schema"
)

// DB is a *pgxpool.Pool, a *pgx.Conn or a pgx.Tx.
type DB = schema.DB

// Difference is one thing that is not as db/schema says.
type Difference = schema.Difference

// The errors of Bootstrap, Check and Warnings.
var (
	ErrSettings          = schema.ErrSettings
	ErrUntrusted         = schema.ErrUntrusted
	ErrNoTemporaryTables = schema.ErrNoTemporaryTables
	ErrNoSchema          = schema.ErrNoSchema
)

// Bootstrap creates the tables and indexes of db/schema that are missing, and returns their names. See the layer's Bootstrap.
func Bootstrap(ctx context.Context, db DB) (created []string, err error) {
	return schema.Bootstrap(ctx, db, &dbgen.Metadata)
}

// Check returns what differs from db/schema. See the layer's Check.
func Check(ctx context.Context, db DB) ([]Difference, error) {
	return schema.Check(ctx, db, &dbgen.Metadata)
}

// Grants returns the statements that let a role run every query of db/queries on the tables in the schema of that name. See the
// layer's Grants.
func Grants(role, in string) ([]string, error) { return schema.Grants(role, in, &dbgen.Metadata) }

// Graph returns the tables of the current schema as a Mermaid diagram. See the layer's Graph.
func Graph(ctx context.Context, db DB) (string, error) { return schema.Graph(ctx, db) }

// Warnings returns what is not safe about the session. See the layer's Warnings.
func Warnings(ctx context.Context, db DB) (warnings []string, err error) {
	return schema.Warnings(ctx, db)
}
