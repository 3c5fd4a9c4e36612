package dbtx_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/private"
	"musicstore/layer/wireproxy"
)

// The defaults, on a table that the store does not have: a note, whose key is always made of its text and whose title may
// be.

const notesSQL = `CREATE TABLE notes (id text PRIMARY KEY, text text NOT NULL, key text NOT NULL, title text NOT NULL,
	created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, due_at timestamptz)`

const addNote = `-- name: AddNote :one
INSERT INTO notes (id, text, key, title, created_at, updated_at, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id
RETURNING id, text, key, title, created_at, updated_at, due_at`

var noteColumns = []string{"id", "text", "key", "title", "created_at", "updated_at", "due_at"}

func noteParams() []dbtx.Param {
	params := make([]dbtx.Param, len(noteColumns))
	for i, column := range noteColumns {
		params[i] = dbtx.Param{Name: column, Type: "text", Assigned: []dbtx.ColumnOf{{Table: "notes", Column: column}}}
		if i > 3 {
			params[i].Type = "timestamptz"
		}
	}

	return params
}

var noteFills = []dbtx.Fill{
	{Param: 0, By: dbtx.ID},
	{Param: 4, By: dbtx.Now},
	{Param: 5, By: dbtx.Now},
	{Param: 2, By: dbtx.Derived, Func: "key", From: []int{1}, Always: true},
	{Param: 3, By: dbtx.Derived, Func: "title", From: []int{1}},
}

var notes = &dbtx.Metadata{Queries: []*dbtx.Query{
	{Name: "AddNote", Op: "add note", Command: dbtx.One, SQL: addNote, Params: noteParams(), Fills: noteFills, Write: true, Keyed: true},
	{
		Name: "LoadNotes", Op: "load notes", Command: dbtx.Copyfrom, Params: noteParams(), Fills: noteFills, Write: true,
		Uses: []dbtx.Use{{Table: "notes", Insert: noteColumns}},
	},
}}

var errSecret = errors.New("hunter2 is no text")

var noteDerivations = map[string]dbtx.Derivation{
	"key": dbtx.Derive(func(text string) (string, error) {
		switch text {
		case "":
			return "", &testdb.InvalidError{Field: "text", Reason: "is empty"}
		case "hunter2":
			return "", errSecret
		}

		return strings.ToLower(text), nil
	}),
	"title": dbtx.Derive(func(text string) (string, error) { return strings.ToTitle(text), nil }),
}

// note is a row of notes.
type note struct {
	ID, Text, Key, Title string
	CreatedAt, UpdatedAt time.Time
	DueAt                *time.Time
}

func (n note) args() []any {
	return []any{n.ID, n.Text, n.Key, n.Title, n.CreatedAt, n.UpdatedAt, n.DueAt}
}

// notebook is a store with the notes, whose ids are counted, on a clock that goes on at each look.
func notebook(t *testing.T, url string) (*testdb.Repo, *atomic.Int64) {
	t.Helper()
	var ids, looks atomic.Int64
	store := open(t, url, testdb.WithIDs(func() string { return fmt.Sprint("id ", ids.Add(1)) }),
		testdb.WithClock(func() time.Time {
			return time.Date(2024, 5, 1, 12, 0, int(looks.Add(1)), 123_456_789, time.FixedZone("", 3600))
		}))
	_, err := store.DB().Exec(t.Context(), notesSQL)
	require.NoError(t, err)

	return store, &ids
}

func allNotes(t *testing.T, store *testdb.Repo) []note {
	t.Helper()
	rows, err := store.DB().Query(t.Context(), "SELECT id, text, key, title, created_at, updated_at, due_at FROM notes ORDER BY text")
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[note])
	require.NoError(t, err)

	return all
}

func at(second int) time.Time { return time.Date(2024, 5, 1, 11, 0, second, 123_456_000, time.UTC) }

func TestFill_GivesWhatTheCallerLeftUnset(t *testing.T) { //nolint:tparallel // its parts share a table
	t.Parallel()
	store, ids := notebook(t, dbtest.URL(t))
	conn := dbtx.Knowing(testdb.Store(store), notes, noteDerivations)
	want := []note{
		{"id 1", "a", "a", "A", at(1), at(1), nil},
		{"mine", "b", "b", "B!", at(50), at(2), new(at(51))},
		{"id 2", "c", "c", "C", at(3), at(3), nil},
	}
	own := note{ID: "mine", Text: "b", Title: "B!", CreatedAt: at(50), DueAt: new(at(51))}

	t.Run("InAStatement", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		var n note
		for _, row := range []note{{Text: "a"}, own, {Text: "c"}} {
			require.NoError(t, conn.QueryRow(t.Context(), addNote, row.args()...).Scan(
				&n.ID, &n.Text, &n.Key, &n.Title, &n.CreatedAt, &n.UpdatedAt, &n.DueAt))
		}
		require.Equal(t, want, allNotes(t, store))
		require.EqualValues(t, 2, ids.Load())
	})
	again := func(t *testing.T, after int) {
		t.Helper()
		got := allNotes(t, store)
		require.Len(t, got, 3)
		for i, n := range got {
			require.Equal(t, want[i].Key, n.Key)
			require.Equal(t, want[i].Title, n.Title)
		}
		require.Equal(t, []string{fmt.Sprint("id ", after+1), "mine", fmt.Sprint("id ", after+2)}, []string{got[0].ID, got[1].ID, got[2].ID})
		require.Equal(t, at(50), got[1].CreatedAt)
		require.Equal(t, got[0].CreatedAt, got[0].UpdatedAt, "one row has one present time")
		require.NotEqual(t, got[0].CreatedAt, got[2].CreatedAt, "each row has its own")
		require.EqualValues(t, after+2, ids.Load(), "once for each row")
	}
	_, err := store.DB().Exec(t.Context(), "TRUNCATE notes")
	require.NoError(t, err)
	t.Run("InABatch", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		b := &pgx.Batch{}
		for _, row := range []note{{Text: "a"}, own, {Text: "c"}} {
			b.Queue(addNote, row.args()...)
		}
		require.NoError(t, conn.SendBatch(t.Context(), b).Close())
		again(t, 2)
	})
	_, err = store.DB().Exec(t.Context(), "TRUNCATE notes")
	require.NoError(t, err)
	t.Run("InACopy", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		n, err := conn.CopyFrom(t.Context(), pgx.Identifier{"notes"}, noteColumns, &noteSource{rows: []note{{Text: "a"}, own, {Text: "c"}}})
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		again(t, 4)
	})
}

// noteSource is a source of rows as sqlc generates one.
type noteSource struct {
	rows                 []note
	skippedFirstNextCall bool
}

func (s *noteSource) Next() bool {
	if len(s.rows) == 0 {
		return false
	}
	if s.skippedFirstNextCall {
		s.rows = s.rows[1:]
	}
	s.skippedFirstNextCall = true

	return len(s.rows) > 0
}

func (s *noteSource) Values() ([]any, error) { return s.rows[0].args(), nil }

func (*noteSource) Err() error { return nil }

// A statement that is sent again is the same row. The control asks for an id at each try.
func TestFill_IsDoneOnceForAllTries(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	proxy := wireproxy.New(t, url)
	store, ids := notebook(t, proxy.URL("pool_max_conns=1"))
	conn := dbtx.Knowing(testdb.Store(store), notes, noteDerivations)
	cut := func(message func(m wireproxy.Message) bool) {
		var cuts atomic.Int64
		proxy.Set(func(m wireproxy.Message) wireproxy.Action {
			if message(m) && cuts.Add(1) <= 2 {
				return wireproxy.CutBefore
			}

			return wireproxy.Pass
		})
	}
	cut(func(m wireproxy.Message) bool { _, ok := m.Is.(*pgproto3.BindComplete); return ok })
	var id string
	require.NoError(t, conn.QueryRow(t.Context(), addNote, note{Text: "a"}.args()...).Scan(&id, nil, nil, nil, nil, nil, nil))
	require.Equal(t, "id 1", id)
	require.EqualValues(t, 1, ids.Load())

	proxy.Set(nil)
	// A COPY is sent again after it gave way to another transaction: at its second row, the first time.
	_, err := store.DB().Exec(t.Context(), `CREATE SEQUENCE tries; CREATE FUNCTION give_way() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN IF nextval('tries') = 2 THEN RAISE SQLSTATE '40001'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER give_way BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION give_way()`)
	require.NoError(t, err)
	own := note{ID: "mine", Text: "c", Title: "C", CreatedAt: at(50), UpdatedAt: at(50)}
	source := &noteSource{rows: []note{{Text: "b"}, own, {ID: "half", Text: "d"}, {Text: "e"}}}
	_, err = conn.CopyFrom(t.Context(), pgx.Identifier{"notes"}, noteColumns, source)
	require.NoError(t, err)
	var tries int
	require.NoError(t, store.DB().QueryRow(t.Context(), "SELECT last_value FROM tries").Scan(&tries))
	require.Equal(t, 6, tries, "the first two rows were sent twice")
	require.EqualValues(t, 3, ids.Load())
	var got []string
	for _, n := range allNotes(t, store) {
		got = append(got, fmt.Sprint(n.ID, " ", n.CreatedAt.Second()))
	}
	require.Equal(t, []string{"id 1 1", "id 2 2", "mine 50", "half 3", "id 3 4"}, got)
}

func TestFill_RefusesWhatWouldBeWrong(t *testing.T) {
	t.Parallel()
	store, _ := notebook(t, dbtest.URL(t))
	conn := dbtx.Knowing(testdb.Store(store), notes, noteDerivations)
	run := func(n note) error {
		_, err := conn.Exec(t.Context(), addNote, n.args()...)

		return err
	}
	for text, n := range map[string]note{
		"add note: key: is made by the store: leave it empty": {Text: "a", Key: "a"},
		"add note: text: is empty":                            {},
		"add note: key: can't be made":                        {Text: "hunter2"},
		"add note: due_at: is not set":                        {Text: "a", DueAt: new(time.Time)},
	} {
		err := run(n)
		require.EqualError(t, err, text)
		require.ErrorIs(t, err, testdb.ErrInvalid)
		require.NotErrorIs(t, err, errSecret, "its text has the value")
	}
	_, err := conn.CopyFrom(t.Context(), pgx.Identifier{"notes"}, noteColumns, &noteSource{rows: []note{{Text: "a"}, {}}})
	require.EqualError(t, err, "load notes: text: is empty")
	b := &pgx.Batch{}
	b.Queue(addNote, note{Text: "a"}.args()...)
	b.Queue(addNote, note{}.args()...)
	require.EqualError(t, conn.SendBatch(t.Context(), b).Close(), "add note: text: is empty")
	require.Empty(t, allNotes(t, store), "nothing was sent")
}

func TestFill_GivesEveryGoTypeItsValue(t *testing.T) {
	t.Parallel()
	type name string
	const sql = "-- name: Echo :one\nSELECT $1"
	id := uuid.MustParse("00112233445566778899aabbccddeeff")
	now := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	store := dbtest.New(t, testdb.WithIDs(func() string { return "00112233445566778899aabbccddeeff" }), testdb.WithClock(func() time.Time { return now }))
	text := "00112233445566778899aabbccddeeff"
	for _, c := range []struct {
		by          string
		unset, want any
	}{
		{dbtx.ID, "", text},
		{dbtx.ID, (*string)(nil), &text},
		{dbtx.ID, name(""), name(text)},
		{dbtx.ID, (*name)(nil), new(name(text))},
		{dbtx.ID, pgtype.Text{}, pgtype.Text{String: text, Valid: true}},
		{dbtx.ID, pgtype.UUID{}, pgtype.UUID{Bytes: id, Valid: true}},
		{dbtx.ID, uuid.UUID{}, id},
		{dbtx.ID, (*uuid.UUID)(nil), &id},
		{dbtx.ID, uuid.NullUUID{}, uuid.NullUUID{UUID: id, Valid: true}},
		{dbtx.ID, nil, text},
		{dbtx.Now, time.Time{}, now},
		{dbtx.Now, (*time.Time)(nil), &now},
		{dbtx.Now, pgtype.Timestamptz{}, pgtype.Timestamptz{Time: now, Valid: true}},
		{dbtx.Now, pgtype.Timestamp{}, pgtype.Timestamp{Time: now, Valid: true}},
		{dbtx.Now, pgtype.Date{}, pgtype.Date{Time: now, Valid: true}},
		{dbtx.Now, nil, now},
	} {
		known := &dbtx.Metadata{Queries: []*dbtx.Query{{
			Name: "Echo", SQL: sql, Params: []dbtx.Param{{Name: "x"}}, Fills: []dbtx.Fill{{By: c.by}},
		}}}
		args := []any{c.unset}
		require.NoError(t, dbtx.FillIn(dbtx.Knowing(testdb.Store(store), known, nil), sql, args))
		require.Equal(t, []any{c.want}, args)
		require.NoError(t, dbtx.FillIn(dbtx.Knowing(testdb.Store(store), known, nil), sql, args))
		require.Equal(t, []any{c.want}, args, "what is set stays")
	}

	secret := []any{private.Secret{}}
	known := &dbtx.Metadata{Queries: []*dbtx.Query{{
		Name: "Echo", SQL: sql, Op: "echo", Params: []dbtx.Param{{Name: "x"}}, Fills: []dbtx.Fill{{By: dbtx.ID}},
	}}}
	require.NoError(t, dbtx.FillIn(dbtx.Knowing(testdb.Store(store), known, nil), sql, secret))
	require.Equal(t, text, secret[0].(private.Secret).Reveal())
	require.EqualError(t, dbtx.FillIn(dbtx.Knowing(testdb.Store(store), known, nil), sql, []any{0}),
		"echo: x: can't be made: an id is a text or a UUID, and the query takes a int")
}

func TestFill_TakesTheClockOfUTC(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	_, err := store.DB().Exec(t.Context(), "CREATE TABLE meetings (starts timestamp NOT NULL, breaks timestamp[])")
	require.NoError(t, err)
	const sql = "-- name: AddMeeting :one\nINSERT INTO meetings VALUES ($1, $2) RETURNING starts, breaks"
	assigned := []dbtx.ColumnOf{{Table: "meetings", Column: "starts"}}
	known := &dbtx.Metadata{Queries: []*dbtx.Query{{Name: "AddMeeting", SQL: sql, Write: true, Params: []dbtx.Param{
		{Name: "starts", Type: "timestamp", Assigned: assigned}, {Name: "breaks", Type: "timestamp", Array: true, Assigned: assigned},
	}}}}
	want := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	local := want.In(time.FixedZone("", 7200))
	for _, args := range [][]any{
		{local, []time.Time{local}},
		{&local, []time.Time{local}},
		{pgtype.Timestamp{Time: local, Valid: true}, nil},
		{want, []pgtype.Timestamp{{Time: local, Valid: true}}},
	} {
		var starts time.Time
		var breaks []time.Time
		require.NoError(t, dbtx.Knowing(testdb.Store(store), known, nil).QueryRow(t.Context(), sql, args...).Scan(&starts, &breaks))
		require.Equal(t, want, starts)
		if args[1] != nil {
			require.Equal(t, []time.Time{want}, breaks)
		}
	}
	// The control: pgx alone.
	var starts time.Time
	require.NoError(t, store.DB().QueryRow(t.Context(), "SELECT $1::timestamp", pgx.QueryExecModeCacheDescribe, local).Scan(&starts))
	require.Equal(t, want.Add(2*time.Hour), starts)
}

// The times of every shape come in UTC, on a machine whose zone is another. The control is pgx alone.
func TestTimes_ComeInUTCInEveryShape(t *testing.T) {
	t.Parallel()
	const sql = `-- name: Shapes :one
SELECT $1::timestamptz AS one, ARRAY[$1::timestamptz] AS list, tstzrange($1, $1, '[]') AS span,
	ARRAY[tstzrange($1, $1, '[]')] AS spans, tstzmultirange(tstzrange($1, $1, '[]')) AS several,
	min(x) AS first, array_agg(x) AS every FROM (VALUES ($1::timestamptz)) AS v (x)`
	at := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	url := dbtest.URL(t)
	for _, mode := range queryModes {
		store := openMode(t, url, mode)
		zones := func(row pgx.Row) (zones []*time.Location) {
			var one *time.Time
			var list, every []time.Time
			var span pgtype.Range[pgtype.Timestamptz]
			var spans []pgtype.Range[time.Time]
			var several pgtype.Multirange[pgtype.Range[pgtype.Timestamptz]]
			var first any
			require.NoError(t, row.Scan(&one, &list, &span, &spans, &several, &first, &every))
			for _, got := range []time.Time{
				*one, list[0], span.Lower.Time, spans[0].Upper, several[0].Lower.Time, first.(time.Time), every[0],
			} {
				require.True(t, got.Equal(at))
				zones = append(zones, got.Location())
			}

			return zones
		}
		for _, zone := range zones(testdb.Store(store).DBTX().QueryRow(t.Context(), sql, at)) {
			require.Same(t, time.UTC, zone)
		}
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		for _, zone := range zones(conn.QueryRow(t.Context(), sql, at)) {
			require.Same(t, time.Local, zone)
		}
		require.NoError(t, conn.Close(t.Context()))
	}
}

func TestFill_SeesTheTimesOfRanges(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	store := dbtest.New(t)
	const sql = "-- name: Book :exec\nINSERT INTO rooms VALUES ($1)"
	fill := func(typ string, arg any) (any, error) {
		args := []any{arg}
		known := &dbtx.Metadata{Queries: []*dbtx.Query{{Name: "Book", Op: "book", SQL: sql, Write: true, Params: []dbtx.Param{
			{Name: "span", Type: typ, Assigned: []dbtx.ColumnOf{{Table: "rooms", Column: "span"}}},
		}}}}
		err := dbtx.FillIn(dbtx.Knowing(testdb.Store(store), known, nil), sql, args)

		return args[0], err
	}
	type clocks = pgtype.Range[pgtype.Timestamp]
	want := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	of := func(at time.Time) clocks {
		bound := pgtype.Timestamp{Time: at, Valid: true}

		return clocks{Lower: bound, Upper: bound, LowerType: pgtype.Inclusive, UpperType: pgtype.Inclusive, Valid: true}
	}
	local := of(want.In(time.FixedZone("", 7200)))
	for _, c := range []struct {
		typ         string
		given, want any
	}{
		{"tsrange", local, of(want)},
		{"tsrange", []clocks{local}, []clocks{of(want)}},
		{"tsmultirange", pgtype.Multirange[clocks]{local}, pgtype.Multirange[clocks]{of(want)}},
	} {
		got, err := fill(c.typ, c.given)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for _, zero := range []any{
		[]clocks{of(want), of(time.Time{})},
		[]pgtype.Range[pgtype.Timestamptz]{{LowerType: pgtype.Inclusive, Lower: pgtype.Timestamptz{Valid: true}, UpperType: pgtype.Unbounded, Valid: true}},
		[]pgtype.Range[pgtype.Date]{{LowerType: pgtype.Inclusive, Lower: pgtype.Date{Valid: true}, UpperType: pgtype.Unbounded, Valid: true}},
	} {
		_, err := fill("", zero)
		require.EqualError(t, err, "book: span: is not set")
	}
}

func TestSendBatch_NamesTheListThatItsModeCannotSend(t *testing.T) {
	t.Parallel()
	type mood string
	url := dbtest.URL(t)
	for _, mode := range []string{"exec", "simple_protocol"} {
		store := openMode(t, url, mode)
		b := &pgx.Batch{}
		b.Queue("-- name: AddNote :exec\nINSERT INTO notes (moods) VALUES ($1)", []mood{"a"})
		err := dbtx.Knowing(testdb.Store(store), &dbtx.Metadata{}, nil).SendBatch(t.Context(), b).Close()
		require.ErrorContains(t, err, "a list of this type can't be sent in a batch in this mode: set default_query_exec_mode to cache_describe")
	}
}
