package testdb

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb/dbgen"
)

// CatalogHit is a paper or an article that was found, with what a list shows of its paper. Kind is KindPaper or KindArticle;
// ID and Name are those of the paper or the article.
type CatalogHit = dbgen.SearchCatalogRow

// The kinds of a CatalogHit.
const (
	KindPaper   = "paper"
	KindArticle = "article"
)

// Search says which of the papers and articles with the words to return, and in which order. The zero value is the first
// page of what is published, by relevance. A article has the year and the price of its paper, and is published with it.
type Search struct {
	Page

	Sort           SearchSort
	YearFrom       int32  // the first year; 0 is no bound
	YearTo         int32  // the last year; 0 is no bound
	PriceCentsFrom int64  // the lowest price
	PriceCentsTo   *int64 // the highest price; nil is no bound, 0 is what costs nothing
	UnpublishedToo bool
}

// SearchSort is an order of hits. Where it has two hits at one place, papers come before articles, and lower ids first.
type SearchSort string

// The orders of hits.
const (
	ByRelevance SearchSort = "relevance" // the shortest name first: it has the least beside the words; "" is this, too
	ByYear      SearchSort = "year"      // the newest first
	ByPrice     SearchSort = "price"     // the cheapest first
	ByName      SearchSort = "name"      // by letters without case and accents
)

// maxText is how long the text of a search can be, in characters: as long as a name.
const maxText = 200

// SearchCatalog returns a page of the papers and articles whose names have all words of a text, in any order; the last may
// be the beginning of a word. Case and accents make no difference ("agaetis" finds "Ágætis"), and neither does what is
// neither letter nor digit: it ends a word. Each ideograph and each kana is a word. A text without words finds nothing.
// The page after it is at AfterCatalogHit(text, s, last).
//
// A page costs as much as there are matches, because no index has both the words and an order: all are found by index,
// and the page's are picked. ErrInvalid when the text is longer than 200 characters, a bound is beyond the other, the
// order is none of the above, or the place is one in another search.
func (r *Repo) SearchCatalog(ctx context.Context, text string, s Search) ([]CatalogHit, error) {
	const op = "search catalog"
	invalid := func(field, why string) ([]CatalogHit, error) {
		return nil, &InvalidError{Op: op, Field: field, Reason: why}
	}
	if why := dbtx.Unstorable(text); why != "" {
		return invalid("text", why)
	}
	if utf8.RuneCountInString(text) > maxText {
		return invalid("text", fmt.Sprintf("has more than %d characters", maxText))
	}
	p := dbgen.SearchCatalogParams{
		Text: text, Sort: string(s.sort()), UnpublishedToo: s.UnpublishedToo,
		YearFrom: s.YearFrom, YearTo: s.YearTo, PriceCentsFrom: s.PriceCentsFrom, PriceCentsTo: math.MaxInt64,
	}
	if p.YearTo == 0 {
		p.YearTo = math.MaxInt32
	}
	if s.PriceCentsTo != nil {
		p.PriceCentsTo = *s.PriceCentsTo
	}
	switch s.sort() {
	case ByRelevance, ByYear, ByPrice, ByName:
	default:
		return invalid("sort", "must be relevance, year, price or name")
	}
	if p.YearFrom > p.YearTo {
		return invalid("year_from", "is after year_to")
	}
	if p.PriceCentsFrom > p.PriceCentsTo {
		return invalid("price_cents_from", "is more than price_cents_to")
	}
	first := hitPlace{search: s.fingerprint(text), number: math.MinInt64, id: math.MinInt64}
	at, err := first.read(op, s.After)
	if err != nil {
		return nil, err
	}
	p.AfterNumber, p.AfterName, p.AfterKind, p.AfterID = at.number, at.name, at.kind, at.id
	// The rest of a page is the same of all lists.
	if _, p.PageSize, err = (Page{Limit: s.Limit}).read(op, position{}); err != nil {
		return nil, err
	}

	return r.querier.SearchCatalog(ctx, p)
}

// AfterCatalogHit is the place behind a hit in SearchCatalog of the same text, order and bounds.
func AfterCatalogHit(text string, s Search, h CatalogHit) string {
	at := hitPlace{search: s.fingerprint(text), kind: h.Kind, id: h.ID}
	switch s.sort() {
	case ByYear:
		at.number = -int64(h.Year)
	case ByPrice:
		at.number = h.PriceCents
	case ByName:
		at.name = h.Name
	default:
		at.number = int64(utf8.RuneCountInString(h.Name))
	}

	return at.String()
}

// AllCatalogHits walks all that SearchCatalog finds, a page at a time, from the start: s.Page is not looked at. An error
// ends the walk, as its last pair.
func (r *Repo) AllCatalogHits(ctx context.Context, text string, s Search) iter.Seq2[CatalogHit, error] {
	after := func(h CatalogHit) string { return AfterCatalogHit(text, s, h) }

	return walk(after, func(page Page) ([]CatalogHit, error) {
		s.Page = page

		return r.SearchCatalog(ctx, text, s)
	})
}

func (s Search) sort() SearchSort {
	if s.Sort == "" {
		return ByRelevance
	}

	return s.Sort
}

// fingerprint tells searches apart. Nothing depends on its being hard to forge.
func (s Search) fingerprint(text string) string {
	priceTo := ""
	if s.PriceCentsTo != nil {
		priceTo = strconv.FormatInt(*s.PriceCentsTo, 10)
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q %q %d %d %d %q %t",
		text, s.sort(), s.YearFrom, s.YearTo, s.PriceCentsFrom, priceTo, s.UnpublishedToo)

	return strconv.FormatUint(h.Sum64(), 36)
}

// hitPlace is a place in a search: what its order goes by, number or name, and the kind and id that break ties.
type hitPlace struct {
	search string // its fingerprint
	number int64
	kind   string
	id     int64
	name   string
}

func (p hitPlace) String() string {
	return fmt.Sprintf("%s_%d_%s_%d_%s", p.search, p.number, p.kind, p.id, base64.RawURLEncoding.EncodeToString([]byte(p.name)))
}

// read returns the place that String has written, or p itself for "". A place in another search is none in this.
func (p hitPlace) read(op, after string) (hitPlace, error) {
	if after == "" {
		return p, nil
	}
	const parts = 5
	part := strings.SplitN(after, "_", parts) // the name, in whose alphabet _ is, comes last
	if len(part) != parts || (part[2] != KindPaper && part[2] != KindArticle) {
		return p, badPlace(op)
	}
	if part[0] != p.search {
		return p, &InvalidError{Op: op, Field: "after", Reason: "is a place in another search"}
	}
	number, badNumber := strconv.ParseInt(part[1], 10, 64)
	id, badID := strconv.ParseInt(part[3], 10, 64)
	name, badName := base64.RawURLEncoding.DecodeString(part[4])
	tooLong := utf8.RuneCount(name) > maxText
	if badNumber != nil || badID != nil || badName != nil || dbtx.Unstorable(string(name)) != "" || tooLong {
		return p, badPlace(op)
	}

	return hitPlace{p.search, number, part[2], id, string(name)}, nil
}
