package schema_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/localpg"
	"musicstore/layer/schema"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// lab is a database in which evolutions run, one after the other, each in a schema of its own that has the same name.
type lab struct {
	tb     testing.TB
	url    string
	conn   *pgx.Conn
	server int
}

const labSchema = "evolving"

func newLab(tb testing.TB) *lab {
	tb.Helper()
	l := &lab{tb: tb, url: dbtest.EmptyURL(tb)}
	l.conn = connect(tb, l.url, inLab)
	number, err := strconv.Atoi(l.conn.PgConn().ParameterStatus("server_version")[:2])
	require.NoError(tb, err)
	l.server = number

	return l
}

func inLab(c *pgx.ConnConfig) {
	c.RuntimeParams["search_path"] = labSchema
	c.RuntimeParams["client_min_messages"] = "warning"
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
}

// errGenerator is a fault of the generator, and not of what it tests.
var errGenerator = errors.New("the generator made something that is not right")

// trial says how a schema is brought to another.
type trial struct {
	kill   bool                              // it is ended at random steps, and started again
	sample bool                              // what loses something is refused first
	tamper func([]schema.Step) []schema.Step // a mistake
}

// run runs an evolution and returns what is wrong then; nil if nothing is.
func (l *lab) run(ctx context.Context, e *evolution, t trial) (steps []string, err error) {
	oldMeta, newMeta := of(l.tb, []file{{"old.sql", e.old.sql()}}), of(l.tb, []file{{"new.sql", e.new.sql()}})
	oldMeta.Tables, newMeta.Tables = e.old.tables(), e.new.tables()
	for _, t := range oldMeta.Tables { // what it was before is not known any more
		t.Was = ""
		for i := range t.Columns {
			t.Columns[i].Was = ""
		}
	}
	if e.fresh == nil {
		if err := l.bootstrap(ctx, newMeta); err != nil {
			return nil, fmt.Errorf("%w: new: %w", errGenerator, err)
		}
		if e.fresh, err = l.dump(ctx); err != nil {
			return nil, err
		}
	}
	if err := l.bootstrap(ctx, oldMeta); err != nil {
		return nil, fmt.Errorf("%w: old: %w", errGenerator, err)
	}
	if err := e.insert(ctx, l.conn); err != nil {
		return nil, fmt.Errorf("%w: %w", errGenerator, err)
	}
	before, err := e.values(ctx, l.conn, e.old)
	if err != nil {
		return nil, err
	}
	opts := schema.MigrateOptions{AllowRewrite: true, AllowLoss: true, Prune: true}
	if t.sample || e.refused() {
		if err := l.refusal(ctx, e, newMeta, before, opts); err != nil || e.refused() {
			return nil, err
		}
	}
	opts.Progress = func(s schema.Step, _ int) { steps = append(steps, s.String()) }
	if t.tamper != nil {
		schema.Tamper(&opts, t.tamper)
	}
	if t.kill {
		err = l.killed(ctx, e, newMeta, opts)
	} else {
		_, err = schema.Migrate(ctx, l.conn, dbtx.SQL{Metadata: newMeta}, opts)
	}
	if err != nil {
		return steps, err
	}
	if err := l.arrived(ctx, newMeta, opts, e.fresh); err != nil {
		return steps, err
	}

	return steps, e.kept(ctx, l.conn, before)
}

func (l *lab) bootstrap(ctx context.Context, m *dbtx.Metadata) error {
	_, err := l.conn.Exec(ctx, "SET client_min_messages = error; DROP SCHEMA IF EXISTS "+labSchema+" CASCADE; CREATE SCHEMA "+labSchema,
		pgx.QueryExecModeSimpleProtocol)
	if err == nil {
		_, err = schema.Bootstrap(ctx, l.conn, m)
	}

	return err
}

// refusal holds that what can't be done, or loses something that may not be lost, is refused and leaves everything as it was.
func (l *lab) refusal(ctx context.Context, e *evolution, m *dbtx.Metadata, before map[string]map[string][]*string, opts schema.MigrateOptions) error {
	if !e.refused() {
		opts = schema.MigrateOptions{}
		plan, err := schema.PlanOf(ctx, l.conn, m, opts)
		if err != nil || len(plan.Refusals) == 0 {
			return err
		}
	}
	dumped, err := l.dump(ctx)
	if err != nil {
		return err
	}
	applied, err := schema.Migrate(ctx, l.conn, dbtx.SQL{Metadata: m}, opts)
	if !errors.Is(err, schema.ErrRefused) || len(applied) > 0 {
		return fmt.Errorf("is not refused: %w, after %d steps", err, len(applied))
	}
	again, err := l.dump(ctx)
	if err != nil {
		return err
	}
	if d := difference(dumped, again); d != "" {
		return fmt.Errorf("a refusal changed the schema: %s", d)
	}
	after, err := e.values(ctx, l.conn, e.old)
	if err == nil && fmt.Sprint(flat(before)) != fmt.Sprint(flat(after)) {
		err = errors.New("a refusal changed rows")
	}

	return err
}

func flat(values map[string]map[string][]*string) (lines []string) {
	for table, rows := range values {
		for id, row := range rows {
			for i, v := range row {
				lines = append(lines, fmt.Sprint(table, id, i, deref(v)))
			}
		}
	}
	slices.Sort(lines)

	return lines
}

func deref(v *string) string {
	if v == nil {
		return "NULL"
	}

	return "=" + *v
}

// killed migrates, and ends the session at random moments until it comes to the end.
func (l *lab) killed(ctx context.Context, e *evolution, m *dbtx.Metadata, opts schema.MigrateOptions) error {
	progress := opts.Progress
	for try := 1; ; try++ {
		conn, err := pgx.ConnectConfig(ctx, func() *pgx.ConnConfig {
			config, err := pgx.ParseConfig(l.url)
			if err != nil {
				panic(err)
			}
			inLab(config)

			return config
		}())
		if err != nil {
			return err
		}
		own, cancel := context.WithCancel(ctx)
		left, byServer, pause := 1+e.r.IntN(4), e.r.one(2), time.Duration(e.r.IntN(4000))*time.Microsecond
		var killing sync.WaitGroup
		var was atomic.Bool
		opts.Progress = func(s schema.Step, n int) {
			progress(s, n)
			if left--; left != 0 || try > 40 {
				return
			}
			was.Store(true)
			killing.Go(func() {
				time.Sleep(pause)
				if byServer {
					_, _ = l.conn.Exec(ctx, "SELECT pg_terminate_backend($1)", conn.PgConn().PID())
				} else {
					cancel()
				}
			})
		}
		_, err = schema.Migrate(own, conn, dbtx.SQL{Metadata: m}, opts)
		killing.Wait()
		cancel()
		_ = conn.Close(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, schema.ErrRefused):
			return fmt.Errorf("after it was killed: %w", err)
		case !was.Load():
			return fmt.Errorf("try %d: %w", try, err)
		case !ended(err):
			return fmt.Errorf("killed, but: %w", err)
		}
	}
}

// ended says whether an error is the end of a session.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) ||
		regexp.MustCompile(`57P01|57014|conn closed|unexpected EOF|closed network|reset by peer|broken pipe`).MatchString(err.Error())
}

// arrived holds that a database is what the new files make.
func (l *lab) arrived(ctx context.Context, m *dbtx.Metadata, opts schema.MigrateOptions, fresh []string) error {
	differences, err := schema.Check(ctx, l.conn, m)
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return fmt.Errorf("check: %v", differences)
	}
	again, err := schema.Migrate(ctx, l.conn, dbtx.SQL{Metadata: m}, opts)
	if err != nil {
		return fmt.Errorf("migrate again: %w", err)
	}
	if len(again) > 0 {
		return fmt.Errorf("a second call runs: %s", again[0].SQL)
	}
	rows, err := l.conn.Query(ctx, `
SELECT 'not valid: ' || conname FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND NOT convalidated
UNION ALL
SELECT 'invalid: ' || indexrelid::regclass FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = current_schema()::regnamespace AND NOT (indisvalid AND indisready AND indislive)
UNION ALL
SELECT 'left: ' || name FROM (
    SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
    UNION ALL SELECT conname FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
    UNION ALL SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = current_schema()::regnamespace
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    UNION ALL SELECT typname FROM pg_type WHERE typnamespace = current_schema()::regnamespace
) AS own (name)
WHERE name LIKE 'musicstore%' AND name !~ '^_?musicstore_migrations'`)
	if err != nil {
		return err
	}
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return errors.New(strings.Join(left, ", "))
	}
	dumped, err := l.dump(ctx)
	if err != nil {
		return err
	}
	if d := difference(fresh, dumped); d != "" {
		return fmt.Errorf("pg_dump: %s", d)
	}

	return nil
}

var (
	dumpEntry   = regexp.MustCompile(`(?m)^--\n-- (Name: .*)\n--\n`)
	ofPart      = regexp.MustCompile(`^COMMENT ON INDEX .*_(p\d+|rest)_.*_idx`) // which ALTER TYPE gives a part, from the whole index
	setLines    = regexp.MustCompile(`(?m)^SET .*;\n?$`)
	partNumber  = regexp.MustCompile(`_idx\d+\b`)                         // by which PostgreSQL tells the parts of indexes apart that have one name
	notNullName = regexp.MustCompile(`CONSTRAINT ("[^"]*"|\S+) NOT NULL`) // which the files do not have
)

// dump returns the statements of pg_dump, sorted, and the lines of each table, too; none where the server came without that program.
func (l *lab) dump(ctx context.Context) ([]string, error) {
	c := l.conn.Config()
	cmd, err := localpg.Command(ctx, "pg_dump", "-s", "-O", "-x", "-n", labSchema, "-h", c.Host, "-p", strconv.FormatUint(uint64(c.Port), 10), "-U", c.User, "-d", c.Database)
	if errors.Is(err, os.ErrNotExist) { // Check still says what differs
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cmd.Env = append(cmd.Environ(), "PGPASSWORD="+c.Password)
	var failure strings.Builder
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("pg_dump: %w: %s", err, failure.String())
	}
	text := string(out)
	at := dumpEntry.FindAllStringSubmatchIndex(text, -1)
	var entries []string
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		name, entry := text[m[2]:m[3]], strings.TrimSpace(text[m[1]:end])
		entry, _, _ = strings.Cut(entry, "\n--\n-- PostgreSQL database dump complete")
		entry = strings.TrimSpace(setLines.ReplaceAllString(entry, ""))
		if strings.Contains(name, "Name: musicstore_migrations") || strings.Contains(name, "Name: TABLE musicstore_migrations") || ofPart.MatchString(entry) {
			continue
		}
		entry = notNullName.ReplaceAllString(entry, "NOT NULL")
		entry = partNumber.ReplaceAllString(entry, "_idx")
		if strings.HasPrefix(entry, "CREATE TABLE") {
			lines := strings.Split(entry, "\n")
			for j := range lines {
				lines[j] = strings.TrimSuffix(lines[j], ",")
			}
			slices.Sort(lines)
			entry = strings.Join(lines, "\n")
		}
		if entry != "" {
			entries = append(entries, entry)
		}
	}
	slices.Sort(entries)

	return entries, nil
}

// difference says what one dump has and the other has not.
func difference(want, have []string) string {
	var lines []string
	for _, entry := range want {
		if !slices.Contains(have, entry) {
			lines = append(lines, "missing: "+entry)
		}
	}
	for _, entry := range have {
		if !slices.Contains(want, entry) {
			lines = append(lines, "extra: "+entry)
		}
	}
	if lines == nil && len(want) != len(have) {
		lines = append(lines, "a statement is there twice")
	}

	return strings.Join(lines, "\n")
}

// rowsOf is how many rows a table has.
const rowsOf = 12

// insert fills the tables of the old schema with rows that both schemas allow.
func (e *evolution) insert(ctx context.Context, conn *pgx.Conn) error {
	for _, t := range e.old.Tables {
		var names []string
		var columns []*worldColumn
		for _, c := range t.Columns {
			if c.Generated == 0 {
				names, columns = append(names, ident(c.Name)), append(columns, c)
			}
		}
		var rows []string
		for i := range rowsOf {
			values := make([]string, len(columns))
			for j, c := range columns {
				values[j] = e.value(t, c, i)
			}
			rows = append(rows, "("+strings.Join(values, ", ")+")")
		}
		_, err := conn.Exec(ctx, "INSERT INTO "+ident(t.Name)+" ("+strings.Join(names, ", ")+") OVERRIDING SYSTEM VALUE VALUES "+
			strings.Join(rows, ",\n"), pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return fmt.Errorf("insert into %s: %w", t.Name, err)
		}
	}

	return nil
}

// value is that of a column in a row, which both schemas allow.
func (e *evolution) value(t *worldTable, c *worldColumn, i int) string {
	next := c // in the new schema
	if table := e.new.table(t.ID); table != nil {
		if other := table.column(c.ID); other != nil {
			next = other
		}
	}
	if len(t.Partitions) > 0 && c == t.Columns[1] {
		values := []string{"a", "b"}
		if len(t.Partitions) > 2 {
			values = append(values, "q")
		}

		return textOf(values[i%len(values)])
	}
	may := !c.NotNull && (!next.NotNull || next.Fill != "" && next.Name != "")
	for _, w := range []*invented{e.old, e.new} {
		for _, of := range []*worldColumn{c, next} {
			if d := w.userType(of.Type); d != nil && d.NotNull {
				may = false
			}
		}
	}
	if may && (i == 3 || !c.Distinct && i%4 == 0) {
		return "NULL"
	}
	n := i + 1
	if !c.Distinct && c.Ref == 0 {
		n = i%5 + 1
	}
	family := e.old.family(c.Type)
	if family == "text" && c.Type != next.Type && slices.Contains([]string{"uuid", "enum"}, e.new.family(next.Type)) {
		family = e.new.family(next.Type)
	}
	switch family {
	case "int", "num":
		return strconv.Itoa(n)
	case "text":
		return textOf(fmt.Sprintf("V%d it's", n))
	case "enum":
		all := [][]string{}
		for _, of := range []*worldType{e.old.userType(c.Type), e.new.userType(c.Type), e.new.userType(next.Type)} {
			if of != nil {
				all = append(all, of.Labels)
			}
		}
		labels := all[0]
		for _, more := range all {
			labels = slices.DeleteFunc(slices.Clone(labels), func(label string) bool { return !slices.Contains(more, label) })
		}

		return textOf(labels[n%len(labels)])
	case "boolean":
		return strconv.FormatBool(n%2 == 0)
	case "uuid":
		return fmt.Sprintf("'00000000-0000-4000-8000-%012d'", n)
	case "date":
		return fmt.Sprintf("'2021-03-%02d'", n)
	case "timestamp", "timestamptz":
		return fmt.Sprintf("'2021-03-%02d 04:05:06'", n)
	case "json", "jsonb":
		return fmt.Sprintf(`'{"n": %d}'`, n)
	case "text[]":
		return fmt.Sprintf(`'{a,"%d"}'`, n)
	case "bytea":
		return fmt.Sprintf(`'\x%02d'`, n)
	default:
		panic(family)
	}
}

// values returns the rows of the tables as text, by their ids. Those of the old schema have the values in the order of the
// columns of the old schema, and so have those of the new one, as far as they are there.
func (e *evolution) values(ctx context.Context, conn *pgx.Conn, in *invented) (map[string]map[string][]*string, error) {
	all := map[string]map[string][]*string{}
	for _, o := range e.old.Tables {
		t := in.table(o.ID)
		if t == nil {
			continue
		}
		columns := []string{ident(t.Columns[0].Name) + "::text"}
		for _, c := range o.Columns {
			if now := t.column(c.ID); now != nil {
				columns = append(columns, ident(now.Name)+"::text")
			} else {
				columns = append(columns, "NULL::text")
			}
		}
		rows, err := conn.Query(ctx, "SELECT ARRAY["+strings.Join(columns, ", ")+"] FROM "+ident(t.Name))
		if err != nil {
			return nil, err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[[]*string])
		if err != nil {
			return nil, err
		}
		key := strconv.Itoa(t.ID)
		all[key] = map[string][]*string{}
		for _, row := range found {
			all[key][deref(row[0])] = row[1:]
		}
	}

	return all, nil
}

// otherwise are the changes of type after which a value reads otherwise as text.
var otherwise = []string{
	"date timestamp", "timestamp timestamptz", "json jsonb", "numeric(8,2) numeric(12,4)",
}

// kept holds that no row and no value is lost that is not one of what was dropped, and that new columns are filled.
func (e *evolution) kept(ctx context.Context, conn *pgx.Conn, before map[string]map[string][]*string) error {
	after, err := e.values(ctx, conn, e.new)
	if err != nil {
		return err
	}
	for _, o := range e.old.Tables {
		t := e.new.table(o.ID)
		if t == nil {
			continue
		}
		lost := map[string]bool{} // values of the partitions that were dropped
		for _, p := range o.Partitions {
			if !slices.ContainsFunc(t.Partitions, func(q *worldPartition) bool { return q.Name == p.Name }) {
				for _, v := range p.Values {
					lost[v] = true
				}
			}
		}
		key := strconv.Itoa(o.ID)
		for id, row := range before[key] {
			if len(o.Partitions) > 0 && lost[*row[1]] {
				continue
			}
			now, there := after[key][id]
			if !there {
				return fmt.Errorf("a row of %s is lost: %s", t.Name, id)
			}
			for i, c := range o.Columns {
				n := t.column(c.ID)
				if n == nil || slices.Contains(otherwise, c.Type+" "+n.Type) ||
					c.Generated != 0 && n.Generated != 0 && (c.Variant != n.Variant || e.retyped(t, t.column(n.Generated)) || e.retyped(t, n) ||
						t.column(n.Generated).Fill != "") {
					continue
				}
				want := deref(row[i])
				if row[i] == nil && n.Fill != "" && n.NotNull {
					if now[i] == nil {
						return fmt.Errorf("%s.%s of row %s is not filled", t.Name, n.Name, id)
					}

					continue
				}
				if got := deref(now[i]); got != want {
					return fmt.Errorf("%s.%s of row %s was %s and is %s", t.Name, n.Name, id, want, got)
				}
			}
		}
		for _, c := range t.Columns {
			if !c.New || c.Generated != 0 {
				continue
			}
			value := c.Fill
			if value == "" {
				value = c.Default
			}
			if value == "" && c.By == "" {
				continue
			}
			want := ident(c.Name) + " IS NULL"
			if c.By == "" && (value == c.Fill || !strings.ContainsAny(value, "(_")) {
				want = ident(c.Name) + "::text IS DISTINCT FROM (" + value + ")::" + e.new.sqlType(c.Type) + "::text"
			}
			var wrong int
			if err := conn.QueryRow(ctx, "SELECT count(*) FROM "+ident(t.Name)+" WHERE "+want).Scan(&wrong); err != nil {
				return err
			}
			if wrong > 0 {
				return fmt.Errorf("%d rows of %s have not the value %s in the new column %s", wrong, t.Name, value, c.Name)
			}
			if c.By == dbtx.ID || strings.HasPrefix(value, "gen_random") && c.Fill == "" {
				var twice bool
				if err := conn.QueryRow(ctx, "SELECT count(DISTINCT "+ident(c.Name)+") < count(*) FROM "+ident(t.Name)).Scan(&twice); err != nil {
					return err
				}
				if twice {
					return fmt.Errorf("rows of %s have one id in the new column %s", t.Name, c.Name)
				}
			}
		}
	}

	return nil
}

func evolutionOf(seed uint64, server int) *evolution {
	r := seeded(seed)

	return newEvolution(r, server, mutations[seed%uint64(len(mutations))].name, 1+r.IntN(6))
}

func seeded(seed uint64) chooser {
	return chooser{rand.New(rand.NewPCG(seed, 13))}
}

// evolve runs the evolutions of some seeds, about half of them with kills, and says how often each kind of mutation occurred.
func evolve(t *testing.T, from, seeds uint64, all bool) {
	t.Helper()
	var next atomic.Uint64
	next.Store(from)
	var mu sync.Mutex
	counts, failed, refused := map[string]int{}, 0, 0
	var labs sync.WaitGroup
	many := uint64(2)
	if n, err := strconv.ParseUint(os.Getenv("MUSICSTORE_LABS"), 10, 64); err == nil {
		many = n
	}
	for range min(many, seeds) {
		l := newLab(t)
		labs.Go(func() {
			for t.Context().Err() == nil {
				seed := next.Add(1) - 1
				if seed >= from+seeds {
					return
				}
				e := evolutionOf(seed, l.server)
				kill := e.r.one(2)
				steps, err := l.run(t.Context(), e, trial{kill: kill, sample: seed%3 == 0})
				if err != nil {
					mu.Lock()
					failed++
					t.Errorf("seed %d, killed %t: %v\nkinds: %s\nsteps:\n%s", seed, kill, err, strings.Join(e.kinds, "; "), strings.Join(steps, "\n"))
					if os.Getenv("MUSICSTORE_SEED") != "" {
						t.Logf("old:\n%s\nnew:\n%s", e.old.sql(), e.new.sql())
					}
					mu.Unlock()
				}
				mu.Lock()
				if os.Getenv("MUSICSTORE_SEED") != "" {
					t.Logf("seed %d: %s, %d steps", seed, strings.Join(e.kinds, "; "), len(steps))
				}
				for _, kind := range e.kinds {
					counts[kind]++
				}
				if e.refused() {
					refused++
				}
				mu.Unlock()
			}
		})
	}
	labs.Wait()
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%6d %s", counts[name], name)
	}
	t.Logf("%d seeds, %d refused, %d failed", seeds, refused, failed)
	if all {
		for _, m := range mutations {
			require.Positive(t, counts[m.name], m.name)
		}
	}
}

// mistakes are those that a planner could make: each changes the steps of a plan that has what the kind of mutation leads to.
var mistakes = []struct {
	name, kind string
	change     func(s *schema.Step) (keep bool)
}{
	{"leaves out VALIDATE", "check changed", func(s *schema.Step) bool { return !strings.Contains(s.SQL, " VALIDATE ") }},
	{"leaves out the fill", "column added, NULLable with fill", func(s *schema.Step) bool { return !s.Batches }},
	{"fills rows that have a value", "NOT NULL set", func(s *schema.Step) bool {
		s.SQL = regexp.MustCompile(`WHERE ".*" IS NULL AND (.* IS NOT NULL AND ctid)`).ReplaceAllString(s.SQL, "WHERE $1")

		return true
	}},
	{"drops and adds in place of a rename", "column renamed", func(s *schema.Step) bool {
		m := regexp.MustCompile(`^(ALTER TABLE .*) RENAME COLUMN (".*") TO (".*");$`).FindStringSubmatch(s.SQL)
		if m != nil {
			s.SQL = fmt.Sprintf("%s DROP COLUMN %s CASCADE", m[1], m[2])
		}

		return true
	}},
	{"leaves out comments", "comment changed", func(s *schema.Step) bool { return !strings.HasPrefix(s.SQL, "COMMENT ") }},
	{"forgets the index of a partition", "index added on partitions", func(s *schema.Step) bool {
		return !strings.Contains(s.SQL, " ATTACH PARTITION ")
	}},
	{"makes no index UNIQUE", "unique added", func(s *schema.Step) bool {
		s.SQL = strings.Replace(s.SQL, "CREATE UNIQUE INDEX", "CREATE INDEX", 1)

		return true
	}},
	{"leaves what is there for the time being", "NOT NULL set", func(s *schema.Step) bool {
		return !regexp.MustCompile(`DROP CONSTRAINT (IF EXISTS )?"musicstore_`).MatchString(s.SQL)
	}},
	{"leaves out an action", "foreign key changed", func(s *schema.Step) bool {
		s.SQL = regexp.MustCompile(` ON (DELETE|UPDATE) (CASCADE|SET NULL|RESTRICT)`).ReplaceAllString(s.SQL, "")

		return true
	}},
	{"loses the values of a type that changes", "type rewritten", func(s *schema.Step) bool {
		s.SQL = regexp.MustCompile(`(ALTER COLUMN "[^"]*" TYPE ("[^"]*"|[a-z ]+(\([0-9,]+\))?))( USING .*)?;`).ReplaceAllString(s.SQL, "$1 USING NULL;")

		return true
	}},
	{"deletes the rows in the way", "NOT NULL set", func(s *schema.Step) bool {
		if m := regexp.MustCompile(`^ALTER TABLE (".*") VALIDATE CONSTRAINT "musicstore_`).FindStringSubmatch(s.SQL); m != nil {
			s.SQL = "DELETE FROM " + m[1] + " WHERE ctid = (SELECT min(ctid) FROM " + m[1] + ");\n" + s.SQL
		}

		return true
	}},
	{"swaps half", "columns swapped", func(s *schema.Step) bool {
		if lines := strings.Split(s.SQL, "\n"); len(lines) == 4 && strings.Contains(s.SQL, " RENAME COLUMN ") {
			s.SQL = strings.Join(lines[:3], "\n")
		}

		return true
	}},
	{"makes a table that was renamed anew", "table renamed", func(s *schema.Step) bool {
		if m := regexp.MustCompile(`^ALTER TABLE (".*") RENAME TO "[^"]*";`).FindStringSubmatch(s.SQL); m != nil {
			s.SQL += "\nTRUNCATE " + regexp.MustCompile(`TO (".*");`).FindStringSubmatch(s.SQL)[1] + " CASCADE;"
		}

		return true
	}},
	{"puts a label at the end", "enum label added", func(s *schema.Step) bool {
		s.SQL = regexp.MustCompile(` (BEFORE|AFTER) '[^']*';`).ReplaceAllString(s.SQL, ";")

		return true
	}},
}

// findMistake holds that the trials find a mistake in the planner, and returns what they say.
func findMistake(t *testing.T, l *lab, at int) {
	t.Helper()
	m := mistakes[at]
	for seed := range uint64(12) {
		e := newEvolution(seeded(seed+1), l.server, m.kind, 1)
		if len(e.kinds) == 0 || e.kinds[0] != m.kind {
			continue
		}
		changed := false
		_, err := l.run(t.Context(), e, trial{tamper: func(steps []schema.Step) (left []schema.Step) {
			for _, s := range steps {
				before := s.SQL
				keep := m.change(&s)
				changed = changed || !keep || s.SQL != before
				if keep {
					left = append(left, s)
				}
			}

			return left
		}})
		require.NotErrorIs(t, err, errGenerator)
		if err == nil {
			continue
		}
		require.True(t, changed, "%v", err)
		t.Logf("a planner that %s, in %d evolutions: %.200s", m.name, seed+1, err.Error())

		return
	}
	t.Errorf("a planner that %s is not found", m.name)
}

func TestSoak_MigrateFindsMistakesInThePlanner(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	l := newLab(t)
	for i := range mistakes {
		findMistake(t, l, i)
	}
}

func TestMigrate_RandomEvolutions(t *testing.T) {
	t.Parallel()
	if text := os.Getenv("MUSICSTORE_SEED"); text != "" { // from, or from:how many
		first, many, _ := strings.Cut(text, ":")
		from, err := strconv.ParseUint(first, 10, 64)
		require.NoError(t, err)
		n, _ := strconv.ParseUint(many, 10, 64)
		evolve(t, from, max(n, 1), false)

		return
	}
	evolve(t, 1, 1, false)
}

func TestSoak_MigrateRandomEvolutions(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	evolve(t, 1000, 200, true)
}

func TestTorture_MigrateRandomEvolutions(t *testing.T) {
	t.Parallel()
	if os.Getenv("MUSICSTORE_TORTURE") == "" {
		t.Skip("a very long one: make torture")
	}
	evolve(t, 10000, 5000, true)
}
