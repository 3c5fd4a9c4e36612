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
// with the text of the first that ran. So queries that differ only in these have one Load, with the first of their names. The server also has
// one entry for statements that differ only in aliases. Slow does not see that: all count for the one that ran first. A
// query of another program in the same database counts, too, if it has the name or the text of a query of m.
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
			tokens := tokensOf(text)
			if of = byText[exact(tokens)]; of == nil {
				of = byText[loose(tokens)]
			}
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
	texts := map[string][]string{} // the parts of each query, by its name
	for _, q := range m.Queries {
		if q.SQL != "" {
			texts[q.Name] = tokensOf(q.SQL)
			text := exact(texts[q.Name])
			byText[text] = append(byText[text], q.Name)
		}
	}
	for _, q := range m.Queries {
		named[q.Name] = byText[exact(texts[q.Name])]
		if text := loose(texts[q.Name]); byText[text] == nil {
			byText[text] = named[q.Name]
		}
	}

	return named, byText
}

// token is the first part of a statement: comments and spaces, a constant, a parameter, a name, or one sign. A constant between dollars begins
// with its tag alone.
// https://www.postgresql.org/docs/current/sql-syntax-lexical.html
var token = regexp.MustCompile(`(?s)^(?:` +
	`(?P<nothing>--[^\n]*|/\*.*?\*/|[\s\v;]+)` +
	`|(?P<constant>[eE]'(?:[^'\\]|\\.|'')*'|(?:[uU]&|[bBxXnN])?'(?:[^']|'')*'|\.?[0-9][\w.]*|(?i:true|false|null)\b)` +
	`|(?P<tag>\$(?:[A-Za-z_\x{80}-\x{10ffff}][\w\x{80}-\x{10ffff}]*)?\$)` +
	`|\$[0-9]+|(?:[uU]&)?"(?:[^"]|"")*"|[\w\x{80}-\x{10ffff}][\w$\x{80}-\x{10ffff}]*|.)`)

// tokensOf returns the parts of a statement without comments and spaces, in lower case, with a ? for each constant.
func tokensOf(sql string) (tokens []string) {
	for sql != "" {
		found := token.FindStringSubmatch(sql)
		t := found[0]
		constant := found[token.SubexpIndex("constant")] != ""
		if tag := found[token.SubexpIndex("tag")]; tag != "" {
			constant = true
			if end := strings.Index(sql[len(tag):], tag); end >= 0 {
				t = sql[:2*len(tag)+end]
			}
		}
		sql = sql[len(t):]
		switch {
		case found[token.SubexpIndex("nothing")] != "":
		case constant:
			tokens = append(tokens, "?")
		default:
			tokens = append(tokens, strings.ToLower(t))
		}
	}

	return tokens
}

// exact joins the parts of a statement, with one ? for a list of constants. The sign of a number belongs to the constant, so a sign before a
// constant is left out.
func exact(tokens []string) string {
	var kept []string
	last := func(n int) string { return kept[max(len(kept)-n, 0)] }
	for _, t := range tokens {
		if t == "?" && len(kept) > 0 && (last(1) == "-" || last(1) == "+") {
			kept = kept[:len(kept)-1]
		}
		if t == "?" && len(kept) > 1 && last(1) == "," && last(2) == "?" {
			kept = kept[:len(kept)-1]
		} else {
			kept = append(kept, t)
		}
	}

	return strings.Join(kept, " ")
}

// loose is exact with a ? for each parameter too. The server puts $1, $2 and so on in the place of constants, and since PostgreSQL 18 one of
// them in the place of a list.
func loose(tokens []string) string {
	tokens = slices.Clone(tokens)
	for i, t := range tokens {
		if len(t) > 1 && t[0] == '$' {
			tokens[i] = "?"
		}
	}

	return exact(tokens)
}
