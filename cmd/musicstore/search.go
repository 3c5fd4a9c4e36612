package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"musicstore/internal/repo"
)

func (a *app) searchCommand() *cobra.Command {
	var s repo.Search
	var years, prices, sort string
	cmd := &cobra.Command{
		Use:   "search WORDS...",
		Short: "Find albums and tracks by the words of their names",
		Long: "Find albums and tracks by the words of their names: all of them, in any order. The last may be the beginning\n" +
			"of a word. Case and accents make no difference.",
		Example: "  musicstore search love supreme\n  musicstore search blue --year 1950-1959 --price -9.99 --sort year\n" +
			"  musicstore search train --json --limit 1000",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.MinimumNArgs(1)(cmd, args); err != nil {
				return err
			}
			yearFrom, yearTo, err := bounds("year", years, year)
			if err != nil {
				return err
			}
			priceFrom, priceTo, err := bounds("price", prices, money)
			if err != nil {
				return err
			}
			s.YearFrom, s.YearTo = int32(or(yearFrom, 0)), int32(or(yearTo, 0)) //nolint:gosec // year reads no more
			s.PriceCentsFrom, s.PriceCentsTo = or(priceFrom, 0), priceTo
			if s.Limit < 1 || s.Limit > repo.MaxPage {
				return fmt.Errorf("--limit %d: must be from 1 to %d", s.Limit, repo.MaxPage)
			}
			switch s.Sort = repo.SearchSort(sort); s.Sort {
			case repo.ByRelevance, repo.ByYear, repo.ByPrice, repo.ByName:
				return nil
			default:
				return fmt.Errorf("--sort %q: must be relevance, year, price or name", sort)
			}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args, " ")

			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				hits, err := store.SearchCatalog(cmd.Context(), text, s)
				if err != nil {
					return err
				}
				if err := a.printHits(hits); err != nil {
					return err
				}
				switch len(hits) {
				case 0:
					_, _ = fmt.Fprintln(a.err, "Nothing found")
				case s.Limit:
					_, _ = fmt.Fprintln(a.err, "For what comes after: --after", repo.AfterCatalogHit(text, s, hits[len(hits)-1]))
				}

				return nil
			})
		},
	}
	cmd.Flags().StringVar(&years, "year", "", "only of a year or a `range`: 1991, 1990-1999, 1990-, -1999")
	cmd.Flags().StringVar(&prices, "price", "", "only at a price or in a `range`: 9.99, 5-10, 5-, -9.99")
	cmd.Flags().StringVar(&sort, "sort", string(repo.ByRelevance), "the `order`: relevance, year, price or name")
	cmd.Flags().BoolVar(&s.UnpublishedToo, "all", false, "find what is not published, too")
	cmd.Flags().IntVar(&s.Limit, "limit", 20, "the most hits to print, 1 to 1000")
	cmd.Flags().StringVar(&s.After, "after", "", "the `place` that the hits begin behind, as the page before printed it")
	a.jsonFlag(cmd)

	return cmd
}

func (a *app) printHits(hits []repo.CatalogHit) error {
	if a.json {
		for _, h := range hits {
			if err := writeJSON(a.out, h); err != nil {
				return err
			}
		}

		return nil
	}
	if len(hits) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "KIND\tNAME\tALBUM\tYEAR\tPRICE")
	for _, h := range hits {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n",
			h.Kind, printable(h.Name), printable(h.AlbumName), h.Year, cents(h.PriceCents))
	}

	return table.Flush()
}

// or is what a pointer points at, or a value for none.
func or(p *int64, none int64) int64 {
	if p == nil {
		return none
	}

	return *p
}

// bounds reads a range, "A-B", "A-" or "-B", or one value, which is both bounds. A bound that is not said is nil.
func bounds(flag, text string, read func(string) (int64, error)) (from, to *int64, err error) {
	first, last, ranged := strings.Cut(text, "-")
	if !ranged {
		last = first
	}
	bad := ranged && first == "" && last == ""
	bound := func(text string) *int64 {
		if text == "" {
			return nil
		}
		n, err := read(text)
		bad = bad || err != nil

		return &n
	}
	if from, to = bound(first), bound(last); bad {
		return nil, nil, fmt.Errorf("--%s %q: must be a value or a range: A, A-B, A- or -B", flag, text)
	}

	return from, to, nil
}

func year(text string) (int64, error) { return strconv.ParseInt(text, 10, 32) }

var amount = regexp.MustCompile(`^([0-9]{1,12})(?:\.([0-9]{2}))?$`)

// money reads an amount of money, 9.99 or 10, in cents.
func money(text string) (int64, error) {
	match := amount.FindStringSubmatch(text)
	if match == nil {
		return 0, strconv.ErrSyntax
	}

	return strconv.ParseInt(match[1]+cmp.Or(match[2], "00"), 10, 64)
}
