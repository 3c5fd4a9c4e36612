package schema_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"musicstore/internal/dbtest"
	"musicstore/internal/schema"
)

func ExampleBootstrap() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL()
	defer drop()
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		fmt.Println(err)

		return
	}
	defer conn.Close(ctx)

	for range 2 {
		created, err := schema.Bootstrap(ctx, conn)
		fmt.Println(len(created) > 0, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleCheck() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL()
	defer drop()
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		fmt.Println(err)

		return
	}
	defer conn.Close(ctx)
	if _, err := schema.Bootstrap(ctx, conn); err != nil {
		fmt.Println(err)

		return
	}
	if _, err := conn.Exec(ctx, "ALTER TABLE albums ALTER COLUMN name DROP NOT NULL"); err != nil {
		fmt.Println(err)

		return
	}

	differences, err := schema.Check(ctx, conn)
	for _, d := range differences {
		fmt.Println(d)
		fmt.Println(d.Mend)
	}
	fmt.Println(err)
	// Output:
	// column albums.name is text, not text NOT NULL
	// ALTER TABLE "albums" ADD CONSTRAINT "musicstore_name_not_null" CHECK ("name" IS NOT NULL) NOT VALID;
	// ALTER TABLE "albums" VALIDATE CONSTRAINT "musicstore_name_not_null";
	// ALTER TABLE "albums" ALTER COLUMN "name" SET NOT NULL;
	// ALTER TABLE "albums" DROP CONSTRAINT IF EXISTS "musicstore_name_not_null";
	// <nil>
}

func ExampleFits() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL()
	defer drop()
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		fmt.Println(err)

		return
	}
	defer conn.Close(ctx)
	if _, err := schema.Bootstrap(ctx, conn); err != nil {
		fmt.Println(err)

		return
	}
	for _, change := range []string{
		"",
		"ALTER TABLE albums ADD COLUMN label text",
		"ALTER TABLE albums ADD COLUMN country text NOT NULL",
		"ALTER TABLE albums DROP COLUMN label, DROP COLUMN country, DROP COLUMN year",
	} {
		if _, err := conn.Exec(ctx, change); err != nil {
			fmt.Println(err)

			return
		}

		fit, err := schema.Fits(ctx, conn)
		if err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("the schema is " + fit.String())
		}
	}
	// Output:
	// the schema is compatible
	// the schema is compatible
	// this program can't work on the schema: column albums.country must have a value, and CreateAlbum sets none (the schema is older or newer than this program: if this is the newest program, run migrate; otherwise start the newest one)
	// this program can't work on the schema: column albums.year is missing (the schema is older than this program: run migrate)
}

func ExampleMigrate() {
	ctx := context.Background()
	databaseURL, drop := dbtest.ExampleURL()
	defer drop()
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		fmt.Println(err)

		return
	}
	defer conn.Close(ctx)
	if _, err := schema.Bootstrap(ctx, conn); err != nil {
		fmt.Println(err)

		return
	}
	if _, err := conn.Exec(ctx, "DROP INDEX purchases_album_id_idx"); err != nil {
		fmt.Println(err)

		return
	}

	applied, err := schema.Migrate(ctx, conn, schema.MigrateOptions{})
	for _, step := range applied {
		fmt.Println(step.SQL)
	}
	fmt.Println(err)
	applied, err = schema.Migrate(ctx, conn, schema.MigrateOptions{})
	fmt.Println(applied, err)
	// Output:
	// CREATE INDEX CONCURRENTLY "purchases_album_id_idx" ON purchases USING btree (album_id);
	// <nil>
	// [] <nil>
}
