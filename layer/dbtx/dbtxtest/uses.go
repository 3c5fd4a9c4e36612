// Package dbtxtest has what tests of stores share: it calls every generated query, asks PostgreSQL what queries do, and has the helpers
// of tests of races and faults.
package dbtxtest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// anyColumn stands for one column, whichever.
const anyColumn = ""

var (
	needs = regexp.MustCompile(`:requiredPerms (\d+) :checkAsUser \d+ :selectedCols \(b([ \d]*)\) :insertedCols \(b([ \d]*)\) :updatedCols \(b([ \d]*)\)`)
	relid = regexp.MustCompile(`:relid (\d+) `)
)

// Uses returns what PostgreSQL finds that a query does with the tables and views of the schema public, in the order of
// their names. It makes the query the body of an SQL function, which the server keeps as it was analysed, with the
// privileges that it needs, and rolls that back. The query has parameters as $1.
func Uses(ctx context.Context, db *pgx.Conn, sql string) (uses []dbtx.Use, err error) {
	prepared, err := db.Prepare(ctx, "", sql)
	if err != nil {
		return nil, err
	}
	tx, err := db.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback(context.WithoutCancel(ctx))) }()
	types := make([]string, len(prepared.ParamOIDs))
	for i, oid := range prepared.ParamOIDs {
		if err := tx.QueryRow(ctx, "SELECT $1::oid::regtype::text", oid).Scan(&types[i]); err != nil {
			return nil, err
		}
	}
	body := strings.TrimSuffix(strings.TrimSpace(sql), ";")
	if _, err := tx.Exec(ctx, "CREATE FUNCTION analysed("+strings.Join(types, ", ")+") RETURNS void BEGIN ATOMIC "+body+"\n; END"); err != nil {
		return nil, err
	}
	if err := tx.QueryRow(ctx, "SELECT prosqlbody::text FROM pg_proc WHERE proname = 'analysed'").Scan(&body); err != nil {
		return nil, err
	}
	tables, err := readTables(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, at := range needs.FindAllStringSubmatchIndex(body, -1) {
		perms, err := strconv.Atoi(body[at[2]:at[3]])
		if err != nil {
			return nil, err
		}
		relids := relid.FindAllStringSubmatch(body[:at[0]], -1)
		if perms == 0 || len(relids) == 0 {
			continue
		}
		t, ok := tables[relids[len(relids)-1][1]]
		if !ok {
			continue // a function or a query, which comes behind the table before it
		}
		uses = t.note(uses, perms, body[at[4]:at[5]], body[at[6]:at[7]], body[at[8]:at[9]])
	}
	slices.SortFunc(uses, func(a, b dbtx.Use) int { return strings.Compare(a.Table, b.Table) })

	return uses, nil
}

type table struct {
	name    string
	columns map[int]string // by their numbers; those of the system have negative ones
}

// readTables returns the tables and views by their oids.
func readTables(ctx context.Context, tx pgx.Tx) (map[string]table, error) {
	rows, err := tx.Query(ctx, `SELECT attrelid::text, attnum, relname::text, attname::text FROM pg_attribute
		JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')`)
	if err != nil {
		return nil, err
	}
	tables := map[string]table{}
	var oid, name, column string
	var number int
	_, err = pgx.ForEachRow(rows, []any{&oid, &number, &name, &column}, func() error {
		if tables[oid].columns == nil {
			tables[oid] = table{name, map[int]string{}}
		}
		tables[oid].columns[number] = column

		return nil
	})

	return tables, err
}

// note adds what a query does with the table. The privileges are bits of PostgreSQL's AclMode.
func (t table) note(uses []dbtx.Use, perms int, selected, inserted, updated string) []dbtx.Use {
	at := slices.IndexFunc(uses, func(u dbtx.Use) bool { return u.Table == t.name })
	if at < 0 {
		at, uses = len(uses), append(uses, dbtx.Use{Table: t.name})
	}
	u := &uses[at]
	u.Select = t.add(u.Select, selected)
	u.Insert = t.add(u.Insert, inserted)
	u.Update = t.add(u.Update, updated)
	u.Read = u.Read || perms&2 != 0
	if perms&1 != 0 && strings.TrimSpace(inserted) == "" {
		u.Insert = append(u.Insert, anyColumn)
	}
	u.Delete = u.Delete || perms&8 != 0
	u.Lock = u.Lock || perms&4 != 0 && strings.TrimSpace(updated) == ""

	return uses
}

// add adds the columns of a set of bits, which begin at the lowest number of a column of the system.
func (t table) add(columns []string, bits string) []string {
	const first = -7
	for bit := range strings.FieldsSeq(bits) {
		n, _ := strconv.Atoi(bit)
		for number, name := range t.columns {
			whole := n+first == 0 && number > 0
			if (number == n+first || whole) && !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}

	return columns
}

// Compare returns how what was found out about a query differs from what Uses returned: got must have all that want has,
// and nothing else than perhaps more columns that are read.
func Compare(want, got []dbtx.Use) error {
	var all []error
	for _, table := range tablesOf(slices.Concat(want, got)) {
		w, g := of(want, table), of(got, table)
		if len(w.Insert) == 1 && w.Insert[0] == anyColumn && len(g.Insert) == 1 {
			w.Insert = g.Insert
		}
		for _, column := range w.Select {
			if !slices.Contains(g.Select, column) {
				all = append(all, fmt.Errorf("%s.%s is read", table, column))
			}
		}
		if w.Read && !g.Read && len(g.Select) == 0 {
			all = append(all, fmt.Errorf("%s is read", table))
		}
		if !Same(w.Insert, g.Insert) {
			all = append(all, fmt.Errorf("inserts into %s: want %v, got %v", table, w.Insert, g.Insert))
		}
		if !Same(w.Update, g.Update) {
			all = append(all, fmt.Errorf("updates of %s: want %v, got %v", table, w.Update, g.Update))
		}
		if w.Delete != g.Delete {
			all = append(all, fmt.Errorf("deletes of %s: want %t, got %t", table, w.Delete, g.Delete))
		}
		if w.Lock != g.Lock {
			all = append(all, fmt.Errorf("locks of %s: want %t, got %t", table, w.Lock, g.Lock))
		}
	}

	return errors.Join(all...)
}

// Same reports that two lists have the same columns.
func Same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func tablesOf(uses []dbtx.Use) (names []string) {
	for _, u := range uses {
		if !slices.Contains(names, u.Table) {
			names = append(names, u.Table)
		}
	}

	return names
}

func of(uses []dbtx.Use, table string) dbtx.Use {
	for _, u := range uses {
		if u.Table == table {
			return u
		}
	}

	return dbtx.Use{Table: table}
}

// RequireUses fails the test unless the metadata has of each query what PostgreSQL finds of it.
func RequireUses(tb testing.TB, db *pgx.Conn, m *dbtx.Metadata) {
	tb.Helper()
	for _, q := range m.Queries {
		sql := q.SQL
		if q.Command == dbtx.Copyfrom { // its SQL is never sent
			columns, values := make([]string, len(q.Params)), make([]string, len(q.Params))
			for i, p := range q.Params {
				columns[i], values[i] = p.Assigned[0].Column, "$"+strconv.Itoa(i+1)
			}
			sql = "INSERT INTO " + q.Uses[0].Table + " (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
		}
		want, err := Uses(tb.Context(), db, sql)
		require.NoError(tb, err, q.Name)
		require.NoError(tb, Compare(want, q.Uses), q.Name)
		require.Len(tb, q.Uses, len(want), q.Name)
		for _, u := range want {
			at := slices.IndexFunc(q.Uses, func(of dbtx.Use) bool { return of.Table == u.Table })
			require.ElementsMatch(tb, u.Select, q.Uses[at].Select, "%s reads of %s", q.Name, u.Table)
		}
	}
}
