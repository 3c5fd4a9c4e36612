package repo

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// What pgx must know of the types of a connection.

// utcTypes are the types of times with a time zone. pgx's own types read times in the zone of the machine.
var utcTypes = func() []*pgtype.Type {
	one := &pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}}
	span := &pgtype.Type{Name: "tstzrange", OID: pgtype.TstzrangeOID, Codec: &pgtype.RangeCodec{ElementType: one}}
	spans := &pgtype.Type{Name: "tstzmultirange", OID: pgtype.TstzmultirangeOID, Codec: &pgtype.MultirangeCodec{ElementType: span}}

	return []*pgtype.Type{
		one, array(one, pgtype.TimestamptzArrayOID), span, array(span, pgtype.TstzrangeArrayOID),
		spans, array(spans, pgtype.TstzmultirangeArrayOID),
	}
}()

func array(of *pgtype.Type, oid uint32) *pgtype.Type {
	return &pgtype.Type{Name: "_" + of.Name, OID: oid, Codec: &pgtype.ArrayCodec{ElementType: of}}
}

// knowTypes makes pgx read the times of a connection in UTC, and tells it the enum types of the schema. pgx sends a single value of
// an enum as text. To send a list of them, or to COPY one, it needs the numbers that the database gave the types. They are looked
// up in one round trip, once for a connection, and again while a type is missing. Without enums there is no round trip.
func (c *conn) knowTypes(ctx context.Context, conn *pgx.Conn) error {
	known := conn.PgConn().CustomData()
	if _, ok := known[c.guard.types]; ok {
		return nil
	}
	types := conn.TypeMap()
	for _, t := range utcTypes {
		types.RegisterType(t)
	}
	found, err := loadEnums(ctx, conn, c.known.Enums)
	if err != nil {
		return unsentError{err}
	}
	for _, t := range found {
		types.RegisterType(t)
	}
	if len(found) == 2*len(c.known.Enums) { // while an enum is missing, it is looked up again
		known[c.guard.types] = true
	}

	return nil
}

// loadEnums returns those of the enum types that the database has, with their arrays.
func loadEnums(ctx context.Context, conn *pgx.Conn, names []string) (found []*pgtype.Type, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	const query = `SELECT t.typname, t.oid, t.typarray FROM pg_catalog.unnest($1::pg_catalog.text[]) AS of (name)
		JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) pg_catalog.to_regtype(of.name)`
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(pgx.Identifier(strings.Split(name, ".")).Sanitize())
	}
	list := []byte("{" + strings.Join(quoted, ",") + "}")
	result := conn.PgConn().ExecParams(ctx, query, [][]byte{list}, nil, nil, nil).Read()
	if _, refused := errors.AsType[*pgconn.PgError](result.Err); refused {
		return nil, nil // the transaction has failed, say, and its next statement will say so
	}
	for _, row := range result.Rows {
		oid, err := strconv.ParseUint(string(row[1]), 10, 32)
		if err != nil {
			return nil, err
		}
		ofArray, err := strconv.ParseUint(string(row[2]), 10, 32)
		if err != nil {
			return nil, err
		}
		enum := &pgtype.Type{Name: string(row[0]), OID: uint32(oid), Codec: &pgtype.EnumCodec{}}
		found = append(found, enum, array(enum, uint32(ofArray)))
	}

	return found, result.Err
}
