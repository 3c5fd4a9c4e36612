package testdb

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"musicstore/layer/dbtx"
)

// longestEmail is the longest address that SMTP has room for: 64 characters, @, 255 characters.
// https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
const longestEmail = 320

// EmailKey returns the key by which an address is found. All spellings that a person or a mail server takes for the
// same address have the same key. The key of a key is itself, so a second call changes nothing. It trims spaces and
// applies NFKC. The part before the @ is then folded by full case folding until nothing changes (Unicode, section 3.13,
// D146: compatibility caseless matching). The domain becomes its A-labels as of IDNA2008, without the dot of the root:
// bücher.example and xn--bcher-kva.example are one domain, straße.example and strasse.example are two. Letters that
// only look alike, as the dotless i or the Cyrillic а, stay different.
//
// It returns ErrInvalid when the text is no address: no @ or several, nothing before or behind it, a space, a control
// or other invisible character, a domain that IDNA does not allow, or more than 320 characters.
//
// The key is made here and not in SQL, because lower(), ILIKE and citext disagree with each other, and from one
// locale and version to another; a reader looked up by one rule and written to by another is how reset mails get to
// the wrong person.
//
// When the rule has changed, the keys of existing readers must be made again; the example shows how. Two readers
// collide then if their addresses have one key, and need a decision.
func EmailKey(email string) (string, error) {
	key, err := emailKey(Email(email))
	if err != nil {
		return "", dbtx.Underived("email key", "email", err)
	}

	return string(key), nil
}

// emailKey derives readers.email_key.
func emailKey(email Email) (key Email, err error) {
	trimmed := strings.TrimSpace(string(email))
	refuse := func(why string) (Email, error) { return "", &InvalidError{Field: "email", Reason: why} }
	if why := dbtx.Unstorable(trimmed); why != "" {
		return refuse(why)
	}
	// Before folding, which can make a text three times longer: work that a stranger can cause has a bound.
	if utf8.RuneCountInString(trimmed) > longestEmail {
		return refuse(fmt.Sprintf("has more than %d characters", longestEmail))
	}
	ascii := isASCII(trimmed) // which most are, and which needs no tables
	text := strings.ToLower(trimmed)
	if !ascii {
		text = norm.NFKC.String(trimmed)
	}
	local, domain, found := strings.Cut(text, "@")
	switch {
	case text == "":
		return refuse("is missing")
	case !found:
		return refuse("has no @")
	case strings.Contains(domain, "@"):
		return refuse("has more than one @")
	case local == "":
		return refuse("has nothing before the @")
	case domain == "" || domain == ".":
		return refuse("has nothing behind the @")
	case strings.ContainsFunc(text, unseen) || !ascii && strings.ContainsFunc(trimmed, unseen):
		return refuse("has a space, or a character that cannot be seen")
	}
	if !ascii {
		local = fold(local)
	}
	if !ascii || strings.Contains(domain, "xn--") {
		// Since its revision 31, UTS #46 maps the capital sharp s to the small one. The tables of idna are older.
		if domain, err = domains.ToASCII(strings.ReplaceAll(domain, "ẞ", "ß")); err != nil {
			return refuse(noDomain)
		}
	}
	domain = strings.TrimSuffix(domain, ".") // the root's
	if domain == "" || domain[0] == '.' || domain[len(domain)-1] == '.' || strings.Contains(domain, "..") {
		return refuse(noDomain)
	}
	if !ascii || len(local)+len("@")+len(domain) < len(text) {
		text = local + "@" + domain
	}
	if utf8.RuneCountInString(text) > longestEmail {
		return refuse(fmt.Sprintf("has more than %d characters", longestEmail))
	}

	return Email(text), nil
}

// unseen reports whether a character shows nothing: a space, a control character, one that Unicode wants ignored where it
// is not known (Default_Ignorable_Code_Point), or a letter or symbol that is blank.
// https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
func unseen(r rune) bool {
	if r <= '~' { // ASCII needs no tables
		return r <= ' '
	}

	return unicode.IsSpace(r) || !unicode.IsGraphic(r) || // which includes the formats, Cf
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || slices.Contains(blanks, r)
}

// blanks are the graphic characters whose picture is empty, beside those that are default ignorable.
var blanks = []rune{
	'\u2800',     // BRAILLE PATTERN BLANK
	'\U00013441', // EGYPTIAN HIEROGLYPH FULL BLANK
	'\U00013442', // EGYPTIAN HIEROGLYPH HALF BLANK
	'\U00016fe4', // KHITAN SMALL SCRIPT FILLER
	'\U0001d159', // MUSICAL SYMBOL NULL NOTEHEAD
}

func fold(s string) string {
	folder := cases.Fold()
	for {
		next := norm.NFKC.String(folder.String(norm.NFKC.String(s)))
		if next == s {
			return s
		}
		s = next
	}
}

// domains maps a domain name to A-labels: UTS #46 without its transitional part, which is IDNA2008 for what people type.
// Characters of ASCII that a host name can't have stay, as do hyphens anywhere: mail servers have had such names.
// https://www.unicode.org/reports/tr46/
var domains = idna.New(
	idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(),
	idna.StrictDomainName(false), idna.CheckHyphens(false),
)

const noDomain = "has no domain name behind the @"

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}

	return true
}
