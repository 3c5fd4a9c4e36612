package dbtx

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
)

// Derivation computes the value of a column from arguments of its query. from has the indexes of these arguments. It returns nil
// when one of them is NULL.
type Derivation func(args []any, from []int) (any, error)

// Derive returns the Derivation of a function of one column.
func Derive[A, To any](f func(A) (To, error)) Derivation {
	return func(args []any, from []int) (any, error) {
		a, null, err := source[A](args, from, 0, nil)
		if null || err != nil {
			return nil, err
		}

		return f(a)
	}
}

// Derive2 returns the Derivation of a function of two columns.
func Derive2[A, B, To any](f func(A, B) (To, error)) Derivation {
	return func(args []any, from []int) (any, error) {
		a, noA, err := source[A](args, from, 0, nil)
		b, noB, err := source[B](args, from, 1, err)
		if noA || noB || err != nil {
			return nil, err
		}

		return f(a, b)
	}
}

// Derive3 returns the Derivation of a function of three columns.
func Derive3[A, B, C, To any](f func(A, B, C) (To, error)) Derivation {
	return func(args []any, from []int) (any, error) {
		a, noA, err := source[A](args, from, 0, nil)
		b, noB, err := source[B](args, from, 1, err)
		c, noC, err := source[C](args, from, 2, err)
		if noA || noB || noC || err != nil {
			return nil, err
		}

		return f(a, b, c)
	}
}

// Read returns an argument for a Derivation that is a value as the server sent it.
func Read(types *pgtype.Map, oid uint32, format int16, bytes []byte) any {
	return read{types, oid, format, slices.Clone(bytes)}
}

type read struct {
	types  *pgtype.Map
	oid    uint32
	format int16
	bytes  []byte
}

// MismatchError means that the Go types of a function do not match those of the query.
type MismatchError struct{ Reason string }

func (e *MismatchError) Error() string { return e.Reason }

// source returns the argument for parameter i of a function, and whether it is NULL. It returns the error before, if there is one.
func source[T any](args []any, from []int, i int, before error) (value T, null bool, err error) {
	if before != nil {
		return value, false, before
	}
	switch v := args[from[i]].(type) {
	case nil:
		return value, true, nil
	case read:
		return scanned[T](v)
	case *T:
		if v == nil {
			return value, true, nil
		}

		return *v, false, nil
	case T:
		return v, false, nil
	}

	return value, false, &MismatchError{fmt.Sprintf("its function takes a %T, and the query has a %T", value, args[from[i]])}
}

// scanned stands apart because its value is on the heap: in source, the arguments of every query would be.
func scanned[T any](r read) (value T, null bool, err error) {
	if r.bytes == nil {
		return value, true, nil
	}

	err = r.types.Scan(r.oid, r.format, r.bytes, &value)

	return value, false, err
}
