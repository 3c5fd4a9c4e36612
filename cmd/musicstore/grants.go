package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"musicstore/internal/schema"
)

func (a *app) grantsCommand() *cobra.Command {
	var in string
	var statements []string
	cmd := &cobra.Command{
		Use:   "grants ROLE",
		Short: "Print the SQL that grants a role what the store needs, and no more",
		Long: "Print the SQL that grants a role what the store needs, and no more: to read and write rows, by column. The role\n" +
			"cannot run 'musicstore init', which is for the owner of the tables. No database is asked.\n\n" +
			"The grants add to what the role has. To take away what it has beyond them, run before them:\n" +
			"  REVOKE ALL ON ALL TABLES IN SCHEMA public FROM shop;",
		Example: "  musicstore grants shop | psql \"$OWNER_URL\"\n  musicstore grants shop --schema music",
		Args: func(cmd *cobra.Command, args []string) (err error) {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return err
			}
			statements, err = schema.Grants(args[0], in)

			return err
		},
		RunE: func(*cobra.Command, []string) error {
			for _, statement := range statements {
				if _, err := fmt.Fprintln(a.out, statement); err != nil {
					return err
				}
			}

			return nil
		},
	}
	cmd.Flags().StringVar(&in, "schema", "public", "the `name` of the schema that the tables are in")

	return cmd
}
