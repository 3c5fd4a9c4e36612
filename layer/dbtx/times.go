package dbtx

import (
	"database/sql/driver"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// FirstTime and LastTime are the first and the last time that a store takes: the years 1 to 9999 in UTC. RFC 3339, and so JSON, can write only these years. PostgreSQL has earlier
// and later times, and infinity, but lists and reports do not reach them. For a time that PostgreSQL does not have, pgx would
// write a wrong one. https://www.rfc-editor.org/rfc/rfc3339#section-1
var (
	FirstTime = time.Time{}
	LastTime  = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// nullTimeType has the fields of NullTime of database/sql. A NullTime converts to it, so this package need not import
// database/sql.
var nullTimeType = reflect.TypeFor[struct {
	Time  time.Time
	Valid bool
}]()

const (
	badYear  = "is not of the years 1 to 9999"
	zeroTime = "is not set"
)

// badTime returns what is wrong with the times of an argument; "" when nothing is.
func badTime(arg any) string {
	if everyTime(arg, StorableTime) {
		return ""
	}

	return badYear
}

// everyTime reports whether all times of an argument are good. The argument may be a time, or have times as elements or bounds. An
// infinite time is never good. NULL, and an argument without times, are good.
func everyTime(arg any, good func(time.Time) bool) bool {
	switch v := arg.(type) {
	case time.Time:
		return good(v)
	case *time.Time:
		return v == nil || good(*v)
	case []time.Time: // by itself, because an any of each would be allocated
		for _, t := range v {
			if !good(t) {
				return false
			}
		}
	case []*time.Time:
		return everyElement(v, good)
	case pgtype.Timestamptz:
		return !v.Valid || v.InfinityModifier == pgtype.Finite && good(v.Time)
	case pgtype.Timestamp:
		return !v.Valid || v.InfinityModifier == pgtype.Finite && good(v.Time)
	case pgtype.Date:
		return !v.Valid || v.InfinityModifier == pgtype.Finite && good(v.Time)
	case *pgtype.Timestamptz:
		return v == nil || everyTime(*v, good)
	case *pgtype.Timestamp:
		return v == nil || everyTime(*v, good)
	case *pgtype.Date:
		return v == nil || everyTime(*v, good)
	case []pgtype.Timestamptz:
		return everyElement(v, good)
	case []pgtype.Timestamp:
		return everyElement(v, good)
	case []pgtype.Date:
		return everyElement(v, good)
	case []*pgtype.Timestamptz:
		return everyElement(v, good)
	case []*pgtype.Timestamp:
		return everyElement(v, good)
	case []*pgtype.Date:
		return everyElement(v, good)
	case pgtype.Range[time.Time]:
		return everyBound(v, good)
	case pgtype.Range[pgtype.Timestamptz]:
		return everyBound(v, good)
	case pgtype.Range[pgtype.Timestamp]:
		return everyBound(v, good)
	case pgtype.Range[pgtype.Date]:
		return everyBound(v, good)
	case *pgtype.Range[time.Time]:
		return v == nil || everyBound(*v, good)
	case *pgtype.Range[pgtype.Timestamptz]:
		return v == nil || everyBound(*v, good)
	case *pgtype.Range[pgtype.Timestamp]:
		return v == nil || everyBound(*v, good)
	case *pgtype.Range[pgtype.Date]:
		return v == nil || everyBound(*v, good)
	case []pgtype.Range[time.Time]:
		return everyElement(v, good)
	case []pgtype.Range[pgtype.Timestamptz]:
		return everyElement(v, good)
	case []pgtype.Range[pgtype.Timestamp]:
		return everyElement(v, good)
	case []pgtype.Range[pgtype.Date]:
		return everyElement(v, good)
	case pgtype.Multirange[pgtype.Range[time.Time]]:
		return everyElement(v, good)
	case pgtype.Multirange[pgtype.Range[pgtype.Timestamptz]]:
		return everyElement(v, good)
	case pgtype.Multirange[pgtype.Range[pgtype.Timestamp]]:
		return everyElement(v, good)
	case pgtype.Multirange[pgtype.Range[pgtype.Date]]:
		return everyElement(v, good)
	case driver.Valuer:
		if null := reflect.ValueOf(v); null.CanConvert(nullTimeType) {
			null = null.Convert(nullTimeType)
			t, _ := reflect.TypeAssert[time.Time](null.Field(0))

			return !null.Field(1).Bool() || good(t)
		}
	}

	return true
}

func everyElement[T any](list []T, good func(time.Time) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !everyTime(v, good) })
}

// everyBound is everyTime for the bounds of a range. It leaves out a bound that the range does not have.
func everyBound[T any](v pgtype.Range[T], good func(time.Time) bool) bool {
	has := func(of pgtype.BoundType) bool { return v.Valid && (of == pgtype.Inclusive || of == pgtype.Exclusive) }

	return (!has(v.LowerType) || everyTime(v.Lower, good)) && (!has(v.UpperType) || everyTime(v.Upper, good))
}

func notZero(t time.Time) bool { return !t.IsZero() }

// StorableTime reports whether a store takes a time: it is of the years 1 to 9999. It compares whole seconds, because what is below a microsecond is cut
// off before the time is stored.
func StorableTime(t time.Time) bool {
	s := t.Unix()

	return FirstTime.Unix() <= s && s <= LastTime.Unix()
}
