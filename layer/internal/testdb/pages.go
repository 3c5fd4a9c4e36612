package testdb

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"musicstore/layer/dbtx"
)

// Page is a part of a long list. The list's After… function makes After of the last row of the page before; "" is the
// start. It is safe in a URL, and shows nothing but the row's id and what the list is ordered by. A page begins behind
// its place also when the row there has been deleted.
type Page struct {
	After string
	Limit int // how many rows at the most: 1 to MaxPage; 0 is 50
}

// MaxPage is how many rows a page can have.
const MaxPage = 1000

const defaultLimit = 50

// position is a place in a list: what the list is ordered by, and the id that breaks ties.
type position struct {
	order int64
	id    string
}

// time reads the order of a list by time.
func (p position) time(op string) (time.Time, error) {
	t := time.UnixMicro(p.order).UTC()
	if t.Before(dbtx.FirstTime) || t.After(dbtx.LastTime) {
		return t, badPlace(op)
	}

	return t, nil
}

func (p position) String() string { return strconv.FormatInt(p.order, 10) + "_" + p.id }

func (p Page) read(op string, start position) (position, int32, error) {
	switch {
	case p.Limit < 0 || p.Limit > MaxPage:
		return start, 0, &InvalidError{Op: op, Field: "limit", Reason: fmt.Sprintf("must be from 0 to %d", MaxPage)}
	case p.Limit == 0:
		p.Limit = defaultLimit
	}
	if p.After == "" {
		return start, int32(p.Limit), nil
	}
	order, id, found := strings.Cut(p.After, "_")
	n, err := strconv.ParseInt(order, 10, 64)
	if !found || err != nil {
		return start, 0, badPlace(op)
	}

	return position{n, id}, int32(p.Limit), nil
}

// number reads the id of a table whose ids are numbers.
func (p position) number(op string) (int64, error) {
	n, err := strconv.ParseInt(p.id, 10, 64)
	if err != nil {
		return 0, badPlace(op)
	}

	return n, nil
}

func badPlace(op string) error {
	return &InvalidError{Op: op, Field: "after", Reason: "is no place in this list"}
}

// walk goes through all pages of a list; no more than one is in memory.
func walk[T any](after func(T) string, list func(Page) ([]T, error)) iter.Seq2[T, error] {
	const size = 500

	return func(yield func(T, error) bool) {
		page := Page{Limit: size}
		for {
			rows, err := list(page)
			if err != nil {
				var none T
				yield(none, err)

				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if len(rows) < size {
				return
			}
			page.After = after(rows[len(rows)-1])
		}
	}
}
