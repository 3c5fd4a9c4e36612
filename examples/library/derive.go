// Package library is a lending library: the SQL of schema/ and queries/, and what only Go can say.
package library

import (
	"strings"
	"time"

	"musicstore/layer/private"
)

// emailKey derives members.email_key: spellings of one address have one key.
func emailKey(email private.Email) (private.Email, error) {
	key := strings.ToLower(strings.TrimSpace(string(email)))
	if name, domain, _ := strings.Cut(key, "@"); name == "" || domain == "" {
		return "", &InvalidError{Field: "email", Reason: "is no address"}
	}

	return private.Email(key), nil
}

// dueAt derives loans.due_at: a loan lasts four weeks, unless the caller sets its end.
func dueAt(lentAt time.Time) (time.Time, error) { return lentAt.AddDate(0, 0, 28), nil }
