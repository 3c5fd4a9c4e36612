// Package testdb is the store of the layer's own tests: a newsstand with readers, papers, their articles, sales and invitations. All
// of it is generated from its SQL but this file. It is no example of how a store should look.
package testdb

import (
	"strings"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/private"
)

// Store returns what the generated queries of r run on.
func Store(r *Repo) *dbtx.Store { return r.store }

// Queries returns the generated queries on a store.
func Queries(store *dbtx.Store) any { return dbgen.New(store.DBTX()) }

// emailKey derives readers.email_key: an address in lower case.
func emailKey(email private.Email) (private.Email, error) {
	if strings.Count(string(email), "@") != 1 {
		return "", &InvalidError{Field: "email", Reason: "must have one @"}
	}

	return private.Email(strings.ToLower(string(email))), nil
}

// paperURL derives papers.url: the ASCII letters and digits of a name, in lower case, with a hyphen for each other character.
func paperURL(name string) (string, error) {
	url := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}

		return '-'
	}, strings.ToLower(name))
	if strings.Trim(url, "-") == "" {
		return "", &InvalidError{Field: "url", Reason: "is missing, and can't be made from the name"}
	}

	return url, nil
}
