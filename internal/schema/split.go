package schema

import (
	"regexp"
	"strings"
)

// token is a part of SQL text in which a semicolon ends no statement, or what is looked for between such parts. The order
// counts: E'…' is found before the name E. standard_conforming_strings is on, so only E'…' has backslashes.
// https://www.postgresql.org/docs/current/sql-syntax-lexical.html
var token = regexp.MustCompile(`(?s)^(?:` +
	`[eE]'(?:[^'\\]|\\.|'')*'|` + // a string with escapes
	`'(?:[^']|'')*'|` + // a string
	`"(?:[^"]|"")*"|` + // a quoted name
	`--[^\n]*|` + // a comment to the end of the line
	`[A-Za-z_\x{80}-\x{10ffff}][A-Za-z0-9_$\x{80}-\x{10ffff}]*|` + // a word, which may have a $ in it
	`[0-9]+|` +
	`.)`)

// dollar is how a string between dollar signs begins.
var dollar = regexp.MustCompile(`^\$(?:[A-Za-z_\x{80}-\x{10ffff}][A-Za-z0-9_\x{80}-\x{10ffff}]*)?\$`)

// split returns the statements of SQL text, without the semicolons and without what stands around them. Comments
// in a statement stay. Text that is not closed runs to the end, and is the server's to refuse.
//
// A semicolon in parentheses (CREATE RULE) or in BEGIN ATOMIC … END ends no statement.
func split(sql string) []string {
	var statements []string
	begin, depth := 0, 0 // depth counts parentheses, BEGIN ATOMIC and CASE in it
	atomic := 0          // how many of them are BEGIN ATOMIC or a CASE in it
	code, last := false, ""
	end := func(at int) {
		if code {
			statements = append(statements, strings.TrimSpace(sql[begin:at]))
		}
		begin, depth, atomic, code, last = at+1, 0, 0, false, ""
	}
	for at := 0; at < len(sql); {
		n := length(sql[at:])
		text := sql[at : at+n]
		comment := strings.HasPrefix(text, "--") || strings.HasPrefix(text, "/*")
		switch word := strings.ToUpper(text); {
		case comment || strings.TrimSpace(text) == "":
			if !code {
				begin = at + n
			}
			at += n

			continue
		case text == ";" && depth == 0:
			end(at)
			at += n

			continue
		case text == "(":
			depth++
		case text == ")":
			depth = max(depth-1, 0)
		case word == "ATOMIC" && last == "BEGIN", word == "CASE" && atomic > 0:
			depth++
			atomic++
		case word == "END" && atomic > 0:
			depth = max(depth-1, 0)
			atomic--
		}
		if !code {
			code, begin = true, at
		}
		last = strings.ToUpper(text)
		at += n
	}
	end(len(sql))

	return statements
}

// length returns how many bytes the first part of some text has.
func length(sql string) int {
	if open := dollar.FindString(sql); open != "" {
		if body := strings.Index(sql[len(open):], open); body >= 0 {
			return 2*len(open) + body
		}

		return len(sql)
	}
	if strings.HasPrefix(sql, "/*") { // they nest
		depth := 0
		for at := 0; at < len(sql); at++ {
			switch {
			case strings.HasPrefix(sql[at:], "/*"):
				depth++
				at++
			case strings.HasPrefix(sql[at:], "*/"):
				depth--
				at++
			}
			if depth == 0 {
				return at + 1
			}
		}

		return len(sql)
	}
	n := len(token.FindString(sql))
	if n == 1 && strings.ContainsAny(sql[:1], `'"`) {
		return len(sql) // it is not closed
	}

	return max(n, 1)
}
