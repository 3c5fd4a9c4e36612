package repo

import (
	"database/sql/driver"
	"reflect"
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

const badYear = "is not of the years 1 to 9999"

// badTime says what is wrong with an argument that is a time or has times in it; "" for nothing.
func badTime(arg any) string {
	ok := true
	switch v := arg.(type) {
	case time.Time:
		ok = storable(v)
	case *time.Time:
		ok = v == nil || storable(*v)
	case []time.Time:
		for _, t := range v {
			ok = ok && storable(t)
		}
	case []*time.Time:
		for _, t := range v {
			ok = ok && (t == nil || storable(*t))
		}
	case pgtype.Timestamptz:
		ok = !v.Valid || v.InfinityModifier == pgtype.Finite && storable(v.Time)
	case pgtype.Timestamp:
		ok = !v.Valid || v.InfinityModifier == pgtype.Finite && storable(v.Time)
	case pgtype.Date:
		ok = !v.Valid || v.InfinityModifier == pgtype.Finite && storable(v.Time)
	case *pgtype.Timestamptz:
		return badPointed(v)
	case *pgtype.Timestamp:
		return badPointed(v)
	case *pgtype.Date:
		return badPointed(v)
	case []pgtype.Timestamptz:
		return badTimes(v)
	case []pgtype.Timestamp:
		return badTimes(v)
	case []pgtype.Date:
		return badTimes(v)
	case pgtype.Range[time.Time]:
		return badRange(v)
	case pgtype.Range[pgtype.Timestamptz]:
		return badRange(v)
	case pgtype.Range[pgtype.Timestamp]:
		return badRange(v)
	case pgtype.Range[pgtype.Date]:
		return badRange(v)
	case pgtype.Multirange[pgtype.Range[pgtype.Timestamptz]]:
		return badTimes(v)
	case pgtype.Multirange[pgtype.Range[pgtype.Timestamp]]:
		return badTimes(v)
	case pgtype.Multirange[pgtype.Range[pgtype.Date]]:
		return badTimes(v)
	case driver.Valuer:
		if null := reflect.ValueOf(v); null.CanConvert(nullTimeType) {
			null = null.Convert(nullTimeType)
			t, _ := reflect.TypeAssert[time.Time](null.Field(0))
			ok = !null.Field(1).Bool() || storable(t)
		}
	}
	if !ok {
		return badYear
	}

	return ""
}

func badPointed[T any](v *T) string {
	if v == nil {
		return ""
	}

	return badTime(*v)
}

func badTimes[T any](list []T) string {
	for _, v := range list {
		if why := badTime(v); why != "" {
			return why
		}
	}

	return ""
}

// badRange looks at the bounds that a range has.
func badRange[T any](v pgtype.Range[T]) string {
	if !v.Valid {
		return ""
	}
	for bound, of := range map[*T]pgtype.BoundType{&v.Lower: v.LowerType, &v.Upper: v.UpperType} {
		if of != pgtype.Inclusive && of != pgtype.Exclusive {
			continue
		}
		if why := badTime(*bound); why != "" {
			return why
		}
	}

	return ""
}

// storable reports whether a time is of the years 1 to 9999. The seconds tell: the nanoseconds are cut off.
func storable(t time.Time) bool {
	s := t.Unix()

	return firstTime.Unix() <= s && s <= endOfTime.Unix()
}
