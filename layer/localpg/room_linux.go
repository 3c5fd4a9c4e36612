package localpg

import "syscall"

// freeRoom returns how many bytes a folder's file system has room for, or 0 where it does not say.
func freeRoom(dir string) uint64 {
	var fs syscall.Statfs_t
	if syscall.Statfs(dir, &fs) != nil {
		return 0
	}

	return fs.Bavail * uint64(fs.Bsize) //nolint:gosec // no block has a negative size
}
