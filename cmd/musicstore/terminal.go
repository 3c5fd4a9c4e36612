package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"
	eastasian "golang.org/x/text/width"
)

// What is shown on a terminal and nowhere else: bars that fit it. There are no colours.

// width returns how many columns the terminal has that w is, or 0 when it is none, or one that can only print.
func width(w io.Writer) int {
	f, ok := beneath(w).(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	switch {
	case err != nil:
		return 0
	case columns == 0: // it does not say
		return 80
	default:
		return columns
	}
}

// bar returns a bar for n of most in a number of columns, an eighth of a column fine. Of more than none there is
// something to see.
func bar(n, most int64, columns int) string {
	eighths := 0
	if most > 0 && n > 0 {
		eighths = max(int(float64(n)/float64(most)*float64(columns)*8), 1)
	}
	full := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		full += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}

	return full
}

// progress shows on w how far an import is. A nil one shows nothing.
type progress struct {
	w       io.Writer
	columns int   // of the terminal, or 0
	size    int64 // in bytes, or 0 when it is not known
	now     func() time.Time
	started time.Time
	shown   time.Time
}

// It is shown anew no sooner than this, so that what takes less shows nothing.
const (
	barInterval  = 100 * time.Millisecond
	lineInterval = 5 * time.Second
)

// progress shows how far the import of so many bytes is on standard error; the echo, which is there too, leaves no place
// for a bar.
func (a *app) progress(size int64) *progress {
	p := &progress{w: beneath(a.err), columns: width(a.err), size: size, now: time.Now}
	if a.echo {
		p.columns = 0
	}
	p.started = p.now()
	p.shown = p.started

	return p
}

// at says how much was read, and what of it was created.
func (p *progress) at(read int64, n counts) {
	if p == nil {
		return
	}
	now, interval := p.now(), lineInterval
	if p.columns > 0 {
		interval = barInterval
	}
	if now.Sub(p.shown) < interval {
		return
	}
	p.shown = now
	if p.columns > 0 { // the window may have another size by now
		p.columns = cmp.Or(width(p.w), p.columns)
	}
	took := now.Sub(p.started)
	text := fmt.Sprintf("%s, %.0f tracks/s", n, float64(n.Tracks)/took.Seconds())
	if p.size > 0 {
		read = min(read, p.size) // the file may have grown
		left := time.Duration(float64(took) * float64(p.size-read) / float64(read))
		text = fmt.Sprintf("%3d %%  %s, %s left", 100*read/p.size, text, minutes(left))
	}
	if p.columns == 0 {
		_, _ = fmt.Fprintln(p.w, strings.TrimSpace(text))

		return
	}
	const least = 8
	if room := p.columns - 3 - len(text); p.size > 0 && room >= least {
		full := bar(read, p.size, room)
		text += "  " + full
	}
	_, _ = fmt.Fprint(p.w, "\r"+text[:fit(text, p.columns-1)]+eraseRest)
}

// end takes the bar away.
func (p *progress) end() {
	if p.columns > 0 && p.shown != p.started {
		_, _ = fmt.Fprint(p.w, "\r"+eraseRest)
	}
}

// eraseRest clears the line from the cursor on: EL of ECMA-48.
const eraseRest = "\x1b[K"

// fit returns how many bytes of a text go into so many columns.
func fit(text string, columns int) int {
	for at, r := range text {
		if columns -= runeColumns(r); columns < 0 {
			return at
		}
	}

	return len(text)
}

// columnsOf returns how many columns of a terminal a text takes.
func columnsOf(text string) (n int) {
	for _, r := range text {
		n += runeColumns(r)
	}

	return n
}

// runeColumns is 2 for the wide characters of Unicode's annex 11, such as ideographs, and 0 for marks on the character
// before. https://www.unicode.org/reports/tr11/
func runeColumns(r rune) int {
	switch kind := eastasian.LookupRune(r).Kind(); {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case kind == eastasian.EastAsianWide, kind == eastasian.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}
