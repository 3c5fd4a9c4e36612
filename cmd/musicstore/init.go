package main

import (
	"context"
	"errors"
	"fmt"
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

				if err := a.print(map[string][]string{"created": append([]string{}, created...)}, text); err != nil {
					return err
				}

				return a.pointToCheck(cmd.Context(), store)
			})
		},
	}
	a.jsonFlag(cmd)

	return cmd
}

// pointToCheck says on standard error, in one line, that what was there is not as db/schema has it. It says nothing where the
// role may not compare.
func (a *app) pointToCheck(ctx context.Context, store *repo.Repo) error {
	differences, err := schema.Check(ctx, store.DB())
	if errors.Is(err, schema.ErrNoTemporaryTables) || errors.Is(err, schema.ErrNoSchema) {
		return nil
	}
	if n := len(differences); n > 0 {
		_, _ = fmt.Fprintf(a.err, "%s from db/schema: see musicstore check\n", plural(n, "difference"))
	}

	return err
}
