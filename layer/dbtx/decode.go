package dbtx

import (
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// decode is pgx's Scan for the types that most columns of a list have, with one allocation for many texts. It reports
// false for a row that has anything else, an error included, which is then pgx's to scan as a whole.
func (r *rows) decode(dest []any) bool {
	fields, values := r.FieldDescriptions(), r.RawValues()
	if len(values) != len(dest) {
		return false
	}
	for i, d := range dest {
		oid := fields[i].DataTypeOID
		same := oid == pgtype.TextOID // in both formats
		if !same && fields[i].Format != pgx.BinaryFormatCode || !r.decodeValue(oid, values[i], d) {
			return false
		}
	}

	return true
}

// year2000 is when PostgreSQL's time begins.
const year2000 = 946_684_800

// decodeValue reads a value in the binary format, in which numbers are big-endian. NULL is nil.
func (r *rows) decodeValue(oid uint32, v []byte, dest any) bool {
	switch d := dest.(type) {
	case **string:
		if *d = nil; v == nil {
			return oid == pgtype.TextOID
		}
		*d = r.pointer()

		return r.decodeValue(oid, v, *d)
	case *string:
		if oid == pgtype.TextOID && v != nil {
			*d = r.cut(v)

			return true
		}
	case *bool:
		if oid == pgtype.BoolOID && len(v) == 1 {
			*d = v[0] != 0

			return true
		}
	case *int32:
		if oid == pgtype.Int4OID && len(v) == 4 {
			*d = int32(binary.BigEndian.Uint32(v)) //nolint:gosec // two's complement, as it was sent

			return true
		}
	case *int64:
		if oid == pgtype.Int8OID && len(v) == 8 {
			*d = int64(binary.BigEndian.Uint64(v)) //nolint:gosec // as above

			return true
		}
	case *time.Time:
		if oid == pgtype.TimestamptzOID && len(v) == 8 {
			micros := int64(binary.BigEndian.Uint64(v)) //nolint:gosec // as above
			*d = time.Unix(year2000+micros/1_000_000, micros%1_000_000*1000).UTC()

			return micros != math.MaxInt64 && micros != math.MinInt64 // infinity and -infinity, which no time is
		}
	}

	return false
}

// Texts, and the places for those that may be NULL, are parts of blocks, each twice as large as the one before it: a list
// of few rows has little that nobody needs. A block is kept as long as any part of it is.
const (
	firstText, largestText     = 256, 2048 // bytes
	firstPlaces, largestPlaces = 8, 128
)

// pointer returns a place for a text, beside others'.
func (r *rows) pointer() *string {
	if len(r.nullable) == 0 {
		r.places = min(max(firstPlaces, 2*r.places), largestPlaces)
		r.nullable = make([]string, r.places)
	}
	p := &r.nullable[0]
	r.nullable = r.nullable[1:]

	return p
}

// cut returns text as a string, cut from a block that it shares with others.
func (r *rows) cut(text []byte) string {
	if free := r.text.Cap() - r.text.Len(); free < len(text) {
		size := min(max(firstText, 2*r.text.Cap()), largestText)
		r.text = strings.Builder{}
		r.text.Grow(max(size, len(text)))
	}
	start := r.text.Len()
	r.text.Write(text)

	return r.text.String()[start:]
}
