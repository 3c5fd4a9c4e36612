package plans

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
)

// ErrNoStatistics is what Slow returns when the server collects no statistics of statements, or this database does not show them. The
// text says what to do.
var ErrNoStatistics = errors.New("no statistics of statements")

// Load is the work of the server for a query since its statistics began.
type Load struct {
	Query string   // its name; "" in Others and Hidden
	Also  []string // the queries that are counted with it, because they differ from it only in constants
	Calls int64    // how often it was run
	Rows  int64    // how many rows it has returned or changed
	Total time.Duration
	Max   time.Duration // of the slowest run
	Hit   int64         // blocks of 8 KiB that were in PostgreSQL's own memory
	Read  int64         // blocks that were not: they came from the operating system or the disk
}

// Mean is the average time of a run; 0 without a run.
func (l Load) Mean() time.Duration {
	if l.Calls == 0 {
		return 0
	}

	return l.Total / time.Duration(l.Calls)
}

func (l *Load) add(other Load) {
	l.Calls += other.Calls
	l.Rows += other.Rows
	l.Total += other.Total
	l.Max = max(l.Max, other.Max)
	l.Hit += other.Hit
	l.Read += other.Read
}

// Loads are the loads of a database.
type Loads struct {
	Queries []Load // the largest total first; a query that was not run has none

	// Others is the sum of all other statements, such as BEGIN, COPY and those of other programs.
	Others Load

	// Hidden is the sum of the statements of other roles whose texts this role may not see. Queries may be among them. A member of
	// the role pg_read_all_stats sees all texts.
	Hidden Load

	Since   time.Time // when the statistics began
	Dropped int64     // how often the server has dropped the statistics of its rarest statements, because there were too many
}

// Slow returns how much time the server has spent on each query of m, in this database and by every role, from the view
// pg_stat_statements. It changes nothing. A second call returns the present numbers.
// https://www.postgresql.org/docs/current/pgstatstatements.html
//
// A statement belongs to the query whose name is in its text, in the comment that sqlc writes. If the text has no name, Slow compares it with
// the texts of the queries, without constants, comments and spaces. If statements differ only in these, the server keeps one entry for them,
// with the text of the first that ran. So queries that differ only in these have one Load, with the first of their names. A query of another
// program in the same database counts, too, if it has the name or the text of a query of m.
//
// Slow counts the statements that clients have sent, and the time in which they ran, without the planning. A COPY is among the others.
//
// The error is ErrNoStatistics if the extension is not installed in this database, is not loaded, or is older than version 1.9, which
// PostgreSQL 14 has. Other errors have the types of the store's own.
func Slow(ctx context.Context, db DB, m *dbtx.Metadata) (Loads, error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return Loads{}, m.Typed(ctx, opSlow, err, "")
	}
	defer settings.Rollback(ctx, tx) //nolint:errcheck // nothing is to be kept
	loads, err := slow(ctx, tx, m)
	switch {
	case errors.Is(err, ErrNoStatistics):
		return Loads{}, fmt.Errorf("%s: %w", opSlow, err)
	case err != nil:
		return Loads{}, m.Typed(ctx, opSlow, err, "")
	}

	return loads, nil
}

const (
	opSlow = "slow"

	// What to do where there are no statistics.
	load    = "add pg_stat_statements to shared_preload_libraries of the server, and restart the server"
	create  = "CREATE EXTENSION pg_stat_statements;"
	upgrade = "ALTER EXTENSION pg_stat_statements UPDATE;"
)

func slow(ctx context.Context, tx pgx.Tx, m *dbtx.Metadata) (loads Loads, err error) {
	if _, err := settings.Seal(ctx, tx, ""); err != nil {
		return loads, err
	}
	schema, err := statisticsSchema(ctx, tx)
	if err != nil {
		return loads, err
	}
	// Schema is quoted. These columns are there in every version from 1.9 on.
	rows, err := tx.Query(ctx, `
SELECT
    s.queryid IS NULL AS hidden, coalesce(s.query, ''), s.calls, s.rows, s.total_exec_time, s.max_exec_time,
    s.shared_blks_hit, s.shared_blks_read
FROM `+schema+`.pg_stat_statements AS s
JOIN pg_database AS d ON d.oid = s.dbid
WHERE d.datname = current_database() AND s.toplevel`, pgx.QueryExecModeExec)
	if err != nil {
		return loads, notLoaded(err)
	}
	byName := map[string]*Load{}
	named, byText := groups(m)
	var hidden bool
	var text string
	var total, longest float64
	var one Load
	_, err = pgx.ForEachRow(rows, []any{&hidden, &text, &one.Calls, &one.Rows, &total, &longest, &one.Hit, &one.Read}, func() error {
		one.Total, one.Max = milliseconds(total), milliseconds(longest)
		if hidden {
			loads.Hidden.add(one)

			return nil
		}
		of := named[nameIn(text)]
		if of == nil {
			of = byText[bareText(text)]
		}
		switch {
		case of == nil:
			loads.Others.add(one)
		case byName[of[0]] == nil:
			byName[of[0]] = &Load{Query: of[0], Also: of[1:]}

			fallthrough
		default:
			byName[of[0]].add(one)
		}

		return nil
	})
	if err != nil {
		return loads, notLoaded(err)
	}
	for _, l := range byName {
		loads.Queries = append(loads.Queries, *l)
	}
	slices.SortFunc(loads.Queries, func(a, b Load) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Query, b.Query)) })
	err = tx.QueryRow(ctx, "SELECT i.stats_reset, i.dealloc FROM "+schema+".pg_stat_statements_info AS i", pgx.QueryExecModeExec).
		Scan(&loads.Since, &loads.Dropped)

	return loads, err
}

// statisticsSchema returns the schema of the extension, quoted.
func statisticsSchema(ctx context.Context, tx pgx.Tx) (string, error) {
	var schema, version string
	err := tx.QueryRow(ctx, `
SELECT n.nspname::text, e.extversion
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'`, pgx.QueryExecModeExec).Scan(&schema, &version)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("%w: the extension is not in this database. If the server does not load it yet, %s. Then run %s",
			ErrNoStatistics, load, create)
	}
	if err != nil {
		return "", err
	}
	major, minor, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(minor); err == nil && major == "1" && n < 9 {
		return "", fmt.Errorf("%w: the extension is of version %s, and must be 1.9 or newer. Run %s", ErrNoStatistics, version, upgrade)
	}

	return pgx.Identifier{schema}.Sanitize(), nil
}

// notLoaded returns the error of the view.
func notLoaded(err error) error {
	const objectNotInPrerequisiteState = "55000" // the only one that the view raises
	if sqlstate.Of(err) == objectNotInPrerequisiteState {
		return fmt.Errorf("%w: the server does not load the extension: %s", ErrNoStatistics, load)
	}

	return err
}

func milliseconds(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

// nameLine is the comment with which sqlc begins a query. It may stand behind PREPARE … AS.
var nameLine = regexp.MustCompile(`(?m)(?:^|\bAS )-- name: (\S+) :\w+`)

// nameIn returns the name that the text of a statement has; "" if it has none.
func nameIn(text string) string {
	if found := nameLine.FindStringSubmatch(text); found != nil {
		return found[1]
	}

	return ""
}

// groups returns the queries that the server counts together, by the name of each and by their text.
func groups(m *dbtx.Metadata) (named, byText map[string][]string) {
	named, byText = map[string][]string{}, map[string][]string{}
	for _, q := range m.Queries {
		if q.SQL != "" {
			text := bareText(q.SQL)
			byText[text] = append(byText[text], q.Name)
		}
	}
	for _, names := range byText {
		for _, name := range names {
			named[name] = names
		}
	}

	return named, byText
}

// bareText returns what is left of a statement without comments and spaces, in lower case, with a ? for each constant and each parameter,
// and one for a list of them. The server puts $1, $2 and so on in the place of constants, and since PostgreSQL 18 one of them in the
// place of a list. The sign of a number belongs to the constant, so a sign before a constant is left out.
func bareText(sql string) string {
	var tokens []string
	last := func(n int) string { return tokens[max(len(tokens)-n, 0)] }
	for sql != "" {
		n := tokenLength(sql)
		t := sql[:n]
		sql = sql[n:]
		if isSpace(t[0]) || t == ";" || strings.HasPrefix(t, "--") || strings.HasPrefix(t, "/*") {
			continue
		}
		t = strings.ToLower(t)
		if isConstant(t) {
			t = "?"
			if len(tokens) > 0 && (last(1) == "-" || last(1) == "+") {
				tokens = tokens[:len(tokens)-1]
			}
			if len(tokens) > 1 && last(1) == "," && last(2) == "?" {
				tokens = tokens[:len(tokens)-1]

				continue
			}
		}
		tokens = append(tokens, t)
	}

	return strings.Join(tokens, " ")
}

// tokenLength returns how many bytes the first part of a statement has: a comment, spaces, a name, a constant, a parameter, or one sign.
// https://www.postgresql.org/docs/current/sql-syntax-lexical.html
func tokenLength(s string) int {
	two := s[:min(2, len(s))]
	c, next := s[0], byte(0)
	if len(s) > 1 {
		next = s[1]
	}
	switch {
	case two == "--":
		return until(s, 2, "\n")
	case two == "/*":
		return until(s, 2, "*/")
	case isSpace(c):
		return run(s, isSpace)
	case c == '"', c == '\'':
		return quoted(s, false)
	case next == '\'' && strings.IndexByte("eEbBxXnN", c) >= 0:
		return 1 + quoted(s[1:], c == 'e' || c == 'E')
	case (c == 'u' || c == 'U') && next == '&' && len(s) > 2 && (s[2] == '\'' || s[2] == '"'):
		return 2 + quoted(s[2:], false)
	case c == '$' && isDigit(next):
		return 1 + run(s[1:], isDigit)
	case c == '$':
		tag := 1 + run(s[1:], isName)
		if tag == len(s) || s[tag] != '$' {
			return 1
		}

		return until(s, tag+1, s[:tag+1])
	case isDigit(c), c == '.' && isDigit(next):
		return run(s, func(c byte) bool { return isName(c) || c == '.' })
	case isName(c):
		return run(s, func(c byte) bool { return isName(c) || c == '$' })
	default:
		return 1
	}
}

// run returns how many bytes from the start on are such.
func run(s string, such func(byte) bool) int {
	for i := range len(s) {
		if !such(s[i]) {
			return i
		}
	}

	return len(s)
}

// until returns the place behind the first end, or that of the text's end. The first bytes are not looked at.
func until(s string, from int, end string) int {
	if at := strings.Index(s[from:], end); at >= 0 {
		return from + at + len(end)
	}

	return len(s)
}

// quoted returns the length of a name or constant that begins with its quote.
func quoted(s string, backslashes bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case backslashes && s[i] == '\\':
			i++
		case s[i] == s[0] && i+1 < len(s) && s[i+1] == s[0]: // it is doubled
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}

	return len(s)
}

func isSpace(c byte) bool { return strings.IndexByte(" \t\n\r\f\v", c) >= 0 }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isName(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}

// isConstant says whether a part of a statement, in lower case, is a constant or a parameter.
func isConstant(t string) bool {
	return isDigit(t[0]) || t[0] == '\'' || len(t) > 1 && (t[0] == '$' || t[0] == '.' || t[1] == '\'') ||
		strings.HasPrefix(t, "u&'") || t == "true" || t == "false" || t == "null"
}
