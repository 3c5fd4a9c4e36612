package schema_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"musicstore/layer/dbtest"
	"musicstore/layer/schema"
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
		created, err := schema.Bootstrap(ctx, conn, own)
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
	if _, err := schema.Bootstrap(ctx, conn, own); err != nil {
		fmt.Println(err)

		return
	}
	if _, err := conn.Exec(ctx, "ALTER TABLE papers ALTER COLUMN name DROP NOT NULL"); err != nil {
		fmt.Println(err)

		return
	}

	differences, err := schema.Check(ctx, conn, own)
	for _, d := range differences {
		fmt.Println(d)
		fmt.Println(d.Mend)
	}
	fmt.Println(err)
	// Output:
	// column papers.name is text, not text NOT NULL
	// ALTER TABLE "papers" ADD CONSTRAINT "musicstore_name_not_null" CHECK ("name" IS NOT NULL) NOT VALID;
	// ALTER TABLE "papers" VALIDATE CONSTRAINT "musicstore_name_not_null";
	// ALTER TABLE "papers" ALTER COLUMN "name" SET NOT NULL;
	// ALTER TABLE "papers" DROP CONSTRAINT IF EXISTS "musicstore_name_not_null";
	// <nil>
}
