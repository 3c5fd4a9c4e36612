package schema_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtest"
	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/localpg"
	"musicstore/layer/schema"
)

// A disk that is full in the midst is an error. When there is room again, the next run arrives.
func TestSoak_MigrateGoesOnAfterAFullDisk(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	server, err := localpg.Temp(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	dir := tmpfs(t, server)
	admin := connect(t, server.URL("postgres"))
	run(t, admin, "CREATE TABLESPACE small LOCATION '"+dir+"'")
	run(t, admin, "CREATE DATABASE small TABLESPACE small")
	url := server.URL("small")
	db := withJobs(t, url)
	run(t, db, "INSERT INTO jobs SELECT i, repeat('new', 30) FROM generate_series(501, 30000) AS i")
	sql := newJobs(t, "upper(repeat(state, 20))")
	_, err = schema.Migrate(t.Context(), db, sql, schema.MigrateOptions{})
	require.Equal(t, "53100", sqlstate.Of(err), "%v", err) // disk_full
	t.Logf("%.200s", err)
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=400m"))
	_, err = schema.Migrate(t.Context(), db, sql, schema.MigrateOptions{})
	require.NoError(t, err)
	arrived(t, db, sql)
	require.Equal(t, []string{"30000"}, list(t, db, "SELECT count(*)::text FROM jobs WHERE kind = upper(repeat(state, 20))"))
	require.NoError(t, db.Close(t.Context()))
	run(t, admin, "DROP DATABASE small WITH (FORCE)")
	run(t, admin, "DROP TABLESPACE small")
}

// tmpfs mounts a small disk for the server. Where that is not allowed, the test is skipped.
func tmpfs(t *testing.T, server *localpg.Server) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "small-disk-") //nolint:usetesting // the server's user must enter it
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a small disk can't be mounted: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	info, err := os.Stat(server.Dir())
	require.NoError(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	require.NoError(t, os.Chown(dir, int(owner.Uid), int(owner.Gid)))
	require.NoError(t, os.Chmod(dir, 0o700))

	return dir
}
