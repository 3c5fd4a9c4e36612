package dbtx

import (
	"net"
	"time"

	"github.com/jackc/pgx/v5"
)

// A firewall, a NAT device or a failed host can drop the packets of a connection and tell neither end. These times bound
// how long such a connection is taken for a living one. pgx has no settings for them, and the names that libpq has
// (keepalives_idle, tcp_user_timeout) are settings of the server in a URL of pgx.
const (
	// An idle connection is probed often enough to be remembered, and is closed when three probes get no answer.
	probeAfter = 15 * time.Second
	probeEvery = 5 * time.Second
	probes     = 3

	// sentFor is how long the system waits for the other end to acknowledge what was sent. On Linux it is also how long a
	// server may take nothing of a long COPY, for instance because it waits for a lock, and so it is not shorter. Linux alone
	// can be told; elsewhere it is the system's own time, about a quarter of an hour.
	// https://www.rfc-editor.org/rfc/rfc5482
	sentFor = 2 * time.Minute
)

// noticeDeadLinks has the TCP connections of config end when nothing comes back on them.
func noticeDeadLinks(config *pgx.ConnConfig) {
	dialer := &net.Dialer{
		Timeout: config.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: probeAfter, Interval: probeEvery, Count: probes,
		},
		Control: limitUnacknowledged,
	}
	config.DialFunc = dialer.DialContext
}
