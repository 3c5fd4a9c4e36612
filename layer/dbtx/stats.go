package dbtx

import "github.com/jackc/pgx/v5/pgxpool"

// Stats has the statistics of a pool, at one moment and since it was opened. The names in JSON follow Prometheus: those that end in
// _total are counters, all others gauges.
type Stats struct {
	MaxConns          int32 `json:"max_connections"`          // the size of the pool
	Conns             int32 `json:"connections"`              // open or being opened
	AcquiredConns     int32 `json:"acquired_connections"`     // in use
	IdleConns         int32 `json:"idle_connections"`         // open and not in use
	ConstructingConns int32 `json:"constructing_connections"` // being opened

	Acquires         int64   `json:"acquires_total"`          // how often a connection was asked for and given
	AcquireSeconds   float64 `json:"acquire_seconds_total"`   // how long those took together
	EmptyAcquires    int64   `json:"empty_acquires_total"`    // how often none was free, and somebody had to wait
	WaitSeconds      float64 `json:"wait_seconds_total"`      // how long those waited together
	CanceledAcquires int64   `json:"canceled_acquires_total"` // how often a context ended first
	NewConns         int64   `json:"new_connections_total"`   // how often one was opened
	LifetimeDestroys int64   `json:"lifetime_destroys_total"` // how often one was closed because it was old
	IdleDestroys     int64   `json:"idle_destroys_total"`     // how often one was closed because it was not needed
}

// Stats returns the statistics of the pool of r. It sends nothing to the server, and may be called at any time, also after Close. A
// store on a connection or a transaction has no pool. Its Stats are zero.
func (r *Store) Stats() Stats {
	pool, ok := r.conn.db.(*pgxpool.Pool)
	if !ok {
		return Stats{}
	}
	s := pool.Stat()

	return Stats{
		MaxConns: s.MaxConns(), Conns: s.TotalConns(), AcquiredConns: s.AcquiredConns(), IdleConns: s.IdleConns(),
		ConstructingConns: s.ConstructingConns(),
		Acquires:          s.AcquireCount(), AcquireSeconds: s.AcquireDuration().Seconds(),
		EmptyAcquires: s.EmptyAcquireCount(), WaitSeconds: s.EmptyAcquireWaitTime().Seconds(),
		CanceledAcquires: s.CanceledAcquireCount(), NewConns: s.NewConnsCount(),
		LifetimeDestroys: s.MaxLifetimeDestroyCount(), IdleDestroys: s.MaxIdleDestroyCount(),
	}
}
