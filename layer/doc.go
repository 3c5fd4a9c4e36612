// Package layer is the part of musicstore that works for any schema: it turns hand-written schema and query SQL into a data layer, with
// sqlc and pgx. It has no code. The packages are in its folders:
//
//   - dbtx runs the generated queries, with defaults, typed errors, retries, transactions, tracing, pipelining, and an echo: it prints
//     each statement.
//   - schema creates the objects of a store's schema files, says what differs from them, migrates to them, and says whether a program can
//     work on what is there. It draws them, and grants what the queries need.
//   - private has types of values that must not be shown.
//   - plans checks that every query uses an index, and that every index is needed. On a database in use, it runs a query to print its
//     plan, and lists the queries that take most of the server's time.
//   - localpg is a private PostgreSQL server. dbtest gives every test a database of its own.
//   - generate is the program that runs sqlc and writes the rest of the Go code.
//   - ddl, settings and wireproxy serve the others and their tests.
//
// A store of another module uses the packages by a replace or a workspace, because the path of this module can't be fetched.
//
// # What is stable
//
// These names are stable. If one changes, the old one works for one more release, and CHANGELOG says so: what is exported by private,
// schema, plans, localpg and dbtest; dbtx.Open, New, SQL, Store, the options, TxOptions, Settings, Metrics, NewMetrics, the errors, Derive,
// Derive2, Derive3, Wrap, Underived, Unstorable, Page, MaxPage, List, Walk; the forms of sqlc.yaml, defaults.yaml and the marks that generate
// reads; and what is exported by the code that it writes.
//
// What only generated code uses may change with the generator: dbtx.Metadata and the types in it. Run the generator again after each update of musicstore.
// ddl, settings, wireproxy and dbtx/dbtxtest serve the layer and its tests, and may change at any time.
package layer
