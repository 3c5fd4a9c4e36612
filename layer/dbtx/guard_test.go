package dbtx_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/schema"
)

// setForDatabase gives every session of a database a setting, unless it brings its own.
func setForDatabase(t *testing.T, url, setting, value string) {
	t.Helper()
	admin, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), fmt.Sprintf("DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET %s = %%L', "+
		"current_database(), '%s'); END $$", setting, value))
	require.NoError(t, err)
	require.NoError(t, admin.Close(t.Context()))
}

// adminOf returns a connection that may change any setting of the database that a URL names, and the database's name.
func adminOf(t *testing.T, url string) (admin *pgx.Conn, database string) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	admin, err = pgx.Connect(t.Context(), dbtest.AdminURL(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close(context.WithoutCancel(t.Context())) })

	return admin, config.Database
}

const accented = "Beyoncé — 美空ひばり"

func TestOpen_SetsWhatGivesTextItsMeaning(t *testing.T) {
	t.Parallel()
	setsWhatGivesTextItsMeaning(t, cacheStatement, "simple_protocol")
}

func TestSoak_Open_SetsWhatGivesTextItsMeaning(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	setsWhatGivesTextItsMeaning(t, queryModes...)
}

func setsWhatGivesTextItsMeaning(t *testing.T, modes ...string) {
	t.Helper()
	url := dbtest.URL(t)
	for setting, value := range map[string]string{
		"client_encoding": "LATIN1", "standard_conforming_strings": "off", "DateStyle": "German", "TimeZone": "Asia/Tokyo",
	} {
		setForDatabase(t, url, setting, value)
	}
	for _, mode := range modes {
		store := openMode(t, dbtxtest.With(t, url, "options", "-cstandard_conforming_strings=off"), mode)
		made := newPaper(t, store, accented+` \ `+mode)
		read, err := store.GetPaper(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, made, read)
		require.NoError(t, everyQuery(t.Context(), store), mode)
	}
	for setting, value := range map[string]string{
		"client_encoding": "LATIN1", "standard_conforming_strings": "off", "DateStyle": "German",
	} {
		_, err := testdb.Open(t.Context(), dbtxtest.With(t, url, setting, value))
		var invalid *testdb.InvalidError
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, setting, invalid.Field)
		require.ErrorIs(t, err, testdb.ErrInvalid)
	}
}

func TestOpen_RefusesADatabaseThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	admin, err := pgx.Connect(t.Context(), dbtest.AdminURL(t))
	require.NoError(t, err)
	defer admin.Close(context.WithoutCancel(t.Context()))
	for i, encoding := range []string{"LATIN1", "SQL_ASCII", "EUC_KR"} {
		name := fmt.Sprintf("repo_encoding_%d", i)
		_, err = admin.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0 LOCALE 'C' ENCODING '"+encoding+"'")
		require.NoError(t, err)
		_, err := testdb.Open(t.Context(), dbtxtest.With(t, dbtest.AdminURL(t), "dbname", name))
		require.ErrorIs(t, err, testdb.ErrSettings)
		var wrong *testdb.SettingError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, testdb.SettingError{Setting: "server_encoding", Have: encoding, Want: "UTF8"}, *wrong)
		_, err = admin.Exec(t.Context(), "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, err)
	}
}

func TestNew_RefusesAConnectionWithOtherSettings(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	for setting, value := range map[string]string{"client_encoding": "LATIN1", "standard_conforming_strings": "off"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t)
			setForDatabase(t, url, setting, value)
			ctx := t.Context()
			conn, err := pgx.Connect(ctx, url)
			require.NoError(t, err)
			defer conn.Close(context.WithoutCancel(ctx))
			tx, err := conn.Begin(ctx)
			require.NoError(t, err)
			pool, err := pgxpool.New(ctx, url)
			require.NoError(t, err)
			defer pool.Close()
			for name, db := range map[string]testdb.DB{"pool": pool, "transaction": tx} {
				_, err = testdb.New(db, testdb.WithPipelining()).GetPaper(ctx, 1)
				refused(t, err, setting, name)
				store := testdb.New(db)
				_, err = store.GetPaper(ctx, 1)
				refused(t, err, setting, name)
				_, err = store.CreatePaper(ctx, paper(accented))
				refused(t, err, setting, name)
				_, err = store.ListPapers(ctx, 50)
				refused(t, err, setting, name)
				_, err = store.DeletePaper(ctx, 1)
				refused(t, err, setting, name)
				_, err = store.LoadArticles(ctx, []testdb.LoadArticlesParams{{PaperID: 1, Name: accented, DisplayOrder: 1}})
				refused(t, err, setting, name)
				err = store.InTx(ctx, func(tx *testdb.Repo) error {
					_, err := tx.GetPaper(ctx, 1)

					return err
				})
				refused(t, err, setting, name)
			}
			require.Zero(t, pool.Stat().AcquiredConns(), "every connection is given back")
			require.NoError(t, tx.Rollback(ctx))
			_, err = testdb.New(conn).CreatePaper(ctx, paper(accented))
			refused(t, err, setting, "connection")

			// The control: as the driver alone has it, the text is another one, or the statement is.
			if setting == "client_encoding" {
				var n int
				require.NoError(t, conn.QueryRow(ctx, "SELECT char_length($1::text)", pgx.QueryExecModeCacheDescribe, accented).Scan(&n))
				require.Greater(t, n, len([]rune(accented)))
			}

			// What the session sets itself counts.
			_, err = conn.Exec(ctx, "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on")
			require.NoError(t, err)
			newPaper(t, testdb.New(conn), accented)
			_, err = conn.Exec(ctx, "SET "+setting+" = '"+value+"'")
			require.NoError(t, err)
			_, err = testdb.New(conn).GetPaper(ctx, 1)
			refused(t, err, setting, "connection")
		})
	}
}

func refused(t *testing.T, err error, setting, on string) {
	t.Helper()
	require.ErrorIs(t, err, testdb.ErrSettings, on)
	var wrong *testdb.SettingError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, setting, wrong.Setting)
	require.NotErrorIs(t, err, testdb.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, testdb.ErrUnavailable)
}

// A superuser's store looks once who else may create in its schemas, before its first statement.
func TestRepo_RefusesASuperuserInDanger(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := dbtest.URL(t)
	own, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	asAdmin := dbtxtest.With(t, dbtest.AdminURL(t), "dbname", own.Database)
	store, err := testdb.Open(ctx, asAdmin)
	require.NoError(t, err)
	defer store.Close()
	_, err = store.GetPaper(ctx, 1)
	require.ErrorIs(t, err, testdb.ErrUntrusted, "the database's owner may log in")
	require.ErrorContains(t, err, "ALTER SCHEMA public OWNER TO CURRENT_USER;")
	err = store.InTx(ctx, func(tx *testdb.Repo) error {
		_, err := tx.CreatePaper(ctx, paper("A"))

		return err
	})
	require.ErrorIs(t, err, testdb.ErrUntrusted)
	warnings, err := store.Warnings(ctx)
	require.NoError(t, err)
	require.Empty(t, warnings, "it is refused instead")

	_, err = store.DB().Exec(ctx, "ALTER SCHEMA public OWNER TO CURRENT_USER; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	require.NoError(t, err)
	newPaper(t, store, "A") // which needs no other store
	require.NoError(t, store.InTx(ctx, func(tx *testdb.Repo) error { return everyQuery(ctx, tx) }))
}

func TestRepo_Warnings(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := dbtest.URL(t)
	own, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	admin, err := pgx.Connect(ctx, dbtxtest.With(t, dbtest.AdminURL(t), "dbname", own.Database))
	require.NoError(t, err)
	defer admin.Close(context.WithoutCancel(ctx))
	run := func(sql string) {
		_, err := admin.Exec(ctx, sql)
		require.NoError(t, err)
	}
	store, err := testdb.Open(ctx, url)
	require.NoError(t, err)
	defer store.Close()
	run("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	warnings, err := store.Warnings(ctx)
	require.NoError(t, err)
	require.Empty(t, warnings)
	run("CREATE ROLE repo_warnings LOGIN; GRANT CREATE ON SCHEMA public TO repo_warnings")
	defer run("DROP OWNED BY repo_warnings; DROP ROLE repo_warnings")
	warnings, err = store.Warnings(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"role repo_warnings can make functions in schema public of the search_path, which run with " +
		"your rights: REVOKE CREATE ON SCHEMA public FROM repo_warnings;"}, warnings)
	ofSchema, err := schema.Warnings(ctx, store.DB())
	require.NoError(t, err)
	require.Equal(t, warnings, ofSchema)
	newPaper(t, store, "A") // it works
}

// A superuser gave the role or the database a setting with which foreign keys are not enforced.
func TestRepo_RefusesASessionWithoutForeignKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := dbtest.URL(t)
	store, err := testdb.Open(ctx, dbtxtest.With(t, url, "pool_max_conns", "1"))
	require.NoError(t, err)
	defer store.Close()
	sold := newPaper(t, store, "A")
	orphan := func(store *testdb.Repo) error {
		_, err := store.RecordSale(ctx, testdb.RecordSaleParams{ReaderID: testdb.NewID(), PaperID: sold.ID, PaymentRef: testdb.NewID()})

		return err
	}
	require.ErrorIs(t, orphan(store), testdb.ErrBuyerUnknown)

	admin, own := adminOf(t, url)
	database := pgx.Identifier{own}.Sanitize()
	_, err = admin.Exec(ctx, "ALTER DATABASE "+database+" SET session_replication_role = replica")
	require.NoError(t, err)

	pool, err := pgxpool.New(ctx, url)
	require.NoError(t, err)
	defer pool.Close()
	naive, err := pool.Begin(ctx)
	require.NoError(t, err)
	_, err = naive.Exec(ctx, `INSERT INTO sales (reader_id, paper_id, payment_ref, description, amount_paid_cents, created_at)
		VALUES (repeat('0', 32), $1, 'x', '', 1, now())`, sold.ID)
	require.NoError(t, err, "the control: a sale of no reader is kept")
	require.NoError(t, naive.Rollback(ctx))
	made := testdb.New(pool)
	_, err = made.Warnings(ctx)
	refused(t, err, "session_replication_role", "Warnings")
	_, err = schema.Check(ctx, pool, &dbgen.Metadata)
	require.ErrorIs(t, err, schema.ErrSettings)
	_, err = schema.Bootstrap(ctx, pool, &dbgen.Metadata)
	require.ErrorIs(t, err, schema.ErrSettings)
	_, err = schema.Warnings(ctx, pool)
	require.ErrorIs(t, err, schema.ErrSettings)
	super, err := testdb.Open(ctx, dbtxtest.With(t, dbtest.AdminURL(t), "dbname", own))
	require.NoError(t, err)
	defer super.Close()
	refused(t, orphan(super), "session_replication_role", "a superuser's statement")
	refused(t, super.InTx(ctx, orphan), "session_replication_role", "a superuser's transaction")

	_, err = admin.Exec(ctx, "ALTER DATABASE "+database+" SET session_replication_role = local")
	require.NoError(t, err)
	pool.Reset()
	require.ErrorIs(t, orphan(made), testdb.ErrBuyerUnknown, "local enforces them")
}

func TestRepo_WarningsOfSettings(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	ctx := t.Context()
	url := dbtest.URL(t)
	admin, own := adminOf(t, url)
	database := pgx.Identifier{own}.Sanitize()
	warnings := func(url string) []string {
		store, err := testdb.Open(ctx, url)
		require.NoError(t, err)
		defer store.Close()
		list, err := store.Warnings(ctx)
		require.NoError(t, err)

		return list
	}
	_, err := admin.Exec(ctx, "ALTER DATABASE "+database+" SET zero_damaged_pages = on; "+
		"ALTER DATABASE "+database+" SET ignore_checksum_failure = on; ALTER DATABASE "+database+" SET synchronous_commit = off")
	require.NoError(t, err)
	list := warnings(url)
	require.Len(t, list, 3)
	for i, name := range []string{"ignore_checksum_failure", "synchronous_commit", "zero_damaged_pages"} {
		require.Contains(t, list[i], name+" is o")
		require.Contains(t, list[i], "ALTER DATABASE "+own+" RESET "+name+";")
		_, err = admin.Exec(ctx, "ALTER DATABASE "+database+" RESET "+name)
		require.NoError(t, err)
	}
	require.Empty(t, warnings(url), "of the server's own synchronous_commit nothing is said")
	list = warnings(dbtxtest.With(t, url, "synchronous_commit", "off"))
	require.Len(t, list, 1)
	require.Contains(t, list[0], "take it out of the URL")
}

// Somebody ran SET on a connection of the pool and gave it back.
func TestRepo_ReplacesAConnectionWhoseSettingsWereChanged(t *testing.T) {
	t.Parallel()
	replacesChangedConnections(t, false)
}

func TestSoak_ReplacesAConnectionWhoseSettingsWereChanged(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	replacesChangedConnections(t, true)
}

// replacesChangedConnections changes one setting under a plain store, or both under a plain store and under one with pipelining.
func replacesChangedConnections(t *testing.T, both bool) {
	t.Helper()
	ctx := t.Context()
	url := dbtxtest.With(t, dbtest.URL(t), "pool_max_conns", "2")
	for setting, value := range map[string]string{"client_encoding": "LATIN1", "standard_conforming_strings": "off"} {
		for _, opts := range [][]testdb.Option{nil, {testdb.WithPipelining()}} {
			if !both && (setting != "client_encoding" || opts != nil) {
				continue
			}
			store, err := testdb.Open(ctx, url, opts...)
			require.NoError(t, err)
			pool := store.DB().(*pgxpool.Pool)
			spoil := func() {
				var held []*pgxpool.Conn
				for range 2 {
					conn, err := pool.Acquire(ctx)
					require.NoError(t, err)
					_, err = conn.Exec(ctx, "SET "+setting+" = '"+value+"'")
					require.NoError(t, err)
					held = append(held, conn)
				}
				for _, conn := range held {
					conn.Release()
				}
			}
			for name, call := range map[string]func() error{
				"a read":    func() error { _, err := store.ListPapers(ctx, 50); return err },
				"a look-up": func() error { _, err := store.GetPaper(ctx, 1); return notFound(err) },
				"a write":   func() error { _, err := store.CreatePaper(ctx, paper(accented+testdb.NewID())); return err },
				"a transaction": func() error {
					return store.InTx(ctx, func(tx *testdb.Repo) error { _, err := tx.ListPapers(ctx, 1); return err })
				},
				"COPY": func() error {
					_, err := store.LoadArticles(ctx, nil)

					return err
				},
			} {
				spoil()
				require.NoError(t, call(), "%s, %s", setting, name)
			}
			store.Close()
		}
	}
}

func notFound(err error) error {
	if errors.Is(err, testdb.ErrNotFound) {
		return nil
	}

	return err
}
