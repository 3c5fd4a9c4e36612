package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"text/template"
)

// Report is what is written to results.json.
type Report struct {
	Machine    Machine  `json:"machine"`
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

// Row is a peer's part of a result. Times are of one call, in microseconds, the medians of all blocks. A ratio is to the
// first peer, taken in each cycle; its quartiles are of all cycles.
type Row struct {
	Peer     string  `json:"peer"`
	Missing  string  `json:"missing,omitempty"` // why there is nothing to show
	Micros   float64 `json:"micros"`
	Ratio    Ratio   `json:"ratio"`
	CPU      float64 `json:"cpu_micros"`        // of the client
	CPURatio float64 `json:"cpu_ratio"`         // to the first peer, per cycle
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
	for i, c := range b.contenders {
		of := func(value func(s, first sample) float64) []float64 {
			numbers := make([]float64, len(samples[i]))
			for j := range numbers {
				numbers[j] = value(samples[i][j], samples[0][j])
			}

			return numbers
		}
		row := Row{
			Peer:     c.name(),
			Micros:   median(of(func(s, _ sample) float64 { return s.wall })),
			CPU:      median(of(func(s, _ sample) float64 { return s.cpu })),
			CPURatio: median(of(func(s, first sample) float64 { return s.cpu / max(first.cpu, .001) })),
			Server:   median(of(func(s, _ sample) float64 { return s.server })),
			Bytes:    median(of(func(s, _ sample) float64 { return s.bytes })),
			Allocs:   median(of(func(s, _ sample) float64 { return s.allocs })),
		}
		row.Ratio.Q1, row.Ratio.Median, row.Ratio.Q3 = quartiles(of(func(s, first sample) float64 { return s.wall / first.wall }))
		result.Peers = append(result.Peers, row)
	}
	result.Peers = append(result.Peers, b.missing...)

	return result
}

// table prints a result.
func (r Result) table(w io.Writer) {
	fmt.Fprintf(w, "\n%s (%d cycles of %d)\n", r.Title, r.Cycles, r.Calls)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\ttime\tratio\tquartiles\tCPU\tratio\tserver CPU\tbytes\tallocations\t")
	for _, p := range r.Peers {
		if p.Missing != "" {
			fmt.Fprintf(t, "%s\t–\t–\t–\t–\t–\t–\t–\t–\t  %s\n", p.Peer, p.Missing)

			continue
		}
		bytes, allocs := fmt.Sprintf("%.0f", p.Bytes), fmt.Sprintf("%.0f", p.Allocs)
		if p.Allocs == 0 && p.Bytes == 0 {
			bytes, allocs = "–", "–"
		}
		fmt.Fprintf(t, "%s\t%s\t%.2f\t%.2f to %.2f\t%s\t%.2f\t%s\t%s\t%s\t\n", p.Peer, duration(p.Micros),
			p.Ratio.Median, p.Ratio.Q1, p.Ratio.Q3, duration(p.CPU), p.CPURatio, duration(p.Server), bytes, allocs)
	}
	_ = t.Flush()
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

// write writes the report as JSON and a chart of each result.
func (r Report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(text, '\n'), 0o644); err != nil {
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
	longest := 0.0
	for _, p := range r.Peers {
		longest = math.Max(longest, p.Ratio.Q3)
	}
	scale := room / math.Max(longest, 1)
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
			x.Width, x.Q1, x.Q3 = scale*p.Ratio.Median, left+scale*p.Ratio.Q1, left+scale*p.Ratio.Q3
			x.Label, x.End = fmt.Sprintf("%.2f  (%s)", p.Ratio.Median, duration(p.Micros)), math.Max(x.Q3, left+x.Width)
		}
		data.Bars = append(data.Bars, x)
	}
	var svg bytes.Buffer
	err := chart.Execute(&svg, data)

	return svg.Bytes(), err
}
