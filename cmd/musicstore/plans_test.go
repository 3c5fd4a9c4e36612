package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx"
	"musicstore/layer/localpg"
	"musicstore/layer/plans"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	require.Equal(t, ok, musicstore(t, "import", "catalog.jsonl", "--database-url", url).status)
	explain := func(args ...string) result {
		return musicstore(t, append([]string{"explain", "--database-url", url}, args...)...)
	}
	published := func() int { return count(t, url, "SELECT count(*) FROM albums WHERE is_published") }

	t.Run("PrintsThePlan", func(t *testing.T) {
		t.Parallel()
		got := explain("ListAlbums", "after_id=0", "page_size=3")
		require.Equal(t, ok, got.status)
		require.Empty(t, got.err)
		require.Regexp(t, `\ALimit .*actual time=\S+ rows=3`, got.out)
		require.Contains(t, got.out, "Buffers: ")
		require.Regexp(t, `\nExecution Time: .* ms\n\z`, got.out)
	})
	t.Run("PrintsJSON", func(t *testing.T) {
		t.Parallel()
		got := explain("ListFirstTracksOfAlbums", "{1,2}", "10", "--json", "--generic")
		require.Equal(t, ok, got.status)
		var printed struct {
			Query   string           `json:"query"`
			Generic bool             `json:"generic"`
			Plan    []map[string]any `json:"plan"`
		}
		require.NoError(t, json.Unmarshal([]byte(got.out), &printed))
		require.Equal(t, "ListFirstTracksOfAlbums", printed.Query)
		require.True(t, printed.Generic)
		require.Positive(t, printed.Plan[0]["Execution Time"])
	})
	t.Run("RollsAWriteBack", func(t *testing.T) {
		t.Parallel()
		before := published()
		require.Positive(t, before)
		got := explain("UnpublishAlbum", "1", "--write")
		require.Equal(t, ok, got.status, got.err)
		require.Regexp(t, `\AUpdate on albums .*rows=1`, got.out)
		require.Equal(t, before, published())
		_, err := open(t, url).UnpublishAlbum(t.Context(), 1) // the control
		require.NoError(t, err)
		require.Equal(t, before-1, published())
	})
	t.Run("ShowsNoAddress", func(t *testing.T) {
		t.Parallel()
		for _, more := range []string{"--generic=false", "--json"} {
			got := explain("GetAccountByEmail", "ada@example.com", more)
			require.Equal(t, ok, got.status)
			require.Equal(t, "The plan is the one for any arguments, because this must not be shown: email_key\n", got.err)
			require.NotContains(t, got.out, "ada")
			require.Contains(t, got.out, "$1")
		}
		require.Contains(t, explain("GetAlbumByURL", "ada").out, "'ada'", "the control")
	})
	t.Run("TakesEveryQuery", func(t *testing.T) {
		t.Parallel()
		store, planned := open(t, url), 0
		for _, q := range repo.SQL().Queries {
			args := make([]string, len(q.Params))
			for i := range args {
				args[i] = "NULL"
			}
			_, err := plans.Explain(t.Context(), store.DB(), repo.SQL().Metadata, q.Name, args, plans.ExplainOptions{Write: true})
			switch {
			case q.Command == dbtx.Copyfrom:
				require.ErrorIs(t, err, plans.ErrNoPlan)
			case !errors.Is(err, repo.ErrNotNull) && !errors.Is(err, dbtx.ErrRowsNotKept): // NULL where the query takes none
				require.NoError(t, err, q.Name)
				planned++
			}
		}
		require.Greater(t, planned, 30)
	})
	t.Run("SaysWhatToDoNext", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, result{failed, "", "musicstore: explain GetAlbum: id: is not a value of the type bigint\n" + correctArgument + "\n"},
			explain("GetAlbum", "first"))
		got := musicstore(t, "explain", "GetAlbum", "1", "--database-url", dbtest.EmptyURL(t))
		require.Equal(t, failed, got.status)
		require.Contains(t, got.err, `explain GetAlbum: ERROR: relation "albums" does not exist`)
		require.Contains(t, got.err, runInit)
	})
	t.Run("EndsAtTheTimeout", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		holder, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		defer holder.Close(context.WithoutCancel(t.Context()))
		_, err = holder.Exec(t.Context(), "BEGIN; LOCK TABLE albums")
		require.NoError(t, err)
		got := musicstore(t, "explain", "GetAlbum", "1", "--timeout=1s", "--database-url", url)
		require.Equal(t, failed, got.status)
		require.Contains(t, got.err, "explain GetAlbum: ")
		require.Contains(t, got.err, "no answer within 1s (--timeout): it waits for a lock of the session ")
	})
}

func TestSlow(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	ctx := t.Context()
	server, err := localpg.TempInMemory(ctx, "shared_preload_libraries=pg_stat_statements")
	if err != nil && strings.Contains(err.Error(), `could not access file "pg_stat_statements"`) {
		t.Skip("this PostgreSQL came without the library pg_stat_statements: install its contrib package")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	url := server.URL("postgres")
	require.Equal(t, ok, musicstore(t, "init", "--database-url", url).status)

	got := musicstore(t, "slow", "--database-url", url)
	require.Equal(t, failed, got.status)
	require.Contains(t, got.err, "musicstore: slow: no statistics of statements: the extension is not in this database. ")
	require.Contains(t, got.err, "CREATE EXTENSION pg_stat_statements;")

	store := open(t, url)
	_, err = store.DB().Exec(ctx, "CREATE EXTENSION pg_stat_statements; CREATE ROLE shop LOGIN; "+
		"REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	require.NoError(t, err)
	require.Equal(t, ok, musicstore(t, "import", "catalog.jsonl", "--database-url", url).status)
	for range 3 {
		_, err := store.GetAlbum(ctx, 1)
		require.NoError(t, err)
	}
	got = musicstore(t, "slow", "--database-url", url)
	require.Equal(t, ok, got.status, got.err)
	require.Regexp(t, `\Aquery +calls +rows +total ms +mean ms +max ms +blocks\n`, got.out)
	require.Regexp(t, `\nGetAlbum +3 +3 `, got.out)
	require.Regexp(t, `\nCreateAlbums +1 +1 `, got.out)
	require.Regexp(t, `\nothers +\d+ `, got.out)
	require.Regexp(t, `\ACounted since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n\z`, got.err)

	got = musicstore(t, "slow", "--limit", "1", "--json", "--database-url", url)
	require.Equal(t, ok, got.status, got.err)
	require.Contains(t, got.err, " more queries took less time: see them with --limit\n")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Len(t, lines, 2)
	var first, others slowLine
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &others))
	require.NotNil(t, repo.SQL().Find(*first.Query))
	require.GreaterOrEqual(t, first.TotalMS, first.MeanMS)
	require.Equal(t, "others", others.Kind)
	require.Nil(t, others.Query)

	got = musicstore(t, "slow", "--database-url", url+"&user=shop")
	require.Equal(t, ok, got.status, got.err)
	require.NotContains(t, got.out, "GetAlbum")
	require.Regexp(t, `\nhidden +\d+ `, got.out)
	require.Contains(t, got.err, "GRANT pg_read_all_stats TO your role\n")
}
