package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/layer/localpg"
)

// server is that of all tests, started by the first that needs one.
var server = sync.OnceValues(func() (*localpg.Server, error) {
	return localpg.TempInMemory(context.Background(), "wal_level=minimal", "max_wal_senders=0", "autovacuum=off")
})

var (
	started   atomic.Bool  // whether there is a server to stop
	databases atomic.Int64 // how many databases the tests have made
)

func TestMain(m *testing.M) {
	if err := findSQLC(); err != nil {
		panic(err)
	}
	status := m.Run()
	if started.Load() {
		if s, err := server(); err == nil {
			if err := s.Stop(); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(status)
}

// findSQLC has the tests run the very program that `go tool sqlc` runs. To have the go command look for it costs ten times
// as much as sqlc itself, and there are many runs.
func findSQLC() error {
	args := append([]string{"tool", "-n"}, sqlcCommand[2:]...)
	path, err := exec.Command(sqlcCommand[0], args...).Output()
	if err != nil {
		return fmt.Errorf("go tool -n sqlc: %w", err)
	}
	sqlcCommand = []string{strings.TrimSpace(string(path))}

	return nil
}

// newDatabase returns the URL of an empty database of the test's own.
func newDatabase(t *testing.T) string {
	t.Helper()
	started.Store(true)
	s, err := server()
	require.NoError(t, err)
	name := fmt.Sprintf("test%d", databases.Add(1))
	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))

	return s.URL(name)
}

// connect returns a connection to a URL that ends with the test.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) })

	return conn
}
