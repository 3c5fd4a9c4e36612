// Package ddl reads files of SQL with PostgreSQL's own parser. The generator does, and tests that have a schema of their own.
package ddl

import (
	"regexp"
	"strings"

	pgquery "github.com/pganalyze/pg_query_go/v6"
)

// File is a file of SQL.
type File struct {
	Name, Text string
	Statements []Statement
	Comments   []Span
	tokens     []*pgquery.ScanToken // without the comments
}

// Span is a part of a file, as offsets of bytes.
type Span struct{ Start, End int }

// Statement is a statement of a file.
type Statement struct {
	Span // from its first token to behind its last

	Node *pgquery.Node
	From int // where the last statement ended
}

// Read parses a file. The error is the parser's, an *Error. The lines \restrict and \unrestrict, by which pg_dump keeps psql
// from running other commands, become spaces.
func Read(name, text string) (*File, error) {
	text = restricted.ReplaceAllStringFunc(text, func(line string) string { return strings.Repeat(" ", len(line)) })
	f := &File{Name: name, Text: text}
	tree, err := Parse(text)
	if err != nil {
		return f, err
	}
	scanned, err := scan(text)
	if err != nil {
		return f, err
	}
	at := 0
	for _, raw := range tree.GetStmts() {
		st := Statement{Node: raw.GetStmt(), From: int(raw.GetStmtLocation()), Span: Span{-1, len(text)}}
		if raw.GetStmtLen() > 0 {
			st.End = st.From + int(raw.GetStmtLen())
		}
		for ; at < len(scanned.GetTokens()) && int(scanned.GetTokens()[at].GetStart()) < st.End; at++ {
			if token := scanned.GetTokens()[at]; st.Start < 0 && !isComment(token) && int(token.GetStart()) >= st.From {
				st.Start = int(token.GetStart())
			}
		}
		f.Statements = append(f.Statements, st)
	}
	for _, token := range scanned.GetTokens() {
		if isComment(token) {
			f.Comments = append(f.Comments, Span{int(token.GetStart()), int(token.GetEnd())})
		} else {
			f.tokens = append(f.tokens, token)
		}
	}

	return f, nil
}

var restricted = regexp.MustCompile(`(?m)^\\(un)?restrict [A-Za-z0-9]+$`)

func isComment(token *pgquery.ScanToken) bool {
	return token.GetToken() == pgquery.Token_SQL_COMMENT || token.GetToken() == pgquery.Token_C_COMMENT
}

// Line returns the line of an offset, from 1.
func (f *File) Line(offset int) int {
	return 1 + strings.Count(f.Text[:min(max(0, offset), len(f.Text))], "\n")
}
