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
		fmt.Println(created, err)
	}
	// Output:
	// [accounts albums tracks purchases password_resets] <nil>
	// [] <nil>
}
