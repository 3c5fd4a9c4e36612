// Package testdb is the store of the layer's own tests: a newsstand. It is no example of how a store should look.
package testdb

import (
	"errors"
	"strings"

	"musicstore/layer/private"
)

// emailKey derives what a reader is found by.
func emailKey(email private.Email) (private.Email, error) {
	if !strings.Contains(string(email), "@") {
		return "", errors.New("must have an @")
	}

	return private.Email(strings.ToLower(string(email))), nil
}

// paperURL derives a paper's own part of a path.
func paperURL(name string) (string, error) {
	return strings.ReplaceAll(strings.ToLower(name), " ", "-"), nil
}

// Constraint is a sentinel.
type Constraint string

func (c Constraint) Error() string { return string(c) }

// referenced ends the sentinel of the other side of a foreign key.
const referenced = " (referenced)"
