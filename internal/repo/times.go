package repo

import (
	"database/sql/driver"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// The times that can be stored are those of the years 1 to 9999 in UTC: the years that RFC 3339, and so JSON, can write.
// PostgreSQL has earlier and later ones, and infinity, but lists and reports do not reach them, and pgx writes a time that
// PostgreSQL does not have as another one. https://www.rfc-editor.org/rfc/rfc3339#section-1
var (
	firstTime = time.Time{}
	endOfTime = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// nullTimeType has the fields of NullTime in database/sql, so that a NullTime converts to it without that import.
var nullTimeType = reflect.TypeFor[struct {
	Time  time.Time
	Valid bool
}]()

const (
	badYear  = "is not of the years 1 to 9999"
	zeroTime = "is not set"
)

// badTime says what is wrong with an argument that is a time or has times in it; "" for nothing.
func badTime(arg any) string {
	if everyTime(arg, storable) {
		return ""
	}

	return badYear
}

// everyTime reports whether all times of an argument are good: the one that it is, or those of its elements or bounds. An
// infinite time never is. It is true for any other argument, and for NULL.
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
	case pgtype.Range[time.Time]:
		return everyBound(v, good)
	case pgtype.Range[pgtype.Timestamptz]:
		return everyBound(v, good)
	case pgtype.Range[pgtype.Timestamp]:
		return everyBound(v, good)
	case pgtype.Range[pgtype.Date]:
		return everyBound(v, good)
	case []pgtype.Range[pgtype.Timestamptz]:
		return everyElement(v, good)
	case []pgtype.Range[pgtype.Timestamp]:
		return everyElement(v, good)
	case []pgtype.Range[pgtype.Date]:
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

// everyBound looks at the bounds that a range has.
func everyBound[T any](v pgtype.Range[T], good func(time.Time) bool) bool {
	has := func(of pgtype.BoundType) bool { return v.Valid && (of == pgtype.Inclusive || of == pgtype.Exclusive) }

	return (!has(v.LowerType) || everyTime(v.Lower, good)) && (!has(v.UpperType) || everyTime(v.Upper, good))
}

func notZero(t time.Time) bool { return !t.IsZero() }

// storable reports whether a time is of the years 1 to 9999. The seconds tell: the nanoseconds are cut off.
func storable(t time.Time) bool {
	s := t.Unix()

	return firstTime.Unix() <= s && s <= endOfTime.Unix()
}
