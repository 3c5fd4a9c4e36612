package dbtx

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"musicstore/layer/private"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// The defaults of defaults.yaml are filled in here, under the generated code, so that every query has them. This is done once for
// each row, before the first try. A retry sends the same row again.

// fill gives the unset arguments of a query their defaults. It writes into args, a slice that the generated code made for this
// call. Its error is an *InvalidError, and nothing was sent then. There are three reasons:
//
//   - the caller set a column that must be left to the store;
//   - a default can't be made;
//   - a time that the query stores, and that has no default, is zero.
func (c *conn) fill(q *Query, args []any) error {
	if q == nil || len(args) != len(q.Params) {
		return nil
	}
	if err := c.setDefaults(q, args); err != nil {
		return err
	}

	return checkTimes(q, args)
}

func (c *conn) setDefaults(q *Query, args []any) error {
	var now time.Time // one for the row: created_at and updated_at are the same
	for i := range q.Fills {
		f := &q.Fills[i]
		if !unset(args[f.Param]) {
			if f.Always {
				return derived(q.Op, q.Params[f.Param].Name)
			}

			continue
		}
		var err error
		switch f.By {
		case ID:
			args[f.Param], err = withText(args[f.Param], c.defaults.newID())
		case Now:
			if now.IsZero() {
				now = Stored(c.defaults.now())
			}
			args[f.Param], err = withTime(args[f.Param], now)
		case Derived:
			err = c.derive(f, args)
		}
		if err != nil {
			return Underived(q.Op, q.Params[f.Param].Name, err)
		}
	}

	return nil
}

// checkTimes refuses a time that was left zero, and has those for columns without a time zone in UTC.
func checkTimes(q *Query, args []any) error {
	for i := range q.Params {
		switch q.Params[i].Type {
		case "timestamp", "tsrange", "tsmultirange":
			args[i] = utcClock(args[i])
		}
		if p := &q.Params[i]; p.Assigned != nil || q.Write && p.Compared == nil {
			if !everyTime(args[i], notZero) {
				return &InvalidError{Op: q.Op, Field: p.Name, Reason: zeroTime}
			}
		}
	}

	return nil
}

// derive computes an argument from others with the function that defaults.yaml names.
func (c *conn) derive(f *Fill, args []any) error {
	made, err := c.defaults.derivations[f.Func](args, f.From)
	if err != nil || made == nil {
		return err
	}
	to := reflect.TypeOf(args[f.Param])
	switch v := reflect.ValueOf(made); {
	case to == nil || v.Type() == to:
		args[f.Param] = made
	case v.CanConvert(to) && v.Kind() == to.Kind():
		args[f.Param] = v.Convert(to).Interface()
	case to.Kind() == reflect.Pointer && v.Type().ConvertibleTo(to.Elem()) && v.Kind() == to.Elem().Kind():
		p := reflect.New(to.Elem())
		p.Elem().Set(v.Convert(to.Elem()))
		args[f.Param] = p.Interface()
	default:
		return &MismatchError{Reason: fmt.Sprintf("its function returns a %T, and the query takes a %s", made, to)}
	}

	return nil
}

// derived is the error of a value that the caller set, though the store makes it.
func derived(op, field string) error {
	return &InvalidError{Op: op, Field: field, Reason: "is made by the store: leave it empty"}
}

// Underived is the error of a value that can't be derived: err is what the function said. Its
// text is shown only if it is an *InvalidError. Any other text may have the value in it. The error is an *InvalidError.
func Underived(op, field string, err error) error {
	said := InvalidError{Field: field, Reason: "can't be made"}
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		said = *invalid
	} else if mismatch, ok := errors.AsType[*MismatchError](err); ok {
		said.Reason += ": " + mismatch.Reason
	}
	said.Op = op

	return &said
}

// unset reports whether the caller left an argument unset: it is nil or the zero value of its type. A pointer to an empty text is
// set.
func unset(arg any) bool {
	switch v := arg.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case time.Time:
		return v.IsZero()
	}

	return reflect.ValueOf(arg).IsZero()
}

var errNoID = &MismatchError{Reason: "the source of ids gives a text that is no UUID"}

// withText returns a text as a value of the type of an argument.
func withText(arg any, text string) (any, error) {
	switch arg.(type) {
	case nil, string:
		return text, nil
	case *string:
		return new(text), nil
	case private.Secret:
		return private.NewSecret(text), nil
	case *private.Secret:
		return new(private.NewSecret(text)), nil
	case pgtype.Text:
		return pgtype.Text{String: text, Valid: true}, nil
	case pgtype.UUID, uuid.UUID, uuid.NullUUID, *uuid.UUID:
		return withUUID(arg, text)
	}
	to := reflect.TypeOf(arg)
	pointer := to.Kind() == reflect.Pointer
	if pointer {
		to = to.Elem()
	}
	if to.Kind() != reflect.String {
		return nil, &MismatchError{Reason: fmt.Sprintf("an id is a text or a UUID, and the query takes a %T", arg)}
	}
	v := reflect.New(to)
	v.Elem().SetString(text)
	if pointer {
		return v.Interface(), nil
	}

	return v.Elem().Interface(), nil
}

func withUUID(arg any, text string) (any, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, errNoID // not err, whose text shows the value
	}
	switch arg.(type) {
	case uuid.UUID:
		return id, nil
	case *uuid.UUID:
		return new(id), nil
	case uuid.NullUUID:
		return uuid.NullUUID{UUID: id, Valid: true}, nil
	default:
		return pgtype.UUID{Bytes: id, Valid: true}, nil
	}
}

// withTime returns a time as a value of the type of an argument.
func withTime(arg any, t time.Time) (any, error) {
	switch arg.(type) {
	case nil, time.Time:
		return t, nil
	case *time.Time:
		return new(t), nil
	case pgtype.Timestamptz:
		return pgtype.Timestamptz{Time: t, Valid: true}, nil
	case pgtype.Timestamp:
		return pgtype.Timestamp{Time: t, Valid: true}, nil
	case pgtype.Date:
		return pgtype.Date{Time: t, Valid: true}, nil
	}
	if to := reflect.TypeOf(arg); reflect.TypeOf(t).ConvertibleTo(to) {
		return reflect.ValueOf(t).Convert(to).Interface(), nil
	} else if nullTimeType.ConvertibleTo(to) {
		null := reflect.New(nullTimeType).Elem()
		null.Field(0).Set(reflect.ValueOf(t))
		null.Field(1).SetBool(true)

		return null.Convert(to).Interface(), nil
	}

	return nil, &MismatchError{Reason: fmt.Sprintf("the query takes a %T for a time", arg)}
}

// utcClock converts a time for a column without time zone to UTC. pgx would write it in the zone of the Go value, and one column
// would hold times of many zones.
func utcClock(arg any) any {
	switch v := arg.(type) {
	case time.Time:
		return v.UTC()
	case *time.Time:
		if v != nil {
			return new(v.UTC())
		}
	case []time.Time:
		list := make([]time.Time, len(v))
		for i, t := range v {
			list[i] = t.UTC()
		}

		return list
	case pgtype.Timestamp:
		v.Time = v.Time.UTC()

		return v
	case pgtype.Range[pgtype.Timestamp]:
		v.Lower.Time, v.Upper.Time = v.Lower.Time.UTC(), v.Upper.Time.UTC()

		return v
	case []pgtype.Timestamp:
		list := slices.Clone(v)
		for i := range list {
			list[i].Time = list[i].Time.UTC()
		}

		return list
	case []pgtype.Range[pgtype.Timestamp]:
		return utcRanges(v)
	case pgtype.Multirange[pgtype.Range[pgtype.Timestamp]]:
		return utcRanges(v)
	}

	return arg
}

func utcRanges[S ~[]pgtype.Range[pgtype.Timestamp]](ranges S) S {
	list := slices.Clone(ranges)
	for i := range list {
		list[i].Lower.Time, list[i].Upper.Time = list[i].Lower.Time.UTC(), list[i].Upper.Time.UTC()
	}

	return list
}
