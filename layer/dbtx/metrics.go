package dbtx

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// MetricsContentType is the Content-Type of what Metrics.WriteTo writes.
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
const MetricsContentType = "text/plain; version=0.0.4; charset=utf-8"

// Metrics counts the statements of stores, and how long they took, by the names of their queries. It is an expvar.Var and an io.WriterTo. Any
// number of stores may share one. The zero value counts nothing yet.
type Metrics struct {
	mu      sync.Mutex
	queries map[string]*timings
}

// NewMetrics returns metrics that count nothing yet.
func NewMetrics() *Metrics { return &Metrics{} }

// WithMetrics counts the statements of a store in m. A nil m counts nothing.
func WithMetrics(m *Metrics) Option { return func(o *options) { o.counts = m } }

// bounds are the upper bounds of the buckets, in seconds. A statement on one machine takes less than the first of them.
var bounds = [...]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// timings are of the statements of one name.
type timings struct {
	buckets [len(bounds) + 1]atomic.Uint64 // how many took so long, and longer than the bucket before
	nanos   atomic.Int64                   // that all took together
	errors  atomic.Uint64
}

func (t *timings) add(took time.Duration, failed bool) {
	bucket, _ := slices.BinarySearch(bounds[:], took.Seconds())
	t.buckets[bucket].Add(1)
	t.nanos.Add(int64(took))
	if failed {
		t.errors.Add(1)
	}
}

// firstWords are the names of statements that are no queries of the store. Others are counted as "other", so that the names don't grow without limit.
var firstWords = []string{
	"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "COPY", "CALL", "SET",
	"EXPLAIN", "CREATE", "ALTER", "DROP", "LOCK", "SHOW", "VALUES", "NOTIFY",
}

const otherWord = "other"

// recorder has a store's part of Metrics, by the names that it knows. It does not change, so a statement needs no lock. A nil recorder records
// nothing.
type recorder map[string]*timings

func (m *Metrics) recorder(known *catalogue) recorder {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queries == nil {
		m.queries = map[string]*timings{}
	}
	r := recorder{}
	for _, q := range known.Queries {
		r[q.Name] = m.named(q.Name)
	}
	for _, word := range append(slices.Clip(firstWords), otherWord) {
		r[word] = m.named(word)
	}

	return r
}

func (m *Metrics) named(name string) *timings {
	if m.queries[name] == nil {
		m.queries[name] = &timings{}
	}

	return m.queries[name]
}

func (r recorder) statement(sql string, took time.Duration, err error) {
	if r == nil {
		return
	}
	name := Name(sql)
	if name == "" {
		name = sql // such as COMMIT
	}
	of := r[name]
	if of == nil {
		of = r[firstWord(sql)]
	}
	if of == nil {
		of = r[otherWord]
	}
	of.add(took, failed(err))
}

// QueryMetrics are the statements of one query, or of one first word, since the Metrics were made.
type QueryMetrics struct {
	Name    string   `json:"-"`
	Count   uint64   `json:"count"`   // tries of statements that have ended
	Errors  uint64   `json:"errors"`  // how many of them failed; a query that finds no row has not failed
	Seconds float64  `json:"seconds"` // how long all of them took together
	Buckets []Bucket `json:"-"`
}

// Bucket has the number of statements that took at most so many seconds.
type Bucket struct {
	Seconds float64 // the last is +Inf
	Count   uint64
}

// Queries returns what was counted, in the order of the names. A name of which no statement ran is left out. It may be called at any time.
func (m *Metrics) Queries() []QueryMetrics {
	m.mu.Lock()
	named := maps.Clone(m.queries)
	m.mu.Unlock()
	var list []QueryMetrics
	for _, name := range slices.Sorted(maps.Keys(named)) {
		t := named[name]
		q := QueryMetrics{Name: name, Errors: t.errors.Load(), Seconds: time.Duration(t.nanos.Load()).Seconds()}
		for i := range t.buckets {
			q.Count += t.buckets[i].Load()
			bound := math.Inf(1)
			if i < len(bounds) {
				bound = bounds[i]
			}
			q.Buckets = append(q.Buckets, Bucket{bound, q.Count})
		}
		if q.Count > 0 {
			list = append(list, q)
		}
	}

	return list
}

// WriteTo writes what was counted in the text format of Prometheus: the histogram store_statement_duration_seconds and the counter
// store_statement_errors_total, both with the label query. It returns how many bytes were written, and the error of w.
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
func (m *Metrics) WriteTo(w io.Writer) (int64, error) {
	const duration, errs = "store_statement_duration_seconds", "store_statement_errors_total"
	queries := m.Queries()
	var b strings.Builder
	b.WriteString("# HELP " + duration + " How long the tries of statements took.\n# TYPE " + duration + " histogram\n")
	for _, q := range queries {
		label := "query=" + strconv.Quote(q.Name)
		for _, bucket := range q.Buckets {
			fmt.Fprintf(&b, "%s_bucket{%s,le=\"%s\"} %d\n", duration, label, decimal(bucket.Seconds), bucket.Count)
		}
		fmt.Fprintf(&b, "%s_sum{%s} %s\n%[1]s_count{%[2]s} %[4]d\n", duration, label, decimal(q.Seconds), q.Count)
	}
	b.WriteString("# HELP " + errs + " How many tries of statements failed.\n# TYPE " + errs + " counter\n")
	for _, q := range queries {
		fmt.Fprintf(&b, "%s{query=%q} %d\n", errs, q.Name, q.Errors)
	}
	n, err := io.WriteString(w, b.String())

	return int64(n), err
}

// decimal writes a number as Prometheus reads it: "+Inf" is a number.
func decimal(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// String returns what was counted as JSON, an object of QueryMetrics by name. So expvar.Publish takes m.
func (m *Metrics) String() string {
	named := map[string]QueryMetrics{}
	for _, q := range m.Queries() {
		named[q.Name] = q
	}
	text, _ := json.Marshal(named) //nolint:errchkjson // no duration is infinite or no number

	return string(text)
}
