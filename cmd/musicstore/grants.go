package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"musicstore/internal/schema"
)

func (a *app) grantsCommand() *cobra.Command {
	var in string
	cmd := &cobra.Command{
		Use:   "grants ROLE",
		Short: "Print the SQL that grants a role what the store needs, and no more",
		Long: "Print the SQL that grants a role what the store needs, and no more: to read and write rows. The role can't\n" +
			"run 'musicstore init', which is the tables' owner's. No database is asked.",
		Example: "  musicstore grants shop | psql \"$OWNER_URL\"\n  musicstore grants shop --schema music",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return err
			}
			if args[0] == "" || in == "" {
				return errors.New("a role and a schema have names that are not empty")
			}

			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			statements, err := schema.Grants(args[0], in)
			if err != nil {
				return err
			}
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
