package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// reread gives the expressions of have the text that those of want have, where only the text is different.
//
// PostgreSQL prints some expressions in another way once it has read its own text again. Examples are BETWEEN inside
// AND, and IN over varchar. So a database that was dumped and restored prints other texts for the same rules. Each text
// settles after one more reading. So both sides are read once more where their texts differ, and compared again.
//
// PostgreSQL reads them as the columns of views, a view as a view, and a function as a function. A view is parsed and
// stored, but not planned: none of the functions in it runs, whoever wrote them.
func reread(ctx context.Context, tx pgx.Tx, s *site, want, have *catalogue) error {
	wanted, had := others(want, have), others(have, want)
	wanted, had = paired(wanted, had), paired(had, wanted)
	if err := readAgain(ctx, tx, s.schema, s.want, wanted); err != nil {
		return err
	}
	if err := readAgain(ctx, tx, s.schema, s.have, had); err != nil {
		return err
	}
	for _, h := range had {
		var same *object
		for _, w := range wanted {
			// What has the same name comes first. What has another may have been renamed.
			if w.again != "" && w.again == h.again && w.Kind == h.Kind && (same == nil || w.Name == h.Name) {
				same = w
			}
		}
		if same != nil {
			h.setExpressions(same.expressions())
		}
	}

	return nil
}

// others returns the objects of a whose expressions are not, letter for letter, those of the same object of b.
func others(a, b *catalogue) []*object {
	texts := map[id][]string{}
	for _, o := range slices.Concat(b.relations, b.parts) {
		texts[o.id()] = o.expressions()
	}
	var found []*object
	for _, objects := range [][]object{a.relations, a.parts} {
		for i := range objects {
			o := &objects[i]
			if e := o.expressions(); len(e) > 0 && !slices.Equal(e, texts[o.id()]) {
				found = append(found, o)
			}
		}
	}

	return found
}

// paired returns the objects of a that b has one of the same kind and table for.
func paired(a, b []*object) []*object {
	has := map[id]bool{}
	for _, o := range b {
		has[id{o.Kind, o.Table, ""}] = true
	}

	return slices.DeleteFunc(slices.Clone(a), func(o *object) bool { return !has[id{o.Kind, o.Table, ""}] })
}

// readAgain lets PostgreSQL read the expressions of the objects and sets again to what it prints then. It leaves again
// empty where PostgreSQL cannot read them: for example, when the role may not use a schema that a name is of.
func readAgain(ctx context.Context, tx pgx.Tx, in, path string, objects []*object) error {
	if len(objects) == 0 {
		return nil
	}
	texts, err := textsAgain(ctx, tx, in, path, objects)
	switch {
	case err == nil:
		for i, text := range texts {
			objects[i].again = text
		}

		return nil
	case !unreadable(err):
		return err
	case len(objects) == 1:
		return nil
	}
	half := len(objects) / 2
	if err := readAgain(ctx, tx, in, path, objects[:half]); err != nil {
		return err
	}

	return readAgain(ctx, tx, in, path, objects[half:])
}

// unreadable says whether an error is about the text of a statement. The other errors end the check: the server stops,
// a time-out has passed, the connection is lost.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func unreadable(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || len(pg.Code) != 5 {
		return false
	}
	switch pg.Code[:2] {
	case "08", "25", "40", "55", "57", "58":
		return false
	default:
		return true
	}
}

// textsAgain makes a view or a function for each object and returns what PostgreSQL prints of it. It leaves nothing behind.
func textsAgain(ctx context.Context, tx pgx.Tx, in, path string, objects []*object) (texts []string, err error) {
	nested, err := tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if failure := nested.Rollback(ctx); err == nil {
			err = failure
		}
	}()
	made, printed := make([]string, len(objects)), make([]string, len(objects))
	for i, o := range objects {
		name := fmt.Sprintf("%s.musicstore_reread_%d", in, i)
		made[i] = o.againAs(name)
		printed[i] = fmt.Sprintf("pg_catalog.pg_get_viewdef('%s'::pg_catalog.regclass)", name)
		if o.Parsed {
			made[i] = "CREATE " + o.Kind + " " + name + o.Def + ";"
			printed[i] = fmt.Sprintf(`(SELECT pg_catalog.pg_get_functiondef(f.oid) FROM pg_catalog.pg_proc AS f
WHERE f.proname OPERATOR(pg_catalog.=) 'musicstore_reread_%d')`, i)
		}
	}
	if err := exec(ctx, nested, "SET LOCAL search_path = "+path+";"+strings.Join(made, "")); err != nil {
		return nil, err
	}
	err = nested.QueryRow(ctx, "SELECT ARRAY["+strings.Join(printed, ", ")+"]", pgx.QueryExecModeExec).Scan(&texts)
	for i, o := range objects {
		if err == nil && o.Parsed { // the name has a number that may be another on the other side
			_, texts[i], _ = strings.Cut(texts[i], fmt.Sprintf("musicstore_reread_%d", i))
		}
	}

	return texts, err
}

// againAs returns the statement that makes a view of that name of an object's expressions.
func (o *object) againAs(name string) string {
	if o.Kind == "view" || o.Kind == "materialized view" {
		return "CREATE VIEW " + name + " AS " + o.Expressions[0] + ";"
	}
	columns := o.expressions()
	for i, e := range columns {
		columns[i] = fmt.Sprintf("(%s\n) IS NULL AS e%d", e, i) // so that a value of any type can be a column
	}
	from := quote(o.Table)
	switch {
	case o.Kind == "domain":
		return "CREATE VIEW " + name + " AS SELECT " + strings.Join(columns, ", ") + ";"
	case o.Domain != "":
		from = "(SELECT NULL::" + o.Domain + " AS value) AS domain"
	case o.Kind == "trigger":
		from += " AS old, " + from + " AS new"
	}

	return "CREATE VIEW " + name + " AS SELECT " + strings.Join(columns, ", ") + " FROM " + from + ";"
}

// expressions returns the texts of the expressions that an object has.
func (o *object) expressions() []string {
	switch {
	case o.Default != "":
		return []string{o.Default}
	case o.Generated != "":
		return []string{o.Generated}
	default:
		return slices.Clone(o.Expressions)
	}
}

// setExpressions gives an object's expressions other texts. They stand in its definition in their order.
func (o *object) setExpressions(texts []string) {
	switch {
	case o.Default != "":
		o.Default = texts[0]
	case o.Generated != "":
		o.Generated = texts[0]
	default:
		before, rest := "", o.Def
		for i, old := range o.Expressions {
			head, tail, found := strings.Cut(rest, old)
			if !found || i >= len(texts) {
				return
			}
			before, rest = before+head+texts[i], tail
		}
		o.Def, o.Expressions = before+rest, texts
	}
}
