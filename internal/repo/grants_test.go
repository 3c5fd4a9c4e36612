package repo_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/internal/schema"
)

const insufficientPrivilege = "42501"

func sqlState(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ""
	}

	return pg.Code
}

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

	base := with(t, dbtest.EmptyURL(t), "search_path", "shop")
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

	// None is too much: without any one of them something is refused.
	taken := 0
	for _, grant := range grants {
		parts := regexp.MustCompile(`^GRANT (.+) ON (.+) TO .+;$`).FindStringSubmatch(grant)
		require.Len(t, parts, 3, grant)
		if table := regexp.MustCompile(`"(\w+)"$`).FindStringSubmatch(parts[2])[1]; table != "shop" && !hasGo(t, table) {
			continue // everyQuery has none of its queries
		}
		for privilege := range strings.SplitSeq(parts[1], ", ") {
			sql := fmt.Sprintf("%s ON %s %%s %q", privilege, parts[2], role)
			_, err := owner.Exec(ctx, "REVOKE "+fmt.Sprintf(sql, "FROM"))
			require.NoError(t, err)
			fresh, err := repo.Open(ctx, url) // one whose search_path was not looked up before
			require.NoError(t, err)
			err = everyQuery(ctx, fresh)
			fresh.Close()
			require.Error(t, err, "nothing needs %s on %s", privilege, parts[2])
			if parts[2] == `SCHEMA "shop"` {
				require.Equal(t, "42P01", sqlState(err), "the tables are not seen")
			} else {
				require.Equal(t, insufficientPrivilege, sqlState(err), "%s on %s", privilege, parts[2])
			}
			_, err = owner.Exec(ctx, "GRANT "+fmt.Sprintf(sql, "TO"))
			require.NoError(t, err)
			taken++
		}
	}
	t.Logf("%d privileges, each needed", taken)
	require.NoError(t, everyQuery(ctx, store), "all are back")
}

func TestGrants_AreNotEnoughForBootstrap(t *testing.T) {
	t.Parallel()
	role, owner, url, _ := leastPrivileged(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(ctx))
	created, err := schema.Bootstrap(ctx, conn)
	require.NoError(t, err, "where nothing is missing it is a look")
	require.Empty(t, created)

	for _, sql := range []string{
		"CREATE SCHEMA empty", fmt.Sprintf("GRANT USAGE ON SCHEMA empty TO %q", role), "DROP INDEX albums_year_id_idx",
	} {
		_, err := owner.Exec(ctx, sql)
		require.NoError(t, err)
	}
	for _, where := range []string{"empty", "shop"} {
		_, err = conn.Exec(ctx, "SET search_path = "+where)
		require.NoError(t, err)
		_, err = schema.Bootstrap(ctx, conn)
		require.Equal(t, insufficientPrivilege, sqlState(err), where)
	}
	for _, sql := range []string{
		"TRUNCATE tracks", "DROP TABLE tracks", "ALTER TABLE albums DROP COLUMN image_url", "DELETE FROM purchases",
		"CREATE INDEX ON albums (image_url)", "SELECT setval('albums_id_seq', 1)", "CREATE TABLE mine (n int)",
	} {
		_, err := conn.Exec(ctx, sql)
		require.Equal(t, insufficientPrivilege, sqlState(err), sql)
	}
}
