package dbtx_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
)

type feeling string

const (
	addDiary  = "-- name: AddDiary :one\nINSERT INTO diaries (moods) VALUES ($1) RETURNING moods"
	moodsSQL  = `CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE TABLE diaries (moods mood[] NOT NULL)`
	listDiary = "-- name: ListDiaries :many\nSELECT moods FROM diaries"
)

// diaries is a schema that has a list of enums.
func diaries(names ...string) *dbtx.Metadata {
	enums := make([]dbtx.Enum, len(names))
	for i, name := range names {
		enums[i].Name = name
	}
	uses := []dbtx.Use{{Table: "diaries", Read: true, Select: []string{"moods"}}}
	param := dbtx.Param{Name: "moods", Type: "mood", Array: true, Assigned: []dbtx.ColumnOf{{Table: "diaries", Column: "moods"}}}

	return &dbtx.Metadata{
		Enums:  enums,
		Tables: []*dbtx.Table{{Name: "diaries", Columns: []dbtx.Column{{Name: "moods", Type: "mood", Array: true, NotNull: true}}}},
		Queries: []*dbtx.Query{
			{Name: "AddDiary", Op: "add diary", Command: dbtx.One, SQL: addDiary, Params: []dbtx.Param{param}, Uses: uses, Write: true},
			{Name: "ListDiaries", Op: "list diaries", Command: dbtx.Many, SQL: listDiary, Uses: uses},
			{
				Name: "LoadDiaries", Op: "load diaries", Command: dbtx.Copyfrom, Params: []dbtx.Param{param}, Write: true,
				Uses: []dbtx.Use{{Table: "diaries", Insert: []string{"moods"}}},
			},
		},
	}
}

func TestEnums_InListsAreSentAndReadInEveryQueryMode(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	admin, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), moodsSQL)
	require.NoError(t, err)
	require.NoError(t, admin.Close(t.Context()))
	want := []feeling{"glad", "sad"}

	for _, mode := range queryModes {
		store := openMode(t, url, mode)
		db := dbtx.Knowing(testdb.Store(store), diaries("mood", "not_there"), nil)
		var got []feeling
		require.NoError(t, db.QueryRow(t.Context(), addDiary, want).Scan(&got), mode)
		require.Equal(t, want, got, mode)
		n, err := db.CopyFrom(t.Context(), pgx.Identifier{"diaries"}, []string{"moods"}, pgx.CopyFromRows([][]any{{want}}))
		require.NoError(t, err, mode)
		require.Equal(t, int64(1), n, mode)
		rows, err := db.Query(t.Context(), listDiary)
		require.NoError(t, err, mode)
		all, err := pgx.CollectRows(rows, pgx.RowTo[[]feeling])
		require.NoError(t, err, mode)
		require.Contains(t, all, want, mode)

		// The control: where the types are not known, COPY can't send them.
		unknown := dbtx.Knowing(testdb.Store(openMode(t, url, mode)), diaries(), nil)
		_, err = unknown.CopyFrom(t.Context(), pgx.Identifier{"diaries"}, []string{"moods"}, pgx.CopyFromRows([][]any{{want}}))
		require.ErrorIs(t, err, dbtx.ErrInvalid, mode)
	}

	t.Run("OfAConnectionWhoseTypesCannotBeLookedUp", func(t *testing.T) {
		t.Parallel()
		store := openMode(t, url, cacheStatement)
		err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
			_, err := tx.DB().Exec(t.Context(), "SELECT 1 / 0")
			require.Error(t, err)
			db := dbtx.Knowing(testdb.Store(tx), diaries("mood"), nil)
			var got []feeling
			err = db.QueryRow(t.Context(), addDiary, want).Scan(&got)
			require.ErrorContains(t, err, "current transaction is aborted")

			return err
		})
		require.Error(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = dbtx.Knowing(testdb.Store(store), diaries("mood"), nil).Exec(ctx, addDiary, want)
		require.ErrorIs(t, err, context.Canceled)
	})
}
