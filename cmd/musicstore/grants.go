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
		Short: "Print the SQL that gives a role the rights that the store needs",
		Long: "Print the SQL that gives a role the rights that the store needs, and no others. It can then read and write the\n" +
			"columns that the store uses. It cannot run 'musicstore init': the owner of the tables runs that. This command\n" +
			"connects to no database.\n\n" +
			"The statements add rights to those that the role has. To remove all its other rights, run this first:\n" +
			"  REVOKE ALL ON ALL TABLES IN SCHEMA public FROM shop;",
		Example: "  musicstore grants shop | psql \"$OWNER_URL\"\n  musicstore grants shop --schema music",
		Args: func(cmd *cobra.Command, args []string) (err error) {
			if err := oneArg("ROLE")(cmd, args); err != nil {
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
	cmd.Flags().StringVar(&in, "schema", "public", "the `name` of the schema that has the tables")

	return cmd
}
