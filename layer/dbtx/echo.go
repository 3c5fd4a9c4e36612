package dbtx

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// echo prints statements. A nil *echo prints nothing and costs nothing.
type echo struct {
	w     io.Writer
	known *catalogue
	turn  chan struct{} // holds one value while a line is being written
}

func newEcho(w io.Writer, known *catalogue) *echo {
	return &echo{w: w, known: known, turn: make(chan struct{}, 1)}
}

// statement prints one line:
//
//	GetReader | SELECT … WHERE id = $1 | id="3f…" | 1 row | 214µs
func (e *echo) statement(ctx context.Context, took time.Duration, sql string, args []any, n int64, err error) {
	if e == nil {
		return
	}
	var b strings.Builder
	if name := Name(sql); name != "" {
		b.WriteString(name + " | ")
	}
	b.WriteString(oneLine(sql))
	for i, arg := range args {
		sep := ", "
		if i == 0 {
			sep = " | "
		}
		b.WriteString(sep + e.known.param(sql, i) + "=" + show(arg))
	}
	rows := "rows"
	if n == 1 {
		rows = "row"
	}
	fmt.Fprintf(&b, " | %d %s | %s", n, rows, took.Round(time.Microsecond))
	if err != nil {
		b.WriteString(" | " + e.known.reason(err, sql))
	}
	b.WriteByte('\n')
	e.print(ctx, b.String())
}

// print writes a line, and waits until it is written or ctx has ended. A statement is not held up by its writer for longer
// than that, nor does it fail by it: the line that can't be written is lost.
func (e *echo) print(ctx context.Context, line string) {
	if ctx.Err() != nil { // such as that of a statement which it ended
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), moment)
		defer cancel()
	}
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer func() { <-e.turn }()
		defer func() { _ = recover() }()
		_, _ = io.WriteString(e.w, line)
	}()
	select {
	case <-written:
	case <-ctx.Done():
	}
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
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	switch v := reflect.ValueOf(arg); v.Kind() {
	case reflect.String: // of whatever type
		return quote(v.String())
	case reflect.Pointer:
		if v.IsNil() {
			return "NULL"
		}

		return show(v.Elem().Interface())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return fmt.Sprintf("%d bytes", v.Len())
		}
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
		text := fmt.Sprint(arg)
		if quoted := quote(text); quoted != `"`+text+`"` { // it is long, or has what does not print
			return quoted
		}

		return text
	}
}

// quote returns a text as a Go string, cut if it is long.
func quote(text string) string {
	if runes := []rune(text); len(runes) > longestText {
		return strconv.Quote(string(runes[:longestText])) + "…"
	}

	return strconv.Quote(text)
}
