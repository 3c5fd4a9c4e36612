package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"musicstore/internal/repo"
	"musicstore/layer/plans"
)

func (a *app) explainCommand() *cobra.Command {
	var opts plans.ExplainOptions
	known := repo.SQL().Metadata
	cmd := &cobra.Command{
		Use:   "explain QUERY [ARGUMENT...]",
		Short: "Run a query of db/queries, roll it back and print its plan",
		Long: "Run a query of db/queries on this database, roll it back and print its plan: EXPLAIN (ANALYZE, BUFFERS). The query\n" +
			"really runs, so it takes its usual time and locks. --timeout limits it.\n\n" +
			"Write an argument as PostgreSQL writes it: a list is {1,2}. NULL is NULL. The arguments are in the order of the\n" +
			"query's parameters, or have the form name=value. No default is filled in. A negative number needs the name of its\n" +
			"parameter: after_id=-1. Without arguments, the error lists the parameters.\n\n" +
			"A query that writes or locks rows needs --write. What it writes is rolled back. But sequences do not go back,\n" +
			"and the dead rows take space until the next vacuum.\n\n" +
			"If an argument is secret or personal, the command prints the plan for any arguments, which shows $1 in its place.\n" +
			"Shells keep command lines, and ps shows them. So give another value of the same form if you can.",
		Example: "  musicstore explain ListAlbums after_id=0 page_size=20\n" +
			"  musicstore explain ListFirstTracksOfAlbums '{1,2,3}' 10\n" +
			"  musicstore explain PublishAlbum 1 --write\n  musicstore explain GetAlbum 1 --json | jq '.plan[0].\"Execution Time\"'",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("explain needs a QUERY of db/queries, such as ListAlbums")
			}
			err := plans.CheckArguments(known, args[0], args[1:], opts)
			if errors.Is(err, plans.ErrWrites) {
				return fmt.Errorf("%w: with --write it is run and rolled back", err)
			}

			return err
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (words []string, _ cobra.ShellCompDirective) {
			if len(args) == 0 {
				for _, q := range known.Queries {
					words = append(words, q.Name)
				}

				return words, cobra.ShellCompDirectiveNoFileComp
			}
			if q := known.Find(args[0]); q != nil {
				for _, p := range q.Params {
					words = append(words, p.Name+"=")
				}
			}

			return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.JSON = a.json

			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				e, err := plans.Explain(cmd.Context(), store.DB(), known, args[0], args[1:], opts)
				if errors.Is(err, repo.ErrReadOnly) && !opts.Write {
					return &advisedError{err, allowWrite}
				}
				if err != nil {
					return err
				}
				if len(e.Hidden) > 0 {
					_, _ = fmt.Fprintf(a.err, "The plan is the one for any arguments, because this must not be shown: %s\n", strings.Join(e.Hidden, ", "))
				}

				return a.print(struct {
					Query   string          `json:"query"`
					Generic bool            `json:"generic"`
					Plan    json.RawMessage `json:"plan"`
				}{e.Query, e.Generic, json.RawMessage(e.Plan)}, e.Plan)
			})
		},
	}
	cmd.Flags().BoolVar(&opts.Write, "write", false, "allow a query that writes or locks rows; it is rolled back")
	cmd.Flags().BoolVar(&opts.Generic, "generic", false, "print the plan for any arguments")
	a.jsonFlag(cmd)

	return cmd
}

// slowLine is a line of the list of statements, for programs.
type slowLine struct {
	Query   *string  `json:"query"` // null for others and for those that are hidden
	Also    []string `json:"also,omitempty"`
	Kind    string   `json:"kind"` // query, others or hidden
	Calls   int64    `json:"calls"`
	Rows    int64    `json:"rows"`
	TotalMS float64  `json:"total_ms"`
	MeanMS  float64  `json:"mean_ms"`
	MaxMS   float64  `json:"max_ms"`
	Hit     int64    `json:"blocks_hit"`
	Read    int64    `json:"blocks_read"`
}

func (a *app) slowCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "slow",
		Short: "List the queries of db/queries that take most of the server's time",
		Long: "List the queries of db/queries that take most of the server's time in this database, from pg_stat_statements. The\n" +
			"query with the most time in total is the first. The numbers are sums over all roles, and the times are in\n" +
			"milliseconds. \"blocks\" is how many blocks of 8 KiB were not in PostgreSQL's memory. \"others\" are all other\n" +
			"statements: BEGIN, COPY, and those of other programs.\n\n" +
			"If queries differ only in constants, the server counts them as one. One line has all their names.\n\n" +
			"The server must load pg_stat_statements (shared_preload_libraries), and the database must have the extension. To see\n" +
			"the statements of other roles, a role needs pg_read_all_stats.",
		Example: "  musicstore slow\n  musicstore slow --limit 5 --json | jq 'select(.kind == \"query\") | .query'",
		Args: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > repo.MaxPage {
				return fmt.Errorf("--limit %d: must be from 1 to %d", limit, repo.MaxPage)
			}

			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				loads, err := plans.Slow(cmd.Context(), store.DB(), repo.SQL().Metadata)
				if err != nil {
					return err
				}

				return a.printLoads(loads, limit)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many `queries` at most")
	a.jsonFlag(cmd)

	return cmd
}

// printLoads prints the slowest queries, and then what the rest takes.
func (a *app) printLoads(loads plans.Loads, limit int) error {
	lines := make([]slowLine, 0, limit+2)
	for _, l := range loads.Queries[:min(limit, len(loads.Queries))] {
		lines = append(lines, lineOf(l, "query"))
	}
	if loads.Others.Calls > 0 {
		lines = append(lines, lineOf(loads.Others, "others"))
	}
	if loads.Hidden.Calls > 0 {
		lines = append(lines, lineOf(loads.Hidden, "hidden"))
	}
	t := table{{"query", "calls", "rows", "total ms", "mean ms", "max ms", "blocks"}}
	for _, l := range lines {
		if a.json {
			if err := writeJSON(a.out, l); err != nil {
				return err
			}

			continue
		}
		name := l.Kind
		if l.Query != nil {
			name = strings.Join(append([]string{*l.Query}, l.Also...), ", ")
		}
		t = append(t, []string{
			name, strconv.FormatInt(l.Calls, 10), strconv.FormatInt(l.Rows, 10), ms(l.TotalMS), ms(l.MeanMS), ms(l.MaxMS),
			strconv.FormatInt(l.Read, 10),
		})
	}
	if !a.json {
		if err := t.print(a.out, 0, nil); err != nil {
			return err
		}
	}
	if n := len(loads.Queries) - limit; n > 0 {
		_, _ = fmt.Fprintf(a.err, "%d more queries took less time: see them with --limit\n", n)
	}
	if loads.Hidden.Calls > 0 {
		_, _ = fmt.Fprintln(a.err, "The statements of other roles are hidden. To see them: GRANT pg_read_all_stats TO your role")
	}
	if loads.Dropped > 0 {
		_, _ = fmt.Fprintln(a.err, "The server has dropped the statistics of rare statements: raise pg_stat_statements.max")
	}
	_, _ = fmt.Fprintf(a.err, "Counted since %s\n", loads.Since.UTC().Format(time.DateTime+" MST"))

	return nil
}

func lineOf(l plans.Load, kind string) slowLine {
	line := slowLine{
		Also: l.Also, Kind: kind, Calls: l.Calls, Rows: l.Rows, Hit: l.Hit, Read: l.Read,
		TotalMS: float64(l.Total) / float64(time.Millisecond), MeanMS: float64(l.Mean()) / float64(time.Millisecond),
		MaxMS: float64(l.Max) / float64(time.Millisecond),
	}
	if l.Query != "" {
		line.Query = &l.Query
	}

	return line
}

func ms(n float64) string { return strconv.FormatFloat(n, 'f', 3, 64) }
