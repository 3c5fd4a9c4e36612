package ddl

import (
	"strings"

	pgquery "github.com/pganalyze/pg_query_go/v6"
)

// withoutPublic returns the text of a statement without the schema public, so that it makes and means what the current
// schema has: public.books becomes books, and 'public.books_id_seq'::regclass becomes 'books_id_seq'::regclass. The
// text of a function's body stays as it is: PostgreSQL reads it when the function runs.
func (f *File) withoutPublic(st Statement) string {
	var b strings.Builder
	at := st.Start
	leave := func(from, to int) {
		b.WriteString(f.Text[at:from])
		at = to
	}
	tokens := f.tokensOf(st)
	for i, token := range tokens {
		text := f.word(token)
		switch {
		case isName(text, "public") && f.next(tokens, i, 1) == "." && f.next(tokens, i, -1) != ".":
			leave(int(token.GetStart()), int(tokens[i+1].GetEnd()))
		case text == "'public'" || strings.HasPrefix(text, "'public.") || strings.HasPrefix(text, `'"public".`):
			if f.namesRelation(tokens, i) {
				leave(int(token.GetStart())+1, int(token.GetStart())+strings.IndexByte(text, '.')+1)
			}
		case isName(text, "public") && strings.EqualFold(f.next(tokens, i, -1), "schema") && st.Node.GetCreateExtensionStmt() != nil:
			from := i - 1
			if strings.EqualFold(f.next(tokens, from, -1), "with") && len(st.Node.GetCreateExtensionStmt().GetOptions()) == 1 {
				from--
			}
			leave(int(tokens[from-1].GetEnd()), int(token.GetEnd()))
		}
	}
	b.WriteString(f.Text[at:st.End])

	return b.String()
}

// namesRelation reports that a text is the name of a relation: 'x'::regclass, or the argument of nextval.
func (f *File) namesRelation(tokens []*pgquery.ScanToken, i int) bool {
	return strings.Contains(f.word(tokens[i]), ".") &&
		(f.next(tokens, i, 1) == "::" && isName(f.next(tokens, i, 2), "regclass") ||
			f.next(tokens, i, -1) == "(" && isName(f.next(tokens, i, -2), "nextval"))
}

// tokensOf returns the tokens of a statement, without comments.
func (f *File) tokensOf(st Statement) []*pgquery.ScanToken {
	var all []*pgquery.ScanToken
	for _, token := range f.tokens {
		if int(token.GetStart()) >= st.Start && int(token.GetEnd()) <= st.End {
			all = append(all, token)
		}
	}

	return all
}

func (f *File) word(token *pgquery.ScanToken) string { return f.Text[token.GetStart():token.GetEnd()] }

// next returns the text of the token that stands n behind the one at i; "" where there is none.
func (f *File) next(tokens []*pgquery.ScanToken, i, n int) string {
	if i+n < 0 || i+n >= len(tokens) {
		return ""
	}

	return f.word(tokens[i+n])
}

// isName reports that the text of a token is this name, which is in lower case.
func isName(text, name string) bool {
	return strings.EqualFold(text, name) || text == `"`+name+`"`
}
