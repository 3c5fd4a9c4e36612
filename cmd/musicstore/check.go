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
		Short: "Say what of the database is not as db/schema has it, and what would mend it; change nothing",
		Long: "Say what of the database is not as db/schema has it, and what would mend it; change nothing. The exit status\n" +
			"is 1 when there is a difference.\n\n" +
			"What is printed is SQL: a comment for each difference, and the statements. Those that lose rows or values, or\n" +
			"may, are in comments, too.",
		Example: "  musicstore check\n  musicstore check > mend.sql   # to read, and then: psql -f mend.sql\n" +
			"  musicstore check --json | jq -r '.[].mend'",
		Args: cobra.NoArgs,
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
					return fmt.Errorf("check: %s from db/schema", plural(n, "difference"))
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
			mend = commented("no statement mends it")
		case d.LosesData:
			mend = commented("loses data: " + mend)
		}
		if _, err := fmt.Fprintf(a.out, "%s\n%s\n\n", commented(d.String()), mend); err != nil {
			return err
		}
	}
	if len(differences) == 0 {
		_, err := fmt.Fprintln(a.out, "-- no difference: the database is as db/schema has it")

		return err
	}

	return nil
}

var lineEnd = regexp.MustCompile(`\r\n|\r|\n`)

// commented returns text as an SQL comment. A name in it may have lines, which must not be run.
func commented(text string) string { return "-- " + lineEnd.ReplaceAllString(text, "\n-- ") }
