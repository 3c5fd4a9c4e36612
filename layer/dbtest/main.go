package dbtest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main is what TestMain of a package with database tests calls: it runs the tests, stops the server that they started,
// or drops their databases on another's, and fails when a goroutine is left over.
func Main(m *testing.M) { goleak.VerifyTestMain(main{m}) }

type main struct{ *testing.M }

func (m main) Run() int {
	status := m.M.Run()
	if err := end(); err != nil && status == 0 {
		_, _ = fmt.Fprintln(os.Stderr, "dbtest:", err)

		return 1
	}

	return status
}

// end stops the server that the tests started, with all that is on it, or drops what they left on the user's.
func end() error {
	if private == nil {
		for _, d := range all.databases {
			d.recycled.dropAll()
		}
		clones.close()

		return nil
	}
	for _, d := range all.databases {
		d.recycled.leaveAll()
	}
	clones.close()
	if err := private.Stop(); err != nil {
		return fmt.Errorf("stop the private server: %w", err)
	}

	return nil
}
