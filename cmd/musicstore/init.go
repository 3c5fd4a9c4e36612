package main

import (
	"strings"

	"github.com/spf13/cobra"

	"musicstore/internal/repo"
	"musicstore/internal/schema"
)

func (a *app) initCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "init",
		Short:   "Create what is missing of the schema; change nothing that exists",
		Example: "  musicstore init\n  musicstore init --database-url postgres://localhost/shop",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				created, err := schema.Bootstrap(cmd.Context(), store.DB())
				if err != nil {
					return err
				}
				text := "nothing to create: everything is there"
				if len(created) > 0 {
					text = "created " + strings.Join(created, "\ncreated ")
				}

				return a.print(map[string][]string{"created": append([]string{}, created...)}, text)
			})
		},
	}
	a.jsonFlag(cmd)

	return cmd
}
