package plans_test

import (
	"fmt"
	"strings"
	"testing"

	"musicstore/layer/dbtest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

const tasks = `
CREATE TABLE tasks (
    id bigint CONSTRAINT tasks_pkey PRIMARY KEY,
    team text, kind text, label varchar(20), size integer, weight integer, price numeric, open boolean,
    due timestamptz, day timestamp, locked timestamptz, done timestamptz, tags text[], doc jsonb
);
CREATE INDEX tasks_team_idx ON tasks (team);
CREATE INDEX tasks_due_idx ON tasks (due, id);`

// A filter is reported with the index that would spare it, and only then.
func TestCheck_ReportsTheFiltersThatAnIndexWouldSpare(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	db, err := pgxpool.New(t.Context(), dbtest.EmptyURL(t))
	require.NoError(t, err)
	t.Cleanup(db.Close)
	const team, page, queue = "team", "page", "queue"
	forms := map[string]string{
		team:  "SELECT id FROM tasks WHERE team = @team AND %s",
		page:  "SELECT id FROM tasks WHERE %s ORDER BY due, id LIMIT @n",
		queue: "UPDATE tasks SET locked = @until WHERE id = (SELECT id FROM tasks WHERE %s ORDER BY due, id LIMIT 1 FOR UPDATE SKIP LOCKED)",
	}
	const some = "some" // which index depends on the version of PostgreSQL
	var queries []string
	conditions, want, got := map[string]string{}, map[string]string{}, map[string]string{}
	for i, c := range []struct{ condition, team, page, queue string }{ // with the index for each form; "" where nothing is reported
		// What one index can find.
		{condition: "size = @size", team: "(team, size)", page: "(size, due, id)", queue: "(size, due, id)"},
		{condition: "kind = 'x'", team: "(team, kind)", page: "(kind, due, id)"},
		{condition: "label = @label", team: "(team, label)", page: "(label, due, id)"},
		{condition: "kind = @kind AND size <> @size", team: "(team, kind)", page: "(kind, due, id)"},
		{condition: "kind = @kind AND (size = @size OR @size IS NULL)", team: "(team, kind)", page: "(kind, due, id)"},
		{condition: "kind = (SELECT kind FROM tasks WHERE id = @id)", team: "(team, kind)", page: "(kind, due, id)"},
		{condition: "lower(kind) = @kind", team: "(team, (lower(kind)))", page: "((lower(kind)), due, id)"},
		{condition: "lower(label) = lower(@label)", team: "(team, (lower((label)::text)))", page: "((lower((label)::text)), due, id)"},
		{condition: "doc ->> 'a = b' = @a", team: "(team, (doc ->> 'a = b'::text))", page: "((doc ->> 'a = b'::text), due, id)"},
		{condition: "day::date = @day", team: "(team, ((day)::date))", page: "(((day)::date), due, id)"},
		{condition: "kind = $x$) OR (' AND $x$", team: "(team, kind)", page: "(kind, due, id)"},

		// It can't beside another order.
		{condition: "size > @size", team: "(team, size)"},
		{condition: "@size::integer >= size", team: "(team, size)"},
		{condition: "size BETWEEN @low AND @high", team: "(team, size)"},
		{condition: "label >= @label", team: "(team, label)"},
		{condition: "size > @size AND size <> 7", team: "(team, size)"},
		{condition: "size = ANY(@sizes::integer[])", team: some},
		{condition: "size IN (1, 2)", team: some},
		{condition: "(size, id) > (@size, @id)", team: "(team, size, id)"},
		{condition: "@n BETWEEN size AND weight", team: "(team, size)"}, // one of the two, as here:
		{condition: "size > @size AND weight > @weight", team: "(team, size)"},

		// Nothing is known that would find these.
		{condition: "(locked IS NULL OR locked < @now)"},
		{condition: "(size = @size OR kind = @kind)"},
		{condition: "(size = 1 OR size = 2 AND kind = @kind)"},
		{condition: "NOT (size = @size AND kind = @kind)"},
		{condition: "size <> @size"},
		{condition: "kind NOT IN ('x', 'y')"},
		{condition: "kind <> ALL(@kinds::text[])"},
		{condition: "size < ANY(@sizes::integer[])"},
		{condition: "kind IS DISTINCT FROM @kind"},
		{condition: "kind IS NOT DISTINCT FROM @kind"},
		{condition: "kind LIKE '%' || @part::text || '%'"},
		{condition: "kind LIKE 'x%'"},
		{condition: "kind ILIKE @part"},
		{condition: "kind !~ '^a = b$'"},
		{condition: "date_trunc('day', due) = @day"},
		{condition: "due::date = @day"},
		{condition: "random() < 0.5 AND size + random() > 1"},
		{condition: "size < weight"},
		{condition: "length(kind) > @n"},
		{condition: "size + weight > @n"},
		{condition: "size + weight = @n"},
		{condition: "size = weight"},
		{condition: "coalesce(size, weight) = @size"},
		{condition: "(@size::integer IS NULL OR size = @size)"},
		{condition: "(size = @size OR @size IS NULL)"},
		{condition: "size = coalesce(@size, size)"},
		{condition: "CASE WHEN @by::boolean THEN size = @size ELSE true END"},
		{condition: "open"},
		{condition: "NOT open"},
		{condition: "open IS NOT TRUE"},
		{condition: "coalesce(open, false) = false"},
		{condition: "locked IS NOT NULL"},
		{condition: "tags @> ARRAY[@tag::text]"},
		{condition: "@tag = ANY(tags)"},
		{condition: "doc @> @doc"},
		{condition: "doc ? 'a'"},
		{condition: "to_tsvector('simple', kind) @@ plainto_tsquery('simple', @words)"},
		{condition: "NOT EXISTS (SELECT FROM tasks AS o WHERE o.id = tasks.size)"},
		{condition: "size = (SELECT o.size FROM tasks AS o WHERE o.id = tasks.weight)"},
		{condition: "size NOT IN (SELECT o.size FROM tasks AS o WHERE o.id = @id)"},
		{condition: "id = ANY(@ids::bigint[]) AND kind = @kind AND size <> @size"},

		// A queue has ever more rows that were done.
		{condition: "done IS NULL", queue: "(due, id) WHERE done IS NULL"},
		{condition: "done IS NULL AND (locked IS NULL OR locked < @now)", queue: "(due, id) WHERE done IS NULL"},
	} {
		for form, index := range map[string]string{team: c.team, page: c.page, queue: c.queue} {
			if form == queue && index == "" && (c.page != "" || i%9 > 0) { // as for a page
				continue
			}
			name := fmt.Sprintf("%s%d", form, i)
			queries = append(queries, name+" :many\n"+fmt.Sprintf(forms[form], c.condition))
			conditions[name] = name + ": " + c.condition
			if index != "" {
				want[conditions[name]] = index
			}
		}
	}
	remedies := map[string]string{}
	for _, f := range changed(t, db, tasks, known(queries...)).Findings {
		remedies[conditions[f.Of]] = f.Remedy
		require.Contains(t, f.Problem, "filters tasks by ", f)
		condition := conditions[f.Of]
		require.NotContains(t, got, condition)
		if _, got[condition], _ = strings.Cut(strings.TrimSuffix(f.Remedy, ";"), " ON tasks "); want[condition] == some {
			got[condition] = some
		}
	}
	require.Equal(t, want, got)

	// With such indexes all is well.
	for _, condition := range []string{"lower(label) = lower(@label)", "doc ->> 'a = b' = @a", "day::date = @day", "done IS NULL"} {
		var indexes []string
		for of, remedy := range remedies {
			if strings.HasSuffix(of, ": "+condition) {
				indexes = append(indexes, remedy)
			}
		}
		require.NotEmpty(t, indexes, condition)
		for _, f := range changed(t, db, tasks+strings.Join(indexes, ""), known("Team :many\n"+fmt.Sprintf(forms[team], condition), "Queue :many\n"+fmt.Sprintf(forms[queue], condition))).Findings {
			require.NotContains(t, f.Problem, "filters", "%s\n%s", f, indexes)
		}
	}
}
