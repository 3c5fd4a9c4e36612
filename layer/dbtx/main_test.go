package dbtx_test

import (
	"testing"

	"musicstore/layer/internal/testdb/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
