package schema_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/schema"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// operands are what the expressions below are about, in braces: a column, and the constant that stands for it in a
// DEFAULT.
var operands = map[string]struct{ typ, constant string }{
	"low": {"integer", "5"}, "high": {"integer", "7"}, "n": {"bigint", "6::bigint"}, "small": {"smallint", "3::smallint"},
	"num": {"numeric(10,2)", "1.50::numeric(10,2)"}, "f": {"double precision", "0.5::float8"}, "re": {"real", "0.25::real"},
	"v": {"varchar(20)", "'b'::varchar(20)"}, "w": {"varchar", "'c'::varchar"}, "c": {"char(5)", "'d'::char(5)"},
	"t": {"text", "'e'::text"}, "s": {`text COLLATE "C"`, `('f'::text COLLATE "C")`}, "b": {"boolean", "true"},
	"d": {"date", "'2020-02-03'::date"}, "ts": {"timestamp", "'2020-02-03 04:05'::timestamp"},
	"tz": {"timestamptz", "'2020-02-03 04:05+00'::timestamptz"}, "i": {"interval", "'1 day'::interval"},
	"tm": {"time", "'04:05'::time"}, "j": {"jsonb", `('{"a": 1}'::jsonb)`}, "a": {"integer[]", "(ARRAY[1, 2])"},
	"ta": {"text[]", "(ARRAY['x', 'y']::text[])"}, "va": {"varchar[]", "(ARRAY['x', 'y']::varchar[])"},
	"u": {"uuid", "'00000000-0000-4000-8000-000000000000'::uuid"}, "r": {"int4range", "'[1,5)'::int4range"},
	"y": {"bytea", `'\x01'::bytea`}, "ip": {"inet", "'10.0.0.1'::inet"}, "x": {"bit varying(8)", "B'101'::varbit(8)"},
	"nm": {"name", "'g'::name"},
}

// expressions are by their type. PostgreSQL prints those of unstable otherwise once it has read its own text.
var expressions = map[string][]string{
	"boolean": append(unstable, stable...),
	"text": {
		`lower({t})`, `upper({v})`, `{t} || {v}`, `{v} || {w}`, `({t} || ' ') || {s}`, `coalesce({v}, {w}, 'none')`, `coalesce({t}, 'q')`,
		`nullif({v}, 'q')`, `nullif({t}, '')`, `greatest({v}, {w})`, `least({t}, 'm')`, `substring({t} FROM 2 FOR 3)`, `substring({v}, 2)`,
		`trim({t})`, `trim(LEADING 'x' FROM {t})`, `btrim({v}, ' x')`, `left({t}, 3)`, `overlay({t} PLACING 'zz' FROM 2)`,
		`replace({t}, 'a', 'b')`, `translate({v}, 'ab', 'cd')`, `regexp_replace({t}, '\s+', ' ', 'g')`, `md5({t})`, `repeat({t}, 2)`,
		`CASE WHEN {low} BETWEEN 1 AND 9 AND {high} > 2 THEN 'in' ELSE 'out' END`, `CASE {v} WHEN 'a' THEN 'one' ELSE {w} END`,
		`CASE WHEN {v} IN ('a', 'b') THEN {t} END`, `{j} ->> 'a'`, `{j} #>> '{a,b}'`, `split_part({t}, ',', 1)`, `{t} COLLATE "C"`,
		`normalize({t}, NFKC)`, `{ta}[1]`, `encode({y}, 'hex')`, `({low} + 1)::text`, `{v}::text`, `{u}::text`, `{c}::text`,
		`CASE WHEN {b} THEN 'yes' WHEN NOT {b} THEN 'no' ELSE '?' END`, `'it''s ' || {t}`, `E'tab\t' || {t}`, `U&'\0441' || {t}`,
	},
	"integer": {
		`{low} + {high} * 2`, `({low} + {high}) * 2`, `-{low}`, `- (- {low})`, `{low} % 3`, `abs({low} - {high})`, `char_length({t})`,
		`length({v})`, `octet_length({y})`, `position('a' IN {t})`, `extract(year FROM {d})::integer`, `date_part('month', {d})::integer`,
		`{d} - '2020-01-01'::date`, `cardinality({a})`, `array_length({ta}, 1)`, `{a}[1] + {a}[2]`, `({low} & 6) | 1`, `{low} << 2`, `~ {low}`,
		`{low} # 5`, `coalesce({low}, 0)`, `greatest({low}, {high}, 1)`, `CASE WHEN {low} NOT BETWEEN 1 AND 9 OR {b} THEN 1 ELSE 2 END`,
		`CASE WHEN {w} NOT IN ('a', 'b') THEN 3 ELSE 4 END`, `{num}::integer`, `({f} * 100)::integer`, `lower({r})`, `upper({r}) - 1`,
		`({j} ->> 'a')::integer`, `jsonb_array_length('[1, 2]'::jsonb)`, `1 + 2 - 3 + {low}`, `{small} + 1`, `{b}::integer + 1`,
	},
	"numeric":     {`{num} * 1.5`, `round({num}, 1)`, `{num} / 3`, `{num} + {low}`, `trunc({num} * 100) / 100`, `{n} * 0.01`, `power({num}, 2)`},
	"integer[]":   {`ARRAY[{low}, {high}]`, `{a} || 3`, `array_append({a}, {low})`, `{a}[1:2]`, `array_remove({a}, 4)`, `'{1,2,3}'::integer[]`},
	"date":        {`{d} + 7`, `{ts}::date`, `make_date(2020, {small} + 0, 1)`, `('2020-01-01'::date + {low})`},
	"timestamp":   {`{ts} + '1 day'::interval`, `date_trunc('day', {ts})`, `{tz} AT TIME ZONE 'UTC'`, `{d} + {tm}`},
	"timestamptz": {`{ts} AT TIME ZONE 'UTC'`, `to_timestamp({f})`},
	"jsonb":       {`{j} -> 'a'`, `{j} || '{"b": 2}'`, `{j} - 'a'`, `jsonb_set({j}, '{a,b}', '2')`, `'{"a": [1, {"b": null}]}'::jsonb`},
	"tsvector":    {`to_tsvector('simple', {t} || ' 1')`, `to_tsvector('simple', coalesce({v}, '2') || ' ' || {t})`},
}

var unstable = []string{
	`{low} BETWEEN 1 AND 9 AND {high} > {low}`,
	`{low} BETWEEN 1 AND 9 AND {high} BETWEEN 2 AND 8`,
	`{low} BETWEEN 1 AND 9 AND {b}`,
	`{low} BETWEEN 1 AND 9 AND {t} <> '' AND {high} > 2`,
	`{low} BETWEEN {small} AND {high} AND {n} > 0`,
	`{d} BETWEEN '2020-01-01' AND '2021-01-01' AND {b}`,
	`{num} BETWEEN 0.5 AND 99.5 AND {low} > 0`,
	`{t} BETWEEN 'a' AND 'm' AND {t} <> 'b'`,
	`{ts} BETWEEN '2020-01-01' AND '2021-01-01' AND NOT {b}`,
	`{i} BETWEEN '1 hour' AND '2 days' AND {low} > 1`,
	`({low} BETWEEN 1 AND 9 AND {high} > 2) OR {b}`,
	`{b} OR ({low} BETWEEN 1 AND 9 AND {high} > 2)`,
	`NOT ({low} BETWEEN 1 AND 9 AND {high} > 2)`,
	`({low} BETWEEN 1 AND 9 AND {high} > 2) IS NOT FALSE`,
	`{low} NOT BETWEEN 1 AND 9 OR {high} > 2`,
	`{low} NOT BETWEEN 1 AND 9 OR {high} NOT BETWEEN 2 AND 8`,
	`{low} NOT BETWEEN 1 AND 9 OR {b} OR {t} = ''`,
	`({low} NOT BETWEEN 1 AND 9 OR {b}) AND {high} > 2`,
	`{t} NOT BETWEEN 'a' AND 'm' OR {t} = 'b'`,
	`{num} NOT BETWEEN 1 AND 9 OR {num} = 5`,
	`{v} IN ('a', 'b')`,
	`{v} IN ('a', 'b', 'c', 'd')`,
	`{v} NOT IN ('a', 'b')`,
	`{w} IN ('a', 'b')`,
	`{w} NOT IN ('x', 'it''s')`,
	`{v} IN ('a', 'b') AND {low} > 1`,
	`{v} IN ('a', 'b') OR {w} IN ('c', 'd')`,
	`{v} IN ('a', 'b') AND {w} NOT IN ('c', 'd')`,
	`NOT ({v} IN ('a', 'b'))`,
	`{v} = ANY (ARRAY['a', 'b'])`,
	`{v} <> ALL (ARRAY['a', 'b'])`,
	`{v} > ANY (ARRAY['a', 'b'])`,
	`{v} = ANY (ARRAY['a', 'b']::varchar[])`,
	`{v} LIKE ANY (ARRAY['a%', 'b%'])`,
	`{b} AND {v} IN ('a', 'b')`,
	`({v} IN ('a', 'b')) IS TRUE`,
	`CASE WHEN {v} IN ('a', 'b') THEN {low} > 1 ELSE {b} END`,
	`CASE WHEN {low} BETWEEN 1 AND 9 AND {b} THEN true ELSE {high} > 2 END`,
	`coalesce({low} BETWEEN 1 AND 9 AND {b}, false)`,
	`coalesce({v} IN ('a', 'b'), true)`,
	`{low} BETWEEN 1 AND 9 AND {v} IN ('a', 'b')`,
	`{low} BETWEEN SYMMETRIC 1 AND 9 OR {b}`,
	`{low} NOT BETWEEN SYMMETRIC 9 AND 1 AND {b}`,
	`({low} BETWEEN 1 AND 9 AND {high} > 2) = {b}`,
	`{small} BETWEEN 1 AND 9 AND {n} BETWEEN 1 AND 9 AND {f} BETWEEN 0 AND 1`,
	`lower({v}) = ANY (ARRAY['a', 'b']::varchar[])`,
	`(({low} BETWEEN 1 AND 9) AND {b}) OR ({v} NOT IN ('a', 'b') AND {high} NOT BETWEEN 1 AND 2)`,
	`{va} && ARRAY['a', 'b']::varchar[] AND {w} IN ('q', 'r')`,
}

var stable = []string{
	`{low} > 0`, `{low} > 0 AND {high} > 0`, `{low} > 0 OR {high} > 0 OR {b}`, `{b}`, `NOT {b}`, `{b} IS NOT TRUE`, `{b} IS NOT UNKNOWN`,
	`{low} BETWEEN 1 AND 9`, `{low} NOT BETWEEN 1 AND 9`, `{b} AND {low} BETWEEN 1 AND 9`, `{low} IS NULL OR {high} IS NOT NULL`,
	`{low} IN (1, 2, 3)`, `{low} NOT IN (1, 2, 3)`, `{n} IN (1, 2)`, `{t} IN ('a', 'b')`, `{t} NOT IN ('a', 'b')`, `{c} IN ('a', 'b')`,
	`{low} IS DISTINCT FROM {high}`, `{low} IS NOT DISTINCT FROM 3`, `({low}, {high}) > (1, 2)`, `({low}, {t}) = (1, 'a')`,
	`ROW({low}, {high}) IS NOT NULL`, `({low}, {high}) IN ((1, 2), (3, 4))`, `{low} = ANY ({a})`, `{low} <> ALL ({a})`,
	`{t} = ANY ({ta})`, `{v} = ANY ({va})`, `{a} @> ARRAY[1, 2]`, `{a} && '{1,2}'`, `{ta} <@ ARRAY['a', 'b']`, `{a}[1] > 0`, `{a}[1:2] = ARRAY[1, 2]`,
	`{t} LIKE 'a%'`, `{t} NOT LIKE 'a%'`, `{t} ILIKE 'a%'`, `{t} LIKE 'a!%' ESCAPE '!'`, `{v} LIKE '%b'`, `{t} SIMILAR TO '(a|b)%'`,
	`{t} ~ '^\S+$'`, `{t} !~ '[a-z]'`, `{v} ~* 'abc'`, `{t} ~ 'a''b'`, `{t} ^@ 'ab'`, `{t} COLLATE "C" < 'm'`, `{t} < 'm' COLLATE "POSIX"`,
	`char_length({t}) BETWEEN 1 AND 200`, `char_length({v}) <= 20`, `octet_length({y}) = 32`, `lower({t}) = {t}`, `upper({v}) <> 'A'`,
	`{t} = trim({t})`, `{t} <> ''`, `{v} <> ''`, `{v} = {w}`, `{v} = {t}`, `{c} = 'a'`, `{nm} = 'a'`, `{s} > 'a'`, `position('@' IN {t}) > 1`,
	`{d} > '2020-01-01'`, `{ts} >= {d}`, `{d} + 7 > '2020-01-01'`, `{ts} < '2020-01-01'::timestamp + '1 day'`, `{tz} > '2020-01-01 00:00+00'`,
	`{tm} BETWEEN '08:00' AND '17:00'`, `{i} > '1 day'`, `extract(year FROM {d}) > 1999`, `extract(dow FROM {ts}) IN (1, 2)`, `isfinite({d})`,
	`({ts}, {ts}) OVERLAPS ('2020-01-01'::timestamp, '2020-02-01'::timestamp)`, `date_trunc('day', {ts}) = {ts}`, `{ts} AT TIME ZONE 'UTC' > '2020-01-01 00:00+00'`,
	`{j} ? 'a'`, `{j} @> '{"a": 1}'`, `{j} ->> 'a' = 'x'`, `({j} ->> 'a')::integer > 1`, `{j} #> '{a,b}' IS NULL`, `jsonb_typeof({j}) = 'object'`,
	`{j} -> 'a' IN ('1', '2')`, `{j} @? '$.a[*] ? (@ > 2)'`, `{u} <> '00000000-0000-0000-0000-000000000001'`, `{r} @> 3`, `{r} && int4range(1, 5)`,
	`isempty({r})`, `lower_inc({r})`, `{ip} << '10.0.0.0/8'`, `host({ip}) <> ''`, `family({ip}) = 4`, `{y} <> '\x00'`, `{x} = B'001'`, `{x} & B'011' <> B'000'`,
	`{num} > 1.5`, `{num} = 0.10`, `{num} % 1 = 0`, `{f} > 1e3`, `{f} <> 'NaN'`, `{re} < 0.1`, `{num}::integer = {low}`, `{low}::text <> '1'`,
	`{low}::bigint = {n}`, `{low} + {high} > 3`, `({low} + 1) * 2 > {high}`, `{low} - ({high} - 1) > 0`, `-{low} < 0`, `{low} % 2 = 1`, `{low} & 1 = 1`,
	`{low} = {high} OR ({low} > 1 AND {high} > 1)`, `({low} = 1 OR {low} = 2) AND ({high} = 1 OR {high} = 2)`, `NOT ({low} = 1 AND {high} = 2)`,
	`NOT ({low} = 1 OR {b})`, `({b} AND {low} > 1) AND {high} > 2`, `{b} AND ({low} > 1 AND {high} > 2)`, `({b} OR {low} > 1) OR {high} > 2`,
	`{b} OR ({low} > 1 OR {high} > 2)`, `{b} = ({low} > 1)`, `({low} > 1) IS TRUE`, `({low} > 1) = ({high} > 1)`, `num_nulls({low}, {high}) = 1`,
	`num_nonnulls({t}, {v}, {d}) >= 1`, `coalesce({t}, {v}) <> ''`, `coalesce({low}, 0) + coalesce({high}, 0) > 3`, `nullif({low}, 0) IS NOT NULL`,
	`greatest({low}, {high}) < 100`, `least({d}, '2020-01-01') = {d}`, `CASE WHEN {b} THEN {low} > 1 ELSE {high} > 1 END`,
	`CASE {low} WHEN 1 THEN true WHEN 2 THEN {b} END`, `CASE {t} WHEN 'a' THEN {low} ELSE {high} END > 3`, `(CASE WHEN {low} IN (1, 2) THEN 'a' ELSE 'b' END) = 'a'`,
	`true`, `false OR {b}`, `NULL::boolean`, `'on'::boolean`, `1 = 1`, `1 + 1 = 2 AND {b}`, `{b} IS NULL`, `({low} IS NULL) = ({high} IS NULL)`,
	`starts_with({t}, 'a')`, `array_position({a}, 3) IS NULL`, `array_length({ta}, 1) < 10`, `cardinality({a}) BETWEEN 0 AND 5`,
	`to_tsvector('simple', {t}) @@ to_tsquery('simple', 'a & b')`, `{t} IS NFC NORMALIZED`, `regexp_replace({t}, 'a', 'b') = {t}`,
	`{t} || {v} <> 'x'`, `{v} || 'y' = 'xy'`, `substring({t} FROM '[a-z]+') = 'a'`, `left({t}, 1) IN ('a', 'b')`, `{low} BETWEEN SYMMETRIC 9 AND 1`,
	`{t} < ALL (ARRAY['x', 'y'])`, `{small} = 1`, `{small} IN (1, 2)`, `{n} % 2 = 0`, `{d} IN ('2020-01-01', '2020-01-02')`, `{u} IN ('00000000-0000-0000-0000-000000000001')`,
	`{num} IN (1, 2.5)`, `{f} IN (1, 2.5)`, `{c} LIKE 'a%'`, `{c} <> ''`, `{nm} IN ('a', 'b')`, `{va} @> ARRAY['a']::varchar[]`, `{b} IN (true, false)`,
}

// places are where an expression can stand: in CREATE TABLE, or in an index. CONSTANT is the expression over constants,
// and CONDITION the expression as a condition.
var places = map[string]struct{ ofTable, index string }{
	"CHECK":           {ofTable: "CONSTRAINT NAME CHECK (CONDITION)"},
	"DEFAULT":         {ofTable: "NAME TYPE DEFAULT CONSTANT"},
	"GeneratedColumn": {ofTable: "NAME TYPE GENERATED ALWAYS AS (EXPRESSION) STORED"},
	"EXCLUDE":         {ofTable: "CONSTRAINT NAME EXCLUDE USING btree ((EXPRESSION) WITH =) WHERE (CONDITION)"},
	"IndexKey":        {index: "CREATE INDEX IF NOT EXISTS NAME ON TABLE ((EXPRESSION));"},
	"IndexPredicate":  {index: "CREATE INDEX IF NOT EXISTS NAME ON TABLE (low) WHERE CONDITION;"},
}

// mixed stands for all places in turn.
const mixed = "mixed"

var operand = regexp.MustCompile(`\{([a-z]+)\}`)

// corpus returns a file of tables that have all expressions in one place, each changed by a function, and how many they
// are. Their names are e0000 and so on.
//
// It takes every so many-th expression alone. The place mixed stands for one place after the other.
func corpus(place string, every int, change func(expression, typ string) string) (files []file, n int) {
	const perTable = 32
	var columns, elements, indexes []string
	for _, name := range slices.Sorted(maps.Keys(operands)) {
		columns = append(columns, fmt.Sprintf("%q %s", name, operands[name].typ))
	}
	all, mixing := slices.Sorted(maps.Keys(places)), place == mixed
	text := ""
	flush := func() {
		text += fmt.Sprintf("CREATE TABLE IF NOT EXISTS t%d (\n%s\n);\n%s\n", (n-1)/perTable,
			strings.Join(slices.Concat(columns, elements), ",\n"), strings.Join(indexes, "\n"))
		elements, indexes = nil, nil
	}
	for _, typ := range slices.Sorted(maps.Keys(expressions)) {
		for i, expression := range expressions[typ] {
			if i%every != 0 {
				continue
			}
			place := places[place]
			if mixing {
				place = places[all[n%len(all)]]
			}
			expression = change(expression, typ)
			ofColumns := operand.ReplaceAllString(expression, `"$1"`)
			condition := ofColumns
			if typ != "boolean" {
				condition = "(" + ofColumns + ") IS NOT NULL"
			}
			fill := strings.NewReplacer("NAME", fmt.Sprintf("e%04d", n), " TABLE ", fmt.Sprintf(" t%d ", n/perTable), "TYPE", typ,
				"EXPRESSION", ofColumns, "CONDITION", condition,
				"CONSTANT", "("+operand.ReplaceAllStringFunc(expression, func(name string) string {
					return operands[strings.Trim(name, "{}")].constant
				})+")")
			if of := place.ofTable; of != "" {
				elements = append(elements, fill.Replace(of))
			} else {
				indexes = append(indexes, fill.Replace(place.index))
			}
			if n++; n%perTable == 0 {
				flush()
			}
		}
	}
	flush()

	return []file{{Name: "corpus.sql", SQL: text}}, n
}

// printed returns what PostgreSQL prints of the current schema, as pg_dump does: the columns by table, and the
// statements that make the constraints and indexes.
func printed(tb testing.TB, db schema.DB) (columns map[string][]string, rules []string) {
	tb.Helper()
	columns = map[string][]string{}
	for _, column := range list(tb, db, `
SELECT format('%I %I %s', relname, attname, format_type(atttypid, atttypmod))
    || CASE WHEN attcollation <> typcollation THEN ' COLLATE ' || attcollation::regcollation ELSE '' END
    || CASE WHEN attgenerated <> '' THEN format(' GENERATED ALWAYS AS (%s) STORED', pg_get_expr(adbin, adrelid))
        WHEN atthasdef THEN ' DEFAULT ' || pg_get_expr(adbin, adrelid) ELSE '' END
FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid JOIN pg_type AS t ON t.oid = atttypid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0
ORDER BY relname, attnum`) {
		table, column, _ := strings.Cut(column, " ")
		columns[table] = append(columns[table], column)
	}

	return columns, list(tb, db, `
SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
UNION ALL
SELECT replace(pg_get_indexdef(i.oid), format(' ON %I.', current_schema()), ' ON ')
FROM pg_class AS i
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'i'
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.oid)
ORDER BY 1`)
}

var (
	digit  = regexp.MustCompile(`(^|[^A-Za-z{\d])(\d)`)
	letter = regexp.MustCompile(`'[a-z]`)
)

// mutated returns an expression that means something else: of another constant, or the opposite.
func mutated(expression, typ string) string {
	first := true
	once := func(change func(string) string) func(string) string {
		return func(found string) string {
			if !first {
				return found
			}
			first = false

			return change(found)
		}
	}
	if len(expression)%2 == 0 || typ != "boolean" {
		expression = digit.ReplaceAllStringFunc(expression, once(func(found string) string {
			last := found[len(found)-1]

			return found[:len(found)-1] + string('0'+(last-'0'+1)%10)
		}))
		expression = letter.ReplaceAllStringFunc(expression, once(func(string) string { return "'z" }))
	}
	switch {
	case !first:
		return expression
	case typ == "boolean":
		return "NOT (" + expression + ")"
	default:
		return "nullif(" + expression + ", NULL)"
	}
}

func TestCheck_ReadsAgainWhatPostgreSQLPrintsOtherwise(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	readsAgain(t, mixed, 2)
}

func TestSoak_CheckReadsAgainWhatPostgreSQLPrintsOtherwise(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	for place := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			readsAgain(t, place, 1)
		})
	}
}

// A schema that was made from what PostgreSQL prints of it has no difference, although PostgreSQL prints it in another
// way then. There are two controls. A comparison of the texts alone would find differences. And where an expression is
// another, Check finds each. It takes every so many-th expression.
func readsAgain(t *testing.T, place string, every int) {
	t.Helper()
	asIs := func(expression, _ string) string { return expression }
	url := dbtest.EmptyURL(t)
	original := connect(t, url)
	files, n := corpus(place, every, asIs)
	require.GreaterOrEqual(t, n, 200/every)
	_, err := schema.Bootstrap(t.Context(), original, of(t, files))
	require.NoError(t, err)
	columns, rules := printed(t, original)
	differences, savepoints := checkCounted(t, original, files)
	require.Empty(t, inWords(differences))
	require.Zero(t, savepoints, "where all texts are the same, nothing is read again")

	restored := connect(t, url, searchPath("restored, public"))
	run(t, original, "CREATE SCHEMA restored")
	for table := range columns {
		run(t, restored, "CREATE TABLE "+table+" ("+strings.Join(columns[table], ", ")+")")
	}
	run(t, restored, strings.Join(rules, ";"))
	columnsAgain, rulesAgain := printed(t, restored)
	other := differ(rules, rulesAgain)
	for table := range columns {
		other += differ(columns[table], columnsAgain[table])
	}
	require.GreaterOrEqual(t, other, 30/every, "the control: what PostgreSQL prints otherwise")
	differences, savepoints = checkCounted(t, restored, files)
	require.Empty(t, inWords(differences))
	require.Equal(t, 2, savepoints, "each side is read again at once")
	t.Logf("%d of %d are printed otherwise", other, n)

	files, _ = corpus(place, every, mutated)
	differences, err = schema.Check(t.Context(), restored, of(t, files))
	require.NoError(t, err)
	found := map[string]bool{}
	for _, d := range differences {
		found[d.Name] = true
	}
	for i := range n {
		require.True(t, found[fmt.Sprintf("e%04d", i)], "another expression is found: %d\n%s", i, files[0].SQL)
	}
}

// differ returns how many of a are other texts in b.
func differ(a, b []string) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}

	return n
}

// checkCounted is Check, and counts the savepoints that it makes.
func checkCounted(tb testing.TB, db schema.DB, files []file) (differences []schema.Difference, savepoints int) {
	tb.Helper()
	differences, err := schema.Check(tb.Context(), hooked{db, func(tx pgx.Tx) pgx.Tx {
		return beginHook{tx, func() { savepoints++ }}
	}}, of(tb, files))
	require.NoError(tb, err)

	return differences, savepoints
}

// beginHook is a transaction that calls a function before it makes a savepoint.
type beginHook struct {
	pgx.Tx

	hook func()
}

func (b beginHook) Begin(ctx context.Context) (pgx.Tx, error) {
	b.hook()

	return b.Tx.Begin(ctx)
}
