package repo

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// echo prints statements. A nil *echo prints nothing and costs nothing.
type echo struct {
	mu sync.Mutex
	w  io.Writer
}

func (e *echo) start() time.Time {
	if e == nil {
		return time.Time{}
	}

	return time.Now()
}

// row is statement for one row or, with an error, none.
func (e *echo) row(start time.Time, sql string, args []any, err error) {
	n := int64(1)
	if err != nil {
		n = 0
	}
	e.statement(start, sql, args, n, err)
}

// statement prints one line:
//
//	GetAccount | SELECT … WHERE id = $1 | id="3f…" | 1 row | 214µs
func (e *echo) statement(start time.Time, sql string, args []any, n int64, err error) {
	if e == nil {
		return
	}
	took := time.Since(start).Round(time.Microsecond)
	var b strings.Builder
	if name := queryName(sql); name != "" {
		b.WriteString(name + " | ")
	}
	b.WriteString(oneLine(sql))
	for i, arg := range args {
		sep := ", "
		if i == 0 {
			sep = " | "
		}
		b.WriteString(sep + param(sql, i) + "=" + show(arg))
	}
	rows := "rows"
	if n == 1 {
		rows = "row"
	}
	fmt.Fprintf(&b, " | %d %s | %s", n, rows, took)
	if err != nil {
		b.WriteString(" | " + reason(err, sql))
	}
	b.WriteByte('\n')
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = io.WriteString(e.w, b.String())
}

// Long arguments are cut, so that a line can be read.
const (
	longestText = 120
	longestList = 10
)

// show returns an argument as the echo prints it: on one line, and hidden where its type hides it.
func show(arg any) string {
	switch v := arg.(type) {
	case nil:
		return "NULL"
	case slog.LogValuer:
		if p := reflect.ValueOf(arg); p.Kind() == reflect.Pointer && p.IsNil() {
			return "NULL"
		}

		return v.LogValue().String()
	case string:
		if runes := []rune(v); len(runes) > longestText {
			return strconv.Quote(string(runes[:longestText])) + "…"
		}

		return strconv.Quote(v)
	case []byte:
		return fmt.Sprintf("%d bytes", len(v))
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	switch v := reflect.ValueOf(arg); v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "NULL"
		}

		return show(v.Elem().Interface())
	case reflect.Slice:
		items := make([]string, 0, longestList+1)
		for i := range v.Len() {
			if i == longestList {
				items = append(items, fmt.Sprintf("… %d in all", v.Len()))

				break
			}
			items = append(items, show(v.Index(i).Interface()))
		}

		return "[" + strings.Join(items, ", ") + "]"
	default:
		return fmt.Sprint(arg)
	}
}
