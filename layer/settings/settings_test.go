package settings_test

import (
	"context"
	"strings"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestConfigure(t *testing.T) {
	t.Parallel()

	t.Run("WinsOverTheDatabaseTheRoleAndTheOptions", func(t *testing.T) {
		t.Parallel()
		url := dbtest.EmptyURL(t)
		admin := connect(t, url)
		for _, setting := range []string{
			"standard_conforming_strings = off", "client_encoding = 'LATIN1'", "DateStyle = 'SQL, DMY'", "TimeZone = 'Asia/Tokyo'",
		} {
			run(t, admin, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET "+strings.ReplaceAll(setting, "'", "''")+
				"', current_database()); END $$")
		}
		config, err := pgx.ParseConfig(url)
		require.NoError(t, err)
		delete(config.RuntimeParams, "timezone")
		config.RuntimeParams["options"] = "-c standard_conforming_strings=off -c client_encoding=LATIN1"
		naive := connectTo(t, config) // the control
		require.Equal(t, "off", show(t, naive, "standard_conforming_strings"))
		require.Equal(t, "LATIN1", show(t, naive, "client_encoding"))
		require.ErrorIs(t, settings.Check(naive.PgConn()), settings.ErrSettings)

		require.NoError(t, settings.Configure(config))
		conn := connectTo(t, config)
		for name, want := range map[string]string{
			"standard_conforming_strings": "on", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC",
		} {
			require.Equal(t, want, show(t, conn, name))
		}
		require.NoError(t, settings.Check(conn.PgConn()))
	})
	t.Run("RefusesAURLThatAsksForAnother", func(t *testing.T) {
		t.Parallel()
		for setting, want := range map[string]string{
			"client_encoding=LATIN1": "client_encoding", "Client_Encoding=SQL_ASCII": "client_encoding",
			"standard_conforming_strings=off": "standard_conforming_strings", "datestyle=German": "DateStyle",
			"DateStyle=SQL": "DateStyle",
		} {
			config, err := pgx.ParseConfig("postgres://h/x?" + setting)
			require.NoError(t, err)
			var refused *settings.SettingError
			require.ErrorAs(t, settings.Configure(config), &refused, setting)
			require.Equal(t, want, refused.Setting)
		}
		for _, setting := range []string{
			"client_encoding=utf-8", "standard_conforming_strings=true", "datestyle=ISO", "TIMEZONE=Europe/Berlin", "search_path=x",
		} {
			config, err := pgx.ParseConfig("postgres://h/x?" + setting)
			require.NoError(t, err)
			require.NoError(t, settings.Configure(config), setting)
			require.Equal(t, "UTF8", config.RuntimeParams["client_encoding"])
			if setting == "TIMEZONE=Europe/Berlin" {
				require.Equal(t, "Europe/Berlin", config.RuntimeParams["TimeZone"])
				require.NotContains(t, config.RuntimeParams, "TIMEZONE")
			}
		}
	})
}

func TestCheck_SeesWhatASessionSetsLater(t *testing.T) {
	t.Parallel()
	conn := connect(t, dbtest.EmptyURL(t))
	require.NoError(t, settings.Check(conn.PgConn()))
	for _, setting := range []string{"client_encoding = 'LATIN1'", "standard_conforming_strings = off"} {
		run(t, conn, "SET "+setting)
		require.ErrorIs(t, settings.Check(conn.PgConn()), settings.ErrSettings, setting)
		run(t, conn, "RESET ALL")
		require.NoError(t, settings.Check(conn.PgConn()))
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	conn := connect(t, dbtest.EmptyURL(t))
	strange := map[string]string{
		"search_path": `"$user", public`, "transform_null_equals": "on", "quote_all_identifiers": "on",
		"standard_conforming_strings": "off", "array_nulls": "off", "IntervalStyle": "iso_8601", "lock_timeout": "7s",
		"client_encoding": "LATIN1", "extra_float_digits": "-3", "bytea_output": "escape",
	}
	run(t, conn, "SET search_path = "+quoted("search_path", strange["search_path"])) // first: quote_all_identifiers rewrites it
	for name, value := range strange {
		if name != "search_path" {
			run(t, conn, "SET "+name+" = "+quoted(name, value))
		}
	}
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	before, err := settings.Seal(t.Context(), tx, "10000")
	require.NoError(t, err)
	for name, want := range map[string]string{
		"search_path": "pg_catalog, pg_temp", "transform_null_equals": "off", "quote_all_identifiers": "off",
		"standard_conforming_strings": "on", "array_nulls": "on", "IntervalStyle": "postgres", "lock_timeout": "10s",
		"client_encoding": "UTF8", "extra_float_digits": "1", "bytea_output": "hex",
	} {
		require.Equal(t, want, show(t, tx, name))
	}
	require.NoError(t, settings.Restore(t.Context(), tx, before))
	for name, want := range strange {
		require.Equal(t, want, show(t, tx, name), "the transaction goes on as it was")
	}
	_, err = settings.Seal(t.Context(), tx, "")
	require.NoError(t, err)
	require.Equal(t, "7s", show(t, tx, "lock_timeout"), "which nobody asked for")
	require.NoError(t, tx.Commit(t.Context()))
	for name, want := range strange {
		require.Equal(t, want, show(t, conn, name), "the session is as it was")
	}
}

// A superuser is in danger from whoever can create in a schema of its path, by whatever way.
func TestLook(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	owner := connect(t, url)
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	base, err := pgx.ParseConfig(dbtest.AdminURL(t))
	require.NoError(t, err)
	base.Database = config.Database
	super := connectTo(t, base)
	look := func(conn *pgx.Conn) settings.Path {
		path, err := settings.Look(t.Context(), conn)
		require.NoError(t, err)

		return path
	}
	ours := config.User
	path := look(super)
	require.True(t, path.Superuser)
	require.Equal(t, []string{"public"}, path.Schemas)
	require.ErrorIs(t, path.Refuse(), settings.ErrUntrusted, "the database's owner can")
	require.Contains(t, path.Refuse().Error(), "role "+ours+" can make functions in schema public")
	run(t, super, path.Dangers[0].Remedy)
	run(t, super, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	require.NoError(t, look(super).Refuse())
	require.Empty(t, look(owner).Warnings())

	// Roles are the server's, so they have names that no other test has, and go with the transaction.
	for name, test := range map[string]struct{ sql, remedy string }{
		"everybody":        {"GRANT CREATE ON SCHEMA public TO PUBLIC", "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"},
		"a role":           {"GRANT CREATE ON SCHEMA public TO look_a", "REVOKE CREATE ON SCHEMA public FROM look_a;"},
		"a member":         {"GRANT CREATE ON SCHEMA public TO look_b", "REVOKE CREATE ON SCHEMA public FROM look_b;"},
		"an owner":         {"ALTER SCHEMA public OWNER TO look_a", "ALTER SCHEMA public OWNER TO CURRENT_USER;"},
		"nobody":           {"SELECT", ""},
		"nobody who can":   {"GRANT CREATE ON SCHEMA public TO look_c", ""},
		"a superuser":      {"ALTER ROLE look_a SUPERUSER; GRANT CREATE ON SCHEMA public TO look_a", ""},
		"another schema's": {"CREATE SCHEMA look; GRANT CREATE ON SCHEMA look TO look_a", ""},
		"a first schema's": {
			`CREATE SCHEMA "look ""up"; GRANT CREATE ON SCHEMA "look ""up" TO look_a; SET LOCAL search_path = "look ""up", public`,
			`REVOKE CREATE ON SCHEMA "look ""up" FROM look_a;`,
		},
		"a function": {`SET LOCAL ROLE look_a; CREATE FUNCTION public.abs(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
			RESET ROLE; REVOKE CREATE ON SCHEMA public FROM look_a`, "DROP ROUTINE public.abs(text);"},
		"an operator": {`SET LOCAL ROLE look_a; CREATE FUNCTION public.mine(text, integer) RETURNS text LANGUAGE sql AS 'SELECT $1';
			CREATE OPERATOR public.|| (leftarg = text, rightarg = integer, function = public.mine);
			RESET ROLE; REVOKE CREATE ON SCHEMA public FROM look_a`, "DROP OPERATOR public.||(text, integer);"},
		"a type": {`SET LOCAL ROLE look_a; CREATE DOMAIN public.text AS pg_catalog.text;
			RESET ROLE; REVOKE CREATE ON SCHEMA public FROM look_a`, "DROP TYPE public.text;"},
	} {
		tx, err := super.Begin(t.Context())
		require.NoError(t, err)
		run(t, tx, "CREATE ROLE look_a LOGIN; CREATE ROLE look_b; CREATE ROLE look_c; GRANT look_b TO look_a")
		if strings.Contains(test.sql, "SET LOCAL ROLE") {
			run(t, tx, "GRANT CREATE ON SCHEMA public TO look_a")
		}
		run(t, tx, test.sql)
		path, err := settings.Look(t.Context(), tx)
		require.NoError(t, err, name)
		if test.remedy == "" {
			require.Empty(t, path.Dangers, name)
		} else {
			require.NotEmpty(t, path.Dangers, name)
			require.Equal(t, test.remedy, path.Dangers[0].Remedy, name)
			run(t, tx, test.remedy)
			path, err = settings.Look(t.Context(), tx)
			require.NoError(t, err)
			require.Empty(t, path.Dangers, "%s: the remedy mends it", name)
		}
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

func quoted(name, value string) string {
	if name == "search_path" {
		return value
	}

	return "'" + value + "'"
}

type db interface {
	settings.Querier
	execer
}

func show(t *testing.T, on db, name string) (value string) {
	t.Helper()
	require.NoError(t, on.QueryRow(t.Context(), "SELECT current_setting($1::text)", pgx.QueryExecModeExec, name).Scan(&value))

	return value
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)

	return connectTo(t, config)
}

func connectTo(t *testing.T, config *pgx.ConnConfig) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })

	return conn
}

type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func run(t *testing.T, on execer, sql string) {
	t.Helper()
	_, err := on.Exec(t.Context(), sql)
	require.NoError(t, err, sql)
}
