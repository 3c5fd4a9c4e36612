package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	pgquery "github.com/pganalyze/pg_query_go/v6"
)

// source is a file of SQL.
type source struct {
	name       string
	text       string
	comments   []span
	marks      []mark
	statements []statement
}

type span struct{ start, end int }

// mark is a comment that says something to the generator: -- +word text.
type mark struct {
	span

	word, text string
	line       int
	alone      bool // nothing stands before it on its line
	used       bool
}

type statement struct {
	node  *pgquery.Node
	from  int // where the last statement ended
	start int // its first token
	end   int // behind its last
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
}

// readSource reads and parses a file. Its problems are those of its text.
func readSource(root, name string, ps *problems) (*source, error) {
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	s := &source{name: name, text: string(text)}
	tree, err := parseSQL(s.text)
	if err != nil {
		ps.addf(name, s.line(cursor(err)), "%s", err.Error())

		return s, nil
	}
	scanned, err := scanSQL(s.text)
	if err != nil {
		ps.addf(name, s.line(cursor(err)), "%s", err.Error())

		return s, nil
	}
	s.readStatements(tree, scanned)
	for _, c := range s.comments {
		s.readMark(c, ps)
	}

	return s, nil
}

func cursor(err error) int {
	if e, ok := errors.AsType[*parseError](err); ok {
		return max(0, e.Cursorpos-1)
	}

	return 0
}

func (s *source) readStatements(tree *pgquery.ParseResult, scanned *pgquery.ScanResult) {
	at := 0
	for _, raw := range tree.GetStmts() {
		st := statement{node: raw.GetStmt(), from: int(raw.GetStmtLocation()), start: -1, end: len(s.text)}
		if raw.GetStmtLen() > 0 {
			st.end = st.from + int(raw.GetStmtLen())
		}
		for ; at < len(scanned.GetTokens()) && int(scanned.GetTokens()[at].GetStart()) < st.end; at++ {
			token := scanned.GetTokens()[at]
			comment := token.GetToken() == pgquery.Token_SQL_COMMENT || token.GetToken() == pgquery.Token_C_COMMENT
			if st.start < 0 && !comment && int(token.GetStart()) >= st.from {
				st.start = int(token.GetStart())
			}
		}
		s.statements = append(s.statements, st)
	}
	for _, token := range scanned.GetTokens() {
		if token.GetToken() == pgquery.Token_SQL_COMMENT || token.GetToken() == pgquery.Token_C_COMMENT {
			s.comments = append(s.comments, span{int(token.GetStart()), int(token.GetEnd())})
		}
	}
}

func (s *source) readMark(c span, ps *problems) {
	match := markSyntax.FindStringSubmatch(strings.TrimRight(s.text[c.start:c.end], "\r\n"))
	if match == nil {
		return
	}
	line := s.line(c.start)
	if markPlaces[match[1]] == "" {
		ps.addf(s.name, line, "+%s is no mark: +error, +was, +fill, +keyed, +plan and +default are", match[1])

		return
	}
	before := s.text[strings.LastIndexByte(s.text[:c.start], '\n')+1 : c.start]
	s.marks = append(s.marks, mark{
		span: c, word: match[1], text: strings.TrimSpace(match[2]), line: line, alone: strings.TrimSpace(before) == "",
	})
}

// misplaced reports the marks that nothing has used.
func (s *source) misplaced(ps *problems) {
	for _, m := range s.marks {
		if !m.used {
			ps.addf(s.name, m.line, "+%s is misplaced: it belongs %s", m.word, markPlaces[m.word])
		}
	}
}

// line returns the line of an offset, from 1.
func (s *source) line(offset int) int {
	return 1 + strings.Count(s.text[:min(max(0, offset), len(s.text))], "\n")
}

// forSQLC returns the text without marks, which sqlc would copy into Go's documentation, and the lines that are left
// out. A mark in a schema leaves spaces, so that nothing moves; of a query its line goes.
func (s *source) forSQLC(queries bool) (text string, gone []int) {
	var b strings.Builder
	at := 0
	for _, m := range s.marks {
		from, to := m.start, m.end
		if queries && m.alone {
			from = strings.LastIndexByte(s.text[:m.start], '\n') + 1
			if end := strings.IndexByte(s.text[m.end:], '\n'); end >= 0 {
				to = m.end + end + 1
			}
			gone = append(gone, m.line)
		}
		b.WriteString(s.text[at:from])
		at = to
	}
	b.WriteString(s.text[at:])

	return b.String(), gone
}
