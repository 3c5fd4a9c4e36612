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
	"strconv"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"

	"musicstore/bench/peers"
)

// Report is what is written to results.json.
type Report struct {
	Machine    Machine  `json:"machine"`
	Server     []string `json:"server"` // its settings
	Accounts   int      `json:"accounts"`
	Albums     int      `json:"albums"`
	PoolSize   int      `json:"pool_size"`
	Network    bool     `json:"network,omitempty"` // whether it was measured over links
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
	Key    string        `json:"key"`
	Title  string        `json:"title"`
	Cycles int           `json:"cycles"`
	Calls  int           `json:"calls_in_a_block"`
	Delay  time.Duration `json:"delay,omitempty"` // of the link, in each direction, in ns; 0 without one
	Peers  []Row         `json:"peers"`
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
	Trips    float64 `json:"round_trips,omitempty"`
	Bytes    float64 `json:"bytes"` // allocated; of Go alone
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
			Trips:    of(func(s sample) float64 { return s.trips }),
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

// band is what the store may take of the time of hand-written pgx in a quarter of the cycles: more is no noise. networkBand
// is what it may take of the time of pgx at its best over links.
const (
	band        = 1.15
	networkBand = 1.03
)

// slow fails for the operations of which the store takes more than its band.
func (r Report) slow() error {
	var errs []error
	most := band
	if r.Network {
		most = networkBand
	}
	for _, op := range r.Operations {
		for _, p := range op.Peers {
			if p.Peer == peers.Store && p.Ratio.Q1 > most {
				errs = append(errs, fmt.Errorf("%s: the lower quartile of the store's ratio is %.2f, more than %.2f", op.name(), p.Ratio.Q1, most))
			}
		}
	}

	return errors.Join(errs...)
}

// The titles of a table's columns. Over links there are no CPU and no allocations: the link's would be among them.
var (
	columnTitles  = []string{"", "time", "ratio", "quartiles", "the store's", "CPU", "ratio", "server CPU", "bytes", "allocations"}
	networkTitles = []string{"", "time", "ratio", "quartiles", "the store's", "round trips"}
)

// cells are a row of a table with these titles.
func (p Row) cells(titles []string) []string {
	cells := slices.Repeat([]string{"–"}, len(titles))
	if p.Missing != "" {
		cells[0] = p.Peer + ": " + p.Missing

		return cells
	}
	copy(cells, []string{p.Peer, duration(p.Micros), ratio(p.Ratio.Median), p.Ratio.quartiles()})
	if p.Store > 0 {
		cells[4] = ratio(p.Store)
	}
	if len(titles) == len(networkTitles) {
		cells[5] = trips(p.Trips)

		return cells
	}
	cells[5], cells[6], cells[7] = duration(p.CPU), ratio(p.CPURatio), duration(p.Server)
	if p.Allocs > 0 { // no Go otherwise
		cells[8], cells[9] = fmt.Sprintf("%.0f", p.Bytes), fmt.Sprintf("%.0f", p.Allocs)
	}

	return cells
}

func (r Ratio) quartiles() string { return ratio(r.Q1) + " to " + ratio(r.Q3) }

func trips(n float64) string { return strconv.FormatFloat(math.Round(n*10)/10, 'f', -1, 64) }

func (r Result) titles() []string {
	if r.Delay > 0 {
		return networkTitles
	}

	return columnTitles
}

// name is the title with the link that it was measured over.
func (r Result) name() string {
	if r.Delay == 0 {
		return r.Title
	}

	return fmt.Sprintf("%s, %s in each direction", r.Title, r.link())
}

func (r Result) link() string {
	return fmt.Sprintf("%g ms", float64(r.Delay)/float64(time.Millisecond))
}

func ratio(r float64) string { return fmt.Sprintf("%.2f", r) }

// table prints a result.
func (r Result) table(w io.Writer) {
	fmt.Fprintf(w, "\n%s (%d cycles of %d)\n", r.name(), r.Cycles, r.Calls)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join(r.titles(), "\t")+"\t")
	for _, p := range r.Peers {
		fmt.Fprintln(t, strings.Join(p.cells(r.titles()), "\t")+"\t")
	}
	_ = t.Flush()
}

// markdown writes a result as a table.
func (r Result) markdown(b *bytes.Buffer) {
	fmt.Fprintf(b, "%d cycles of %d calls.\n\n", r.Cycles, r.Calls)
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(r.titles(), " | "), " --- |"+strings.Repeat(" ---: |", len(r.titles())-1))
	for _, p := range r.Peers {
		fmt.Fprintf(b, "| %s |\n", strings.Join(p.cells(r.titles()), " | "))
	}
}

// networkPage is the page of what was measured over links. It begins with where the store lost.
func (r Report) networkPage() []byte {
	var b, lost, short bytes.Buffer
	for _, op := range r.Operations {
		i := slices.IndexFunc(op.Peers, func(p Row) bool { return p.Peer == peers.Store })
		if i < 0 { // it was not measured
			continue
		}
		best, store := op.Peers[0], op.Peers[i]
		fmt.Fprintf(&short, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", op.Title, op.link(), trips(best.Trips), trips(store.Trips),
			duration(best.Micros), duration(store.Micros), ratio(store.Ratio.Median), store.Ratio.quartiles())
		for _, p := range op.Peers {
			if p.Store > networkBand {
				fmt.Fprintf(&lost, "| %s | %s | %s | %s | %s | %s |\n",
					op.Title, op.link(), p.Peer, ratio(p.Store), trips(store.Trips), trips(p.Trips))
			}
		}
	}
	where := "Nowhere.\n"
	if lost.Len() > 0 {
		where = "| operation | delay in each direction | compared with | the store's time, as a ratio | round trips of the store | round trips of the other library |\n" +
			"| --- | ---: | --- | ---: | ---: | ---: |\n" + lost.String()
	}
	fmt.Fprintf(&b, `# Over a network

`+"`make bench-net`"+` wrote this page. [How it is measured](../README.md#over-a-network). %s The versions of the Go
libraries are in [go.mod](../go.mod).

## Where the store is more than %.0f %% slower than another library

In "Load 10 tracks" the store runs a transaction, because it checks that every track was kept. pgx, sqlc and Bun send one statement without
that check.

%s
## The store and pgx at its best

| operation | delay in each direction | round trips of pgx at its best | round trips of the store | time of pgx at its best | time of the store | ratio | quartiles |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
%s`, r.made(), 100*(networkBand-1), where, short.String())
	for _, op := range r.Operations {
		fmt.Fprintf(&b, "\n## %s\n\n", op.name())
		op.markdown(&b)
	}

	return b.Bytes()
}

// made says on what it was measured.
func (r Report) made() string {
	python := ""
	if r.Machine.SQLAlchemy != "" {
		python = ", SQLAlchemy " + r.Machine.SQLAlchemy
	}

	return fmt.Sprintf("%d processors, PostgreSQL %s (%s), %s%s; %d accounts, %d albums.",
		r.Machine.Processors, r.Machine.PostgreSQL, strings.Join(r.Server, ", "), r.Machine.Go, python, r.Accounts, r.Albums)
}

// page is the report as Markdown: a chart and a table for each operation.
func (r Report) page() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# What was measured

Written by `+"`make bench`"+`; [how it is measured](../README.md#how-it-is-measured). %s
`, r.made())
	for _, op := range r.Operations {
		fmt.Fprintf(&b, "\n## %s\n\n![%s](%s.svg)\n\n", op.Title, op.Title, op.Key)
		op.markdown(&b)
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
	name, page := "results.json", "README.md"
	if r.Network {
		name, page = "net.json", "net.md"
	}
	r.keep(filepath.Join(dir, name))
	slices.SortStableFunc(r.Operations, func(a, b Result) int {
		return cmp.Or(cmp.Compare(place(a.Key), place(b.Key)), cmp.Compare(a.Delay, b.Delay))
	})
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if r.Network {
		return os.WriteFile(filepath.Join(dir, page), r.networkPage(), 0o644)
	}
	if err := os.WriteFile(filepath.Join(dir, page), r.page(), 0o644); err != nil {
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

// keep adds the results of the file that are not measured anew. A run without SQLAlchemy keeps those with it.
func (r *Report) keep(file string) {
	var old Report
	text, err := os.ReadFile(file)
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
		return slices.ContainsFunc(measured, func(other Result) bool { return one.Key == other.Key && one.Delay == other.Delay })
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
