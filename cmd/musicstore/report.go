package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the zones, where the system has none

	"github.com/spf13/cobra"

	"musicstore/internal/repo"
)

// report is what the reports share: which days, and how to show them.
type report struct {
	*app

	days int
	tz   string
	zone *time.Location
}

func (a *app) reportCommand() *cobra.Command {
	r := &report{app: a}
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Show reports of the last days: accounts, sales, best-selling albums",
		Example: "  musicstore report sales\n  musicstore report accounts --days 7 --tz Europe/Berlin\n" +
			"  musicstore report albums --limit 10\n  musicstore report sales --json | jq .amount_paid_cents",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().IntVar(&r.days, "days", 30, "how many `days`, including today")
	cmd.PersistentFlags().StringVar(&r.tz, "tz", "UTC", "the time `zone` of the day boundaries, such as Europe/Berlin or Local")
	cmd.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, one object a line")
	cmd.AddCommand(r.accountsCommand(), r.salesCommand(), r.albumsCommand())

	return cmd
}

// args refuses words, days that no report can have and zones that there are not.
func (r *report) args(cmd *cobra.Command, args []string) (err error) {
	if err := noArgs(cmd, args); err != nil {
		return err
	}
	if r.days < 1 || r.days > repo.MaxDays {
		return fmt.Errorf("--days %d: must be from 1 to %d", r.days, repo.MaxDays)
	}
	r.zone, err = time.LoadLocation(r.tz)
	if err != nil || r.tz == "" {
		return fmt.Errorf("--tz %.100q: must be UTC, Local or a time zone such as Europe/Berlin", r.tz)
	}
	if r.tz == "Local" {
		return localZone()
	}

	return nil
}

// localZone returns an error when the system's own time zone can't be read. Go takes UTC then, and says nothing.
func localZone() error {
	if time.Local.String() != "UTC" { //nolint:gosmopolitan // its name is "Local" or what TZ has
		return nil
	}
	tz, set := os.LookupEnv("TZ")
	switch strings.TrimPrefix(tz, ":") {
	case "UTC":
		return nil
	case "":
		if _, err := os.Stat(systemZone); set || os.IsNotExist(err) { // which both mean UTC
			return nil
		}

		return fmt.Errorf("--tz Local: the file %s can't be read: name the zone, such as Europe/Berlin", systemZone)
	default:
		const advice = "name the zone with --tz, such as Europe/Berlin"

		return fmt.Errorf("--tz Local: the environment variable TZ is %.100q, which is no time zone: %s", tz, advice)
	}
}

// systemZone is the file from which Go reads the system's time zone on Unix.
const systemZone = "/etc/localtime"

func (r *report) last() repo.Days { return repo.Days{Last: r.days, In: r.zone} }

// date is the day that began at an instant.
func (r *report) date(start time.Time) string { return start.In(r.zone).Format(time.DateOnly) }

func (r *report) accountsCommand() *cobra.Command {
	type line struct {
		Day      string `json:"day"`
		Accounts int64  `json:"accounts"`
	}

	return &cobra.Command{
		Use:     "accounts",
		Short:   "Show the number of new accounts for each day",
		Example: "  musicstore report accounts\n  musicstore report accounts --days 7 --tz Europe/Berlin --json",
		Args:    r.args,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.withStore(cmd.Context(), func(store *repo.Repo) error {
				days, err := store.DailyNewAccounts(cmd.Context(), r.last())
				if err != nil {
					return err
				}
				lines, t := make([]any, len(days)), table{{"day (" + r.tz + ")", "accounts"}}
				bars := make([]int64, 1+len(days))
				for i, day := range days {
					lines[i] = line{r.date(day.Day), day.Accounts}
					t = append(t, []string{r.date(day.Day), strconv.FormatInt(day.Accounts, 10)})
					bars[i+1] = day.Accounts
				}

				return r.show(lines, t, bars)
			})
		},
	}
}

func (r *report) salesCommand() *cobra.Command {
	type line struct {
		Day             string `json:"day"`
		Purchases       int64  `json:"purchases"`
		AmountPaidCents int64  `json:"amount_paid_cents"`
	}

	return &cobra.Command{
		Use:     "sales",
		Short:   "Show the number of purchases and the amount paid for each day",
		Example: "  musicstore report sales\n  musicstore report sales --days 365 --tz America/New_York --json",
		Args:    r.args,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.withStore(cmd.Context(), func(store *repo.Repo) error {
				days, err := store.DailySales(cmd.Context(), r.last())
				if err != nil {
					return err
				}
				lines, t := make([]any, len(days)), table{{"day (" + r.tz + ")", "purchases", "paid"}}
				bars := make([]int64, 1+len(days))
				for i, day := range days {
					lines[i] = line{r.date(day.Day), day.Purchases, day.AmountPaidCents}
					t = append(t, []string{r.date(day.Day), strconv.FormatInt(day.Purchases, 10), cents(day.AmountPaidCents)})
					bars[i+1] = day.AmountPaidCents
				}

				return r.show(lines, t, bars)
			})
		},
	}
}

func (r *report) albumsCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "albums",
		Short:   "Show the albums that sold best",
		Example: "  musicstore report albums\n  musicstore report albums --days 365 --limit 10 --json",
		Args: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > repo.MaxPage {
				return fmt.Errorf("--limit %d: must be from 1 to %d", limit, repo.MaxPage)
			}

			return r.args(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.withStore(cmd.Context(), func(store *repo.Repo) error {
				albums, err := store.ListBestSellers(cmd.Context(), r.last(), limit)
				if err != nil {
					return err
				}
				lines, t := make([]any, len(albums)), table{{"album", "purchases", "paid"}}
				bars := make([]int64, 1+len(albums))
				for i, album := range albums {
					lines[i] = album
					t = append(t, []string{
						printable(album.Name), strconv.FormatInt(album.Purchases, 10), cents(album.AmountPaidCents),
					})
					bars[i+1] = album.Purchases
				}

				return r.show(lines, t, bars)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many `albums` at most")

	return cmd
}

// show prints a report: its lines as JSON, or its table, on a terminal with a bar for each row; the head's is 0.
func (r *report) show(lines []any, t table, bars []int64) error {
	if !r.json {
		return t.print(r.out, width(r.out), bars)
	}
	for _, line := range lines {
		if err := writeJSON(r.out, line); err != nil {
			return err
		}
	}

	return nil
}

// table is a head and rows. The first column stands on the left, numbers on the right.
type table [][]string

// print prints the table with a bar for each of its rows where so many columns leave room for one, and without where
// they do not: in a pipe they are 0.
func (t table) print(w io.Writer, columns int, bars []int64) error {
	const gap, least = 2, 4
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], columnsOf(cell))
		}
	}
	room := columns
	for _, width := range widths {
		room -= width + gap
	}
	if columns > 0 && room < -gap { // the first column gives way
		widths[0] = max(widths[0]+room+gap, least)
	}
	var most int64
	for _, n := range bars {
		most = max(most, n)
	}
	for i, row := range t {
		var b strings.Builder
		for j, cell := range row {
			if keep := fit(cell, widths[j]); keep < len(cell) {
				cell = cell[:fit(cell, widths[j]-1)] + "…"
			}
			pad := strings.Repeat(" ", widths[j]-columnsOf(cell))
			if j == 0 {
				b.WriteString(cell + pad)
			} else {
				b.WriteString(strings.Repeat(" ", gap) + pad + cell)
			}
		}
		if room >= least {
			b.WriteString(strings.Repeat(" ", gap) + bar(bars[i], most, room))
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}

	return nil
}
