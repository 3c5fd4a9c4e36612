//go:build dragonfly || freebsd || netbsd || openbsd

package localpg

import "os"

// inUse returns false: there is no look at shared memory on this system. PostgreSQL has its own when it starts.
func inUse(os.FileInfo) bool { return false }

func removeSegments(os.FileInfo) {}
