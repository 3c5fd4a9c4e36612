package dbtx_test

import (
	"errors"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx"
)

// keyed are values of each type that a key can have, with the values before all others: of an ascending list, and of a descending one.
var keyed = []struct {
	start, last any
	values      []any
}{
	{"", dbtx.LastText, []any{"", "a", "A-z_9", "a.b", "~", "é 日本", "\U0010FFFF", strings.Repeat("x y", 999), "%2F?&=#\r\n"}},
	{int16(math.MinInt16), int16(math.MaxInt16), []any{int16(0), int16(-7), int16(math.MinInt16), int16(math.MaxInt16)}},
	{int32(math.MinInt32), int32(math.MaxInt32), []any{int32(0), int32(-7), int32(math.MinInt32), int32(math.MaxInt32)}},
	{int64(math.MinInt64), int64(math.MaxInt64), []any{int64(0), int64(-7), int64(math.MinInt64), int64(math.MaxInt64)}},
	{false, true, []any{false, true}},
	{dbtx.FirstTime, dbtx.LastTime, []any{dbtx.FirstTime, dbtx.LastTime, noonUTC, time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC)}},
	{[16]byte{}, [16]byte([]byte(strings.Repeat("\xff", 16))), []any{[16]byte{}, [16]byte{1, 15: 255}}},
	{
		pgtype.UUID{Valid: true},
		pgtype.UUID{Bytes: [16]byte([]byte(strings.Repeat("\xff", 16))), Valid: true},
		[]any{pgtype.UUID{Bytes: [16]byte{1, 15: 255}, Valid: true}},
	},
	{
		pgtype.Date{Time: dbtx.FirstTime, Valid: true},
		pgtype.Date{Time: dbtx.LastTime, Valid: true},
		[]any{pgtype.Date{Time: noonUTC.Truncate(24 * time.Hour), Valid: true}},
	},
	{
		pgtype.Timestamp{Time: dbtx.FirstTime, Valid: true},
		pgtype.Timestamp{Time: dbtx.LastTime, Valid: true},
		[]any{pgtype.Timestamp{Time: noonUTC, Valid: true}},
	},
	{
		pgtype.Timestamptz{Time: dbtx.FirstTime, Valid: true},
		pgtype.Timestamptz{Time: dbtx.LastTime, Valid: true},
		[]any{pgtype.Timestamptz{Time: noonUTC, Valid: true}},
	},
}

var noonUTC = time.Date(2024, time.May, 1, 12, 0, 0, 123_456_000, time.UTC)

// into returns a pointer to a value of the same type, which is not the value.
func into(value any) any { return reflect.New(reflect.TypeOf(value)).Interface() }

func read(to any) any { return reflect.ValueOf(to).Elem().Interface() }

func TestList_APlaceBringsItsKeyBack(t *testing.T) {
	t.Parallel()
	list := dbtx.List{Op: "list things", Name: "ListThings"}
	inURL := regexp.MustCompile(`^[A-Za-z0-9._~-]+$`) // https://www.rfc-editor.org/rfc/rfc3986#section-2.3
	for _, a := range keyed {
		for _, b := range keyed {
			for _, x := range a.values {
				for _, y := range b.values {
					place := list.After(x, y)
					require.Regexp(t, inURL, place)
					gotX, gotY := into(x), into(y)
					limit, err := list.Read(dbtx.Page{After: place, Limit: 7}, gotX, gotY)
					require.NoError(t, err, place)
					require.EqualValues(t, 7, limit)
					require.Equal(t, []any{x, y}, []any{read(gotX), read(gotY)}, place)
				}
			}
		}
	}
}

func TestList_TheStartIsBeforeAllOthers(t *testing.T) {
	t.Parallel()
	for _, k := range keyed {
		for desc, want := range map[bool]any{false: k.start, true: k.last} {
			got := into(want)
			limit, err := dbtx.List{Desc: desc}.Read(dbtx.Page{}, got)
			require.NoError(t, err)
			require.EqualValues(t, 50, limit)
			require.Equal(t, want, read(got))
		}
	}
}

func TestList_APlaceIsShortAndShowsNothingElse(t *testing.T) {
	t.Parallel()
	list := dbtx.List{Op: "list visits of readers", Name: "ListVisitsOfReaders created_at, id"}
	place := list.After(noonUTC, "0123456789abcdef0123456789abcdef")
	require.Regexp(t, `^[a-z2-7]{10}\.1714564800123456\.0123456789abcdef0123456789abcdef$`, place)
}

func TestList_RefusesWhatIsNoPlace(t *testing.T) {
	t.Parallel()
	list := dbtx.List{Op: "list things", Name: "ListThings"}
	other := dbtx.List{Op: "list others", Name: "ListOthers"}
	refused := func(why, after string, limit int, key ...any) {
		_, err := list.Read(dbtx.Page{After: after, Limit: limit}, key...)
		require.ErrorIs(t, err, dbtx.ErrInvalid, after)
		require.EqualError(t, err, "list things: "+why, after)
		require.NotContains(t, err.Error(), "secret")
	}
	const none, elsewhere = "after: is no place in this list", "after: is a place in another list"
	number, text, at := new(int32), new(string), new(time.Time)
	for _, limit := range []int{-1, 1001, math.MinInt, math.MaxInt} {
		refused("limit: must be from 0 to 1000", "", limit, number)
	}
	place := list.After(int32(1234), "a b")
	_, err := list.Read(dbtx.Page{After: place}, number, text)
	require.NoError(t, err, "the control")
	refused(elsewhere, other.After(int32(1234), "a b"), 1, number, text)
	for n := 1; n < len(place); n++ { // cut, at both ends
		refused(none, place[:n], 1, number, text)
		refused(none, place[n:], 1, number, text)
	}
	for n := range len(place) { // changed
		for _, c := range []string{"b", "2", ".", "~", "\x00", "é", ""} {
			if changed := place[:n] + c + place[n+1:]; changed != place {
				refused(none, changed, 1, number, text)
			}
		}
	}
	// Made by somebody who knows the sum.
	for _, made := range []string{
		list.After(), list.After(int32(1)), list.After(int32(1), "a", "b"), list.After("x", "a"), list.After(int64(math.MaxInt64), "a"),
		list.After(int32(1), "a\x00b"), list.After(int32(1), "\xff"), list.After("", "a"), list.After("1.5", "a"),
	} {
		refused(none, made, 1, number, text)
	}
	for _, made := range []string{
		list.After(int64(math.MaxInt64)), list.After(dbtx.LastTime.Add(time.Hour)), list.After(dbtx.FirstTime.Add(-time.Second)),
		list.After(pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}), list.After("now"),
	} {
		refused(none, made, 1, at)
	}
	refused(none, list.After("abc"), 1, new([16]byte))
	refused(none, list.After(strings.Repeat("0", 34)), 1, new([16]byte))
	refused(none, list.After(strings.Repeat("z", 32)), 1, new(pgtype.UUID))
	refused(none, list.After("yes"), 1, new(bool))
	refused(none, list.After(int32(40_000)), 1, new(int16))
	refused(none, "secret' OR 1=1 --", 1, text)
}

// FuzzList_After reads any text as a place, and any place as itself.
func FuzzList_After(f *testing.F) {
	list := dbtx.List{Op: "list things", Name: "ListThings"}
	for _, seed := range []string{"", ".", "~", "aaaaaaaaaa.1.2", list.After("a", int64(1), noonUTC), list.After("é", int64(-1), dbtx.LastTime) + "."} {
		f.Add(seed, int64(len(seed)))
	}
	f.Fuzz(func(t *testing.T, text string, number int64) {
		var name string
		var n int64
		var at time.Time
		if _, err := list.Read(dbtx.Page{After: text}, &name, &n, &at); err != nil {
			require.ErrorIs(t, err, dbtx.ErrInvalid)
			var invalid *dbtx.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, "after", invalid.Field)
		} else if text != "" {
			require.Empty(t, dbtx.Unstorable(name))
			require.True(t, dbtx.StorableTime(at))
		}
		_, err := list.Read(dbtx.Page{After: list.After(text, number, noonUTC)}, &name, &n, &at)
		if why := dbtx.Unstorable(text); why != "" {
			require.Error(t, err)

			return
		}
		require.NoError(t, err)
		require.Equal(t, []any{text, number, noonUTC}, []any{name, n, at})
	})
}

func TestList_AllocatesTheTextOfAPlaceAlone(t *testing.T) { //nolint:paralleltest // it counts allocations
	list := dbtx.List{Op: "list things", Name: "ListThings"}
	id, n := "0123456789abcdef0123456789abcdef", int64(1<<40)
	place := list.After(noonUTC, id, n)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { place = list.After(noonUTC, id, n) }), 1.0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var at time.Time
		var text string
		var number int64
		if _, err := list.Read(dbtx.Page{After: place}, &at, &text, &number); err != nil {
			panic(err)
		}
	}))
}

func TestWalk_GoesThroughAllPages(t *testing.T) {
	t.Parallel()
	list := dbtx.List{Op: "list numbers", Name: "ListNumbers"}
	after := func(n int64) string { return list.After(n) }
	broken := errors.New("broken")
	for _, rows := range []int64{0, 1, 499, 500, 501, 1000, 1234} {
		pages := 0
		numbers := func(page dbtx.Page) (got []int64, err error) {
			pages++
			var from int64
			limit, err := list.Read(page, &from)
			if page.After == "" {
				from = 0
			}
			for n := from + 1; n <= rows && len(got) < int(limit); n++ {
				got = append(got, n)
			}

			return got, err
		}
		want := int64(0)
		for n, err := range dbtx.Walk(after, numbers) {
			require.NoError(t, err)
			want++
			require.Equal(t, want, n)
		}
		require.Equal(t, want, rows)
		require.EqualValues(t, rows/500+1, pages)

		seen := 0
		for range dbtx.Walk(after, numbers) { // the caller may stop
			seen++

			break
		}
		require.EqualValues(t, min(rows, 1), seen)

		var errs []error
		for n, err := range dbtx.Walk(after, func(page dbtx.Page) ([]int64, error) {
			if page.After != "" {
				return nil, broken
			}

			return numbers(page)
		}) {
			if err != nil {
				require.Zero(t, n)
				errs = append(errs, err)
			}
		}
		if rows < 500 {
			require.Empty(t, errs)
		} else {
			require.Equal(t, []error{broken}, errs, "an error is the last pair")
		}
	}
}
