package layer_test

import (
	"testing"

	"musicstore/layer/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
