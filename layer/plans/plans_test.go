package plans_test

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/plans"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// known are the queries that have the form "Name :one", and below it marks and SQL with @parameters.
func known(queries ...string) *dbtx.Metadata {
	m := &dbtx.Metadata{}
	for _, text := range queries {
		name, _, _ := strings.Cut(text, " ")
		q := &dbtx.Query{Name: name, Command: dbtx.Many}
		for _, mark := range regexp.MustCompile(`(?m)^-- \+plan (.*)$`).FindAllStringSubmatch(text, -1) {
			q.Plans = append(q.Plans, mark[1])
		}
		q.SQL = regexp.MustCompile(`@(\w+)`).ReplaceAllStringFunc("-- name: "+text, func(param string) string {
			at := slices.IndexFunc(q.Params, func(p dbtx.Param) bool { return "@"+p.Name == param })
			if at < 0 {
				at = len(q.Params)
				q.Params = append(q.Params, dbtx.Param{Name: param[1:]})
			}

			return "$" + strconv.Itoa(at+1)
		})
		m.Queries = append(m.Queries, q)
	}

	return m
}

// changed is the report on a database after a change, which is undone.
func changed(t *testing.T, db *pgxpool.Pool, change string, of *dbtx.Metadata) plans.Report {
	t.Helper()
	tx, err := db.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context())
	_, err = tx.Exec(t.Context(), change)
	require.NoError(t, err)
	report, err := plans.Check(t.Context(), tx, of)
	require.NoError(t, err)

	return report
}

// library is a schema with which all is well, together with its query.
const (
	library = `
CREATE TABLE shelves (
    id bigint CONSTRAINT shelves_pkey PRIMARY KEY, room text, name text, open boolean
);
CREATE TABLE books (
    id bigint CONSTRAINT books_pkey PRIMARY KEY,
    shelf_id bigint CONSTRAINT books_shelf_id_fkey REFERENCES shelves ON DELETE CASCADE,
    title text, year integer
);
CREATE INDEX books_shelf_id_idx ON books (shelf_id);`
	getShelf = "GetShelf :one\n-- GetShelf returns a shelf.\nSELECT id, room FROM shelves WHERE id = @id;\n"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	db, err := pgxpool.New(t.Context(), dbtest.EmptyURL(t))
	require.NoError(t, err)
	t.Cleanup(db.Close)
	cases := map[string]struct {
		change, query string
		marks         dbtx.Index
		want          []string
	}{
		"all is well": {},
		"a query that scans": {
			query: "SELECT * FROM shelves WHERE name = @name",
			want:  []string{"Query scans shelves for name: CREATE INDEX shelves_name_idx ON shelves (name);"},
		},
		"one that scans by two columns": {
			query: "SELECT * FROM shelves WHERE name > @name AND room = @room",
			want:  []string{"Query scans shelves for name, room: CREATE INDEX shelves_room_name_idx ON shelves (room, name);"},
		},
		"one that asks for all": {
			query: "SELECT * FROM shelves",
			want:  []string{"Query scans shelves from end to end"},
		},
		"one that no index can help": {
			query: "SELECT * FROM shelves WHERE name LIKE '%' || @part::text",
			want:  []string{"Query scans shelves for name"},
		},
		"one that scans deep inside": {
			query: "WITH a AS (SELECT (SELECT max(year) FROM books WHERE books.title = s.name) FROM shelves AS s WHERE id = @id) TABLE a",
			want:  []string{"Query scans books for title: CREATE INDEX books_title_idx ON books (title);"},
		},
		"one that has a part of the index it needs": {
			query: "SELECT * FROM books WHERE shelf_id = @shelf_id AND year > @year",
			want: []string{
				"Query filters books by year after reading them by books_shelf_id_idx: " +
					"CREATE INDEX books_shelf_id_year_idx ON books (shelf_id, year);",
			},
		},
		"one whose condition is inside the index, and does not bound it": {
			change: "DROP INDEX books_shelf_id_idx; CREATE INDEX books_idx ON books (shelf_id, title, year)",
			query:  "SELECT * FROM books WHERE shelf_id = @shelf_id AND year > @year",
			want: []string{
				"Query filters books by year after reading them by books_idx: " +
					"CREATE INDEX books_shelf_id_year_idx ON books (shelf_id, year);",
			},
		},
		"one whose condition is on the end of the index alone": {
			change: "CREATE INDEX books_shelf_id_year_idx ON books (shelf_id, year); DROP INDEX books_shelf_id_idx",
			query:  "SELECT year FROM books WHERE year = @year",
			want: []string{
				"Query walks books from end to end by books_shelf_id_year_idx: CREATE INDEX books_year_idx ON books (year);",
			},
		},
		"one that filters the one row it finds by key": {
			query: "SELECT * FROM shelves WHERE id = @id AND name = @name AND open",
		},
		"one that filters the rows it finds by keys": {
			query: "SELECT * FROM shelves WHERE id = ANY(@ids::bigint[]) AND name = @name",
		},
		"one that filters the rows it finds by a part of a key": { // the control
			change: "CREATE UNIQUE INDEX shelves_room_key ON shelves (room, name)",
			query:  "SELECT * FROM shelves WHERE room = ANY(@rooms::text[]) AND open = @open",
			want: []string{
				"Query filters shelves by open after reading them by shelves_room_key: CREATE INDEX shelves_room_open_idx ON shelves (room, open);",
			},
		},
		"one that a partial index has all for": {
			change: "CREATE INDEX shelves_room_idx ON shelves (room) WHERE open",
			query:  "SELECT * FROM shelves WHERE open AND room = @room",
		},
		"one that finds a row by its key, beside a partial index that its other condition fits": {
			change: "CREATE INDEX shelves_room_idx ON shelves (room, id) WHERE open",
			query:  "SELECT * FROM shelves WHERE id = @id AND open",
			want:   []string{"index shelves_room_idx isn't used by any query or foreign key: DROP INDEX shelves_room_idx;"},
		},
		"one that finds rows by a text search and filters them, beside an index that could be walked": {
			change: "CREATE TABLE notes (book_id text, lang integer, title text, body text, at timestamptz, words tsvector, CONSTRAINT notes_pkey PRIMARY KEY (book_id, lang)); " +
				"CREATE INDEX notes_words_idx ON notes USING gin (words)",
			query: "SELECT n.book_id, ts_headline('simple', n.body, q) FROM notes AS n, websearch_to_tsquery('simple', @text) AS q " +
				"WHERE n.words @@ q AND n.lang = @lang ORDER BY ts_rank(n.words, q) DESC LIMIT @n",
		},
		"one that sorts what the first columns of an index choose": {
			change: "DROP INDEX books_shelf_id_idx; CREATE INDEX books_idx ON books (shelf_id, id)",
			query:  "SELECT * FROM books WHERE shelf_id = @shelf_id AND year <> @year ORDER BY title, id LIMIT @n",
			want: []string{
				"Query sorts books by title, id: CREATE INDEX books_shelf_id_title_id_idx ON books (shelf_id, title, id);",
			},
		},
		"a foreign key of two columns, one of which begins an index": {
			change: "CREATE TABLE rooms (house integer, id uuid, PRIMARY KEY (house, id)); " +
				"CREATE TABLE beds (house integer, id uuid, name text NOT NULL, room uuid, made date, note text, more text, CONSTRAINT beds_pkey PRIMARY KEY (house, id), " +
				"CONSTRAINT beds_name_key UNIQUE (house, name), " +
				"CONSTRAINT beds_room_fkey FOREIGN KEY (house, room) REFERENCES rooms)",
			want: []string{
				"foreign key beds_room_fkey filters beds by room after reading them by beds_name_key: CREATE INDEX beds_house_room_idx ON beds (house, room);",
			},
		},
		"one that finds rows by a GIN index, beside an index that has their order": {
			change: "ALTER TABLE shelves ADD tags text[]; CREATE INDEX shelves_tags_idx ON shelves USING gin (tags) WHERE open;" +
				"CREATE INDEX shelves_room_idx ON shelves (room, id) WHERE open",
			query: "SELECT * FROM shelves WHERE tags @> ARRAY[@tag::text] AND open ORDER BY room, id",
			want:  []string{"index shelves_room_idx isn't used by any query or foreign key: DROP INDEX shelves_room_idx;"},
		},
		"one that joins rows which it has read": {
			query: "SELECT s.id, b.id FROM shelves AS s JOIN books AS b ON b.title = s.name WHERE s.id = @id AND b.shelf_id = @on",
			want: []string{
				"Query filters books by title after reading them: " +
					"CREATE INDEX books_shelf_id_title_idx ON books (shelf_id, title);",
			},
		},
		"one that sorts": {
			query: "SELECT * FROM books WHERE shelf_id = @shelf_id ORDER BY title, year",
			want: []string{
				"Query sorts books by title, year: CREATE INDEX books_shelf_id_title_year_idx ON books (shelf_id, title, year);",
			},
		},
		"one that sorts downwards": {
			query: "SELECT * FROM books WHERE shelf_id = @shelf_id ORDER BY title DESC, year DESC",
			want: []string{
				"Query sorts books by title, year: CREATE INDEX books_shelf_id_title_year_idx ON books (shelf_id, title, year);",
			},
		},
		"one that sorts up and down": {
			query: "SELECT * FROM books WHERE shelf_id = @shelf_id ORDER BY title, year DESC",
			want: []string{
				"Query sorts books by title, year DESC: " +
					"CREATE INDEX books_shelf_id_title_year_idx ON books (shelf_id, title, year DESC);",
			},
		},
		"one that sorts by an expression": {
			query: "SELECT * FROM books WHERE shelf_id = @shelf_id ORDER BY lower(title)",
			want: []string{
				"Query sorts books by (lower(title)): CREATE INDEX books_shelf_id_lower_title_idx ON books (shelf_id, (lower(title)));",
			},
		},
		"one that sorts for DISTINCT": {
			query: "SELECT DISTINCT year FROM books WHERE shelf_id = @shelf_id ORDER BY year",
			want:  []string{"Query sorts books by year: CREATE INDEX books_shelf_id_year_idx ON books (shelf_id, year);"},
		},
		"one that sorts what no index could": {
			query: "SELECT * FROM books WHERE shelf_id = ANY(@ids::bigint[]) ORDER BY title",
		},
		"one that might sort less by reading more": {
			change: "CREATE UNIQUE INDEX books_title_key ON books (title)",
			query:  "SELECT * FROM books WHERE shelf_id = ANY(@ids::bigint[]) ORDER BY title",
		},
		"one that reads all, so as to sort nothing": {
			change: "CREATE UNIQUE INDEX books_title_key ON books (title)",
			query:  "SELECT * FROM books WHERE year = @year ORDER BY title",
			want: []string{
				"Query walks books from end to end by books_title_key: CREATE INDEX books_year_title_idx ON books (year, title);",
			},
		},
		"one that sorts what it has made itself": {
			query: "SELECT n FROM unnest(@ns::bigint[]) AS n ORDER BY n",
		},
		"one that sorts by two tables": {
			query: "SELECT s.id FROM shelves AS s JOIN books AS b ON b.shelf_id = s.id WHERE s.id = @id ORDER BY s.name, b.title",
		},
		"one that reads a page in the order of a key": {
			query: "SELECT * FROM books ORDER BY id LIMIT @page_size",
		},
		"one that reads all in the order of a key": {
			query: "SELECT * FROM books ORDER BY id",
			want:  []string{"Query walks books from end to end by books_pkey"},
		},
		"one that reads a page and throws much of it away": {
			query: "SELECT * FROM books WHERE title = @title ORDER BY id LIMIT @page_size",
			want: []string{
				"Query filters books by title after reading them by books_pkey: CREATE INDEX books_title_id_idx ON books (title, id);",
			},
		},
		"one that reads a page and throws a part away that no index could find": {
			query: "SELECT * FROM books WHERE title <> @title ORDER BY id LIMIT @page_size",
		},
		"one that joins such a page": {
			query: "SELECT b.id FROM books AS b JOIN shelves AS s ON s.id = b.shelf_id AND (s.open OR s.room = @room) WHERE b.title <> s.name ORDER BY b.id LIMIT @page_size",
		},
		"one that counts": {
			query: "SELECT count(*) FROM books WHERE shelf_id = @shelf_id",
		},
		"one with OR": {
			query: "SELECT * FROM books WHERE id = @id OR shelf_id = @shelf_id",
		},
		"one with the index of an expression": {
			change: "CREATE INDEX shelves_name_idx ON shelves (lower(name), id)",
			query:  "SELECT * FROM shelves WHERE lower(name) = @name AND id > @after ORDER BY id",
		},
		"one with a full-text index": {
			change: "CREATE INDEX books_title_idx ON books USING gin (to_tsvector('simple', title))",
			query:  "SELECT * FROM books WHERE to_tsvector('simple', title) @@ plainto_tsquery('simple', @words)",
		},
		"one that cannot be planned": {
			query: "SELECT * FROM shelves WHERE colour = @colour",
			want:  []string{`Query can't be planned: ERROR: column "colour" does not exist (SQLSTATE 42703)`},
		},
		"one that may not be planned": {
			query: "INSERT INTO shelves (id) VALUES (@id) ON CONFLICT (name) DO NOTHING",
			want: []string{
				"Query can't be planned: ERROR: there is no unique or exclusion constraint matching the ON CONFLICT " +
					"specification (SQLSTATE 42P10)",
			},
		},
		"an excuse": {
			query: "-- +plan scans shelves: there are three.\nSELECT * FROM shelves",
		},
		"an excuse for a filter": {
			query: "-- +plan filters books: titles are few.\nSELECT * FROM books WHERE title = @title ORDER BY id LIMIT @n",
		},
		"an excuse for a filter that no index could spare": {
			query: "-- +plan filters books: titles are few.\nSELECT * FROM books WHERE title <> @title ORDER BY id LIMIT @n",
		},
		"an excuse for something else": {
			query: "-- +plan filters shelves: there are three.\nSELECT * FROM shelves",
			want: []string{
				"Query scans shelves from end to end", "Query needs no excuse: -- +plan filters shelves: there are three.",
			},
		},
		"an excuse without a reason": {
			query: "-- +plan scans shelves:\nSELECT * FROM shelves",
			want:  []string{"Query scans shelves from end to end", "Query needs no excuse: -- +plan scans shelves:"},
		},
		"an excuse that is no longer needed": {
			query: "-- +plan scans shelves: there are three.\nSELECT * FROM shelves WHERE id = @id",
			want:  []string{"Query needs no excuse: -- +plan scans shelves: there are three."},
		},
		"an excuse keeps nothing else from view": {
			query: "-- +plan scans shelves: there are three.\nSELECT * FROM shelves, books WHERE title = @title",
			want:  []string{"Query scans books for title: CREATE INDEX books_title_idx ON books (title);"},
		},
		"a foreign key without an index": {
			change: "DROP INDEX books_shelf_id_idx",
			want: []string{
				"foreign key books_shelf_id_fkey scans books for shelf_id: CREATE INDEX books_shelf_id_idx ON books (shelf_id);",
			},
		},
		"a foreign key with an index that begins with another column": {
			change: "DROP INDEX books_shelf_id_idx; CREATE INDEX books_title_idx ON books (title, shelf_id)",
			query:  "SELECT * FROM books WHERE title = @title AND shelf_id = @shelf_id",
			want: []string{
				"foreign key books_shelf_id_fkey walks books from end to end by books_title_idx: " +
					"CREATE INDEX books_shelf_id_idx ON books (shelf_id);",
			},
		},
		"a foreign key with an index of some rows": {
			change: "DROP INDEX books_shelf_id_idx; CREATE INDEX books_title_idx ON books (shelf_id) WHERE year > 1900",
			query:  "SELECT * FROM books WHERE shelf_id = @shelf_id AND year > 1900",
			want: []string{
				"foreign key books_shelf_id_fkey scans books for shelf_id: CREATE INDEX books_shelf_id_idx ON books (shelf_id);",
			},
		},
		"a foreign key with an index of the rows that have it": {
			change: "DROP INDEX books_shelf_id_idx; CREATE INDEX books_set_idx ON books (shelf_id) WHERE shelf_id IS NOT NULL",
		},
		"an index that nothing uses": {
			change: "CREATE INDEX books_title_idx ON books (title)",
			want:   []string{"index books_title_idx isn't used by any query or foreign key: DROP INDEX books_title_idx;"},
		},
		"an index that another one begins with": {
			change: "CREATE INDEX books_shelf_id_title_idx ON books (shelf_id, title)",
			query:  "SELECT * FROM books WHERE shelf_id = @shelf_id ORDER BY title",
			want: []string{
				"index books_shelf_id_idx isn't needed beside books_shelf_id_title_idx: DROP INDEX books_shelf_id_idx;",
			},
		},
		"an index twice": {
			change: "CREATE INDEX books_shelf_idx ON books (shelf_id)",
			want: []string{
				"index books_shelf_id_idx isn't needed beside books_shelf_idx: DROP INDEX books_shelf_id_idx;",
			},
		},
		"an index that two others are as good as together": {
			change: "CREATE INDEX books_shelf_id_title_idx ON books (shelf_id, title);" +
				"CREATE INDEX books_shelf_id_year_idx ON books (shelf_id, year)",
			query: "SELECT (SELECT title FROM books WHERE shelf_id = @id ORDER BY title LIMIT 1) AS title,\n" +
				"    (SELECT year FROM books WHERE shelf_id = @id ORDER BY year LIMIT 1) AS year",
			want: []string{
				"index books_shelf_id_idx isn't needed beside books_shelf_id_title_idx: DROP INDEX books_shelf_id_idx;",
			},
		},
		"a unique index that nothing uses": {
			change: "CREATE UNIQUE INDEX shelves_name_key ON shelves (room, name)",
		},
		"a unique index beside the primary key": {
			change: "ALTER TABLE shelves ADD CONSTRAINT shelves_id_key UNIQUE (id)",
			want: []string{
				"index shelves_id_key keeps no rule that shelves_pkey doesn't, and no query or foreign key needs it: " +
					"ALTER TABLE shelves DROP CONSTRAINT shelves_id_key;",
			},
		},
		"a unique index that says less than another": {
			change: "CREATE UNIQUE INDEX shelves_name_id_key ON shelves (name, id)",
			want: []string{
				"index shelves_name_id_key keeps no rule that shelves_pkey doesn't, and no query or foreign key needs it: " +
					"DROP INDEX shelves_name_id_key;",
			},
		},
		"a unique index that says less than another, and is used": {
			change: "CREATE UNIQUE INDEX shelves_name_id_key ON shelves (name, id)",
			query:  "SELECT * FROM shelves WHERE name = @name",
		},
		"a unique index that says less than another, and is referred to": {
			change: `ALTER TABLE shelves ADD CONSTRAINT shelves_id_name_key UNIQUE (id, name);
			CREATE TABLE labels (
			    id bigint PRIMARY KEY, name text, CONSTRAINT labels_fkey FOREIGN KEY (id, name) REFERENCES shelves (id, name)
			)`,
		},
		"a queue whose index has what is left to do": {
			change: "CREATE INDEX books_todo_idx ON books (id) WHERE year IS NULL",
			query:  "SELECT * FROM books WHERE year IS NULL ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED",
		},
		"a queue without such an index": { // the control: PostgreSQL repeats the predicate there, too
			query: "SELECT * FROM books WHERE year IS NULL ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED",
			want: []string{
				"Query filters books by year after reading them by books_pkey: CREATE INDEX books_id_year_is_null_idx ON books (id) WHERE year IS NULL;",
			},
		},
		"a change of rows that a partial index has": {
			change: "CREATE INDEX books_todo_idx ON books (shelf_id) WHERE year IS NULL AND title <> ''",
			query:  "UPDATE books SET year = 1 WHERE shelf_id = @shelf_id AND year IS NULL AND title <> ''",
		},
		"one that filters what it reads by a partial index": {
			change: "CREATE INDEX shelves_open_idx ON shelves (name) WHERE open",
			query:  "SELECT * FROM shelves WHERE open AND room = @room ORDER BY name LIMIT @n",
			want: []string{
				"Query filters shelves by room after reading them by shelves_open_idx: " +
					"CREATE INDEX shelves_room_name_open_idx ON shelves (room, name) WHERE open;",
			},
		},
		"a change of rows that another table's condition chooses too": {
			query: "UPDATE books SET year = 0 FROM shelves AS s WHERE books.shelf_id = s.id AND s.id = @id " +
				"AND books.year = @year AND books.title IS DISTINCT FROM s.name",
			want: []string{
				"Query filters books by year after reading them by books_shelf_id_idx: CREATE INDEX books_shelf_id_year_idx ON books (shelf_id, year);",
			},
		},
		"a queue that filters what it reads by its index": { // which can't be shown to be useless
			change: "CREATE INDEX books_todo_idx ON books (id) WHERE year IS NULL",
			query: "-- +plan filters books: few are locked.\n" +
				"SELECT id FROM books WHERE year IS NULL AND title > @title ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED",
		},
		"an index with a reason": {
			change: "CREATE INDEX shelves_open_idx ON shelves (open)",
			marks:  dbtx.Index{Name: "shelves_open_idx", Plans: []string{"the nightly report reads by it"}},
		},
		"an index with a reason that it does not need": {
			marks: dbtx.Index{Name: "books_shelf_id_idx", Plans: []string{"the nightly report reads by it"}},
			want:  []string{"index books_shelf_id_idx needs no excuse: -- +plan the nightly report reads by it"},
		},
		"text that looks like a parameter": {
			query: "SELECT * FROM shelves WHERE id = @id AND name <> $x$ $1 $2 $x$",
		},
		"a table without a primary key": {
			change: "ALTER TABLE books DROP CONSTRAINT books_pkey",
			want:   []string{"table books has no primary key"},
		},
	}
	for _, name := range dbtest.Sample(25, slices.Sorted(maps.Keys(cases))...) {
		c, all := cases[name], []string{getShelf}
		if c.query != "" {
			all = append(all, "Query :many\n"+c.query)
		}
		of := known(all...)
		of.Tables = []*dbtx.Table{{Indexes: []dbtx.Index{c.marks}}}
		report := changed(t, db, library+c.change, of)
		var got []string
		for _, f := range report.Findings {
			got = append(got, f.String())
		}
		require.Equal(t, c.want, got, "%s:\n%s", name, report)
	}
}
