// Package schema is the layer's package schema on the store's own SQL.
package schema

import (
	"context"

	"musicstore/internal/dbgen"
	"musicstore/internal/repo"
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

// Fits says whether the queries of db/queries can work on the current schema, with one query. See the layer's Fits.
func Fits(ctx context.Context, db DB) (Fit, error) { return schema.Fits(ctx, db, &dbgen.Metadata) }

// Grants returns the statements that let a role run every query of db/queries on the tables in the schema of that name. See the
// layer's Grants.
func Grants(role, in string) ([]string, error) { return schema.Grants(role, in, &dbgen.Metadata) }

// Graph returns the tables of the current schema as a Mermaid diagram. See the layer's Graph.
func Graph(ctx context.Context, db DB) (string, error) { return schema.Graph(ctx, db) }

// Warnings returns what is not safe about the session. See the layer's Warnings.
func Warnings(ctx context.Context, db DB) (warnings []string, err error) {
	return schema.Warnings(ctx, db)
}

type (
	// Fit says how the version of a schema relates to that of the program.
	Fit = schema.Fit
	// UnfitError says why the program can't work on a schema. It is ErrUnfit.
	UnfitError = schema.UnfitError
	// MigrateOptions say what Migrate may do.
	MigrateOptions = schema.MigrateOptions
	// Plan is what Migrate would do.
	Plan = schema.Plan
	// Step is one step of a plan.
	Step = schema.Step
	// Applied is a step that Migrate has run.
	Applied = schema.Applied
	// RefusedError is a plan that Migrate refuses. It is ErrRefused.
	RefusedError = schema.RefusedError
)

// The versions of a schema, seen from the program.
const (
	FitUnknown = schema.FitUnknown
	FitSame    = schema.FitSame
	FitOlder   = schema.FitOlder
	FitNewer   = schema.FitNewer
)

// ErrUnfit is what errors.Is finds in every *UnfitError.
var ErrUnfit = schema.ErrUnfit

// The errors of Migrate.
var (
	ErrRefused = schema.ErrRefused
	ErrPooler  = schema.ErrPooler
	ErrNoSQL   = schema.ErrNoSQL
	ErrRenamed = schema.ErrRenamed // of Bootstrap
)

// PlanOf returns what Migrate would do. See the layer's PlanOf.
func PlanOf(ctx context.Context, db DB, opts MigrateOptions) (Plan, error) {
	return schema.PlanOf(ctx, db, &dbgen.Metadata, opts)
}

// Migrate brings a database to db/schema, while it is in use. See the layer's Migrate.
func Migrate(ctx context.Context, db DB, opts MigrateOptions) ([]Applied, error) {
	return schema.Migrate(ctx, db, repo.SQL(), opts)
}

// Log returns the steps that Migrate has run. See the layer's Log.
func Log(ctx context.Context, db DB) ([]Applied, error) { return schema.Log(ctx, db, &dbgen.Metadata) }
