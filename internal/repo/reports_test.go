package repo_test

import (
	"context"
	"testing"
	"time"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	require.NoError(t, err)

	return z
}

// TestRepo_ReportsOfDaysKeepTheirPlan has PostgreSQL count how often it plans: always, without the SELECT around the days.
func TestRepo_ReportsOfDaysKeepTheirPlan(t *testing.T) {
	t.Parallel()
	config, err := pgx.ParseConfig(dbtest.URL(t))
	require.NoError(t, err)
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	store := repo.New(conn)
	const first = 5 // plans that PostgreSQL makes before it compares them with one for all
	for range first + 3 {
		_, err := store.DailyNewAccounts(t.Context(), repo.Days{})
		require.NoError(t, err)
		_, err = store.DailySales(t.Context(), repo.Days{})
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "SELECT (SELECT count(*) FROM accounts WHERE created_at >= day) FROM unnest($1::timestamptz[]) AS day",
			[]time.Time{time.Now()})
		require.NoError(t, err)
	}
	rows, err := conn.Query(t.Context(), "SELECT custom_plans FROM pg_prepared_statements WHERE statement LIKE '%day%' ORDER BY 1",
		pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	plans, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(t, err)
	require.Equal(t, []int64{first, first, first + 3}, plans)
}

func TestRepo_DailyNewAccounts(t *testing.T) {
	t.Parallel()
	// 01:30 on Monday 1 April 2024 in Berlin, still Sunday in UTC; clocks there went forward on Sunday at 02:00.
	now := time.Date(2024, time.March, 31, 23, 30, 0, 0, time.UTC)
	berlin := zone(t, "Europe/Berlin")
	store := dbtest.New(t, repo.WithClock(func() time.Time { return now }))
	for n, at := range []time.Time{
		time.Date(2024, time.March, 30, 0, 0, 0, 0, berlin),
		time.Date(2024, time.March, 30, 23, 59, 59, 999999000, berlin),
		time.Date(2024, time.March, 31, 0, 0, 0, 0, berlin),
		time.Date(2024, time.March, 31, 3, 0, 0, 0, berlin),
		time.Date(2024, time.March, 31, 23, 59, 59, 0, berlin),
		time.Date(2024, time.April, 1, 0, 0, 0, 0, berlin),
		time.Date(2024, time.April, 2, 0, 0, 0, 0, berlin), // tomorrow
	} {
		_, err := store.CreateAccount(t.Context(), repo.NewAccount{
			Email: repo.Email(rune('a'+n)) + "@x", PasswordHash: hash, CreatedAt: at,
		})
		require.NoError(t, err)
	}

	t.Run("CountsTheDaysOfAZone", func(t *testing.T) {
		t.Parallel()
		days, err := store.DailyNewAccounts(t.Context(), repo.Days{Last: 4, In: berlin})
		require.NoError(t, err)
		require.Equal(t, []repo.DayAccounts{
			{Day: time.Date(2024, time.March, 28, 23, 0, 0, 0, time.UTC), Accounts: 0},
			{Day: time.Date(2024, time.March, 29, 23, 0, 0, 0, time.UTC), Accounts: 2},
			{Day: time.Date(2024, time.March, 30, 23, 0, 0, 0, time.UTC), Accounts: 3}, // of 23 hours
			{Day: time.Date(2024, time.March, 31, 22, 0, 0, 0, time.UTC), Accounts: 1},
		}, days)
	})
	t.Run("IsTodayInUTCUnlessToldOtherwise", func(t *testing.T) {
		t.Parallel()
		days, err := store.DailyNewAccounts(t.Context(), repo.Days{})
		require.NoError(t, err)
		require.Equal(t, []repo.DayAccounts{
			{Day: time.Date(2024, time.March, 31, 0, 0, 0, 0, time.UTC), Accounts: 3},
		}, days)
	})
	t.Run("RefusesARangeThatCannotBe", func(t *testing.T) {
		t.Parallel()
		for _, last := range []int{-1, 3661} {
			_, err := store.DailyNewAccounts(t.Context(), repo.Days{Last: last})
			require.EqualError(t, err, "daily new accounts: days: must be from 1 to 3660")
			_, err = store.DailySales(t.Context(), repo.Days{Last: last})
			require.ErrorIs(t, err, repo.ErrInvalid)
		}
		days, err := store.DailyNewAccounts(t.Context(), repo.Days{Last: 3660, In: berlin})
		require.NoError(t, err)
		require.Len(t, days, 3660)
	})
}

func TestRepo_DailySales(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, time.May, 3, 12, 0, 0, 0, time.UTC)
	store := dbtest.New(t, repo.WithClock(func() time.Time { return now }))
	buyer, a := newAccount(t, store, "a@x"), newAlbum(t, store, "A", 0)
	for n, days := range []int{0, 0, 2, 9} {
		_, err := store.RecordPurchase(t.Context(), repo.NewPurchase{
			AccountID: buyer.ID, AlbumID: a.ID, PaymentRef: string(rune('a' + n)), AmountPaidCents: int64(100 + n),
			CreatedAt: now.AddDate(0, 0, -days),
		})
		require.NoError(t, err)
	}
	sales, err := store.DailySales(t.Context(), repo.Days{Last: 3})
	require.NoError(t, err)
	day := time.Date(2024, time.May, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, []repo.DaySales{
		{Day: day, Purchases: 1, AmountPaidCents: 102},
		{Day: day.AddDate(0, 0, 1)},
		{Day: day.AddDate(0, 0, 2), Purchases: 2, AmountPaidCents: 201},
	}, sales)
}

func TestRepo_ListBestSellers(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, time.May, 3, 12, 0, 0, 0, time.UTC)
	store := dbtest.New(t, repo.WithClock(func() time.Time { return now }))
	buyer := newAccount(t, store, "a@x")
	ids := map[string]int64{}
	for n, sale := range []struct {
		album string
		at    time.Time
		cents int64
	}{
		{"Tied, older", now, 5},
		{"Tied, newer", now, 5},
		{"Dearer", now, 9},
		{"Often", now, 1},
		{"Often", time.Date(2024, time.May, 2, 0, 0, 0, 0, time.UTC), 1},
		{"Too early", time.Date(2024, time.May, 1, 23, 59, 59, 999999000, time.UTC), 1000},
		{"Too late", time.Date(2024, time.May, 4, 0, 0, 0, 0, time.UTC), 1000},
	} {
		if ids[sale.album] == 0 {
			ids[sale.album] = newAlbum(t, store, sale.album, 0).ID
		}
		_, err := store.RecordPurchase(t.Context(), repo.NewPurchase{
			AccountID: buyer.ID, AlbumID: ids[sale.album], PaymentRef: string(rune('a' + n)), AmountPaidCents: sale.cents,
			CreatedAt: sale.at,
		})
		require.NoError(t, err)
	}
	newAlbum(t, store, "Never", 0)
	want := []repo.BestSeller{
		{AlbumID: ids["Often"], Name: "Often", Purchases: 2, AmountPaidCents: 2},
		{AlbumID: ids["Dearer"], Name: "Dearer", Purchases: 1, AmountPaidCents: 9},
		{AlbumID: ids["Tied, older"], Name: "Tied, older", Purchases: 1, AmountPaidCents: 5},
		{AlbumID: ids["Tied, newer"], Name: "Tied, newer", Purchases: 1, AmountPaidCents: 5},
	}

	t.Run("CountsTheDays", func(t *testing.T) {
		t.Parallel()
		got, err := store.ListBestSellers(t.Context(), repo.Days{Last: 2}, 0)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("CutsAtTheLimit", func(t *testing.T) {
		t.Parallel()
		got, err := store.ListBestSellers(t.Context(), repo.Days{Last: 2}, 3)
		require.NoError(t, err)
		require.Equal(t, want[:3], got)
	})
	t.Run("RefusesWhatCannotBe", func(t *testing.T) {
		t.Parallel()
		_, err := store.ListBestSellers(t.Context(), repo.Days{Last: -1}, 0)
		require.EqualError(t, err, "list best sellers: days: must be from 1 to 3660")
		_, err = store.ListBestSellers(t.Context(), repo.Days{}, 1001)
		require.EqualError(t, err, "list best sellers: limit: must be from 0 to 1000")
	})
}

func TestMidnight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, date, want, why string
	}{
		{"UTC", "2024-05-01", "2024-05-01T00:00:00Z", "nothing changes"},
		{"Europe/Berlin", "2024-03-31", "2024-03-30T23:00:00Z", "forward after midnight"},
		{"Europe/Berlin", "2024-10-27", "2024-10-26T22:00:00Z", "back after midnight"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", "00:00 is skipped: the day begins at 01:00"},
		{"America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z", "23:00 the day before comes twice"},
		{"America/Havana", "2023-11-05", "2023-11-05T04:00:00Z", "00:00 comes twice: the first counts"},
		{"America/Havana", "2023-03-12", "2023-03-12T05:00:00Z", "00:00 is skipped"},
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", "a whole day is skipped"},
		{"Asia/Kathmandu", "1986-01-01", "1985-12-31T18:30:00Z", "15 minutes are skipped at midnight"},
	} {
		date, err := time.Parse(time.DateOnly, c.date)
		require.NoError(t, err)
		z := zone(t, c.zone)
		got := repo.Midnight(date.Year(), date.Month(), date.Day(), z)
		require.Equal(t, c.want, got.Format(time.RFC3339), "%s, %s: %s", c.zone, c.date, c.why)
		require.Equal(t, date.Day(), got.In(z).Day(), "it is of that day")
		require.NotEqual(t, date.Day(), got.Add(-time.Nanosecond).In(z).Day(), "and the first of it")
	}
}

// The bounds of the days are instants that the caller never gave, so the error names the days.
func TestReports_AtTheEndsOfTime(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	for _, now := range []time.Time{
		time.Date(1, time.January, 2, 12, 0, 0, 0, time.UTC), time.Date(9999, time.December, 31, 12, 0, 0, 0, time.UTC),
	} {
		store := dbtest.New(t, repo.WithClock(func() time.Time { return now }))
		days := repo.Days{Last: 3}
		_, err := store.DailyNewAccounts(t.Context(), days)
		named := func(err error) {
			var invalid *repo.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, "days", invalid.Field)
			require.Equal(t, "must all be of the years 1 to 9999", invalid.Reason)
		}
		named(err)
		_, err = store.DailySales(t.Context(), days)
		named(err)
		_, err = store.ListBestSellers(t.Context(), days, 1)
		named(err)
	}
	last := time.Date(9999, time.December, 30, 12, 0, 0, 0, time.UTC)
	store := dbtest.New(t, repo.WithClock(func() time.Time { return last }))
	days, err := store.DailySales(t.Context(), repo.Days{Last: 2})
	require.NoError(t, err)
	require.Len(t, days, 2)
}
