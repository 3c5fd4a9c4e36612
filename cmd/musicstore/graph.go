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
		Short: "Print the tables of the database as a Mermaid diagram",
		Long: "Print the tables of the database as a Mermaid entity-relationship diagram, with columns, keys and relations.\n" +
			"GitHub and GitLab draw it from a Markdown block that begins with ```mermaid. https://mermaid.live draws it, too.",
		Example: "  musicstore graph\n  musicstore graph > schema.mmd",
		Args:    noArgs,
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
