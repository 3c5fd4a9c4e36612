package main

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"musicstore/internal/repo"
	"musicstore/internal/schema"
)

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "List the differences from db/schema, with the SQL that removes them",
		Long: "List the differences between the database and db/schema, with the SQL that removes them. Nothing is changed.\n" +
			"The exit status is 1 if there is a difference.\n\n" +
			"The output is SQL. Each difference is a comment, and its statements follow. A statement that can lose rows or\n" +
			"values is a comment, too.",
		Example: "  musicstore check\n  musicstore check > mend.sql   # read the file, then run: psql -f mend.sql\n" +
			"  musicstore check --json | jq -r '.[].mend'",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				differences, err := schema.Check(cmd.Context(), store.DB())
				if err != nil {
					return err
				}
				if err := a.printDifferences(differences); err != nil {
					return err
				}
				if n := len(differences); n > 0 {
					return &advisedError{fmt.Errorf("check: %s from db/schema", plural(n, "difference")), runPlan}
				}

				return nil
			})
		},
	}
	a.jsonFlag(cmd)

	return cmd
}

func (a *app) printDifferences(differences []schema.Difference) error {
	if a.json {
		return writeIndentedJSON(a.out, differences, "  ")
	}
	for _, d := range differences {
		mend := printableSQL(d.Mend)
		switch {
		case mend == "":
			mend = commented("no SQL statement removes this difference")
		case d.LosesData:
			mend = commented("loses data: " + mend)
		}
		if _, err := fmt.Fprintf(a.out, "%s\n%s\n\n", commented(d.String()), mend); err != nil {
			return err
		}
	}
	if len(differences) == 0 {
		_, err := fmt.Fprintln(a.out, "-- no difference: the database matches db/schema")

		return err
	}

	return nil
}

var lineEnd = regexp.MustCompile(`\r\n|\r|\n`)

// commented returns text as an SQL comment. A name in it may have lines, which must not be run.
func commented(text string) string { return "-- " + lineEnd.ReplaceAllString(text, "\n-- ") }
