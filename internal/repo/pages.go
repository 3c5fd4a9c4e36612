package repo

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

// place writes a place in a list: the values that the list is ordered by, the last of which breaks ties. They are numbers, times and
// texts. Only the last may have a "_" in it.
func place(by ...any) string {
	parts := make([]string, len(by))
	for i, value := range by {
		if t, ok := value.(time.Time); ok {
			value = t.UnixMicro()
		}
		parts[i] = fmt.Sprint(value)
	}

	return strings.Join(parts, "_")
}

// read reads the place that a page begins behind, into pointers to what place has written, and returns how many rows the page has. The
// start of the list leaves the values as they are.
func (p Page) read(op string, by ...any) (limit int32, err error) {
	switch {
	case p.Limit < 0 || p.Limit > MaxPage:
		return 0, &InvalidError{Op: op, Field: "limit", Reason: fmt.Sprintf("must be from 0 to %d", MaxPage)}
	case p.Limit == 0:
		p.Limit = defaultLimit
	}
	if p.After == "" {
		return int32(p.Limit), nil
	}
	parts := strings.SplitN(p.After, "_", len(by))
	if len(parts) != len(by) {
		return 0, badPlace(op)
	}
	for i, part := range parts {
		number, err := strconv.ParseInt(part, 10, 64)
		switch to := by[i].(type) {
		case *string:
			*to, err = part, nil
		case *int64:
			*to = number
		case *int32:
			if *to = int32(number); int64(*to) != number { //nolint:gosec // that is what is checked
				return 0, badPlace(op)
			}
		case *time.Time:
			if *to = time.UnixMicro(number).UTC(); to.Before(dbtx.FirstTime) || to.After(dbtx.LastTime) {
				return 0, badPlace(op)
			}
		}
		if err != nil {
			return 0, badPlace(op)
		}
	}

	return int32(p.Limit), nil
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
