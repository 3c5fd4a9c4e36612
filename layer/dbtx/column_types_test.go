package dbtx_test

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
)

type mood string

// columnTypes has, for each type of a column, a Go value of the type that sqlc gives it, and the same as a literal.
var columnTypes = []struct {
	sql     string
	value   any
	literal string
}{
	{"boolean", true, "true"},
	{"smallint", int16(-32768), "-32768"},
	{"integer", int32(math.MinInt32), "-2147483648"},
	{"bigint", int64(math.MinInt64), "-9223372036854775808"},
	{"real", float32(0.1), "0.1"},
	{"double precision", math.Nextafter(0.3, 1), "0.30000000000000004"},
	{"numeric", pgtype.Numeric{Int: big.NewInt(-123456789), Exp: -4, Valid: true}, "-12345.6789"},
	{"money", "$12.34", "$12.34"},
	{"text", `it's "\n" \x41 日本`, `it's "\n" \x41 日本`},
	{"varchar(20)", `\'`, `\'`},
	{"char(4)", "ab  ", "ab"},
	{"bytea", []byte{0, '\\', '\'', 0x80, 0xff, 'a'}, `\x005c2780ff61`},
	{"bytea", []byte(`{"json": "\\"}`), `\x7b226a736f6e223a20225c5c227d`},
	{"uuid", pgtype.UUID{Bytes: [16]byte{1, 2, 3, 15: 255}, Valid: true}, "01020300-0000-0000-0000-0000000000ff"},
	{"date", pgtype.Date{Time: time.Date(2021, 3, 4, 0, 0, 0, 0, time.UTC), Valid: true}, "2021-03-04"},
	{"time", pgtype.Time{Microseconds: 3_600_000_001, Valid: true}, "01:00:00.000001"},
	{"timestamp", pgtype.Timestamp{Time: time.Date(2021, 3, 4, 5, 6, 7, 8000, time.UTC), Valid: true}, "2021-03-04 05:06:07.000008"},
	{"timestamptz", time.Date(2021, 11, 7, 5, 30, 0, 8000, time.UTC), "2021-11-07 05:30:00.000008Z"},
	{"interval", pgtype.Interval{Months: 14, Days: -3, Microseconds: -4_000_005, Valid: true}, "1 year 2 mons -3 days -4.000005 secs"},
	{"json", []byte(`{"a": "\u00e9 \\ \" '"}`), `{"a": "\u00e9 \\ \" '"}`},
	{"jsonb", []byte(`{"a": [1, null, "\\"]}`), `{"a": [1, null, "\\"]}`},
	{"inet", netip.MustParseAddr("2001:db8::7"), "2001:db8::7"},
	{"inet", netip.MustParsePrefix("192.168.1.5/24"), "192.168.1.5/24"},
	{"cidr", netip.MustParsePrefix("192.168.1.0/24"), "192.168.1.0/24"},
	{"macaddr", net.HardwareAddr{1, 2, 3, 4, 5, 0xff}, "01:02:03:04:05:ff"},
	{"bit varying", pgtype.Bits{Bytes: []byte{0xa0}, Len: 4, Valid: true}, "1010"},
	{"point", pgtype.Point{P: pgtype.Vec2{X: 0.1, Y: -2}, Valid: true}, "(0.1,-2)"},
	{"box", pgtype.Box{P: [2]pgtype.Vec2{{X: 3, Y: 4}, {X: 1, Y: 2}}, Valid: true}, "(3,4),(1,2)"},
	{"tsquery", "'cat' & 'dog'", "'cat' & 'dog'"},
	{"xml", "<a>b</a>", "<a>b</a>"},
	{"boolean[]", []bool{true, false}, "{t,f}"},
	{"integer[]", []int32{1, -2}, "{1,-2}"},
	{"bigint[]", []int64{}, "{}"},
	{"double precision[]", []float64{math.Nextafter(0.3, 1)}, "{0.30000000000000004}"},
	{"text[]", []string{`a"b`, `\`, "", "NULL", "{,}"}, `{"a\"b","\\","","NULL","{,}"}`},
	{"bytea[]", [][]byte{{0, '\\'}, {0xff}}, `{"\\x005c","\\xff"}`},
	{"jsonb[]", [][]byte{[]byte(`{"a": "\\"}`)}, `{"{\"a\": \"\\\\\"}"}`},
	{"timestamptz[]", []time.Time{time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)}, `{"2021-03-04 05:06:07Z"}`},
	{"inet[]", []netip.Addr{netip.MustParseAddr("10.0.0.1")}, "{10.0.0.1}"},
	{
		"int4range",
		pgtype.Range[pgtype.Int4]{
			Lower: pgtype.Int4{Int32: 1, Valid: true}, Upper: pgtype.Int4{Int32: 5, Valid: true},
			LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true,
		},
		"[1,5)",
	},
	{
		"tstzrange",
		pgtype.Range[pgtype.Timestamptz]{
			Lower:     pgtype.Timestamptz{Time: time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC), Valid: true},
			LowerType: pgtype.Inclusive, UpperType: pgtype.Unbounded, Valid: true,
		},
		`["2021-03-04 05:06:07Z",)`,
	},
	{"mood", mood("so-so"), "so-so"},
	{"positive", int32(7), "7"},
	{"digest", []byte{0, '\\', 0xff}, `\x005cff`},
}

// awkward are settings that change how values look as text.
var awkward = map[string]string{
	"bytea_output": "escape", "DateStyle": "SQL,DMY", "IntervalStyle": "sql_standard",
	"extra_float_digits": "-10", "TimeZone": "America/St_Johns",
}

func TestQueryModes_StoreAndReadEveryTypeOfColumn(t *testing.T) {
	t.Parallel()
	storeAndReadEveryType(t, cacheStatement)
}

func TestSoak_QueryModes_StoreAndReadEveryTypeOfColumn(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	storeAndReadEveryType(t, queryModes...)
}

func storeAndReadEveryType(t *testing.T, modes ...string) {
	t.Helper()
	url := dbtest.EmptyURL(t)
	admin, err := testdb.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	exec := func(sql string) {
		t.Helper()
		_, err := admin.DB().Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	exec("CREATE TYPE mood AS ENUM ('sad', 'so-so')")
	exec("CREATE DOMAIN positive AS integer CHECK (value > 0)")
	exec("CREATE DOMAIN digest AS bytea")
	for i, of := range columnTypes {
		exec(fmt.Sprintf("CREATE TABLE t%d (writer text PRIMARY KEY, value %s)", i, of.sql))
	}
	settings := map[string]map[string]string{"Plain": nil, "Awkward": awkward}
	for set, values := range settings {
		for _, mode := range modes {
			t.Run(set+"_"+mode, func(t *testing.T) {
				t.Parallel()
				url := url
				for name, value := range values {
					if name != "DateStyle" { // which Open refuses in a URL
						url = dbtxtest.With(t, url, name, value)
					}
				}
				config, err := pgx.ParseConfig(dbtxtest.With(t, url, "default_query_exec_mode", mode))
				require.NoError(t, err)
				maps.Copy(config.RuntimeParams, values)
				conn, err := pgx.ConnectConfig(t.Context(), config)
				require.NoError(t, err)
				defer conn.Close(t.Context())
				for name, store := range map[string]*testdb.Repo{"Open": openMode(t, url, mode), "New": testdb.New(conn)} {
					for i, of := range columnTypes {
						writer := set + mode + name
						what := fmt.Sprintf("%s into %s: %v", name, of.sql, of.value)
						insert := fmt.Sprintf("INSERT INTO t%d (writer, value) VALUES ($1, $2) RETURNING value", i)
						read := reflect.New(reflect.TypeOf(of.value))
						require.NoError(t, testdb.Store(store).DBTX().QueryRow(t.Context(), insert, writer, of.value).Scan(read.Interface()), what)
						require.Equal(t, of.value, inUTC(read.Elem().Interface()), what)
						var same bool
						literal := strings.ReplaceAll(of.literal, "'", "''")
						require.NoError(t, admin.DB().QueryRow(t.Context(), fmt.Sprintf(
							"SELECT value::text = '%s'::%s::text FROM t%d WHERE writer = $1", literal, of.sql, i), writer).Scan(&same))
						require.True(t, same, what)
						rows, err := testdb.Store(store).DBTX().Query(t.Context(), fmt.Sprintf("SELECT value FROM t%d WHERE writer = $1", i), writer)
						require.NoError(t, err)
						require.True(t, rows.Next())
						read = reflect.New(reflect.TypeOf(of.value))
						require.NoError(t, rows.Scan(read.Interface()), what)
						rows.Close()
						require.Equal(t, of.value, inUTC(read.Elem().Interface()), what)
					}
				}
			})
		}
	}
	t.Run("PgxControl", func(t *testing.T) {
		t.Parallel()
		for _, mode := range []string{"exec", "simple_protocol"} {
			conn, err := pgx.Connect(t.Context(), dbtxtest.With(t, dbtxtest.With(t, url, "default_query_exec_mode", mode), "bytea_output", "escape"))
			require.NoError(t, err)
			defer conn.Close(t.Context())
			var bytes []byte
			require.Error(t, conn.QueryRow(t.Context(), "SELECT '\\x005cff'::bytea").Scan(&bytes), "the text is no hexadecimal one")
			_, err = conn.Exec(t.Context(), "SELECT $1::jsonb", []byte(`{"a": 1}`))
			require.Equal(t, "22P02", dbtxtest.SQLState(err), "the bytes are sent as a bytea")
		}
	})
}

// inUTC gives a time that pgx put in the local zone the zone that the test compares with.
func inUTC(value any) any {
	switch v := value.(type) {
	case []time.Time:
		for i := range v {
			v[i] = v[i].UTC()
		}
	case pgtype.Range[pgtype.Timestamptz]:
		v.Lower.Time = v.Lower.Time.UTC()

		return v
	}

	return value
}
