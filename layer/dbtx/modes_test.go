package dbtx_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/private"
)

// queryModes are the ways in which pgx sends a statement, as a URL says them. The first is the default, and the only one
// that keeps plans on the server. `make test` takes two of them.
var queryModes = dbtest.Sample(2, cacheStatement, "exec", "simple_protocol", "cache_describe", "describe_exec")

const cacheStatement = "cache_statement"

// openMode opens a store in a query mode.
func openMode(t *testing.T, url, mode string) *testdb.Repo {
	t.Helper()
	store, err := testdb.Open(t.Context(), dbtxtest.With(t, url, "default_query_exec_mode", mode))
	require.NoError(t, err)
	t.Cleanup(store.Close)

	return store
}

// keepsPlans says whether the tests run in the query mode that keeps plans on the server.
func keepsPlans(t *testing.T, store *testdb.Repo) bool {
	t.Helper()
	config := store.DB().(*pgxpool.Pool).Config()

	return config.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement
}

func TestQueryModes(t *testing.T) {
	t.Parallel()

	url := dbtest.URL(t)
	for _, mode := range queryModes {
		t.Run("RunEveryQueryIn_"+mode, func(t *testing.T) {
			t.Parallel()
			store := openMode(t, url, mode)
			for range 2 { // the first run fills the caches
				require.NoError(t, everyQuery(t.Context(), store))
			}
		})
	}
	t.Run("ReadTheSameOfWhatEachWrote", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		stores := map[string]*testdb.Repo{}
		for _, mode := range queryModes {
			stores[mode] = openMode(t, url, mode)
		}
		ctx := t.Context()
		for _, wrote := range queryModes {
			store := stores[wrote]
			a := newReader(t, store, private.Email(wrote+`"'\$1ö@x`))
			of := paper(wrote + ` "quoted" 'twice' \ $1 -- 日本`)
			of.ImageURL = new("https://x/?a='b'&c=\\")
			b, err := store.CreatePaper(ctx, of)
			require.NoError(t, err)
			p, err := store.RecordSale(ctx, testdb.RecordSaleParams{
				ReaderID: a.ID, PaperID: b.ID, PaymentRef: wrote, AmountPaidCents: 999, Description: "{\"NULL\", }",
			})
			require.NoError(t, err)
			invitation, token := newInvitation(t, store, a, wrote), private.DigestOf(wrote)
			times := []time.Time{p.CreatedAt, p.CreatedAt.Add(time.Microsecond)}
			_, err = store.LoadArticles(ctx, []testdb.LoadArticlesParams{{PaperID: b.ID, Name: of.Name, AudioURL: new("x"), DisplayOrder: 1}})
			require.NoError(t, err)
			articles, err := store.ListArticlesOfPapers(ctx, []int64{b.ID})
			require.NoError(t, err)
			for read, other := range stores {
				gotReader, err := other.GetReader(ctx, a.ID)
				require.NoError(t, err, read)
				require.Equal(t, a, gotReader, read)
				gotPaper, err := other.GetPaper(ctx, b.ID)
				require.NoError(t, err, read)
				require.Equal(t, b, gotPaper, read)
				gotSale, err := other.GetSale(ctx, p.ID)
				require.NoError(t, err, read)
				require.Equal(t, p, gotSale, read)
				gotInvitation, err := other.GetInvitation(ctx, token)
				require.NoError(t, err, read)
				require.Equal(t, invitation, gotInvitation, read)
				gotArticles, err := other.ListArticlesOfPapers(ctx, []int64{b.ID})
				require.NoError(t, err, read)
				require.Equal(t, articles, gotArticles, read)
				sales, err := other.CountSales(ctx, times)
				require.NoError(t, err, read)
				require.Len(t, sales, 2)
				require.Equal(t, sales[0].Sales+1, sales[1].Sales, read)
			}
			_, err = store.RedeemInvitation(ctx, testdb.RedeemInvitationParams{
				TokenHash: token, UsedIP: &private.IP{Addr: netip.MustParseAddr("2001:db8::7")},
			})
			require.NoError(t, err)
			for read, other := range stores {
				var ip netip.Addr
				require.NoError(t, other.DB().QueryRow(ctx,
					"SELECT used_ip FROM invitations WHERE id = $1", invitation.ID).Scan(&ip), read)
				require.Equal(t, "2001:db8::7", ip.String(), read)
			}
		}
	})
}

// schemaChanges are what a deployment does to tables in use, which old and new code both live with.
var schemaChanges = map[string]string{
	"AColumnIsAdded": `ALTER TABLE readers ADD COLUMN note text; ALTER TABLE papers ADD COLUMN note text;
		ALTER TABLE articles ADD COLUMN note text; ALTER TABLE sales ADD COLUMN note text;
		ALTER TABLE invitations ADD COLUMN note text`,
	"ATypeIsWidened": `ALTER TABLE papers ALTER COLUMN year TYPE bigint, ALTER COLUMN price_cents TYPE numeric;
		ALTER TABLE articles ALTER COLUMN length_seconds TYPE bigint, ALTER COLUMN display_order TYPE bigint;
		ALTER TABLE sales ALTER COLUMN amount_paid_cents TYPE numeric;
		ALTER TABLE readers ALTER COLUMN created_at TYPE timestamptz(6), ALTER COLUMN id TYPE varchar;
		ALTER TABLE invitations ALTER COLUMN token_hash TYPE bytea, ALTER COLUMN used_ip TYPE inet`,
}

// warmed opens a store with n connections, each of which has run every query.
func warmed(t *testing.T, url, mode string, n int) *testdb.Repo {
	t.Helper()
	store := openMode(t, dbtxtest.With(t, url, "pool_max_conns", "4"), mode)
	pool := store.DB().(*pgxpool.Pool)
	for range n {
		conn, err := pool.Acquire(t.Context())
		require.NoError(t, err)
		defer conn.Release()
		for range 2 {
			require.NoError(t, everyQuery(t.Context(), testdb.New(conn.Conn())))
		}
	}

	return store
}

func TestSoak_OutlivesASchemaChangeUnderItsStatements(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	alter := func(t *testing.T, url, sql string) {
		t.Helper()
		admin, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		_, err = admin.Exec(t.Context(), sql)
		require.NoError(t, err)
		require.NoError(t, admin.Close(t.Context()))
	}
	for change, sql := range schemaChanges {
		for _, mode := range queryModes {
			t.Run(change+"_"+mode, func(t *testing.T) {
				t.Parallel()

				t.Run("OutsideATransactionNoErrorIsSeen", func(t *testing.T) {
					t.Parallel()
					url := dbtest.URL(t)
					store := warmed(t, url, mode, 4)
					alter(t, url, sql)
					require.NoError(t, everyQueryAtOnce(t.Context(), 8, 2, func(int) *testdb.Repo { return store }))
				})
				t.Run("InsideOneTheClosureRunsAgain", func(t *testing.T) {
					t.Parallel()
					url := dbtest.URL(t)
					store := warmed(t, url, mode, 4)
					runs := 0
					require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
						if runs++; runs == 1 {
							alter(t, url, sql) // the transaction has begun, and holds no table yet
						}

						return everyQuery(t.Context(), tx)
					}))
					if mode == cacheStatement && change == "ATypeIsWidened" {
						require.Equal(t, 2, runs, "once: the second run meets no plan of before")
					} else {
						require.Equal(t, 1, runs, "there was no plan to be outdated by it")
					}
				})
				t.Run("OnASingleConnectionNeitherIsTheEnd", func(t *testing.T) {
					t.Parallel()
					url := dbtest.URL(t)
					conn, err := pgx.Connect(t.Context(), dbtxtest.With(t, url, "default_query_exec_mode", mode))
					require.NoError(t, err)
					defer conn.Close(context.WithoutCancel(t.Context()))
					store := testdb.New(conn)
					require.NoError(t, everyQuery(t.Context(), store))
					alter(t, url, sql)
					require.NoError(t, everyQuery(t.Context(), store))
					alter(t, url, "ALTER TABLE papers ALTER COLUMN url TYPE varchar; ALTER TABLE articles ALTER COLUMN name TYPE varchar")
					require.NoError(t, store.InTx(t.Context(), func(tx *testdb.Repo) error {
						return everyQuery(t.Context(), tx)
					}))
				})
			})
		}
	}
}

func TestSoak_QueryModes(t *testing.T) { //nolint:paralleltest // each mode is a whole suite: one at a time
	dbtest.Soak(t)
	dbtest.InEachQueryMode(t, 100)
}
