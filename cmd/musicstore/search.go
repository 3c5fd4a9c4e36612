package main

import (
	"cmp"
	"errors"
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
		Short: "Find albums and tracks by words in their names",
		Long: "Find albums and tracks by words in their names. All words must match, in any order. The last word may be the\n" +
			"beginning of a word. Case and accents are ignored.",
		Example: "  musicstore search love supreme\n  musicstore search blue --year 1950-1959 --price -9.99 --sort year\n" +
			"  musicstore search train --json --limit 1000",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("search needs at least one word")
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
					_, _ = fmt.Fprintln(a.err, "For the next page: --after", repo.AfterCatalogHit(text, s, hits[len(hits)-1]))
				}

				return nil
			})
		},
	}
	cmd.Flags().StringVar(&years, "year", "", "only albums of this year or `range`: 1991, 1990-1999, 1990-, -1999")
	cmd.Flags().StringVar(&prices, "price", "", "only albums with this price or `range`: 9.99, 5-10, 5-, -9.99")
	cmd.Flags().StringVar(&sort, "sort", string(repo.ByRelevance), "the `order`: relevance, year, price or name")
	cmd.Flags().BoolVar(&s.UnpublishedToo, "all", false, "include unpublished albums")
	cmd.Flags().IntVar(&s.Limit, "limit", 20, "how many `hits` to print at most, from 1 to 1000")
	cmd.Flags().StringVar(&s.After, "after", "", "begin after this `place`, which the page before printed")
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

// forms are the texts that bounds reads.
var forms = map[string]string{
	"year":  "1991, 1990-1999, 1990- or -1999",
	"price": "9.99, 5-10, 5- or -9.99",
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
		return nil, nil, fmt.Errorf("--%s %q: must be like %s", flag, text, forms[flag])
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
