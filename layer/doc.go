// Package layer is the part of musicstore that knows no store: it turns hand-written schema and query SQL into a data layer, with sqlc
// and pgx. It has no code. Its folders are the packages:
//
//   - dbtx is what a store's generated queries run on: defaults, typed errors, retries, transactions, echo, tracing, pipelining.
//   - schema creates the objects of a store's schema files, says what differs from them, draws them, and grants what the queries need.
//   - private has types of values that must not be shown.
//   - plans proves that every query uses an index and that every index has its use.
//   - localpg is a private PostgreSQL server. dbtest gives every test a database of its own.
//   - generate is the program that runs sqlc and writes what sqlc does not know.
//
// A store of another module uses the packages by a replace or a workspace, because the path of this module can't be fetched.
//
// # What is stable
//
// Names that a store's own code uses stay, or keep an alias for one release, and CHANGELOG says so: what is exported by private,
// schema, plans, localpg and dbtest; dbtx.Open, New, SQL, Store, the options, the errors, Derive and its kin, Wrap, Underived,
// Unstorable; the forms of sqlc.yaml, defaults.yaml and the marks that generate reads; and what is exported by the code that it writes.
//
// What only generated code uses may change with the generator: dbtx.Metadata and the types in it. Run make generate after an update.
// ddl, settings, wireproxy and dbtx/dbtxtest serve the layer and its tests, and may change at any time.
package layer
