package repo_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/internal/schema"
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
		store := openMode(t, with(t, url, "options", "-cstandard_conforming_strings=off"), mode)
		made := newAlbum(t, store, accented+` \ `+mode, 1)
		read, err := store.GetAlbum(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, made, read)
		require.NoError(t, everyQuery(t.Context(), store), mode)
	}
	for setting, value := range map[string]string{
		"client_encoding": "LATIN1", "standard_conforming_strings": "off", "DateStyle": "German",
	} {
		_, err := repo.Open(t.Context(), with(t, url, setting, value))
		var invalid *repo.InvalidError
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, setting, invalid.Field)
		require.ErrorIs(t, err, repo.ErrInvalid)
	}
}

func TestOpen_RefusesADatabaseThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	admin, err := pgx.Connect(t.Context(), dbtest.AdminURL(t))
	require.NoError(t, err)
	defer admin.Close(context.WithoutCancel(t.Context()))
	for i, encoding := range []string{"LATIN1", "SQL_ASCII", "EUC_KR"} {
		name := fmt.Sprintf("repo_encoding_%d", i)
		_, err = admin.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0 LOCALE 'C' ENCODING '"+encoding+"'")
		require.NoError(t, err)
		_, err := repo.Open(t.Context(), with(t, dbtest.AdminURL(t), "dbname", name))
		require.ErrorIs(t, err, repo.ErrSettings)
		var wrong *repo.SettingError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, repo.SettingError{Setting: "server_encoding", Have: encoding, Want: "UTF8"}, *wrong)
		_, err = admin.Exec(t.Context(), "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, err)
	}
}

func TestNew_RefusesAConnectionWithOtherSettings(t *testing.T) {
	t.Parallel()
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
			for name, db := range map[string]repo.DB{"pool": pool, "transaction": tx} {
				for _, store := range []*repo.Repo{repo.New(db), repo.New(db, repo.WithPipelining())} {
					_, err = store.GetAlbum(ctx, 1)
					refused(t, err, setting, name)
					_, err = store.CreateAlbum(ctx, album(accented, 1))
					refused(t, err, setting, name)
					_, err = store.ListAlbums(ctx, repo.Page{})
					refused(t, err, setting, name)
					_, err = store.DeleteAlbum(ctx, 1)
					refused(t, err, setting, name)
					_, err = store.LoadTracks(ctx, []repo.LoadTracksParams{{AlbumID: 1, Name: accented, DisplayOrder: 1}})
					refused(t, err, setting, name)
					err = store.InTx(ctx, func(tx *repo.Repo) error {
						_, err := tx.GetAlbum(ctx, 1)

						return err
					})
					refused(t, err, setting, name)
				}
			}
			require.Zero(t, pool.Stat().AcquiredConns(), "every connection is given back")
			require.NoError(t, tx.Rollback(ctx))
			_, err = repo.New(conn).CreateAlbum(ctx, album(accented, 1))
			refused(t, err, setting, "connection")

			// The control: as the driver alone has it, the text is another one, or the statement is.
			if setting == "client_encoding" {
				var n int
				require.NoError(t, conn.QueryRow(ctx, "SELECT char_length($1::text)", accented).Scan(&n))
				require.Greater(t, n, len([]rune(accented)))
			}

			// What the session sets itself counts.
			_, err = conn.Exec(ctx, "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on")
			require.NoError(t, err)
			newAlbum(t, repo.New(conn), accented, 1)
			_, err = conn.Exec(ctx, "SET "+setting+" = '"+value+"'")
			require.NoError(t, err)
			_, err = repo.New(conn).GetAlbum(ctx, 1)
			refused(t, err, setting, "connection")
		})
	}
}

func refused(t *testing.T, err error, setting, on string) {
	t.Helper()
	require.ErrorIs(t, err, repo.ErrSettings, on)
	var wrong *repo.SettingError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, setting, wrong.Setting)
	require.NotErrorIs(t, err, repo.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, repo.ErrUnavailable)
}

// A superuser's store looks once who else may create in its schemas, before its first statement.
func TestRepo_RefusesASuperuserInDanger(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := dbtest.URL(t)
	own, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	asAdmin := with(t, dbtest.AdminURL(t), "dbname", own.Database)
	store, err := repo.Open(ctx, asAdmin)
	require.NoError(t, err)
	defer store.Close()
	_, err = store.GetAlbum(ctx, 1)
	require.ErrorIs(t, err, repo.ErrUntrusted, "the database's owner may log in")
	require.ErrorContains(t, err, "ALTER SCHEMA public OWNER TO CURRENT_USER;")
	err = store.InTx(ctx, func(tx *repo.Repo) error {
		_, err := tx.CreateAlbum(ctx, album("A", 1))

		return err
	})
	require.ErrorIs(t, err, repo.ErrUntrusted)
	warnings, err := store.Warnings(ctx)
	require.NoError(t, err)
	require.Empty(t, warnings, "it is refused instead")

	_, err = store.DB().Exec(ctx, "ALTER SCHEMA public OWNER TO CURRENT_USER; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	require.NoError(t, err)
	newAlbum(t, store, "A", 1) // which needs no other store
	require.NoError(t, store.InTx(ctx, func(tx *repo.Repo) error { return everyQuery(ctx, tx) }))
}

func TestRepo_Warnings(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := dbtest.URL(t)
	own, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	admin, err := pgx.Connect(ctx, with(t, dbtest.AdminURL(t), "dbname", own.Database))
	require.NoError(t, err)
	defer admin.Close(context.WithoutCancel(ctx))
	run := func(sql string) {
		_, err := admin.Exec(ctx, sql)
		require.NoError(t, err)
	}
	store, err := repo.Open(ctx, url)
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
	newAlbum(t, store, "A", 1) // it works
}
