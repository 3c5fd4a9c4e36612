package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"musicstore/internal/repo"
	"musicstore/internal/schema"
)

func (a *app) migrateCommand() *cobra.Command {
	alternatives := [][]string{{"expand", "contract"}, {"plan", "sql", "log"}}
	var opts schema.MigrateOptions
	var plan, sql, log bool
	step := 0
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Change the database to match db/schema, while programs use it",
		Long: "Change the database until it matches db/schema, one step at a time, while programs read and write it. If it is\n" +
			"interrupted, run it again: it continues.\n\n" +
			"Some steps lose rows or values, or rewrite a table. If there is such a step, nothing is changed unless a flag\n" +
			"allows it. Nothing is changed either if existing rows prevent a step.",
		Example: "  musicstore migrate --plan\n  musicstore migrate\n  musicstore migrate --expand   # before the new version runs\n" +
			"  musicstore migrate --contract # when no program of the old version runs any more",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := noArgs(cmd, args); err != nil {
				return err
			}

			return oneOf(cmd, alternatives)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.patient = true // a step may take hours

			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				switch {
				case log:
					return a.printLog(cmd.Context(), store)
				case plan || sql:
					return a.printPlan(cmd.Context(), store, opts, sql)
				}
				opts.Progress = func(s schema.Step, left int) {
					step++
					_, _ = fmt.Fprintf(a.err, "%d/%d %s\n", step, step+left, printableSQL(firstLine(s.String())))
				}
				opts.Waiting = func(s schema.Step) {
					what := "for a lock on " + strings.Join(s.On, ", ")
					if s.String() == "" {
						what = "for another process that migrates this database"
					}
					_, _ = fmt.Fprintln(a.err, "waiting "+printable(what))
				}
				applied, err := schema.Migrate(cmd.Context(), store.DB(), opts)
				if err != nil {
					return err
				}
				rest, err := schema.PlanOf(cmd.Context(), store.DB(), opts)
				if err != nil {
					return err
				}
				text := remains(rest)
				if len(applied) > 0 {
					text = plural(len(applied), "step") + " done\n" + text
				}

				return a.print(map[string]any{
					"applied": append([]schema.Applied{}, applied...), "others": rest.Others, "later": rest.Later,
				}, strings.TrimSuffix(cmp.Or(text, nothingToDo), "\n"))
			})
		},
	}
	a.jsonFlag(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&plan, "plan", false, "print the steps without running them")
	flags.BoolVar(&sql, "sql", false, "print the steps as a script for psql without running them")
	flags.BoolVar(&log, "log", false, "print the steps that were run, and when")
	flags.BoolVar(&opts.Expand, "expand", false, "run only the steps that do not break programs of the old version")
	flags.Bool("contract", false, "run all remaining steps (the default)")
	flags.BoolVar(&opts.AllowRewrite, "allow-rewrite", false, "allow steps that block a table while they rewrite it, or while they read all of a large one")
	flags.BoolVar(&opts.AllowLoss, "allow-loss", false, "allow steps that lose rows or values")
	flags.BoolVar(&opts.Prune, "prune", false, "drop tables, views, functions and types that db/schema does not have")
	for _, group := range alternatives { // so that completion offers no second one
		cmd.MarkFlagsMutuallyExclusive(group...)
	}
	flags.DurationVar(&opts.LockTimeout, "lock-timeout", time.Second, "how long a step waits for a lock before it is tried again")

	return cmd
}

// printLog prints the steps that were done.
func (a *app) printLog(ctx context.Context, store *repo.Repo) error {
	applied, err := schema.Log(ctx, store.DB())
	if err != nil {
		return err
	}
	if a.json {
		return writeIndentedJSON(a.out, append([]schema.Applied{}, applied...), "  ")
	}
	for _, done := range applied {
		_, err := fmt.Fprintf(a.out, "-- %s, %.3f s, version %s to %s\n%s\n\n",
			done.At.UTC().Format(time.RFC3339), done.Seconds, cmp.Or(done.From, "unknown"), done.To, printableSQL(done.SQL))
		if err != nil {
			return err
		}
	}
	if len(applied) == 0 {
		_, err = fmt.Fprintln(a.out, "-- no step was run yet")
	}

	return err
}

// firstLine is a text up to the end of its first line.
func firstLine(text string) string {
	line, rest, _ := strings.Cut(text, "\n")
	if rest != "" {
		line += " …"
	}

	return line
}

func (a *app) printPlan(ctx context.Context, store *repo.Repo, opts schema.MigrateOptions, sql bool) error {
	plan, err := schema.PlanOf(ctx, store.DB(), opts)
	if err != nil {
		return err
	}
	switch {
	case a.json:
		err = writeIndentedJSON(a.out, plan, "  ")
	case sql:
		var text string
		if text, err = plan.SQL(); err == nil {
			_, err = io.WriteString(a.out, text)
		}
	default:
		err = a.printSteps(plan)
	}
	if err == nil && len(plan.Refusals) > 0 {
		err = &schema.RefusedError{Reasons: plan.Refusals}
	}

	return err
}

// printSteps prints a plan for people: a line for each step, and what it costs.
func (a *app) printSteps(plan schema.Plan) error {
	var b strings.Builder
	for i, step := range plan.Steps {
		fmt.Fprintf(&b, "%d. %s\n", i+1, printableSQL(step.String()))
		for _, cost := range costs(step) {
			fmt.Fprintf(&b, "   -- %s\n", printable(cost))
		}
	}
	b.WriteString(remains(plan))
	if b.Len() == 0 && len(plan.Refusals) == 0 {
		b.WriteString(nothingToDo)
	}
	_, err := a.out.Write([]byte(b.String()))

	return err
}

const nothingToDo = "nothing to do: the database matches db/schema\n"

// remains lists what a plan leaves as it is.
func remains(plan schema.Plan) string {
	var b strings.Builder
	for _, d := range plan.Others {
		fmt.Fprintf(&b, "-- not in db/schema, and kept without --prune: %s\n", printable(d.String()))
	}
	for _, what := range plan.Later {
		fmt.Fprintf(&b, "-- left for --contract: %s\n", printable(what))
	}

	return b.String()
}

func costs(step schema.Step) (words []string) {
	if step.Lock != "" {
		words = append(words, step.Lock+" on "+strings.Join(step.On, ", "))
	}
	if step.Scans {
		words = append(words, "reads every row")
	}
	if step.Rewrites {
		words = append(words, "rewrites the table under that lock")
	}
	if step.Batches {
		words = append(words, "some rows in each transaction")
	}
	if step.Loses != "" {
		words = append(words, "loses "+step.Losing())
	}
	if step.Breaks {
		words = append(words, "may break programs of the old version")
	}
	if step.Rows != "" {
		words = append(words, "fails if this finds a row: "+step.Rows)
	}

	return words
}
