package main

import (
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
)

func TestTimeout(t *testing.T) {
	t.Parallel()

	t.Run("SaysWhoHoldsTheLockThatItWaitedFor", func(t *testing.T) {
		t.Parallel()
		for _, command := range []string{"export", "import"} {
			url := dbtest.URL(t)
			holder, err := pgx.Connect(t.Context(), url)
			require.NoError(t, err)
			defer holder.Close(t.Context())
			_, err = holder.Exec(t.Context(), "BEGIN; LOCK TABLE albums")
			require.NoError(t, err)
			args, says := []string{command}, "musicstore: export: list albums: "
			if command == "import" {
				args, says = append(args, "catalog.jsonl"), "musicstore: import catalog.jsonl: lines 1 to 10: create albums: "
			}
			got := musicstore(t, append(args, "--timeout", "3s", "--database-url", url)...)
			require.Equal(t, failed, got.status)
			require.Empty(t, got.out)
			require.Contains(t, got.err, says+"no answer within 3s (--timeout): it waits for a lock of the session ")
			require.Regexp(t, `\nWait until that session ends, or end it with: SELECT pg_terminate_backend\(\d+\)\n\z`, got.err)
			_, err = holder.Exec(t.Context(), "COMMIT")
			require.NoError(t, err)
			require.Empty(t, albums(t, url))
		}
	})
	t.Run("SaysThatThereWasNoAnswer", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		trigger(t, url, "NOT DEFERRABLE", "PERFORM pg_sleep(600)")
		got := musicstore(t, "import", "catalog.jsonl", "--timeout=1s", "--database-url", url)
		require.Equal(t, result{failed, "", "musicstore: import catalog.jsonl: lines 1 to 10: create albums: no answer within " +
			"1s (--timeout), and so the transaction has ended\nNothing was imported\n" + raiseTimeout + "\n"}, got)
	})
	t.Run("SaysThatThereWasNoConnection", func(t *testing.T) {
		t.Parallel()
		silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer silent.Close()
		got := musicstore(t, "init", "--timeout", "100ms", "--database-url", "postgres://"+silent.Addr().String()+"/x")
		require.Equal(t, result{failed, "", "musicstore: open: no connection within 100ms (--timeout)\n" + checkTimeout + "\n"}, got)
	})
	t.Run("OfZeroIsNone", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		require.Equal(t, result{ok, "", ""}, musicstore(t, "export", "--timeout", "0", "--database-url", dbtest.URL(t)))
	})
}
