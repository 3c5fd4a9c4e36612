package repo

import (
	"context"
	"fmt"
	"time"

	"musicstore/internal/dbgen"
	"musicstore/layer/dbtx"
)

// What a report says of one day. Day is the instant at which the day began, in UTC; In(zone) gives the date.
type (
	// DayAccounts is how many accounts a day brought.
	DayAccounts = dbgen.DailyNewAccountsRow
	// DaySales is how many purchases a day brought, and how much was paid for them, in cents.
	DaySales = dbgen.DailySalesRow
	// BestSeller is an album with how many purchases it had, and how much was paid for them, in cents.
	BestSeller = dbgen.ListBestSellersRow
)

// Days is a range of days in a time zone. The zero value is today in UTC. A report of days that are not all of the years 1
// to 9999 is an *InvalidError.
type Days struct {
	Last int            // how many days, today being the last of them: 1 to MaxDays; 0 is 1
	In   *time.Location // whose midnights part them; nil is UTC
}

// MaxDays is how many days a report can have.
const MaxDays = 3660

// bounds returns the instants at which the days begin and end. A day need not have 24 hours: the zone knows.
func (d Days) bounds(op string, now time.Time) (starts, ends []time.Time, err error) {
	if d.Last < 0 || d.Last > MaxDays {
		return nil, nil, &InvalidError{Op: op, Field: "days", Reason: fmt.Sprintf("must be from 1 to %d", MaxDays)}
	}
	n := max(d.Last, 1)
	zone := d.In
	if zone == nil {
		zone = time.UTC
	}
	year, month, day := now.In(zone).Date()
	for i := range n {
		starts = append(starts, midnight(year, month, day-n+1+i, zone))
		ends = append(ends, midnight(year, month, day-n+2+i, zone))
	}

	if dbtx.StorableTime(now) && (!dbtx.StorableTime(starts[0]) || !dbtx.StorableTime(ends[n-1])) { // a clock that is wrong is refused with its times
		return nil, nil, &InvalidError{Op: op, Field: "days", Reason: "must all be of the years 1 to 9999"}
	}

	return starts, ends, nil
}

// midnight returns the first instant of a date: not always 00:00, and not always the only 00:00, where clocks change
// around midnight.
func midnight(year int, month time.Month, day int, zone *time.Location) time.Time {
	clock := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	noon := time.Date(year, month, day, 12, 0, 0, 0, zone)
	_, offset := noon.Zone()
	start := clock.Add(-time.Duration(offset) * time.Second)
	change, _ := noon.ZoneBounds()
	if change.IsZero() || change.Before(start.AddDate(0, 0, -1)) {
		return start
	}
	_, before := change.Add(-time.Nanosecond).Zone()
	if earlier := clock.Add(-time.Duration(before) * time.Second); earlier.Before(change) {
		return earlier
	}
	if start.Before(change) {
		return change.UTC()
	}

	return start
}

// DailyNewAccounts counts the accounts created on each of the days, oldest day first; days without any count 0.
func (r *Repo) DailyNewAccounts(ctx context.Context, days Days) ([]DayAccounts, error) {
	starts, ends, err := days.bounds("daily new accounts", r.store.Now())
	if err != nil {
		return nil, err
	}

	return r.querier.DailyNewAccounts(ctx, dbgen.DailyNewAccountsParams{Starts: starts, Ends: ends})
}

// DailySales counts the purchases of each of the days and adds up what was paid, in cents, oldest day first; days
// without any count 0.
func (r *Repo) DailySales(ctx context.Context, days Days) ([]DaySales, error) {
	starts, ends, err := days.bounds("daily sales", r.store.Now())
	if err != nil {
		return nil, err
	}

	return r.querier.DailySales(ctx, dbgen.DailySalesParams{Starts: starts, Ends: ends})
}

// ListBestSellers returns the albums that were bought most often in these days, up to limit of them: 1 to MaxPage, and 0
// is 50. Of two that were bought equally often the one comes first for which more was paid. Albums that nobody bought are
// not there.
func (r *Repo) ListBestSellers(ctx context.Context, days Days, limit int) ([]BestSeller, error) {
	const op = "list best sellers"
	starts, ends, err := days.bounds(op, r.store.Now())
	if err != nil {
		return nil, err
	}
	size, err := dbtx.List{Op: op}.Read(Page{Limit: limit})
	if err != nil {
		return nil, err
	}

	return r.querier.ListBestSellers(ctx, dbgen.ListBestSellersParams{
		Since: starts[0], Until: ends[len(ends)-1], PageSize: size,
	})
}
