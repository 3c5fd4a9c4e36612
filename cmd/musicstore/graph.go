package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"musicstore/internal/repo"
	"musicstore/internal/schema"
)

func (a *app) graphCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "graph",
		Short: "Print the schema as a Mermaid entity-relationship diagram, read from the database",
		Long: "Print the tables of the database, their columns, keys and relations as a Mermaid entity-relationship diagram.\n" +
			"GitHub and GitLab draw it from a block of Markdown that begins with ```mermaid; so does https://mermaid.live.",
		Example: "  musicstore graph\n  musicstore graph > schema.mmd",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				text, err := schema.Graph(cmd.Context(), store.DB())
				if err != nil {
					return err
				}
				_, err = fmt.Fprint(a.out, text)

				return err
			})
		},
	}
}
