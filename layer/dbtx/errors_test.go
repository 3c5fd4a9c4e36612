package dbtx_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/private"
)

func TestConstraints_AreReadFromTheSchemaFiles(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	want := map[string]string{}
	for _, c := range dbtxtest.Refusers(t, store.DB()) {
		want[c.Name] = c.Table
	}
	rows, err := store.DB().Query(t.Context(), `SELECT relname::text, relname || '_' || attname || '_not_null'
		FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND attnotnull`)
	require.NoError(t, err)
	var table, name string
	_, err = pgx.ForEachRow(rows, []any{&table, &name}, func() error {
		want[name] = table

		return nil
	})
	require.NoError(t, err)
	require.Equal(t, want, knownConstraints())
}

// knownConstraints returns the constraints that the metadata has, with their tables.
func knownConstraints() map[string]string {
	tables := map[string]string{}
	for _, t := range dbgen.Metadata.Tables {
		for _, c := range t.Constraints {
			tables[c.Name] = t.Name
		}
	}

	return tables
}

func TestConstraints_NameNoneThatIsNot(t *testing.T) {
	t.Parallel()
	known := map[testdb.Constraint]bool{}
	for _, c := range dbtxtest.Refusers(t, dbtest.New(t).DB()) {
		known[testdb.Constraint(c.Name)] = true
		known[testdb.Constraint(c.Name).Referenced()] = true
	}
	for name := range knownConstraints() {
		c := testdb.Constraint(name)
		notNull := strings.HasSuffix(string(c), "_not_null") // a constraint with a name since PostgreSQL 18
		require.True(t, known[c] || notNull, "%s has words and is not in the schema", c)
	}
}

func TestConstraintError(t *testing.T) {
	t.Parallel()

	t.Run("NeedsNoGoForANewTable", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		db := testdb.Store(store).DBTX() // what generated queries run on
		_, err := db.Exec(t.Context(), `
			CREATE TABLE shelves (
				id bigint CONSTRAINT shelves_pkey PRIMARY KEY,
				name text NOT NULL CONSTRAINT shelves_name_key UNIQUE,
				room int4range,
				paper_id bigint CONSTRAINT shelves_paper_id_fkey REFERENCES papers ON DELETE RESTRICT,
				CONSTRAINT shelves_name_check CHECK (name <> ''),
				CONSTRAINT shelves_room_excl EXCLUDE USING gist (room WITH &&)
			)`)
		require.NoError(t, err)
		const insert = "-- name: CreateShelf :exec\nINSERT INTO shelves (id, name, room, paper_id) VALUES ($1, $2, '[1,3]', $3)"
		a := newPaper(t, store, "A")
		_, err = db.Exec(t.Context(), insert, 1, "top", a.ID)
		require.NoError(t, err)

		for _, c := range []struct {
			args             []any
			kind, constraint error
			column, text     string
		}{
			{[]any{1, "x", nil}, testdb.ErrUnique, testdb.Constraint("shelves_pkey"), "id", "insert: unique constraint shelves_pkey"},
			{[]any{2, "top", nil}, testdb.ErrUnique, testdb.Constraint("shelves_name_key"), "name", "insert: unique constraint shelves_name_key"},
			{[]any{2, nil, nil}, testdb.ErrNotNull, testdb.Constraint("shelves_name_not_null"), "name", "insert: not-null constraint shelves_name_not_null"},
			{[]any{2, "", nil}, testdb.ErrCheck, testdb.Constraint("shelves_name_check"), "name", "insert: check constraint shelves_name_check"},
			{[]any{2, "x", nil}, testdb.ErrExclusion, testdb.Constraint("shelves_room_excl"), "room", "insert: exclusion constraint shelves_room_excl"},
		} {
			_, err = db.Exec(t.Context(), insert, c.args...)
			requireConstraint(t, err, c.kind, c.constraint, "shelves", c.column, c.text)
		}
		_, err = db.Exec(t.Context(), "-- name: MoveShelf :exec\nUPDATE shelves SET paper_id = -1")
		requireConstraint(t, err, testdb.ErrForeignKey, testdb.Constraint("shelves_paper_id_fkey"), "shelves", "paper_id",
			"update: foreign key shelves_paper_id_fkey")
		_, err = store.DeletePaper(t.Context(), a.ID)
		requireConstraint(t, err, testdb.ErrReferenced, testdb.Constraint("shelves_paper_id_fkey").Referenced(), "shelves", "paper_id",
			"delete paper: foreign key from a row shelves_paper_id_fkey")
	})
	t.Run("IsInvalidWhenTheValueItselfCannotBe", func(t *testing.T) {
		t.Parallel()
		for kind, want := range map[error]bool{
			testdb.ErrCheck: true, testdb.ErrNotNull: true,
			testdb.ErrUnique: false, testdb.ErrForeignKey: false, testdb.ErrReferenced: false, testdb.ErrExclusion: false,
		} {
			require.Equal(t, want, errors.Is(&testdb.ConstraintError{Kind: kind}, testdb.ErrInvalid), kind)
		}
	})
}

func requireConstraint(t *testing.T, err, kind, sentinel error, table, column, text string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	require.ErrorIs(t, err, sentinel)
	require.EqualError(t, err, text)
	var c *testdb.ConstraintError
	require.ErrorAs(t, err, &c)
	require.Equal(t, table, c.Table)
	require.Equal(t, column, c.Column)
}

func TestErrors_HoldNoValueOfARow(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	a := newReader(t, store, "very.secret@example.com")
	db := testdb.Store(store).DBTX()
	for name, sql := range map[string]string{
		"unique":      "INSERT INTO readers SELECT '" + strings.Repeat("0", 32) + "', email, email_key, password_hash, created_at, true, true FROM readers",
		"check":       "UPDATE readers SET id = 'very.secret'",
		"not null":    "UPDATE readers SET email = NULL",
		"foreign key": "INSERT INTO invitations SELECT id, 'very.secret', sha256('x'), created_at, created_at + interval '1 hour' FROM readers",
		"cast":        "SELECT email::int FROM readers",
		"division":    "SELECT length('very.secret') / 0",
		"raised":      "DO $$ BEGIN RAISE EXCEPTION 'very.secret'; END $$",
	} {
		_, err := db.Exec(t.Context(), sql)
		require.Error(t, err, name)
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg, "the code can be had: %s", name)
		require.NotEmpty(t, pg.Code)
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			require.NotContains(t, fmt.Sprintf(verb, err), "very.secret", name)
			require.NotContains(t, fmt.Sprintf(verb, pg), "very.secret", name)
		}
	}
	// The control: the driver's own error has it.
	_, err := store.DB().Exec(t.Context(), "SELECT email::int FROM readers")
	require.ErrorContains(t, err, string(a.Email))
}

func TestErrors_OfAQueryThatCannotRun(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	_, err := store.DB().Exec(t.Context(), "DROP TABLE invitations")
	require.NoError(t, err)
	_, err = store.GetInvitation(t.Context(), private.DigestOf("token"))
	require.EqualError(t, err, `get invitation: ERROR: relation "invitations" does not exist (SQLSTATE 42P01)`)
	require.NotErrorIs(t, err, testdb.ErrNotFound)
}

func TestErrors_OfTheContextStayThemselves(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)

	t.Run("WhenItHadEnded", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := store.GetReader(ctx, testdb.NewID())
		require.ErrorIs(t, err, context.Canceled)
		require.EqualError(t, err, "get reader: context canceled")
		_, err = store.CreateReader(ctx, testdb.CreateReaderParams{Email: "a@x", PasswordHash: hash})
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown, "it was never sent")
		require.ErrorIs(t, store.InTx(ctx, func(*testdb.Repo) error { return nil }), context.Canceled)
	})
	// The statements are short enough to end by themselves: where the request to cancel one comes before the statement, PostgreSQL ignores it.
	t.Run("WhenItEndsInARead", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := testdb.Store(store).DBTX().Exec(ctx, "SELECT pg_sleep(4)")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown)
	})
	t.Run("WhenItEndsInAWrite", func(t *testing.T) {
		t.Parallel()
		var err error
		for d := 50 * time.Millisecond; !errors.Is(err, testdb.ErrOutcomeUnknown); d *= 2 { // it may end before the write has left
			require.Less(t, d, 4*time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), d)
			_, err = testdb.Store(store).DBTX().Exec(ctx, "INSERT INTO papers SELECT FROM pg_sleep(4)")
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	})
}

func TestErrors_OfLimitsSayWhatToDo(t *testing.T) {
	t.Parallel()

	t.Run("StatementTimeout", func(t *testing.T) {
		t.Parallel()
		store, err := testdb.Open(t.Context(), dbtest.URL(t)+"&statement_timeout=20")
		require.NoError(t, err)
		defer store.Close()
		_, err = testdb.Store(store).DBTX().Exec(t.Context(), "SELECT pg_sleep(60)")
		require.ErrorIs(t, err, testdb.ErrTimeout)
		require.EqualError(t, err, "select: ERROR: canceling statement due to statement timeout (SQLSTATE 57014): "+
			"make the statement faster, or statement_timeout longer")
	})
	t.Run("LockTimeout", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		holder, err := testdb.Open(t.Context(), url)
		require.NoError(t, err)
		defer holder.Close()
		store, err := testdb.Open(t.Context(), url+"&lock_timeout=20")
		require.NoError(t, err)
		defer store.Close()
		a := newPaper(t, holder, "A")
		require.NoError(t, holder.InTx(t.Context(), func(tx *testdb.Repo) error {
			if _, err := tx.LockPaper(t.Context(), a.ID); err != nil {
				return err
			}
			_, err := store.PublishPaper(t.Context(), a.ID)
			require.ErrorIs(t, err, testdb.ErrTimeout)
			require.ErrorContains(t, err, "another transaction has held the lock for longer than lock_timeout")

			return nil
		}))
	})
	t.Run("ExhaustedPool", func(t *testing.T) {
		t.Parallel()
		store, err := testdb.Open(t.Context(), dbtest.URL(t)+"&pool_max_conns=1")
		require.NoError(t, err)
		defer store.Close()
		require.NoError(t, store.InTx(t.Context(), func(*testdb.Repo) error {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := store.CreatePaper(ctx, paper("A")) // not through tx: it wants a second connection
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown)
			require.EqualError(t, err, "create paper: context deadline exceeded: all 1 connections of the pool are in use: "+
				"raise pool_max_conns, or find what holds them")
			require.ErrorContains(t, store.InTx(ctx, func(*testdb.Repo) error { return nil }), "begin: context deadline exceeded: all 1 ")

			return nil
		}))
	})
	t.Run("ServerWithoutConnectionsLeft", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		store, err := testdb.Open(t.Context(), url+"&pool_max_conns=4")
		require.NoError(t, err)
		defer store.Close()
		_, err = store.DB().Exec(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 1', current_database()); END $$`)
		require.NoError(t, err)
		require.NoError(t, store.InTx(t.Context(), func(*testdb.Repo) error {
			_, err := store.GetPaper(t.Context(), 1)
			require.ErrorIs(t, err, testdb.ErrUnavailable)
			require.ErrorContains(t, err, "(SQLSTATE 53300): raise max_connections of the server, or lower pool_max_conns")

			return nil
		}))
	})
}
