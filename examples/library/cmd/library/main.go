// Library makes the tables that are missing in the database of DATABASE_URL, and prints their names.
package main

import (
	"context"
	"fmt"
	"os"

	"musicstore/layer/schema"

	"example.com/library"
	"example.com/library/dbgen"
)

func main() {
	if err := bootstrap(context.Background(), os.Getenv("DATABASE_URL")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func bootstrap(ctx context.Context, url string) error {
	store, err := library.Open(ctx, url)
	if err != nil {
		return err
	}
	defer store.Close()
	created, err := schema.Bootstrap(ctx, store.DB(), &dbgen.Metadata)
	fmt.Println(created)

	return err
}
