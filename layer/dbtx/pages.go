package dbtx

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// Page is a part of a long list. The zero Page is the first one, with 50 rows at most.
type Page struct {
	// After is the place that the page begins behind, which a function of the list makes of the last row of the page before:
	// AfterReader(last) of ListReaders. "" is the start. It is safe in a URL, and shows nothing but the values that the list is ordered
	// by. A page begins behind its place also if the row there was deleted.
	After string
	Limit int // how many rows at the most: 1 to MaxPage; 0 is 50
}

// MaxPage is how many rows a page can have.
const MaxPage = 1000

const (
	defaultLimit = 50
	walkLimit    = 500
)

// List is a query that returns its rows page by page. The columns that it is ordered by are its key. It is a value that needs no code
// at start-up, and never changes.
type List struct {
	Op   string // begins the errors: list readers
	Name string // tells the list from all others: ListReaders created_at, id
	Desc bool   // the rows with the greatest keys come first
}

// After returns the place behind the row that has this key. A value of the key is a string, an int16, an int32, an int64, a bool, a
// time.Time, a [16]byte, or a pgtype.UUID, pgtype.Date, pgtype.Timestamp or pgtype.Timestamptz. After panics on any other type.
//
// A place is a text of letters, digits and -_.~: a sum, which finds texts that were cut or changed, a fingerprint of the list, and the
// values. It is no secret and no signature: whoever knows this code can make one.
func (l List) After(key ...any) string {
	var room [128]byte
	b := append(room[:0], "00000"...)
	b = appendCode(b, l.Name)
	for _, value := range key {
		b = appendValue(append(b, '.'), value)
	}
	sum := code(b[codeLength:])
	copy(b, sum[:])

	return string(b)
}

// Read reads the place that a page begins behind into key, which has a pointer to each value of the key, of the types of After. At the
// start of the list these are values before all others. It returns how many rows the page has. The error is an *InvalidError of limit or
// after.
//
// A number before all others is the least or the greatest of its type; a time is FirstTime or LastTime; an ascending text is "", and a
// descending one is LastText.
func (l List) Read(page Page, key ...any) (limit int32, err error) {
	switch {
	case page.Limit < 0 || page.Limit > MaxPage:
		return 0, &InvalidError{Op: l.Op, Field: "limit", Reason: fmt.Sprintf("must be from 0 to %d", MaxPage)}
	case page.Limit == 0:
		limit = defaultLimit
	default:
		limit = int32(page.Limit)
	}
	if page.After == "" {
		for _, to := range key {
			start(to, l.Desc)
		}

		return limit, nil
	}
	if why := l.read(page.After, key); why != "" {
		return 0, &InvalidError{Op: l.Op, Field: "after", Reason: why}
	}

	return limit, nil
}

// LastText is behind every text of letters by COLLATE "C": it is the last code point, which is no character.
// https://www.unicode.org/faq/private_use.html#nonchar1
const LastText = "\U0010FFFF"

// Walk goes through all pages of a list, from the start. It holds one page at a time. A page with fewer rows than its limit is
// the last. An error ends the walk, as its last pair.
func Walk[T any](after func(T) string, list func(Page) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page := (Page{Limit: walkLimit}); ; {
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
			if len(rows) < walkLimit {
				return
			}
			page.After = after(rows[len(rows)-1])
		}
	}
}

const (
	noPlace    = "is no place in this list"
	otherPlace = "is a place in another list"
	noKey      = "dbtx: a key has a value of a type that no place can have" // %T would allocate each key
)

// read reads a place, and returns what is wrong with it.
func (l List) read(place string, key []any) (why string) {
	if len(place) <= 2*codeLength || code(place[codeLength:]) != [codeLength]byte([]byte(place[:codeLength])) {
		return noPlace
	}
	if code(l.Name) != [codeLength]byte([]byte(place[codeLength:2*codeLength])) {
		return otherPlace
	}
	rest := place[2*codeLength:]
	for _, to := range key {
		if rest == "" || rest[0] != '.' {
			return noPlace
		}
		rest = rest[1:]
		end := strings.IndexByte(rest, '.')
		if end < 0 {
			end = len(rest)
		}
		if !readValue(rest[:end], to) {
			return noPlace
		}
		rest = rest[end:]
	}
	if rest != "" {
		return noPlace
	}

	return ""
}

// appendValue writes a value of a key. It has no dot.
func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendText(b, v)
	case int16:
		return strconv.AppendInt(b, int64(v), 10)
	case int32:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case bool:
		return strconv.AppendBool(b, v)
	case time.Time:
		return strconv.AppendInt(b, v.UnixMicro(), 10)
	case [16]byte:
		return hex.AppendEncode(b, v[:])
	case pgtype.UUID:
		return hex.AppendEncode(b, v.Bytes[:])
	case pgtype.Date:
		return appendTime(b, v.Time, v.InfinityModifier)
	case pgtype.Timestamp:
		return appendTime(b, v.Time, v.InfinityModifier)
	case pgtype.Timestamptz:
		return appendTime(b, v.Time, v.InfinityModifier)
	default:
		panic(noKey)
	}
}

// appendTime writes a time. An infinite one is no place: a store takes none, so no page can begin behind it.
func appendTime(b []byte, t time.Time, infinity pgtype.InfinityModifier) []byte {
	if infinity != pgtype.Finite {
		return append(b, infinity.String()...)
	}

	return strconv.AppendInt(b, t.UnixMicro(), 10)
}

// appendText writes a text as it is if it has letters, digits, - and _ alone, and otherwise in base64 behind a ~.
func appendText(b []byte, text string) []byte {
	plain := text != ""
	for i := 0; i < len(text) && plain; i++ {
		c := text[i]
		plain = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
	}
	if plain {
		return append(b, text...)
	}

	return base64.RawURLEncoding.AppendEncode(append(b, '~'), []byte(text))
}

// readValue reads what appendValue wrote, and reports whether it could.
func readValue(text string, into any) bool {
	switch to := into.(type) {
	case *string:
		encoded, found := strings.CutPrefix(text, "~")
		if *to = text; found {
			decoded, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
			if *to = string(decoded); err != nil {
				return false
			}
		}

		return (found || text != "") && Unstorable(*to) == ""
	case *int16:
		n, err := strconv.ParseInt(text, 10, 16)
		*to = int16(n)

		return err == nil
	case *int32:
		n, err := strconv.ParseInt(text, 10, 32)
		*to = int32(n)

		return err == nil
	case *int64:
		n, err := strconv.ParseInt(text, 10, 64)
		*to = n

		return err == nil
	case *bool:
		*to = text == "true"

		return *to || text == "false"
	case *time.Time:
		return readTime(text, to)
	case *[16]byte:
		n, err := hex.Decode(to[:], []byte(text[:min(len(text), 2*len(to))]))

		return err == nil && n == len(to) && len(text) == 2*n
	case *pgtype.UUID:
		to.Valid = true

		return readValue(text, &to.Bytes)
	case *pgtype.Date:
		to.Valid = true

		return readTime(text, &to.Time)
	case *pgtype.Timestamp:
		to.Valid = true

		return readTime(text, &to.Time)
	case *pgtype.Timestamptz:
		to.Valid = true

		return readTime(text, &to.Time)
	default:
		panic(noKey)
	}
}

// readTime reads a time that a store takes.
func readTime(text string, to *time.Time) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	*to = time.UnixMicro(n).UTC()

	return err == nil && StorableTime(*to)
}

// start sets a value before all others of its type; behind them, when the greatest come first.
func start(into any, desc bool) {
	switch to := into.(type) {
	case *string:
		*to = pick(desc, "", LastText)
	case *int16:
		*to = pick[int16](desc, math.MinInt16, math.MaxInt16)
	case *int32:
		*to = pick[int32](desc, math.MinInt32, math.MaxInt32)
	case *int64:
		*to = pick[int64](desc, math.MinInt64, math.MaxInt64)
	case *bool:
		*to = desc
	case *time.Time:
		*to = pick(desc, FirstTime, LastTime)
	case *[16]byte:
		for i := range to {
			to[i] = pick[byte](desc, 0, math.MaxUint8)
		}
	case *pgtype.UUID:
		to.Valid = true
		start(&to.Bytes, desc)
	case *pgtype.Date:
		*to = pgtype.Date{Time: pick(desc, FirstTime, LastTime), Valid: true}
	case *pgtype.Timestamp:
		*to = pgtype.Timestamp{Time: pick(desc, FirstTime, LastTime), Valid: true}
	case *pgtype.Timestamptz:
		*to = pgtype.Timestamptz{Time: pick(desc, FirstTime, LastTime), Valid: true}
	default:
		panic(noKey)
	}
}

func pick[T any](desc bool, least, greatest T) T {
	if desc {
		return greatest
	}

	return least
}

// codeLength is how many letters a code has, of 5 bits each.
const codeLength = 5

// code returns a short fingerprint of a text: the first bits of its FNV-1a. Nothing depends on its being hard to forge.
// https://datatracker.ietf.org/doc/html/rfc9923
func code[T string | []byte](text T) (c [codeLength]byte) {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	h ^= h >> 32 // the high bits of a short text differ little
	for i := range c {
		c[i] = letters[h>>(5*i)&31]
	}

	return c
}

func appendCode(b []byte, text string) []byte {
	c := code(text)

	return append(b, c[:]...)
}
