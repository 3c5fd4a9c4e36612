//go:build linux || darwin

package localpg

import (
	"encoding/binary"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A PostgreSQL server makes a small System V shared memory segment, however its real shared memory is made, to notice that
// a process still uses its data folder. Its key is the folder's inode, or one of the next numbers if that is taken, and it
// begins with a header that names the folder by device and inode. A server that is killed leaves it behind.
// https://git.postgresql.org/gitweb/?p=postgresql.git;a=blob;f=src/backend/port/sysv_shmem.c
const (
	segmentMagic  = 679834894
	segmentHeader = 64 // bytes that are enough for any version's header
	segmentKeys   = 16 // keys to look at
)

// inUse reports whether a living process is attached to the shared memory of a data folder.
func inUse(data os.FileInfo) (used bool) {
	eachSegment(data, func(_ int, attached bool) { used = used || attached })

	return used
}

// removeSegments removes the shared memory that a server of a data folder has left behind.
func removeSegments(data os.FileInfo) {
	eachSegment(data, func(id int, attached bool) {
		if !attached {
			_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
		}
	})
}

// eachSegment calls fn with the segments of a data folder, as the user to whom the folder belongs.
func eachSegment(data os.FileInfo, fn func(id int, attached bool)) {
	stat, ok := data.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}

	asUser(int(stat.Uid), func() {
		for i := range segmentKeys {
			key := int(int32(stat.Ino)) + i //nolint:gosec // PostgreSQL cuts it off as well

			id, err := unix.SysvShmGet(key, 0, 0)
			if err != nil || key == unix.IPC_PRIVATE {
				continue
			}

			var desc unix.SysvShmDesc
			if _, err := unix.SysvShmCtl(id, unix.IPC_STAT, &desc); err == nil && isSegmentOf(id, stat) {
				fn(id, desc.Nattch > 0)
			}
		}
	})
}

// isSegmentOf reports whether a segment's header is of PostgreSQL's and names a data folder.
func isSegmentOf(id int, data *syscall.Stat_t) bool {
	memory, err := unix.SysvShmAttach(id, 0, unix.SHM_RDONLY)
	if err != nil {
		return false
	}
	defer func() { _ = unix.SysvShmDetach(memory) }()

	if len(memory) < 8 || binary.NativeEndian.Uint32(memory) != segmentMagic {
		return false
	}

	// The device is before the inode at the header's end, which is not at the same place in every version.
	for at := 24; at+16 <= min(len(memory), segmentHeader); at += 8 {
		device, inode := binary.NativeEndian.Uint32(memory[at:]), binary.NativeEndian.Uint64(memory[at+8:])
		if inode == data.Ino && device == uint32(data.Dev) { //nolint:gosec // its type differs between systems
			return true
		}
	}

	return false
}
