package private_test

import (
	"os"
	"testing"

	"musicstore/layer/dbtest"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(asPanic); name != "" {
		panicWith(name)
	}
	dbtest.Main(m)
}
