package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"musicstore/internal/repo"
	"musicstore/internal/schema"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "init",
		Short:   "Create the tables and indexes that are missing; change nothing that exists",
		Example: "  musicstore init\n  musicstore init --database-url postgres://localhost/shop",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				created, err := schema.Bootstrap(cmd.Context(), store.DB())
				if err != nil {
					return err
				}
				for _, name := range created {
					_, _ = fmt.Fprintln(a.out, "created", name)
				}
				if len(created) == 0 {
					_, _ = fmt.Fprintln(a.out, "nothing to create: everything is there")
				}

				return nil
			})
		},
	}
}
