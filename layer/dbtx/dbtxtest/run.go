package dbtxtest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Queries are the generated queries of a store. Tests call each of them without naming any: the metadata says which there are, and
// where the values of their parameters belong.
type Queries struct {
	Metadata *dbtx.Metadata
	On       func(*dbtx.Store) any // returns the generated code on a store: dbgen.New(store.DBTX())

	// Samples are texts of values that the constraints of a column allow, by "table.column" or "Query.parameter". A % in a text is
	// replaced by a new id. Without a sample a text is a new id, a number is 1, and a time is one of the year 2024.
	Samples map[string]string
}

// Ran is a query that was called, with its error.
type Ran struct {
	Query string
	Err   error
}

// Typed reports whether a query that ended so has run: without an error, or refused for its values alone. What Queries guesses of a
// value need not be what a table takes.
func Typed(err error) bool {
	return err == nil || errors.Is(err, dbtx.ErrNotFound) || errors.Is(err, dbtx.ErrInvalid) || errors.Is(err, dbtx.ErrRowsNotKept) ||
		errors.As(err, new(*dbtx.ConstraintError))
}

// Run is a series of calls that use the rows of the calls before. It is for one goroutine. Any number of them may work on a database.
type Run struct {
	*Queries

	known  map[dbtx.ColumnOf]reflect.Value // of a row that is there
	number int                             // of the last unique number
	enums  map[string]string               // the first label of each enum; nil until it is read
}

// New begins a series of calls, with no row.
func (q *Queries) New() *Run {
	return &Run{Queries: q, known: map[dbtx.ColumnOf]reflect.Value{}}
}

// Every calls every query once, those that insert first and those that delete last, and returns how each ended. What is inserted so
// that something can be deleted is not returned.
func (q *Queries) Every(ctx context.Context, store *dbtx.Store) (ran []Ran) {
	for r := range q.New().every(ctx, store) {
		ran = append(ran, r)
	}

	return ran
}

// EveryOrError is Every, and ends with the first error that is not Typed.
func (q *Queries) EveryOrError(ctx context.Context, store *dbtx.Store) error {
	for r := range q.New().every(ctx, store) {
		if !Typed(r.Err) {
			return fmt.Errorf("%s: %w", r.Query, r.Err)
		}
	}

	return nil
}

func (r *Run) every(ctx context.Context, store *dbtx.Store) iter.Seq[Ran] {
	return func(yield func(Ran) bool) {
		inserts := r.inserts()
		rest := slices.DeleteFunc(slices.Clone(r.Metadata.Queries), func(q *dbtx.Query) bool { return slices.Contains(inserts, q) })
		for _, q := range inserts {
			if !yield(Ran{q.Name, r.Call(ctx, store, q)}) {
				return
			}
		}
		for len(rest) > 0 {
			at := max(0, slices.IndexFunc(rest, r.ready)) // the next whose row is there
			q := rest[at]
			rest = slices.Delete(rest, at, at+1)
			if !yield(Ran{q.Name, r.Call(ctx, store, q)}) {
				return
			}
		}
	}
}

// Seed makes a new row of each table that a query inserts into, for the calls that follow. It returns the first error that is not
// Typed.
func (r *Run) Seed(ctx context.Context, store *dbtx.Store) error {
	for _, q := range r.inserts() {
		if err := r.Call(ctx, store, q); !Typed(err) {
			return err
		}
	}

	return nil
}

// inserts returns the queries that insert, in the order of their tables.
func (r *Run) inserts() []*dbtx.Query {
	order := func(table string) int {
		return slices.IndexFunc(r.Metadata.Tables, func(t *dbtx.Table) bool { return t.Name == table })
	}
	inserts := slices.DeleteFunc(slices.Clone(r.Metadata.Queries), func(q *dbtx.Query) bool { return insertsInto(q) == "" })
	slices.SortStableFunc(inserts, func(a, b *dbtx.Query) int {
		return cmp.Compare(order(insertsInto(a)), order(insertsInto(b)))
	})

	return inserts
}

func insertsInto(q *dbtx.Query) string {
	for _, u := range q.Uses {
		if len(u.Insert) > 0 {
			return u.Table
		}
	}

	return ""
}

func deletesFrom(q *dbtx.Query) string {
	for _, u := range q.Uses {
		if u.Delete {
			return u.Table
		}
	}

	return ""
}

// deletes reports whether a query deletes rows, and puts none in their place.
func deletes(q *dbtx.Query) bool { return deletesFrom(q) != "" && insertsInto(q) == "" }

// ready reports whether a query that deletes nothing finds a row.
func (r *Run) ready(q *dbtx.Query) bool {
	for _, p := range q.Params {
		for _, of := range p.Compared {
			if _, ok := r.known[of]; !ok {
				return false
			}
		}
	}

	return !deletes(q)
}

// Call calls a query with values that are like those of a real caller: new ones for what it inserts, and those of the row that is
// there for what it compares. A query that deletes gets a row of its own. On a transaction the call is in a savepoint, so that an
// error ends the call alone.
func (r *Run) Call(ctx context.Context, store *dbtx.Store, q *dbtx.Query) error {
	if _, ok := store.DB().(pgx.Tx); ok {
		return store.InTx(ctx, func(store *dbtx.Store) error { return r.call(ctx, store, q) })
	}

	return r.call(ctx, store, q)
}

func (r *Run) call(ctx context.Context, store *dbtx.Store, q *dbtx.Query) error {
	known := maps.Clone(r.known)
	call, err := r.Prepare(ctx, store, store, q)
	if err == nil {
		err = call(ctx)
	}
	if deletes(q) {
		r.known = known // the row that it deleted was its own
	}

	return err
}

// Prepare returns a call of a query on a store with the values that it has now, after it made, on rows, the row that the query may
// delete. Each call of what it returns sends the same values.
func (r *Run) Prepare(ctx context.Context, rows, on *dbtx.Store, q *dbtx.Query) (func(context.Context) error, error) {
	if deletes(q) {
		for _, other := range r.Metadata.Queries {
			if insertsInto(other) == deletesFrom(q) && other.Command == dbtx.One {
				if err := r.Call(ctx, rows, other); !Typed(err) {
					return nil, err
				}
			}
		}
	}
	method := reflect.ValueOf(r.On(on)).MethodByName(q.Name)
	in := make([]reflect.Value, method.Type().NumIn())
	if len(in) > 1 {
		if err := r.readEnums(ctx, rows.DB()); err != nil {
			return nil, err
		}
		in[1] = r.argument(q, method.Type().In(1))
	}

	return func(ctx context.Context) error {
		in[0] = reflect.ValueOf(ctx)
		out := method.Call(in)
		last, _ := reflect.TypeAssert[error](out[len(out)-1])
		if len(out) == 1 && out[0].Kind() == reflect.Pointer { // of a batch
			return errors.Join(batchErrors(out[0])...)
		}
		if last == nil {
			r.learnArgument(q, in)
			r.learn(q, out[0])
		}

		return last
	}, nil
}

// readEnums reads the labels of the enums, if there are any.
func (r *Run) readEnums(ctx context.Context, db dbtx.DB) error {
	if r.enums != nil || len(r.Metadata.Enums) == 0 {
		return nil
	}
	rows, err := db.Query(ctx, `SELECT typname::text, enumlabel::text FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
		ORDER BY enumsortorder DESC`)
	if err != nil {
		return err
	}
	r.enums = map[string]string{}
	var name, label string
	_, err = pgx.ForEachRow(rows, []any{&name, &label}, func() error {
		r.enums[name] = label

		return nil
	})

	return err
}

// batchErrors reads the results of a batch, and returns their errors.
func batchErrors(results reflect.Value) (errs []error) {
	for _, name := range []string{"Exec", "Query", "QueryRow"} {
		read := results.MethodByName(name)
		if !read.IsValid() {
			continue
		}
		read.Call([]reflect.Value{reflect.MakeFunc(read.Type().In(0), func(args []reflect.Value) []reflect.Value {
			if err, ok := reflect.TypeAssert[error](args[len(args)-1]); ok {
				errs = append(errs, err)
			}

			return nil
		})})
	}

	return errs
}

// argument makes the argument of a query: of one parameter the value, of several a struct with a field each, and of a batch or a COPY
// a list of one.
func (r *Run) argument(q *dbtx.Query, of reflect.Type) reflect.Value {
	v := reflect.New(of).Elem()
	list := q.Command == dbtx.Copyfrom || strings.HasPrefix(q.Command, "batch")
	switch {
	case list:
		v = reflect.MakeSlice(of, 1, 1)
		r.fill(q, v.Index(0))
	default:
		r.fill(q, v)
	}

	return v
}

func (r *Run) fill(q *dbtx.Query, v reflect.Value) {
	if len(q.Params) == 1 && !isParams(q, v.Type()) {
		r.value(q, 0, v)

		return
	}
	for i := range q.Params {
		r.value(q, i, v.Field(i))
	}
}

// isParams reports whether a type is the struct that sqlc makes of the parameters of a query.
func isParams(q *dbtx.Query, t reflect.Type) bool { return t.Name() == q.Name+"Params" }

// value sets what is the value of a parameter of a query. Its default is left to the store.
func (r *Run) value(q *dbtx.Query, i int, v reflect.Value) {
	p := q.Params[i]
	if slices.ContainsFunc(q.Fills, func(f dbtx.Fill) bool { return f.Param == i }) {
		return
	}
	if p.Array && v.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		v = v.Index(0)
	}
	columns := p.Compared
	if len(p.Assigned) > 0 {
		columns = r.referenced(p.Assigned[0])
	}
	for _, of := range columns {
		if known, ok := r.known[of]; ok && known.Type().AssignableTo(v.Type()) {
			v.Set(known)

			return
		}
	}
	sample, ok := r.Samples[q.Name+"."+p.Name]
	for _, of := range slices.Concat(p.Assigned, p.Compared) {
		if !ok {
			sample, ok = r.Samples[of.Table+"."+of.Column]
		}
	}
	if !ok && v.Kind() == reflect.Pointer {
		return // NULL
	}
	if !ok {
		sample = r.guess(p)
	}
	text := strings.ReplaceAll(sample, "%", dbtx.NewID())
	m := pgtype.NewMap()
	if t, ok := m.TypeForName(alias(p.Type)); ok && m.Scan(t.OID, pgtype.TextFormatCode, []byte(text), v.Addr().Interface()) == nil {
		return
	}
	if v.Kind() == reflect.String { // an enum, and what pgx does not know
		v.SetString(text)
	}
}

// aliases are the names that pgx has for types.
var aliases = map[string]string{
	"integer": "int4", "bigint": "int8", "smallint": "int2", "boolean": "bool", "serial": "int4", "bigserial": "int8",
}

func alias(name string) string { return cmp.Or(aliases[name], strings.TrimPrefix(name, "pg_catalog.")) }

// referenced returns the key of the table that a foreign key refers to, and of another column nothing.
func (r *Run) referenced(of dbtx.ColumnOf) (keys []dbtx.ColumnOf) {
	for _, c := range r.constraints(of, dbtx.ForeignKey) {
		for _, t := range r.Metadata.Tables {
			for _, key := range t.Constraints {
				at := slices.Index(c.Columns, of.Column)
				if t.Name == c.References && key.Kind == dbtx.PrimaryKey && len(key.Columns) == len(c.Columns) {
					keys = append(keys, dbtx.ColumnOf{Table: t.Name, Column: key.Columns[at]})
				}
			}
		}
	}

	return keys
}

func (r *Run) constraints(of dbtx.ColumnOf, kinds ...string) (found []dbtx.Constraint) {
	for _, t := range r.Metadata.Tables {
		for _, c := range t.Constraints {
			if t.Name == of.Table && slices.Contains(kinds, c.Kind) && slices.Contains(c.Columns, of.Column) {
				found = append(found, c)
			}
		}
	}

	return found
}

// guess returns the text of a value of a parameter's type.
func (r *Run) guess(p dbtx.Param) string {
	switch alias(p.Type) {
	case "int2", "int4", "int8", "float4", "float8", "numeric":
		if len(p.Assigned) > 0 && len(r.constraints(p.Assigned[0], dbtx.PrimaryKey, dbtx.Unique)) > 0 {
			r.number++

			return strconv.Itoa(r.number)
		}

		return "1"
	case "bool":
		return "f"
	case "timestamptz", "timestamp", "date":
		return "2024-05-01 12:00:00Z"
	case "interval":
		return "1 day"
	case "bytea":
		b := make([]byte, 32) //nolint:mnd // the length of a digest
		_, _ = rand.Read(b)

		return `\x` + hex.EncodeToString(b)
	case "json", "jsonb":
		return "{}"
	case "inet":
		return "192.0.2.7"
	default:
		return cmp.Or(r.enums[p.Type], "%")
	}
}

// learn remembers the columns of a row that a query returned. A row that was only read may be another run's: where its key is another
// than that of the row that is known, nothing of it is remembered.
func (r *Run) learn(q *dbtx.Query, of reflect.Value) {
	if of.Kind() == reflect.Slice && of.Len() > 0 {
		of = of.Index(0)
	}
	if of.Kind() != reflect.Struct || deletes(q) {
		return
	}
	row := map[dbtx.ColumnOf]reflect.Value{}
	others := map[string]bool{}
	for i := range of.NumField() {
		column := of.Type().Field(i).Tag.Get("json")
		for _, u := range q.Uses {
			if !slices.Contains(slices.Concat(u.Select, u.Insert, u.Update), column) {
				continue
			}
			at := dbtx.ColumnOf{Table: u.Table, Column: column}
			row[at] = of.Field(i)
			known, is := r.known[at]
			if is && len(u.Insert)+len(u.Update) == 0 && len(r.constraints(at, dbtx.PrimaryKey)) > 0 &&
				!reflect.DeepEqual(known.Interface(), of.Field(i).Interface()) {
				others[u.Table] = true
			}

			break
		}
	}
	for at, value := range row {
		if !others[at.Table] {
			r.known[at] = value
		}
	}
}

// learnArgument remembers what a query inserted that returned no row.
func (r *Run) learnArgument(q *dbtx.Query, in []reflect.Value) {
	if len(in) < 2 || insertsInto(q) == "" {
		return
	}
	v := in[1]
	if q.Command == dbtx.Copyfrom {
		v = v.Index(0)
	}
	for i, p := range q.Params {
		if v.Kind() != reflect.Struct || i >= v.NumField() {
			return
		}
		for _, of := range p.Assigned {
			if !v.Field(i).IsZero() {
				r.known[of] = v.Field(i)
			}
		}
	}
}
