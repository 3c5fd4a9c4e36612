package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"musicstore/layer/ddl"
)

// source is a file of SQL with its marks.
type source struct {
	*ddl.File

	marks []mark
	edits []edit // of what sqlc reads in another way
}

// mark is a comment that says something to the generator: -- +word text.
type mark struct {
	ddl.Span

	word, text string
	line       int
	alone      bool // nothing stands before it on its line
	used       bool
}

var markSyntax = regexp.MustCompile(`^--[ \t]*\+([A-Za-z]\w*)(.*)$`)

// The words of the marks, and where each belongs.
var markPlaces = map[string]string{
	"error":   "at a constraint of the schema",
	"was":     "at a table or a column of the schema",
	"fill":    "at a column of the schema",
	"keyed":   "above a query",
	"plan":    "above a query or an index",
	"default": "above a query",
	"pages":   "above a query",
}

// readSource reads and parses a file. Its problems are those of its text.
func readSource(root, name string, ps *problems) (*source, error) {
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	file, err := ddl.Read(name, string(text))
	s := &source{File: file}
	if err != nil {
		at := cursor(err)
		if key := identifier.FindString(keyword.FindString(s.Text[at:])); key != "" && strings.HasSuffix(s.Text[:at], "@") {
			ps.addf(name, s.Line(at), "%s is a word of SQL, so a parameter can't have it behind an @: write sqlc.arg('%[1]s')", key)
		} else {
			ps.addf(name, s.Line(at), "%s", err.Error())
		}

		return s, nil
	}
	for _, c := range s.Comments {
		s.readMark(c, ps)
	}

	return s, nil
}

var keyword = regexp.MustCompile(`^\w+`)

func cursor(err error) int {
	if e, ok := errors.AsType[*ddl.Error](err); ok {
		return max(0, e.Cursorpos-1)
	}

	return 0
}

func (s *source) readMark(c ddl.Span, ps *problems) {
	match := markSyntax.FindStringSubmatch(strings.TrimRight(s.Text[c.Start:c.End], "\r\n"))
	if match == nil {
		return
	}
	line := s.Line(c.Start)
	if markPlaces[match[1]] == "" {
		ps.addf(s.Name, line, "+%s is no mark: +error, +was, +fill, +keyed, +plan, +default and +pages are", match[1])

		return
	}
	before := s.Text[strings.LastIndexByte(s.Text[:c.Start], '\n')+1 : c.Start]
	s.marks = append(s.marks, mark{
		Span: c, word: match[1], text: strings.TrimSpace(match[2]), line: line, alone: strings.TrimSpace(before) == "",
	})
}

// misplaced reports the marks that nothing has used.
func (s *source) misplaced(ps *problems) {
	for _, m := range s.marks {
		if !m.used {
			ps.addf(s.Name, m.line, "+%s is misplaced: it belongs %s", m.word, markPlaces[m.word])
		}
	}
}

// forSQLC returns the text without marks, which sqlc would copy into Go's documentation, and with the edits, and the lines
// that are left out. A mark in a schema leaves spaces, so that nothing moves; of a query its line goes.
func (s *source) forSQLC(queries bool, edits []edit) (text string, gone []int) {
	for _, m := range s.marks {
		from, to := m.Start, m.End
		if queries && m.alone {
			from = strings.LastIndexByte(s.Text[:m.Start], '\n') + 1
			if end := strings.IndexByte(s.Text[m.End:], '\n'); end >= 0 {
				to = m.End + end + 1
			}
			gone = append(gone, m.line)
		}
		edits = append(edits, edit{Span: ddl.Span{Start: from, End: to}})
	}

	return apply(s.Text, slices.Concat(edits, s.edits)), gone
}
