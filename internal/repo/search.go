package repo

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strconv"
	"unicode/utf8"

	"musicstore/internal/dbgen"
	"musicstore/layer/dbtx"
)

// CatalogHit is an album or a track that was found, with what a list shows of its album. Kind is KindAlbum or KindTrack;
// ID and Name are those of the album or the track.
type CatalogHit = dbgen.SearchCatalogRow

// The kinds of a CatalogHit.
const (
	KindAlbum = "album"
	KindTrack = "track"
)

// Search says which of the albums and tracks with the words to return, and in which order. The zero value is the first
// page of what is published, by relevance. A track has the year and the price of its album, and is published with it.
type Search struct {
	Page

	Sort           SearchSort
	YearFrom       int32  // the first year; 0 is no bound
	YearTo         int32  // the last year; 0 is no bound
	PriceCentsFrom int64  // the lowest price
	PriceCentsTo   *int64 // the highest price; nil is no bound, 0 is what costs nothing
	UnpublishedToo bool
}

// SearchSort is an order of hits. Where it has two hits at one place, albums come before tracks, and lower ids first.
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

// SearchCatalog returns a page of the albums and tracks whose names have all words of a text, in any order; the last may
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
	var err error
	if p.PageSize, err = s.list(text).Read(s.Page, &p.AfterNumber, &p.AfterKind, &p.AfterID, &p.AfterName); err != nil {
		return nil, err
	}

	return r.querier.SearchCatalog(ctx, p)
}

// AfterCatalogHit is the place behind a hit in SearchCatalog of the same text, order and bounds.
func AfterCatalogHit(text string, s Search, h CatalogHit) string {
	number, name := int64(0), ""
	switch s.sort() {
	case ByYear:
		number = -int64(h.Year)
	case ByPrice:
		number = h.PriceCents
	case ByName:
		name = h.Name
	default:
		number = int64(utf8.RuneCountInString(h.Name))
	}

	return s.list(text).After(number, h.Kind, h.ID, name)
}

// AllCatalogHits walks all that SearchCatalog finds, a page at a time, from the start: s.Page is not looked at. An error
// ends the walk, as its last pair.
func (r *Repo) AllCatalogHits(ctx context.Context, text string, s Search) iter.Seq2[CatalogHit, error] {
	after := func(h CatalogHit) string { return AfterCatalogHit(text, s, h) }

	return dbtx.Walk(after, func(page Page) ([]CatalogHit, error) {
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

// list tells a search from all others: a place in one is none in another.
func (s Search) list(text string) dbtx.List {
	priceTo := ""
	if s.PriceCentsTo != nil {
		priceTo = strconv.FormatInt(*s.PriceCentsTo, 10)
	}

	return dbtx.List{Op: "search catalog", Name: fmt.Sprintf("SearchCatalog %q %q %d %d %d %q %t",
		text, s.sort(), s.YearFrom, s.YearTo, s.PriceCentsFrom, priceTo, s.UnpublishedToo)}
}
