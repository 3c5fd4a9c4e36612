package plans

import (
	"fmt"
	"slices"
	"strings"

	"musicstore/layer/dbtx"
)

// op is the operation, as errors begin with it.
func op(q *dbtx.Query) string { return "explain " + q.Name }

// CheckArguments returns the error that Explain returns before it sends anything: for a program that reads a command line and connects later.
// It is ErrNoPlan or ErrWrites. If there is no such query, or there are too few or too many arguments, it is a *dbtx.InvalidError, whose text names the
// missing parameters with their types. No error has the value of an argument.
//
// An argument is a text in the form in which PostgreSQL reads the parameter's type, so an array is {1,2} or {a,"b c"}. The text NULL
// means NULL, and "NULL", with the quotes, is the text of four letters. An argument name=value, where name is that of a parameter, is for
// that parameter. The other arguments are for the other parameters, in their order. So a text that begins with the name of a
// parameter and = must be given by name.
func CheckArguments(m *dbtx.Metadata, query string, args []string, opts ExplainOptions) error {
	_, _, err := match(m, query, args, opts)

	return err
}

// match returns a query and the value of each of its parameters; nil is NULL.
func match(m *dbtx.Metadata, query string, args []string, opts ExplainOptions) (*dbtx.Query, []*string, error) {
	q := m.Find(query)
	switch {
	case q == nil:
		return nil, nil, &dbtx.InvalidError{Op: "explain", Field: query, Reason: "no query has this name" + similar(m, query)}
	case q.Command == dbtx.Copyfrom:
		return nil, nil, fmt.Errorf("%s: a COPY %w", op(q), ErrNoPlan)
	case q.Utility:
		return nil, nil, fmt.Errorf("%s: it %w", op(q), ErrNoPlan)
	case (q.Write || q.Locks) && !opts.Write:
		return nil, nil, fmt.Errorf("%s: it %w", op(q), ErrWrites)
	}
	given := make([]*string, len(q.Params)) // the texts
	var rest []string
	for _, arg := range args {
		name, value, named := strings.Cut(arg, "=")
		at := slices.IndexFunc(q.Params, func(p dbtx.Param) bool { return named && p.Name == name })
		switch {
		case at < 0:
			rest = append(rest, arg)
		case given[at] != nil:
			return nil, nil, &dbtx.InvalidError{Op: op(q), Field: name, Reason: "is given twice"}
		default:
			given[at] = &value
		}
	}
	var missing []string
	for i, p := range q.Params {
		switch {
		case given[i] != nil:
		case len(rest) > 0:
			given[i], rest = &rest[0], rest[1:]
		default:
			missing = append(missing, described(p))
		}
	}
	switch {
	case len(missing) > 0:
		return nil, nil, &dbtx.InvalidError{Op: op(q), Reason: "missing: " + strings.Join(missing, ", ")}
	case len(rest) > 0 && len(q.Params) == 0:
		return nil, nil, &dbtx.InvalidError{Op: op(q), Reason: "it has no parameters, so it takes no arguments"}
	case len(rest) > 0:
		all := make([]string, len(q.Params))
		for i, p := range q.Params {
			all[i] = described(p)
		}

		return nil, nil, &dbtx.InvalidError{Op: op(q), Reason: fmt.Sprintf("%d arguments are too many: it has the parameters %s",
			len(args), strings.Join(all, ", "))}
	}
	values := make([]*string, len(given))
	for i, text := range given {
		switch {
		case strings.ContainsRune(*text, 0):
			return nil, nil, &dbtx.InvalidError{Op: op(q), Field: q.Params[i].Name, Reason: "has a zero byte, which PostgreSQL can't hold"}
		case *text == `"NULL"`:
			values[i] = new("NULL")
		case *text != "NULL":
			values[i] = text
		}
	}

	return q, values, nil
}

// described returns the name and type of a parameter.
func described(p dbtx.Param) string {
	text := strings.TrimSpace(p.Name + " " + p.Type)
	if p.Array {
		text += "[]"
	}
	if p.Null {
		text += " or NULL"
	}

	return text
}

// similar says which queries have nearly this name.
func similar(m *dbtx.Metadata, name string) string {
	var found []string
	for _, q := range m.Queries {
		a, b := strings.ToLower(q.Name), strings.ToLower(name)
		if name != "" && (strings.Contains(a, b) || strings.Contains(b, a)) {
			found = append(found, q.Name)
		}
	}
	if len(found) == 0 {
		return ""
	}

	return ", but there is " + strings.Join(found, ", ")
}
