package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"text/template"

	"musicstore/bench/peers"
)

// Report is what is written to results.json.
type Report struct {
	Machine    Machine  `json:"machine"`
	Server     []string `json:"server"` // its settings
	Accounts   int      `json:"accounts"`
	Albums     int      `json:"albums"`
	PoolSize   int      `json:"pool_size"`
	Operations []Result `json:"operations"`
}

// Machine is what it was measured on.
type Machine struct {
	Processors int    `json:"processors"`
	Go         string `json:"go"`
	PostgreSQL string `json:"postgresql"`
	SQLAlchemy string `json:"sqlalchemy,omitempty"`
}

// Result is an operation, by every peer.
type Result struct {
	Key    string `json:"key"`
	Title  string `json:"title"`
	Cycles int    `json:"cycles"`
	Calls  int    `json:"calls_in_a_block"`
	Peers  []Row  `json:"peers"`
}

// Row is a peer's part of a result. Times are of one call, in microseconds, the medians of all blocks. A ratio is taken in
// each cycle; its quartiles are of all cycles.
type Row struct {
	Peer     string  `json:"peer"`
	Missing  string  `json:"missing,omitempty"` // why there is nothing to show
	Micros   float64 `json:"micros"`
	Ratio    Ratio   `json:"ratio"`             // to the first peer
	Store    float64 `json:"store_ratio"`       // of the store to this peer; 0 when the store was not measured
	CPU      float64 `json:"cpu_micros"`        // of the client
	CPURatio float64 `json:"cpu_ratio"`         // to the first peer
	Server   float64 `json:"server_cpu_micros"` // of the server's processes
	Bytes    float64 `json:"bytes"`             // allocated; of Go alone
	Allocs   float64 `json:"allocations"`
}

// Ratio is a median with its quartiles.
type Ratio struct {
	Q1     float64 `json:"q1"`
	Median float64 `json:"median"`
	Q3     float64 `json:"q3"`
}

func (b *bench) result(op *operation, samples [][]sample) Result {
	result := Result{Key: op.key, Title: op.title, Cycles: len(samples[0]), Calls: op.calls}
	contenders := b.of(op)
	store := slices.IndexFunc(contenders, func(c contender) bool { return c.name() == peers.Store })
	for i, c := range contenders {
		against := func(other int, value func(s, other sample) float64) []float64 {
			numbers := make([]float64, len(samples[i]))
			for j := range numbers {
				numbers[j] = value(samples[i][j], samples[other][j])
			}

			return numbers
		}
		of := func(value func(s sample) float64) float64 {
			return median(against(i, func(s, _ sample) float64 { return value(s) }))
		}
		row := Row{
			Peer:     c.name(),
			Micros:   of(func(s sample) float64 { return s.wall }),
			CPU:      of(func(s sample) float64 { return s.cpu }),
			CPURatio: median(against(0, func(s, pgx sample) float64 { return s.cpu / max(pgx.cpu, .001) })),
			Server:   of(func(s sample) float64 { return s.server }),
			Bytes:    of(func(s sample) float64 { return s.bytes }),
			Allocs:   of(func(s sample) float64 { return s.allocs }),
		}
		row.Ratio.Q1, row.Ratio.Median, row.Ratio.Q3 = quartiles(against(0, func(s, pgx sample) float64 { return s.wall / pgx.wall }))
		if store >= 0 {
			row.Store = median(against(store, func(s, store sample) float64 { return store.wall / s.wall }))
		}
		result.Peers = append(result.Peers, row)
	}
	result.Peers = append(result.Peers, b.missing...)

	return result
}

// band is what the store may take of the time of hand-written pgx in a quarter of the cycles: more is no noise.
const band = 1.15

// slow fails for the operations of which the store takes more than its band.
func (r Report) slow() error {
	var errs []error
	for _, op := range r.Operations {
		for _, p := range op.Peers {
			if p.Peer == peers.Store && p.Ratio.Q1 > band {
				errs = append(errs, fmt.Errorf("%s: the lower quartile of the store's ratio is %.2f, more than %.2f", op.Key, p.Ratio.Q1, band))
			}
		}
	}

	return errors.Join(errs...)
}

var columnTitles = []string{"", "time", "ratio", "quartiles", "the store's", "CPU", "ratio", "server CPU", "bytes", "allocations"}

// cells are a row of a table.
func (p Row) cells() []string {
	if p.Missing != "" {
		return []string{p.Peer + ": " + p.Missing, "–", "–", "–", "–", "–", "–", "–", "–", "–"}
	}
	cells := []string{
		p.Peer, duration(p.Micros), ratio(p.Ratio.Median), ratio(p.Ratio.Q1) + " to " + ratio(p.Ratio.Q3),
		"–", duration(p.CPU), ratio(p.CPURatio), duration(p.Server), "–", "–",
	}
	if p.Store > 0 {
		cells[4] = ratio(p.Store)
	}
	if p.Allocs > 0 { // no Go otherwise
		cells[8], cells[9] = fmt.Sprintf("%.0f", p.Bytes), fmt.Sprintf("%.0f", p.Allocs)
	}

	return cells
}

func ratio(r float64) string { return fmt.Sprintf("%.2f", r) }

// table prints a result.
func (r Result) table(w io.Writer) {
	fmt.Fprintf(w, "\n%s (%d cycles of %d)\n", r.Title, r.Cycles, r.Calls)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join(columnTitles, "\t")+"\t")
	for _, p := range r.Peers {
		fmt.Fprintln(t, strings.Join(p.cells(), "\t")+"\t")
	}
	_ = t.Flush()
}

// page is the report as Markdown: a chart and a table for each operation.
func (r Report) page() []byte {
	var b bytes.Buffer
	python := ""
	if r.Machine.SQLAlchemy != "" {
		python = ", SQLAlchemy " + r.Machine.SQLAlchemy
	}
	fmt.Fprintf(&b, `# What was measured

Written by `+"`make bench`"+`; [how it is measured](../README.md#how-it-is-measured). %d processors, PostgreSQL %s (%s), %s%s; %d
accounts, %d albums.
`, r.Machine.Processors, r.Machine.PostgreSQL, strings.Join(r.Server, ", "), r.Machine.Go, python, r.Accounts, r.Albums)
	for _, op := range r.Operations {
		fmt.Fprintf(&b, "\n## %s\n\n![%s](%s.svg)\n\n%d cycles of %d.\n\n", op.Title, op.Title, op.Key, op.Cycles, op.Calls)
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columnTitles, " | "), " --- |"+strings.Repeat(" ---: |", len(columnTitles)-1))
		for _, p := range op.Peers {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(p.cells(), " | "))
		}
	}

	return b.Bytes()
}

func duration(micros float64) string {
	switch {
	case micros >= 1e6:
		return fmt.Sprintf("%.2f s", micros/1e6)
	case micros >= 1e3:
		return fmt.Sprintf("%.2f ms", micros/1e3)
	case micros >= 10:
		return fmt.Sprintf("%.0f µs", micros)
	default:
		return fmt.Sprintf("%.3g µs", micros)
	}
}

// write writes the report as JSON and as a page with a chart of each result. What was not measured this time stays as it is in the
// folder, if all else is the same.
func (r Report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	r.keep(dir)
	slices.SortStableFunc(r.Operations, func(a, b Result) int { return cmp.Compare(place(a.Key), place(b.Key)) })
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "README.md"), r.page(), 0o644); err != nil {
		return err
	}
	for _, op := range r.Operations {
		svg, err := op.chart()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, op.Key+".svg"), svg, 0o644); err != nil {
			return err
		}
	}

	return nil
}

// keep adds the results of the folder that are not measured anew. A run without SQLAlchemy keeps those with it.
func (r *Report) keep(dir string) {
	var old Report
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil || json.Unmarshal(text, &old) != nil {
		return
	}
	same := *r
	same.Operations = old.Operations
	same.Machine.SQLAlchemy = cmp.Or(r.Machine.SQLAlchemy, old.Machine.SQLAlchemy)
	if !reflect.DeepEqual(old, same) {
		return
	}
	measured := r.Operations
	*r = same
	r.Operations = append(measured, slices.DeleteFunc(old.Operations, func(one Result) bool {
		return slices.ContainsFunc(measured, func(other Result) bool { return one.Key == other.Key })
	})...)
}

// place is an operation's in the list; behind it comes what is none.
func place(key string) int {
	i := slices.IndexFunc(operations, func(op operation) bool { return op.key == key })

	return cmp.Or(i+1, len(operations)+1)
}

//go:embed chart.svg
var chartText string

var chart = template.Must(template.New("chart").Parse(chartText))

// bar is a line of a chart, in pixels.
type bar struct {
	Name, Label        string
	Y, Mid, Text       int
	Width, Q1, Q3, End float64
	Ours               bool
}

// chart draws the ratios as bars, with a line from quartile to quartile.
func (r Result) chart() ([]byte, error) {
	const (
		left, room = 150.0, 430.0
		top, line  = 56, 24
	)
	const most = 5.0 // a longer bar is cut off, or the others would be too short to compare
	longest := 0.0
	for _, p := range r.Peers {
		longest = math.Max(longest, math.Min(p.Ratio.Q3, most))
	}
	scale := room / math.Max(longest, 1)
	place := func(ratio float64) float64 { return scale * math.Min(ratio, longest) }
	data := struct {
		Title     string
		Height    int
		Bars      []bar
		One, Foot float64
	}{Title: r.Title, Height: top + line*len(r.Peers) + 12, One: left + scale, Foot: float64(top + line*len(r.Peers))}
	for i, p := range r.Peers {
		y := top + line*i
		x := bar{Name: p.Peer, Y: y, Mid: y + 8, Text: y + 12, Ours: strings.HasPrefix(p.Peer, "musicstore")}
		if p.Missing != "" {
			x.Label, x.End = "– "+p.Missing, left
		} else {
			x.Width, x.Q1, x.Q3 = place(p.Ratio.Median), left+place(p.Ratio.Q1), left+place(p.Ratio.Q3)
			x.Label, x.End = fmt.Sprintf("%.2f  (%s)", p.Ratio.Median, duration(p.Micros)), math.Max(x.Q3, left+x.Width)
		}
		data.Bars = append(data.Bars, x)
	}
	var svg bytes.Buffer
	err := chart.Execute(&svg, data)

	return svg.Bytes(), err
}
