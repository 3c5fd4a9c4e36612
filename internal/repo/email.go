package repo

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// longestEmail is the longest address that SMTP has room for: 64 characters, @, 255 characters.
// https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
const longestEmail = 320

// EmailKey returns what an address is known by: all spellings that a person or a mail server takes for the same have
// the same key, and a key is its own key. It trims spaces, then applies NFKC and full case folding (Unicode, section
// 3.13, D146: compatibility caseless matching) until neither changes anything. Letters that only look alike, as the
// dotless i or the Cyrillic а, stay different.
//
// ErrInvalid when it is no address: no @ or several, nothing before or behind it, a space, a control or other
// invisible character, or more than 320 characters.
//
// The key is made here and not in SQL, because lower(), ILIKE and citext disagree with each other, and from one
// locale and version to another; an account looked up by one rule and written to by another is how reset mails get to
// the wrong person.
func EmailKey(email string) (string, error) {
	_, key, err := emailAndKey("email key", Email(email))

	return string(key), err
}

// emailAndKey returns the address as it is stored, without the spaces around it, and its key.
func emailAndKey(op string, email Email) (stored, key Email, err error) {
	trimmed := strings.TrimSpace(string(email))
	refuse := func(why string) (Email, Email, error) {
		return "", "", &InvalidError{Op: op, Field: "email", Reason: why}
	}
	if why := badString(trimmed); why != "" {
		return refuse(why)
	}
	// Before folding, which can make a text three times longer: work that a stranger can cause has a bound.
	if utf8.RuneCountInString(trimmed) > longestEmail {
		return refuse(fmt.Sprintf("has more than %d characters", longestEmail))
	}
	folded := fold(trimmed)
	local, domain, found := strings.Cut(folded, "@")
	switch {
	case folded == "":
		return refuse("is missing")
	case !found:
		return refuse("has no @")
	case strings.Contains(domain, "@"):
		return refuse("has more than one @")
	case local == "":
		return refuse("has nothing before the @")
	case domain == "":
		return refuse("has nothing behind the @")
	case strings.ContainsFunc(folded, unseen) || strings.ContainsFunc(trimmed, unseen):
		return refuse("has a space, or a character that cannot be seen")
	case utf8.RuneCountInString(folded) > longestEmail:
		return refuse(fmt.Sprintf("has more than %d characters", longestEmail))
	}

	return Email(trimmed), Email(folded), nil
}

func unseen(r rune) bool {
	return r <= ' ' || r > '~' && (unicode.IsSpace(r) || !unicode.IsGraphic(r)) // ASCII needs no tables
}

func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	folder := cases.Fold()
	for {
		next := norm.NFKC.String(folder.String(norm.NFKC.String(s)))
		if next == s {
			return s
		}
		s = next
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}

	return true
}
