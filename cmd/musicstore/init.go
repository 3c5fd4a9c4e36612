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
		Use:   "init",
		Short: "Create the tables that are missing",
		Long: "Create the tables that are missing, with their indexes, and the views, functions and types that are missing.\n" +
			"What exists is not changed: 'musicstore migrate' does that.",
		Example: "  musicstore init\n  musicstore init --database-url postgres://localhost/shop",
		Args:    noArgs,
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

// pointToCheck says on standard error, in one line, that what existed differs from db/schema. It says nothing where the
// role may not compare.
func (a *app) pointToCheck(ctx context.Context, store *repo.Repo) error {
	differences, err := schema.Check(ctx, store.DB())
	if errors.Is(err, schema.ErrNoTemporaryTables) || errors.Is(err, schema.ErrNoSchema) {
		return nil
	}
	if n := len(differences); n > 0 {
		_, _ = fmt.Fprintf(a.err, "%s from db/schema: run 'musicstore check'\n", plural(n, "difference"))
	}

	return err
}
