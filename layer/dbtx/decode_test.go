package dbtx_test

import (
	"strings"
	"testing"
	"time"

	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
)

type everyType struct {
	Text   string
	None   *string
	Some   *string
	Yes    bool
	Small  int32
	Large  int64
	Moment time.Time
}

func TestRows_AreReadAsPgxReadsThem(t *testing.T) {
	t.Parallel()
	const sql = `
SELECT repeat('é', n), NULL::text, repeat('x', n), n % 2 = 0, -n::integer, n::bigint << 40,
    timestamptz '1999-12-31 23:59:59.999999Z' + (n - 1) * interval '1 year 1 microsecond'
FROM generate_series(0, 600) AS n
ORDER BY n`
	url := dbtest.URL(t)
	for _, mode := range queryModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			store := openMode(t, url, mode)
			rows, err := testdb.Store(store).DBTX().Query(t.Context(), sql)
			require.NoError(t, err)
			got, err := pgx.CollectRows(rows, scanEveryType)
			require.NoError(t, err)
			if mode == cacheStatement { // values come in the binary format
				require.True(t, dbtx.Decoded(rows))
			}
			rows, err = store.DB().Query(t.Context(), sql)
			require.NoError(t, err)
			want, err := pgx.CollectRows(rows, scanEveryType)
			require.NoError(t, err)
			for i := range want {
				want[i].Moment = want[i].Moment.UTC()
			}
			require.Len(t, got, 601)
			require.Equal(t, want, got)
		})
	}
}

func scanEveryType(row pgx.CollectableRow) (v everyType, err error) {
	err = row.Scan(&v.Text, &v.None, &v.Some, &v.Yes, &v.Small, &v.Large, &v.Moment)

	return v, err
}

func TestRows_RefuseWhatPgxRefuses(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	for _, c := range []struct {
		sql  string
		dest any
	}{
		{"SELECT NULL::text", new(string)},
		{"SELECT NULL::bigint", new(int64)},
		{"SELECT NULL::integer", new(int32)},
		{"SELECT NULL::boolean", new(bool)},
		{"SELECT NULL::timestamptz", new(time.Time)},
		{"SELECT 'infinity'::timestamptz", new(time.Time)},
		{"SELECT '-infinity'::timestamptz", new(time.Time)},
		{"SELECT 1::bigint << 40", new(int32)},
	} {
		t.Run(strings.TrimPrefix(c.sql, "SELECT "), func(t *testing.T) {
			t.Parallel()
			rows, err := testdb.Store(store).DBTX().Query(t.Context(), c.sql)
			require.NoError(t, err)
			defer rows.Close()
			require.True(t, rows.Next())
			require.Error(t, rows.Scan(c.dest))
		})
	}
}
