package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbgen"
	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx"
	layer "musicstore/layer/schema"
)

// A shop that sells all the time, by a program that does not know the column, sees nothing of a column that is added, filled and made NOT
// NULL. docs/migrate.md shows it.
func TestMigrate_WhileTheShopSells(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	ctx := t.Context()
	pool := dbtest.Pool(t)
	store := repo.New(pool)
	account, err := store.CreateAccount(ctx, repo.NewAccount{Email: "ada@example.com", PasswordHash: repo.NewPasswordHash("$argon2id$c2FsdA$aGFzaA")})
	require.NoError(t, err)
	album, err := store.CreateAlbum(ctx, repo.NewAlbum{Name: "Blue Train", Year: 1958, PriceCents: 999})
	require.NoError(t, err)

	var sold atomic.Int64
	failures, stop := make(chan error, 4), make(chan struct{})
	for seller := range cap(failures) {
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					failures <- nil

					return
				default:
				}
				_, err := store.RecordPurchase(ctx, repo.NewPurchase{
					AccountID: account.ID, AlbumID: album.ID, AmountPaidCents: 999,
					PaymentRef: fmt.Sprintf("%d-%d", seller, n), Description: "Blue Train",
				})
				if err != nil {
					failures <- err

					return
				}
				sold.Add(1)
			}
		}()
	}
	for sold.Load() < 200 {
		require.Empty(t, failures)
	}
	sql := dbtx.SQL{Metadata: withUpdatedAt(t)}
	applied, err := layer.Migrate(ctx, pool, sql, layer.MigrateOptions{Expand: true})
	require.NoError(t, err)
	after := sold.Load()
	for sold.Load() < after+200 { // the program goes on, by the column's default
		require.Empty(t, failures)
	}
	close(stop)
	for range cap(failures) {
		require.NoError(t, <-failures)
	}
	var all, filled int64
	require.NoError(t, pool.QueryRow(ctx, "SELECT count(*), count(updated_at) FROM purchases").Scan(&all, &filled))
	require.Equal(t, sold.Load(), all)
	require.Equal(t, all, filled)
	differences, err := layer.Check(ctx, pool, sql.Metadata)
	require.NoError(t, err)
	require.Empty(t, differences, "a default that is there for the time being is no difference")
	rest, err := layer.Migrate(ctx, pool, sql, layer.MigrateOptions{}) // the program has ended
	require.NoError(t, err)
	for _, step := range append(applied, rest...) {
		t.Log(step.SQL)
	}
	require.Len(t, rest, 1)
	require.Equal(t, `ALTER TABLE "purchases" ALTER COLUMN "updated_at" DROP DEFAULT;`, rest[0].SQL)

	// The control: the statement that comes to mind fails.
	_, err = pool.Exec(ctx, "ALTER TABLE purchases ADD COLUMN country text NOT NULL")
	require.ErrorContains(t, err, "23502")
}

// withUpdatedAt is what is known of db/schema when purchases has a column more, which Go fills.
func withUpdatedAt(t *testing.T) *dbtx.Metadata {
	t.Helper()
	m := &dbtx.Metadata{}
	for _, st := range dbgen.Metadata.Schema {
		if st.Kind == dbtx.KindTable && st.Name == "purchases" {
			before, after, found := strings.Cut(st.SQL, "amount_paid_cents")
			require.True(t, found)
			st.SQL = before + "updated_at timestamptz NOT NULL,\n    amount_paid_cents" + after
		}
		m.Schema = append(m.Schema, st)
	}
	for _, known := range dbgen.Metadata.Tables {
		table := *known
		if table.Name == "purchases" {
			table.Columns = append(slices.Clone(table.Columns), dbtx.Column{Name: "updated_at", Type: "timestamptz", NotNull: true, By: dbtx.Now})
		}
		m.Tables = append(m.Tables, &table)
	}

	return m
}
