package dbtest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main is what TestMain of a package with database tests calls: it runs the tests, stops the server that they started,
// and fails when a goroutine is left over.
func Main(m *testing.M) { goleak.VerifyTestMain(main{m}) }

type main struct{ *testing.M }

func (m main) Run() int {
	status := m.M.Run()
	if private == nil {
		return status
	}
	if err := private.Stop(); err != nil && status == 0 {
		_, _ = fmt.Fprintln(os.Stderr, "dbtest: stop the private server:", err)

		return 1
	}

	return status
}
