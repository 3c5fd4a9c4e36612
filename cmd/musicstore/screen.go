package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// A terminal obeys control characters, and shows text in another order after some others. Names and errors may have
// them. So everything that the commands print goes through a screen.

// controls reports whether a character can control a terminal: those of ISO 6429, which begin ANSI's escape sequences,
// the line and paragraph separators, and the characters that Unicode calls formats, among them those that reorder text.
// Letters of some scripts, and emoji, need two of the joiners.
func controls(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) &&
		!unicode.In(r, unicode.Join_Control, unicode.Prepended_Concatenation_Mark)
}

// printable returns a text of the database as a terminal can take it: on one line, and with the replacement character
// for what would control it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if controls(r) {
			return unicode.ReplacementChar
		}

		return r
	}, text)
}

// screen is a writer of text. It writes the replacement character for all that can control a terminal, but for the tab
// and the end of a line, and for what is no UTF-8.
type screen struct {
	w io.Writer

	mu     sync.Mutex
	rest   []byte // the beginning of a character whose end has not come
	failed error  // why something could not be written
}

// Write writes p. The bytes of a character may come one by one.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := p
	if len(s.rest) > 0 {
		text = slices.Concat(s.rest, p)
	}
	text, rest := wholeCharacters(text)
	s.rest = bytes.Clone(rest)
	n, err := s.w.Write(shownOn(text))
	if err != nil {
		s.failed = cmp.Or(s.failed, err)

		return min(n, len(p)), err
	}

	return len(p), nil
}

// end writes what is left of a character that has no end. It returns the first error of all that was written: who wrote
// it may have ignored it.
func (s *screen) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rest) > 0 {
		s.rest = nil
		_, err := io.WriteString(s.w, string(unicode.ReplacementChar))
		s.failed = cmp.Or(s.failed, err)
	}

	return s.failed
}

// wholeCharacters cuts off the beginning of a character that is at the end of text.
func wholeCharacters(text []byte) (whole, rest []byte) {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return text[:i], text[i:]
			}

			break
		}
	}

	return text, nil
}

func shownOn(text []byte) []byte {
	bad := func(r rune) bool { return r != '\n' && r != '\t' && controls(r) }
	if utf8.Valid(text) && bytes.IndexFunc(text, bad) < 0 {
		return text
	}

	return bytes.Map(func(r rune) rune {
		if bad(r) {
			return unicode.ReplacementChar
		}

		return r // of what is no UTF-8 it is the replacement character
	}, text)
}

// beneath returns the writer that a screen writes to. What is written there can control the terminal.
func beneath(w io.Writer) io.Writer {
	if s, ok := w.(*screen); ok {
		return s.w
	}

	return w
}

// writeJSON writes a value on a line of its own. Letters are as they are; what would control a terminal is escaped, which
// changes nothing of the value.
func writeJSON(w io.Writer, value any) error { return writeIndentedJSON(w, value, "") }

func writeIndentedJSON(w io.Writer, value any, indent string) error {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	to.SetIndent("", indent)
	if err := to.Encode(value); err != nil {
		return err
	}
	text := b.Bytes()
	if bytes.IndexFunc(text, func(r rune) bool { return r != '\n' && controls(r) }) >= 0 {
		text = []byte(escaped(b.String(), `\u%04x`))
	}
	_, err := w.Write(text)

	return err
}

// escaped writes the characters that control a terminal, but for the tab and the end of a line, in a format for each of
// their UTF-16 units.
func escaped(text, format string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t' || !controls(r):
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, format, unit)
			}
		}
	}

	return b.String()
}

var (
	quotedText = regexp.MustCompile(`"(?:[^"]|"")*"|'(?:[^']|'')*'`)
	otherText  = regexp.MustCompile(`(?i)\$\w*\$|\b(?:[ebxn]|u&)'|\bu&"|--|/\*`)
)

// printableSQL returns SQL that means the same without a character that controls a terminal: a name or a text has them as
// Unicode escapes. Where they stand elsewhere, or cannot be told apart, it returns a comment.
// https://www.postgresql.org/docs/current/sql-syntax-lexical.html
func printableSQL(sql string) string {
	if printableText(sql) {
		return sql
	}
	plain := sql
	if !otherText.MatchString(sql) {
		plain = quotedText.ReplaceAllStringFunc(sql, func(text string) string {
			if printableText(text) {
				return text
			}

			return "U&" + escaped(strings.ReplaceAll(text, `\`, `\\`), `\%04x`)
		})
	}
	if printableText(plain) {
		return plain
	}

	return commented("has characters that cannot be printed here; --json has them: " + sql)
}

func printableText(text string) bool { return bytes.Equal(shownOn([]byte(text)), []byte(text)) }
