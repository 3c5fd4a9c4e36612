package dbtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/peterldowns/pgtestdb"
)

// cloner makes and drops databases by one session of the server's administrator. pgtestdb makes the template and its first
// clone. It opens three sessions for each clone, which cost the server more than the clone.
type cloner struct {
	mu     sync.Mutex
	admin  *pgx.Conn
	clones map[string]pgtestdb.Config // the first clone of each template, by the template's hash
}

var clones = cloner{clones: map[string]pgtestdb.Config{}}

// clone makes a database from a template, which ends with the test.
func (c *cloner) clone(tb pgtestdb.TB, conf pgtestdb.Config, m pgtestdb.Migrator) (string, error) {
	tb.Helper()
	hash, err := m.Hash()
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	first, ok := c.clones[hash]
	if !ok {
		first = *pgtestdb.Custom(tb, conf, m)
		c.clones[hash] = first

		return first.URL(), nil
	}
	random := make([]byte, 4) //nolint:mnd // as many as pgtestdb takes
	_, _ = rand.Read(random)
	template, _, _ := strings.Cut(first.Database, "_inst_")
	own := first
	own.Database = template + "_inst_" + hex.EncodeToString(random)
	name := pgx.Identifier{own.Database}.Sanitize()
	sql := "CREATE DATABASE " + name + " TEMPLATE " + pgx.Identifier{template}.Sanitize() +
		" OWNER " + pgx.Identifier{own.User}.Sanitize()
	if err := c.exec(sql); err != nil {
		return "", err
	}
	tb.Logf("testdbconf: %s", own.URL()) // as pgtestdb does
	tb.Cleanup(func() {
		if tb.Failed() {
			return
		}
		c.mu.Lock()
		err := c.exec("DROP DATABASE IF EXISTS " + name)
		c.mu.Unlock()
		if err != nil { // because a connection is open
			failAtEndf(tb, "could not drop test database %s: %s", own.Database, err)
		}
	})

	return own.URL(), nil
}

// failAtEndf fails a test in a cleanup. After Fatalf in a cleanup, the name of the test is not printed.
func failAtEndf(tb pgtestdb.TB, format string, args ...any) {
	tb.Helper()
	if d, ok := tb.(*database); ok {
		tb = d.TB
	}
	if t, ok := tb.(*testing.T); ok {
		t.Errorf(format, args...)
	} else {
		tb.Fatalf(format, args...)
	}
}

// exec runs a statement as the administrator. The caller holds the lock.
func (c *cloner) exec(sql string) error {
	ctx := context.Background()
	if c.admin == nil || c.admin.Ping(ctx) != nil {
		_, config, err := admin()
		if err != nil {
			return err
		}
		if c.admin, err = pgx.ConnectConfig(ctx, config); err != nil {
			return err
		}
	}
	if strings.HasPrefix(sql, "CREATE") && private != nil && c.admin.PgConn().ParameterStatus("server_version") >= "15" {
		// To copy the files costs the server a quarter of what it costs to log them, which PostgreSQL 15 and newer do.
		// https://www.postgresql.org/docs/current/sql-createdatabase.html
		sql += " STRATEGY FILE_COPY"
	}
	_, err := c.admin.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)

	return err
}

// close ends the administrator's session.
func (c *cloner) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.admin != nil {
		_ = c.admin.Close(context.Background())
	}
}
