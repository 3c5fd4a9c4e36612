package main

import (
	"syscall"
	"time"
)

// sleep is time.Sleep with a timer of the system's. Go's own waits for whole milliseconds on Linux: half of one takes
// 1.1 ms. https://github.com/golang/go/issues/44343
func sleep(d time.Duration) {
	for end := time.Now().Add(d); d > 0; d = time.Until(end) { // a signal ends it early
		rest := syscall.NsecToTimespec(int64(d))
		_ = syscall.Nanosleep(&rest, nil)
	}
}
