package dbtx_test

import (
	"database/sql"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/private"
)

// The first and the last time that can be stored, and times that can't be.
var (
	first  = time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC)
	last   = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_999, time.UTC)
	beyond = []time.Time{
		first.Add(-time.Nanosecond), last.Add(time.Nanosecond), time.Date(-44, time.March, 15, 0, 0, 0, 0, time.UTC),
		time.Date(10000, time.January, 1, 0, 0, 0, 0, time.UTC), time.Date(586568, time.May, 1, 0, 0, 0, 0, time.UTC),
		time.Date(294277, time.January, 1, 0, 0, 0, 0, time.UTC), time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0),
		time.Date(9999, time.December, 31, 23, 0, 0, 0, time.FixedZone("", -3600)),
		time.Date(1, time.January, 1, 0, 0, 0, 0, time.FixedZone("", 3600)),
	}
)

func TestRepo_TimesAreOfTheYears1To9999(t *testing.T) {
	t.Parallel()

	t.Run("TakesTheFirstAndTheLast", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		b := newPaper(t, store, "A")
		var want []testdb.Sale
		for name, at := range map[private.Email]time.Time{"first": first.Add(time.Microsecond), "last": last} {
			a, err := store.CreateReader(t.Context(), testdb.CreateReaderParams{Email: name + "@x", PasswordHash: hash, CreatedAt: at})
			require.NoError(t, err)
			require.Equal(t, at.Truncate(time.Microsecond), a.CreatedAt)
			p, err := store.RecordSale(t.Context(), testdb.RecordSaleParams{
				ReaderID: a.ID, PaperID: b.ID, PaymentRef: string(name), CreatedAt: at,
			})
			require.NoError(t, err)
			read, err := store.GetSale(t.Context(), p.ID)
			require.NoError(t, err)
			require.Equal(t, p, read, "what is stored is read")
			want = append(want, p)
		}
		require.Len(t, want, 2)
		readers, err := store.ListReaders(t.Context(), 50)
		require.NoError(t, err)
		require.Len(t, readers, 2)
	})
	t.Run("RefusesOthersAndSendsNothing", func(t *testing.T) {
		t.Parallel()
		echo := &dbtxtest.Echo{}
		store := dbtest.New(t, testdb.WithEcho(echo))
		a, b := newReader(t, store, "a@x"), newPaper(t, store, "A")
		echo.Take()
		for _, at := range beyond {
			for want, call := range map[string]func() error{
				"create reader: created_at": func() error {
					_, err := store.CreateReader(t.Context(), testdb.CreateReaderParams{Email: "b@x", PasswordHash: hash, CreatedAt: at})

					return err
				},
				"record sale: created_at": func() error {
					_, err := store.RecordSale(t.Context(), testdb.RecordSaleParams{
						ReaderID: a.ID, PaperID: b.ID, PaymentRef: "1", CreatedAt: at,
					})

					return err
				},
				"create invitation: created_at": func() error {
					_, err := store.CreateInvitation(t.Context(), testdb.CreateInvitationParams{ReaderID: a.ID, CreatedAt: at, ExpiresAt: last})

					return err
				},
				"create invitation: expires_at": func() error {
					_, err := store.CreateInvitation(t.Context(), testdb.CreateInvitationParams{ReaderID: a.ID, ExpiresAt: at})

					return err
				},
				"delete expired invitations: expired_before": func() error {
					_, err := store.DeleteExpiredInvitations(t.Context(), at)

					return err
				},
				"count sales: times": func() error { _, err := store.CountSales(t.Context(), []time.Time{last, at}); return err },
				"create reader: created_at of the clock": func() error {
					clock := func() time.Time { return at }
					_, err := testdb.New(store.DB(), testdb.WithEcho(echo), testdb.WithClock(clock)).CreateReader(t.Context(),
						testdb.CreateReaderParams{Email: "b@x", PasswordHash: hash})

					return err
				},
			} {
				err := call()
				require.ErrorIs(t, err, testdb.ErrInvalid, "%s %v", want, at)
				require.EqualError(t, err, strings.TrimSuffix(want, " of the clock")+": is not of the years 1 to 9999", at)
				require.Empty(t, echo.Take(), want)
			}
		}
	})
	t.Run("InEveryShape", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		conn := testdb.Store(store).DBTX()
		in := func(at time.Time) pgtype.Timestamptz { return pgtype.Timestamptz{Time: at, Valid: true} }
		rng := func(at time.Time) pgtype.Range[pgtype.Timestamptz] {
			return pgtype.Range[pgtype.Timestamptz]{Lower: in(first), LowerType: pgtype.Inclusive, Upper: in(at), UpperType: pgtype.Exclusive, Valid: true}
		}
		shapes := func(at time.Time) []any {
			tz := in(at)

			return []any{
				at, &at,
				[]time.Time{first, at},
				[]*time.Time{nil, &at},
				sql.NullTime{Time: at, Valid: true},
				tz, &tz,
				[]pgtype.Timestamptz{tz},
				pgtype.Timestamp{Time: at, Valid: true},
				pgtype.Date{Time: at, Valid: true},
				[]pgtype.Date{{Time: at, Valid: true}},
				[]pgtype.Timestamp{{Time: at, Valid: true}},
				rng(at),
				pgtype.Multirange[pgtype.Range[pgtype.Timestamptz]]{rng(first), rng(at)},
			}
		}
		for _, at := range beyond {
			for _, arg := range shapes(at) {
				_, err := conn.Exec(t.Context(), "SELECT $1", arg)
				require.ErrorIs(t, err, testdb.ErrInvalid, "%T", arg)
				require.EqualError(t, err, "select: $1: is not of the years 1 to 9999", "%T", arg)
				results := conn.SendBatch(t.Context(), batchOf("SELECT $1", arg))
				_, err = results.Exec()
				require.ErrorIs(t, err, testdb.ErrInvalid, "%T", arg)
			}
			_, err := conn.CopyFrom(t.Context(), pgx.Identifier{"sales"}, []string{"created_at"}, pgx.CopyFromRows([][]any{{at}}))
			require.ErrorIs(t, err, testdb.ErrInvalid)
			require.ErrorContains(t, err, "created_at: is not of the years 1 to 9999")
		}
		for _, arg := range []any{
			pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true},
			pgtype.Timestamp{InfinityModifier: pgtype.NegativeInfinity, Valid: true},
			pgtype.Date{InfinityModifier: pgtype.Infinity, Valid: true},
		} {
			_, err := conn.Exec(t.Context(), "SELECT $1", arg)
			require.ErrorIs(t, err, testdb.ErrInvalid, "%T", arg)
		}
		for _, arg := range []any{(*time.Time)(nil), pgtype.Timestamptz{}, sql.NullTime{}, last, in(last)} {
			_, err := conn.Exec(t.Context(), "SELECT $1::timestamptz", arg)
			require.NoError(t, err, "%T", arg)
		}
		_, err := conn.Exec(t.Context(), "SELECT $1::timestamptz[]", []time.Time{first, last})
		require.NoError(t, err)
		// The control: pgx writes a far year as another.
		var year int
		require.NoError(t, store.DB().QueryRow(t.Context(), "SELECT extract(year FROM $1::timestamptz)::int",
			pgx.QueryExecModeCacheDescribe, beyond[4]).Scan(&year))
		require.NotEqual(t, beyond[4].Year(), year)
	})
	t.Run("InTheDatabaseToo", func(t *testing.T) {
		t.Parallel()
		store := dbtest.New(t)
		a, b := newReader(t, store, "a@x"), newPaper(t, store, "A")
		_, err := store.RecordSale(t.Context(), testdb.RecordSaleParams{ReaderID: a.ID, PaperID: b.ID, PaymentRef: "1"})
		require.NoError(t, err)
		newInvitation(t, store, a, "token")
		for _, at := range []string{"infinity", "-infinity", "0001-12-31 23:59:59+00 BC", "10000-01-01 00:00:00+00"} {
			for _, table := range []string{"readers", "sales", "invitations"} {
				_, err := store.DB().Exec(t.Context(), "UPDATE "+table+" SET created_at = '"+at+"'")
				require.ErrorContains(t, err, table+"_", at)
			}
		}
		_, err = store.DB().Exec(t.Context(), "UPDATE invitations SET expires_at = 'infinity'")
		require.ErrorContains(t, err, "invitations_expires_at_check")
	})
}

func batchOf(sql string, args ...any) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(sql, args...)

	return b
}
