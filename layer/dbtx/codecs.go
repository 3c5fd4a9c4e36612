package dbtx

import (
	"context"
	"errors"
	"slices"
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

// knowTypes has pgx give the times of a connection in UTC. When a statement has lists of enums or copies some, pgx has to know
// the enum types of the schema, too: it can send a single value as a text, but not a list, without the type's number, which
// differs from one database to the next. That is one round trip for a connection, and again for each such statement while a
// type is missing.
func (c *conn) knowTypes(ctx context.Context, conn *pgx.Conn, enums bool) error {
	known := conn.PgConn().CustomData()
	const utc = "dbtx: times in UTC"
	if _, ok := known[utc]; !ok {
		known[utc] = true
		for _, t := range utcTypes {
			conn.TypeMap().RegisterType(t)
		}
	}
	if _, ok := known[c.guard.types]; ok || !enums {
		return nil
	}
	found, err := loadEnums(ctx, conn, c.known.Enums)
	if err != nil {
		return unsentError{err}
	}
	for _, t := range found {
		conn.TypeMap().RegisterType(t)
	}
	if len(found) == 2*len(c.known.Enums) {
		known[c.guard.types] = true
	}

	return nil
}

// needsEnums reports that a statement sends or reads lists of enums, or copies enums.
func (k *catalogue) needsEnums(sql string) bool {
	if len(k.Enums) == 0 {
		return false
	}
	q := k.Query(sql)
	if q == nil {
		return false
	}
	for i := range q.Params {
		if p := &q.Params[i]; (p.Array || q.Command == Copyfrom) && k.Enum(p.Type) != nil {
			return true
		}
	}

	return slices.ContainsFunc(q.Uses, func(u Use) bool { return k.listsOfEnums[u.Table] })
}

// loadEnums returns those of the enum types that the database has, with their arrays.
func loadEnums(ctx context.Context, conn *pgx.Conn, enums []Enum) (found []*pgtype.Type, err error) {
	if len(enums) == 0 {
		return nil, nil
	}
	const query = `SELECT t.typname, t.oid, t.typarray FROM pg_catalog.unnest($1::pg_catalog.text[]) AS of (name)
		JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) pg_catalog.to_regtype(of.name)`
	quoted := make([]string, len(enums))
	for i, enum := range enums {
		quoted[i] = strconv.Quote(pgx.Identifier(strings.Split(enum.Name, ".")).Sanitize())
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
