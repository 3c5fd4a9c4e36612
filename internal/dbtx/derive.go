package dbtx

import "fmt"

// Derivation makes the value of a column from those of others.
type Derivation func(from []any) (any, error)

// Derive returns the Derivation of a function of one column.
func Derive[From, To any](f func(From) (To, error)) Derivation {
	return func(from []any) (any, error) {
		if len(from) != 1 {
			return nil, fmt.Errorf("derive: a function of one column, and %d are given", len(from))
		}
		value, ok := from[0].(From)
		if !ok {
			return nil, fmt.Errorf("derive: a function of %T, and %T is given", value, from[0])
		}

		return f(value)
	}
}
