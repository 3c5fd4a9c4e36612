//go:build !linux

package dbtx

import "syscall"

func limitUnacknowledged(string, string, syscall.RawConn) error { return nil }
