package dbtest

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// QueryModes are the ways in which pgx sends a query, as default_query_exec_mode names them.
// https://pkg.go.dev/github.com/jackc/pgx/v5#QueryExecMode
var QueryModes = []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}

// uneventful are the lines of a suite's output that say only that a test began, waited or passed.
var uneventful = regexp.MustCompile(`(?m)^\s*(=== |--- (PASS|SKIP)).*\n`)

// InEachQueryMode runs the whole suite of the test's package in each query mode, in a process of its own. At least so many tests, with
// their parts, must pass in each.
func InEachQueryMode(t *testing.T, least int) {
	t.Helper()
	for _, mode := range QueryModes {
		t.Run(mode, func(t *testing.T) {
			start := time.Now()
			suite := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.timeout=10m") //nolint:gosec // the test itself
			suite.Env = append(os.Environ(), "MUSICSTORE_SOAK="+Parts, URLParams+"=default_query_exec_mode="+mode)
			out, err := suite.CombinedOutput()
			passed := strings.Count(string(out), "--- PASS: ")
			require.NoError(t, err, "%s", uneventful.ReplaceAll(out, nil))
			require.Greater(t, passed, least)
			t.Logf("%d tests and parts of tests passed in %s in %v", passed, mode, time.Since(start).Round(time.Second))
		})
	}
}
