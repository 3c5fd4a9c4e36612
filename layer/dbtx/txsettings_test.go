package dbtx_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	testdbs "musicstore/layer/internal/testdb/dbtest"
)

// userSetting is a setting of the tests' own, as one for row security is.
const userSetting = "app.user_id"

func asUser(id string) testdb.TxOptions {
	return testdb.TxOptions{Settings: testdb.Settings{userSetting: id}}
}

// current returns who the session says it is for.
func current(ctx context.Context, store *testdb.Repo) (id string, err error) {
	err = store.DB().QueryRow(ctx, "SELECT coalesce(current_setting('"+userSetting+"', true), '')").Scan(&id)

	return id, err
}

// Each of many callers sees its own setting, and nobody sees one after its transaction, however few connections they share.
func TestStore_InTxWith_KeepsASettingToItsTransaction(t *testing.T) {
	t.Parallel()
	for _, mode := range queryModes {
		store := openMode(t, dbtxtest.With(t, testdbs.URL(t), "pool_max_conns", "2"), mode)
		keepsToItsOwn(t, store, 16)
	}
}

func TestSoak_InTxWithKeepsASettingToItsTransactionBehindPgBouncer(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	for _, mode := range []string{"exec", "cache_describe", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			keepsToItsOwn(t, openMode(t, dbtxtest.With(t, behindPgBouncer(t, testdbs.URL(t)), "pool_max_conns", "40"), mode), 200)
		})
	}
}

func keepsToItsOwn(t *testing.T, store *testdb.Repo, callers int) {
	t.Helper()
	require.Equal(t, make([]error, callers), dbtxtest.AtOnce(callers, func(i int) error {
		own := strconv.Itoa(i)
		for range 5 {
			err := store.InTxWith(t.Context(), asUser(own), func(tx *testdb.Repo) error {
				for range 2 {
					if id, err := current(t.Context(), tx); err != nil || id != own {
						return fmt.Errorf("%q instead of %q: %w", id, own, err)
					}
				}
				if i%2 == 0 {
					return errOwn
				}

				return nil
			})
			if i%2 == 0 && err == errOwn { //nolint:errorlint // it comes back as it is
				err = nil
			}
			if err != nil {
				return err
			}
			if id, err := current(t.Context(), store); err != nil || id != "" {
				return fmt.Errorf("%q outside of a transaction: %w", id, err)
			}
			if err := store.InTx(t.Context(), func(tx *testdb.Repo) error {
				id, err := current(t.Context(), tx)
				if err == nil && id != "" {
					err = fmt.Errorf("%q in another transaction", id)
				}

				return err
			}); err != nil {
				return err
			}
		}

		return nil
	}))
	// The control: SET reaches whoever has the connection next.
	_, err := store.DB().Exec(t.Context(), "SET "+userSetting+" = 'of the session'")
	require.NoError(t, err)
	seen := false
	for range 100 {
		id, err := current(t.Context(), store)
		require.NoError(t, err)
		seen = seen || id == "of the session"
	}
	require.True(t, seen, "the control")
}

// With row security, a caller reads and writes its own rows and no others. Behind PgBouncer, too.
func TestStore_InTxWith_ServesRowSecurity(t *testing.T) {
	t.Parallel()
	url := testdbs.URL(t)
	admin := open(t, url)
	setUp(t, admin, `CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text NOT NULL, text text NOT NULL);
		INSERT INTO notes (owner, text) VALUES ('a', 'of a'), ('b', 'of b');
		ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
		ALTER TABLE notes FORCE ROW LEVEL SECURITY;
		CREATE POLICY own ON notes USING (owner = current_setting('app.user_id', true))`)
	for name, url := range map[string]string{"direct": url, "PgBouncer": behindPgBouncer(t, url)} {
		store := openMode(t, url, "exec")
		var superuser bool
		require.NoError(t, store.DB().QueryRow(t.Context(), "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").Scan(&superuser))
		require.False(t, superuser, "row security is not for such a role")
		texts := func(opts testdb.TxOptions) (texts []string) {
			require.NoError(t, store.InTxWith(t.Context(), opts, func(tx *testdb.Repo) (err error) {
				rows, err := tx.DB().Query(t.Context(), "SELECT text FROM notes ORDER BY id")
				if err == nil {
					texts, err = pgx.CollectRows(rows, pgx.RowTo[string])
				}

				return err
			}), name)

			return texts
		}
		require.Equal(t, []string{"of a"}, texts(asUser("a")), name)
		require.Equal(t, []string{"of b"}, texts(asUser("b")), name)
		require.Empty(t, texts(asUser("a' OR true OR '")), name)
		require.Empty(t, texts(testdb.TxOptions{}), "%s: the control", name)
		err := store.InTxWith(t.Context(), asUser("a"), func(tx *testdb.Repo) error {
			_, err := tx.DB().Exec(t.Context(), "INSERT INTO notes (owner, text) VALUES ('b', 'of a, as b')")

			return err
		})
		require.Equal(t, "42501", dbtxtest.SQLState(err), "%s: %v", name, err)
	}
}

func setUp(t *testing.T, store *testdb.Repo, sql string) {
	t.Helper()
	_, err := store.DB().Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
}

func TestStore_InTxWith(t *testing.T) {
	t.Parallel()
	t.Run("EndsAStatementInItsTime", func(t *testing.T) {
		t.Parallel()
		store := open(t, testdbs.URL(t))
		sleep := func(tx *testdb.Repo) error {
			_, err := tx.DB().Exec(t.Context(), "SELECT pg_sleep(0.05)")

			return err
		}
		opts := testdb.TxOptions{Settings: testdb.Settings{"statement_timeout": "10"}}
		err := store.InTxWith(t.Context(), opts, sleep)
		require.Equal(t, "57014", dbtxtest.SQLState(err), "%v", err)
		require.NoError(t, store.InTx(t.Context(), sleep), "the control")
	})
	t.Run("TakesOptionsAndSettings", func(t *testing.T) {
		t.Parallel()
		store := open(t, testdbs.URL(t))
		opts := testdb.TxOptions{
			TxOptions: pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly},
			Settings:  testdb.Settings{userSetting: "", "work_mem": "8MB", "app.Other": "ü'\"$1"},
		}
		runs := 0
		require.NoError(t, store.InTxWith(t.Context(), opts, func(tx *testdb.Repo) error {
			var level, readOnly, id, memory, other string
			err := tx.DB().QueryRow(t.Context(), `SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'),
				current_setting('app.user_id'), current_setting('work_mem'), current_setting('app.other')`).Scan(&level, &readOnly, &id, &memory, &other)
			require.NoError(t, err)
			require.Equal(t, []string{"serializable", "on", "", "8MB", "ü'\"$1"}, []string{level, readOnly, id, memory, other})
			if runs++; runs == 1 {
				return &pgconn.PgError{Code: "40001"}
			}

			return nil
		}))
		require.Equal(t, 2, runs, "the settings are there in each run")
	})
	t.Run("RefusesWhatCannotBeSet", func(t *testing.T) {
		t.Parallel()
		const secret = "s3cret"
		url := testdbs.URL(t)
		for _, mode := range []string{cacheStatement, "exec"} {
			var echoed strings.Builder
			store := open(t, dbtxtest.With(t, url, "default_query_exec_mode", mode), testdb.WithEcho(&echoed))
			for _, test := range []struct{ name, value, says string }{
				{"", secret, "begin: settings: a name is empty"},
				{"app.\x00", secret, "begin: settings: a name has a NUL character"},
				{userSetting, secret + "\x00", "begin: app.user_id: has a NUL character"},
				{userSetting, secret + "\xff", "begin: app.user_id: is not valid UTF-8"},
				{"Client_Encoding", "LATIN1", "begin: Client_Encoding: can't be set: the store depends on it"},
				{"session_replication_role", "replica", "begin: session_replication_role: can't be set: the store depends on it"},
				{"statement_tineout", secret, "begin: statement_tineout: the server has no such setting; a setting of your own has a dot in its name"},
				{"statement_timeout", secret, "begin: statement_timeout: the server does not take this value"},
				{"app.a b", secret, "begin: app.a b: is not a name that a setting can have"},
				{"log_statement", "none", "begin: log_statement: this role may not set it"},
				{"shared_buffers", "1GB", "begin: shared_buffers: the server does not let it be changed now"},
			} {
				ran := false
				opts := testdb.TxOptions{Settings: testdb.Settings{test.name: test.value, "application_name": "x"}}
				err := store.InTxWith(t.Context(), opts, func(tx *testdb.Repo) error {
					ran = true
					_, err := tx.CreatePaper(t.Context(), paper("A"))
					require.Error(t, err)
					_, again := tx.CreatePaper(t.Context(), paper("A"))
					require.Error(t, again)

					return err
				})
				require.EqualError(t, err, test.says, mode)
				invalid := &testdb.InvalidError{}
				require.ErrorAs(t, err, &invalid)
				require.ErrorIs(t, err, testdb.ErrInvalid)
				require.Equal(t, dbtxtest.SQLState(err) != "", ran, test.says)
				require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), secret)
			}
			require.Zero(t, countPapers(t, store))
			require.NotContains(t, echoed.String(), secret)
			require.Contains(t, echoed.String(), `SELECT pg_catalog.set_config($1, $2, true) | $1="application_name", $2=[redacted]`)
			require.EqualValues(t, 1, store.Stats().NewConns, "%s: a refused setting costs no connection", mode)
		}
	})
	t.Run("RefusesASettingThatIsThereTwice", func(t *testing.T) {
		t.Parallel()
		opts := testdb.TxOptions{Settings: testdb.Settings{"App.User_ID": "1", userSetting: "2", "app.user": "3"}}
		require.EqualError(t, open(t, testdbs.URL(t)).InTxWith(t.Context(), opts, nil), "begin: app.user_id: is there twice, in upper and lower case")
	})
	t.Run("IsNotForATransactionThatHasBegun", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, open(t, testdbs.URL(t)).InTx(t.Context(), func(tx *testdb.Repo) error {
			require.EqualError(t, tx.InTxWith(t.Context(), asUser("a"), func(*testdb.Repo) error { return nil }),
				"begin: options: the transaction has begun already")

			return tx.InTxWith(t.Context(), testdb.TxOptions{}, func(tx *testdb.Repo) error { return addPaper(t.Context(), tx, "A") })
		}))
	})
	t.Run("RunsNothingWithoutASetting", func(t *testing.T) {
		t.Parallel()
		end := context.CancelFunc(func() {})
		store := open(t, testdbs.URL(t), testdb.WithEcho(writerFunc(func(line []byte) (int, error) {
			if strings.HasPrefix(string(line), "BEGIN") {
				end()
			}

			return len(line), nil
		})))
		err := store.InTxWith(t.Context(), asUser("a"), func(tx *testdb.Repo) error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end = cancel
			_, err := tx.DB().Exec(ctx, "SELECT 1; SELECT 2") // BEGIN is sent by itself, and then the context ends
			require.ErrorIs(t, err, context.Canceled)
			_, err = current(t.Context(), tx)
			require.ErrorIs(t, err, context.Canceled)
			_, err = tx.DB().Exec(t.Context(), "DELETE FROM papers")
			require.ErrorIs(t, err, context.Canceled)
			batch := &pgx.Batch{}
			batch.Queue("SELECT 1")
			require.ErrorIs(t, tx.DB().SendBatch(t.Context(), batch).Close(), context.Canceled)

			return nil
		})
		require.ErrorIs(t, err, pgx.ErrTxCommitRollback)
		require.EqualValues(t, 1, store.Stats().NewConns)
	})
	t.Run("IsForAnyDB", func(t *testing.T) {
		t.Parallel()
		url := testdbs.URL(t)
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
		pool := open(t, url).DB().(*pgxpool.Pool)
		for name, db := range map[string]testdb.DB{"a connection": conn, "a pool": pool, "another": struct{ testdb.DB }{pool}} {
			store := testdb.New(db)
			require.NoError(t, store.InTxWith(t.Context(), asUser("a"), func(tx *testdb.Repo) error {
				id, err := current(t.Context(), tx)
				require.Equal(t, "a", id, name)

				return err
			}), name)
			id, err := current(t.Context(), store)
			require.NoError(t, err, name)
			require.Empty(t, id, name)
			bad := testdb.TxOptions{Settings: testdb.Settings{"statement_timeout": "x"}}
			require.ErrorIs(t, store.InTxWith(t.Context(), bad, func(tx *testdb.Repo) error { return addPaper(t.Context(), tx, "A") }),
				testdb.ErrInvalid, name)
			require.Zero(t, countPapers(t, store), name)
		}
	})
	t.Run("SnapshotsAndCopiesGoWithIt", func(t *testing.T) {
		t.Parallel()
		store := open(t, testdbs.URL(t))
		require.NoError(t, store.InTxWith(t.Context(), asUser("a"), func(tx *testdb.Repo) error {
			var id string

			return testdb.Store(tx).Snapshot(t.Context(), func(db dbtx.DBTX) error {
				err := db.QueryRow(t.Context(), "SELECT current_setting('app.user_id')").Scan(&id)
				if err == nil && id != "a" {
					err = errOwn
				}

				return err
			})
		}))
		a := newPaper(t, store, "A")
		require.NoError(t, store.InTxWith(t.Context(), asUser("a"), func(tx *testdb.Repo) error {
			newArticles(t, tx, a, 2)
			id, err := current(t.Context(), tx)
			require.Equal(t, "a", id)

			return err
		}))
	})
}

// What settings cost on one machine: go test -run '^$' -bench InTxWith -count 10 ./layer/dbtx measures it.
func BenchmarkStore_InTxWith(b *testing.B) {
	store, err := testdb.Open(b.Context(), testdbs.URL(b))
	require.NoError(b, err)
	defer store.Close()
	for _, bench := range []struct {
		name     string
		settings testdb.Settings
	}{
		{"no setting", nil},
		{"one setting", testdb.Settings{userSetting: "42"}},
		{"two settings", testdb.Settings{userSetting: "42", "statement_timeout": "2s"}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := store.InTxWith(b.Context(), testdb.TxOptions{Settings: bench.settings}, func(tx *testdb.Repo) error {
					_, err := tx.HasInvitation(b.Context(), "")

					return err
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
