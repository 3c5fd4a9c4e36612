//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package localpg

import (
	"os"
	"strings"
)

const serviceName = "private"

// neutral are the variables of the environment that pgx reads beside those that a URL of ours overrides by itself, each
// with the setting that takes its place. Empty means PostgreSQL's default.
// https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#ParseConfig
var neutral = map[string]string{ //nolint:gosec // no setting has a secret
	"PGPASSWORD":           "password=",
	"PGPASSFILE":           "passfile=/dev/null",
	"PGAPPNAME":            "application_name=",
	"PGCONNECT_TIMEOUT":    "connect_timeout=0",
	"PGSSLMODE":            "sslmode=disable",
	"PGSSLKEY":             "sslkey=",
	"PGSSLCERT":            "sslcert=",
	"PGSSLCERTMODE":        "sslcertmode=disable",
	"PGSSLSNI":             "sslsni=",
	"PGSSLROOTCERT":        "sslrootcert=",
	"PGSSLPASSWORD":        "sslpassword=",
	"PGSSLNEGOTIATION":     "sslnegotiation=",
	"PGTARGETSESSIONATTRS": "target_session_attrs=any",
	"PGSERVICE":            "",
	"PGSERVICEFILE":        "",
	"PGTZ":                 "timezone=UTC",
	"PGOPTIONS":            "options=",
	"PGMINPROTOCOLVERSION": "min_protocol_version=",
	"PGMAXPROTOCOLVERSION": "max_protocol_version=",
	"PGCHANNELBINDING":     "channel_binding=prefer",
	"PGREQUIREAUTH":        "require_auth=",
}

// readsEnvironment reports whether pgx would take a setting from the environment.
func readsEnvironment() bool {
	for name := range neutral {
		if _, ok := os.LookupEnv(name); ok {
			return true
		}
	}

	return false
}

// service returns a service file, which is the only thing that overrides PGSERVICE: its service has every setting that
// pgx would take from the environment otherwise.
// https://www.postgresql.org/docs/current/libpq-pgservice.html
func service() []byte {
	lines := make([]string, 0, 1+len(neutral))
	lines = append(lines, "["+serviceName+"]")
	for _, setting := range neutral {
		lines = append(lines, setting)
	}

	return []byte(strings.Join(lines, "\n") + "\n")
}
