// Command generate makes the code of the peers that generate theirs: `make bench-generate`. SQLBoiler and Bob read the
// tables that Bootstrap makes, ent has schemas of its own in peers/schema.
package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"

	"musicstore/internal/repo"
	"musicstore/internal/schema"
	"musicstore/layer/localpg"
)

// The generators, at the versions of go.mod. They run from the module proxy and stay out of it.
const (
	boilVersion = "@v4.19.5"
	bobVersion  = "@v0.41.1"
	entVersion  = "@v0.14.5"
)

const boilConfig = `[psql]
dbname = "postgres"
host = %q
port = 5432
user = %q
pass = "none"
sslmode = "disable"
schema = "public"
`

const bobConfig = `psql: {dsn: %q, driver: github.com/jackc/pgx/v5/stdlib}
type_system: database/sql
plugins_preset: none
plugins:
  models: {disabled: false, destination: generated/bobgen, pkgname: bobgen}
  joins: {disabled: false}
  loaders: {disabled: false}
  where: {disabled: false}
`

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	server, err := localpg.Temp(ctx)
	if err != nil {
		return err
	}
	defer server.Stop()
	store, err := repo.Open(ctx, server.URL("postgres"))
	if err != nil {
		return err
	}
	defer store.Close()
	if _, err := schema.Bootstrap(ctx, store.DB()); err != nil {
		return err
	}

	dir, err := os.MkdirTemp("", "musicstore-generate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	dsn := server.URL("postgres")
	u, err := url.Parse(dsn)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"sqlboiler.toml": fmt.Sprintf(boilConfig, u.Query().Get("host"), u.User.Username()),
		"bobgen.yaml":    fmt.Sprintf(bobConfig, dsn),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}

	const boil, bob = "github.com/aarondl/sqlboiler/v4", "github.com/stephenafamo/bob/gen/bobgen-psql"
	for _, args := range [][]string{
		{"go", "install", boil + boilVersion},
		{"go", "install", boil + "/drivers/sqlboiler-psql" + boilVersion}, // which the other one runs
		{
			filepath.Join(dir, "sqlboiler"), filepath.Join(dir, "sqlboiler-psql"), "-c", filepath.Join(dir, "sqlboiler.toml"),
			"--output", "generated/boilgen", "--pkgname", "boilgen", "--no-tests", "--no-hooks", "--wipe",
		},
		{"go", "install", bob + bobVersion},
		{filepath.Join(dir, "bobgen-psql"), "-c", filepath.Join(dir, "bobgen.yaml")},
		{"rm", "-f", "generated/bobgen/bob_types.bob_test.go"},
		{"go", "install", "entgo.io/ent/cmd/ent" + entVersion},
		{filepath.Join(dir, "ent"), "generate", "--feature", "sql/modifier", "--target", "generated/entgen", "./peers/schema"},
		{"rm", "-rf", "generated/entgen/enttest"},
	} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	}

	return nil
}
