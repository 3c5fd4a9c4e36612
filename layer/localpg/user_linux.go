package localpg

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// asUser runs fn with the rights of a user. Root of a container may not touch another user's shared memory, but may
// become that user. Only this thread does: the call is the kernel's own, not the one of a C library that changes all.
func asUser(uid int, fn func()) {
	if os.Geteuid() != 0 || uid == 0 {
		fn()
		return
	}

	const same = ^uintptr(0)

	runtime.LockOSThread()

	_, _, _ = unix.RawSyscall(unix.SYS_SETRESUID, same, uintptr(uid), same) //nolint:dogsled // if it fails, fn has root's rights
	fn()

	if _, _, failed := unix.RawSyscall(unix.SYS_SETRESUID, same, 0, same); failed == 0 {
		runtime.UnlockOSThread() // a thread that cannot return ends with its goroutine
	}
}
