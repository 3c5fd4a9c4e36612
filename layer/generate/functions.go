package main

import (
	_ "embed"
	"strings"
	"sync"
)

// The functions of PostgreSQL all of whose forms are STABLE or IMMUTABLE, one a line: a query that calls another may
// write. They are read from the catalogue of a server by
//
//	go test ./layer/generate -run TestStableFunctions -update
//
//go:embed stable_functions.txt
var stableFunctions string

var stableNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(stableFunctions) {
		names[name] = true
	}

	return names
})

// stable reports that PostgreSQL's function of this name does not write.
func stable(name string) bool { return stableNames()[strings.ToLower(name)] }
