package repo_test

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/internal/schema"
	"musicstore/layer/dbtx/dbtxtest"
)

const insufficientPrivilege = "42501"

// leastPrivileged returns a role that has nothing but the grants, a connection of the tables' owner, a URL for the role
// and the grants. The tables are in a schema of the owner's, where nobody else has a right: what PUBLIC may do in the
// schema public differs between the versions of PostgreSQL.
func leastPrivileged(t *testing.T) (role string, owner *pgx.Conn, roleURL string, grants []string) {
	t.Helper()
	ctx := t.Context()
	role = "shop-" + repo.NewID()
	admin, err := pgx.Connect(ctx, dbtest.AdminURL(t))
	require.NoError(t, err)
	_, err = admin.Exec(ctx, fmt.Sprintf("CREATE ROLE %q LOGIN PASSWORD 'shop'", role))
	require.NoError(t, err)
	t.Cleanup(func() { // when the database is gone, whose grants hold the role
		ctx := context.WithoutCancel(ctx)
		_, err := admin.Exec(ctx, fmt.Sprintf("DROP ROLE %q", role))
		if !t.Failed() { // a failed test keeps the database
			require.NoError(t, err)
		}
		require.NoError(t, admin.Close(ctx))
	})

	base := dbtxtest.With(t, dbtest.EmptyURL(t), "search_path", "shop")
	owner, err = pgx.Connect(ctx, base)
	require.NoError(t, err)
	t.Cleanup(func() { _ = owner.Close(context.WithoutCancel(ctx)) })
	_, err = owner.Exec(ctx, "CREATE SCHEMA shop")
	require.NoError(t, err)
	_, err = schema.Bootstrap(ctx, owner)
	require.NoError(t, err)
	grants, err = schema.Grants(role, "shop")
	require.NoError(t, err)
	for range 2 {
		_, err = owner.Exec(ctx, strings.Join(grants, "\n"))
		require.NoError(t, err)
	}
	u, err := url.Parse(base)
	require.NoError(t, err)
	u.User = url.UserPassword(role, "shop")

	return role, owner, u.String(), grants
}

func TestGrants(t *testing.T) {
	t.Parallel()
	role, owner, url, grants := leastPrivileged(t)
	ctx := t.Context()
	store, err := repo.Open(ctx, url)
	require.NoError(t, err)
	defer store.Close()

	// The role is who it should be: it owns nothing, and is no more than itself.
	var user string
	var owns, super bool
	require.NoError(t, store.DB().QueryRow(ctx, `SELECT current_user, rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls,
		EXISTS (SELECT FROM pg_class WHERE relowner = r.oid) OR EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid)
		FROM pg_roles AS r WHERE rolname = current_user`).Scan(&user, &super, &owns))
	require.Equal(t, role, user)
	require.False(t, super)
	require.False(t, owns)

	// They are enough for everything that the store does.
	require.NoError(t, everyQuery(ctx, store))
	require.NoError(t, store.InTx(ctx, func(tx *repo.Repo) error { return everyQuery(ctx, tx) }))

	// None is too much: without any one of them something is refused. That each of its columns is needed, TestUses of
	// schema shows.
	taken := 0
	for _, grant := range grants {
		parts := regexp.MustCompile(`^GRANT (.+) ON (.+) TO .+;$`).FindStringSubmatch(grant)
		require.Len(t, parts, 3, grant)
		if strings.HasPrefix(parts[2], "SEQUENCE") {
			continue // Citus alone needs it
		}
		for _, privilege := range regexp.MustCompile(`[A-Z]+(?: \([^)]*\))?`).FindAllString(parts[1], -1) {
			sql := fmt.Sprintf("%s ON %s %%s %q", privilege, parts[2], role)
			_, err := owner.Exec(ctx, "REVOKE "+fmt.Sprintf(sql, "FROM"))
			require.NoError(t, err)
			if parts[2] == `SCHEMA "shop"` {
				store.DB().(*pgxpool.Pool).Reset() // a new session, whose search_path was not looked up before
			}
			err = everyQuery(ctx, store)
			require.Error(t, err, "nothing needs %s on %s", privilege, parts[2])
			if parts[2] == `SCHEMA "shop"` {
				require.Equal(t, "42P01", dbtxtest.SQLState(err), "the tables are not seen")
			} else {
				require.Equal(t, insufficientPrivilege, dbtxtest.SQLState(err), "%s on %s", privilege, parts[2])
			}
			_, err = owner.Exec(ctx, "GRANT "+fmt.Sprintf(sql, "TO"))
			require.NoError(t, err)
			taken++
		}
	}
	t.Logf("%d privileges, each needed", taken)
	require.NoError(t, everyQuery(ctx, store), "all are back")
}

// TestGrants_AreByColumn tries to insert and to update every column of every table.
func TestGrants_AreByColumn(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	_, owner, url, grants := leastPrivileged(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(ctx))
	may := map[string]string{ // by table, what the queries update and what they do not insert
		"accounts":        "id password_hash email_confirmed is_super_user |",
		"albums":          "name url year price_cents image_url has_preview is_published | id",
		"tracks":          "display_order | id",
		"purchases":       "payment_ref | id",
		"password_resets": "id token_hash created_at expires_at used_at used_ip | used_at used_ip",
	}
	rows, err := owner.Query(ctx, `SELECT relname::text, attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
		JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r' AND attnum > 0`)
	require.NoError(t, err)
	type column struct{ Table, Name, Type string }
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	require.NoError(t, err)
	refused := func(sql string) bool {
		tx, err := conn.Begin(ctx)
		require.NoError(t, err)
		defer func() { require.NoError(t, tx.Rollback(context.WithoutCancel(ctx))) }()
		_, err = tx.Exec(ctx, sql)
		if dbtxtest.SQLState(err) == "" {
			require.NoError(t, err, sql)
		}

		return dbtxtest.SQLState(err) == insufficientPrivilege
	}
	tried := 0
	for _, c := range columns {
		updates, never, known := strings.Cut(may[c.Table], "|")
		if !known {
			continue // a table that was added
		}
		tried++
		require.Equal(t, !slices.Contains(strings.Fields(updates), c.Name),
			refused(fmt.Sprintf("UPDATE %s SET %s = NULL::%s WHERE false", c.Table, c.Name, c.Type)), "update of %s.%s", c.Table, c.Name)
		require.Equal(t, slices.Contains(strings.Fields(never), c.Name),
			refused(fmt.Sprintf("INSERT INTO %s (%s) SELECT NULL::%s WHERE false", c.Table, c.Name, c.Type)), "insert of %s.%s", c.Table, c.Name)
		require.False(t, refused(fmt.Sprintf("SELECT %s FROM %s", c.Name, c.Table)))
	}
	require.Equal(t, 36, tried)
	for _, sql := range []string{
		"DELETE FROM purchases WHERE false", "TRUNCATE albums", "SELECT setval('albums_id_seq', 1)", "LOCK TABLE purchases IN ACCESS EXCLUSIVE MODE",
		"SELECT ctid FROM accounts", "CREATE TRIGGER t AFTER INSERT ON albums EXECUTE FUNCTION suppress_redundant_updates_trigger()",
	} {
		require.True(t, refused(sql), sql)
	}

	// The control: rights by table let it do what no query does.
	require.True(t, refused("UPDATE purchases SET amount_paid_cents = 0 WHERE false"))
	_, err = owner.Exec(ctx, regexp.MustCompile(` \("[^)]*\)`).ReplaceAllString(strings.Join(grants, "\n"), ""))
	require.NoError(t, err)
	require.False(t, refused("UPDATE purchases SET amount_paid_cents = 0 WHERE false"))
}

func TestGrants_AreNotEnoughForBootstrap(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	role, owner, url, _ := leastPrivileged(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(ctx))
	created, err := schema.Bootstrap(ctx, conn)
	require.NoError(t, err, "where nothing is missing it is a look")
	require.Empty(t, created)

	for _, sql := range []string{
		"CREATE SCHEMA empty", fmt.Sprintf("GRANT USAGE ON SCHEMA empty TO %q", role), "DROP TABLE password_resets",
	} {
		_, err := owner.Exec(ctx, sql)
		require.NoError(t, err)
	}
	for _, where := range []string{"empty", "shop"} {
		_, err = conn.Exec(ctx, "SET search_path = "+where)
		require.NoError(t, err)
		_, err = schema.Bootstrap(ctx, conn)
		require.Equal(t, insufficientPrivilege, dbtxtest.SQLState(err), where)
	}
	for _, sql := range []string{
		"TRUNCATE tracks", "DROP TABLE tracks", "ALTER TABLE albums DROP COLUMN image_url", "DELETE FROM purchases",
		"CREATE INDEX ON albums (image_url)", "SELECT setval('albums_id_seq', 1)", "CREATE TABLE mine (n int)",
	} {
		_, err := conn.Exec(ctx, sql)
		require.Equal(t, insufficientPrivilege, dbtxtest.SQLState(err), sql)
	}
}
