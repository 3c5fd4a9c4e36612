package budget_test

import (
	"testing"

	"musicstore/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
