package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/internal/schema"
)

// hostile is a name that clears the screen, sets the title of the window, colours, and reorders what follows: by ESC, by
// the C1 characters CSI and OSC, by BEL, and by the marks and overrides of direction.
const hostile = "a\x1b[2J\x1b]0;title\x07\u009b31m\u009d0;x\u009c\u202eb\u2066c\u200f\u061cd\x7f\x08e\u2028f\rg"

// obeyed returns what a terminal would obey of a text. It knows nothing of how the commands find out.
func obeyed(text string) (found []string) {
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\ufffe' {
			found = append(found, string(r))
		}
	}

	return found
}

func TestPrintable_KeepsWhatLettersNeed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"Ágætis byrjun", "名前　全角", "می\u200cخواهم", "👩\u200d👩\u200d👧", "e\u0301", "no\u00a0break", "\u0600١٢٣", "🆕", "",
	} {
		require.Equal(t, text, printable(text))
	}
	require.Equal(t, "\ufffd\ufffd\ufffd\ufffd\ufffd", printable("\t\n\r\xff\ufeff"))
}

func TestScreen(t *testing.T) {
	t.Parallel()
	write := func(parts ...string) string {
		var out bytes.Buffer
		s := &screen{w: &out}
		for _, part := range parts {
			n, err := s.Write([]byte(part))
			require.NoError(t, err)
			require.Equal(t, len(part), n)
		}
		s.end()
		s.end()

		return out.String()
	}
	require.NotEmpty(t, obeyed(hostile), "the control")
	require.Empty(t, obeyed(write(hostile)))
	require.Equal(t, "a\tb\ncé🎺", write("a\tb\ncé🎺"))
	for i := range len(hostile) + 1 {
		require.Equal(t, write(hostile), write(hostile[:i], hostile[i:]), "cut at %d", i)
	}
	require.Equal(t, write("🎺\u009b\xc2x\x9b"), write(strings.Split("🎺\u009b\xc2x\x9b", "")...))
	require.Equal(t, "🎺\ufffd", write("\xf0", "\x9f", "\x8e", "\xba", "\xc2", "\x9b"), "byte by byte")
	require.Equal(t, "x\ufffd", write("x\xe2\x80"), "a character without an end")
	require.Equal(t, "\ufffd[31m", write("\x9b[31m"), "a C1 character of a terminal that is not UTF-8")

	var out bytes.Buffer
	n, err := (&screen{w: iotest.TruncateWriter(failing{&out}, 9)}).Write([]byte("text"))
	require.ErrorIs(t, err, errFull)
	require.Equal(t, 1, n)
}

var errFull = errors.New("full")

type failing struct{ w *bytes.Buffer }

func (f failing) Write(p []byte) (int, error) { n, _ := f.w.Write(p[:1]); return n, errFull }

func TestWriteJSON_EscapesWhatATerminalObeys(t *testing.T) {
	t.Parallel()
	value := map[string]string{hostile: hostile + "é🎺<&>\U000e0041"}
	var out bytes.Buffer
	require.NoError(t, writeJSON(&out, value))
	require.Empty(t, obeyed(out.String()))
	require.NotContains(t, out.String(), "\U000e0041")
	require.Contains(t, out.String(), "é🎺<&>")
	var got map[string]string
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	require.Equal(t, value, got)

	naive, err := json.Marshal(value)
	require.NoError(t, err)
	require.NotEmpty(t, obeyed(string(naive)), "the control")
}

func TestPrintableSQL(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		`DROP TABLE "a";`:                             `DROP TABLE "a";`,
		"DROP TABLE \"a\nb\té\";":                     "DROP TABLE \"a\nb\té\";",
		"DROP TABLE \"a\x1b\"\"\\b\";":                `DROP TABLE U&"a\001b""\\b";`,
		"COMMENT ON TABLE \"t\" IS 'it''s\u202e';":    `COMMENT ON TABLE "t" IS U&'it''s\202e';`,
		"DROP TABLE \"\U000e0041\", \"plain\\\";":     `DROP TABLE U&"\db40\dc41", "plain\";`,
		"DROP TABLE a\x1b;":                           "-- has characters that cannot be printed here; --json has them: DROP TABLE a\x1b;",
		"CREATE FUNCTION f() AS $$ ' \x1b' $$;\nDROP": "-- has characters that cannot be printed here; --json has them: CREATE FUNCTION f() AS $$ ' \x1b' $$;\n-- DROP",
		"SELECT E'\\'\x1b'":                           "-- has characters that cannot be printed here; --json has them: SELECT E'\\'\x1b'",
	} {
		require.Equal(t, want, printableSQL(sql), "%q", sql)
	}
}

// TestCommands_PrintNothingThatATerminalObeys gives names that control a terminal to every place that has one, and runs
// the commands.
func TestCommands_PrintNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	url := dbtest.URL(t)
	store := open(t, url)
	ctx := t.Context()
	_, err := store.CreateAlbum(ctx, repo.NewAlbum{
		Name: hostile + " album", URL: "hostile", Year: 2199, PriceCents: 999, IsPublished: true,
		Tracks: []repo.NewTrack{{Name: hostile + " track", LengthSeconds: 1}},
	})
	require.NoError(t, err)
	// The demo lists the tracks of the oldest album, and buys the newest.
	_, err = store.CreateAlbum(ctx, repo.NewAlbum{
		Name: "z\n4. forged\x1b[2J", URL: "oldest", Year: 1860, IsPublished: true, Tracks: []repo.NewTrack{{Name: hostile, LengthSeconds: 1}},
	})
	require.NoError(t, err)
	outputs := map[string]string{}
	run := func(args ...string) string {
		got := musicstore(t, append(args, "--database-url", url)...)
		name := strings.Join(args, " ")
		outputs[name] = got.out + got.err
		require.Empty(t, obeyed(got.out), name)
		require.Empty(t, obeyed(got.err), name)

		return got.out
	}
	told := run("demo")
	require.Contains(t, told, "album")
	require.Contains(t, told, "z\ufffd4. forged", "a name stays on its line")
	run("demo", "--echo")
	run("report", "albums")
	run("report", "albums", "--json")
	require.Contains(t, run("search", "album"), "album")
	run("search", "album", "--json")
	run("search", hostile, "--sort", hostile)
	run(hostile)
	run("init", "--"+hostile)
	run("report", "sales", "--tz", hostile)
	run("import", hostile)
	run("init", hostile)
	run("grants", hostile, "--schema", hostile)

	exported := run("export")
	dir := t.TempDir()
	file := filepath.Join(dir, "bad\x1b[2J.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(exported), 0o600))
	run("import", file)
	for _, line := range []string{
		hostile, `{"` + hostile + `":1}`, strings.Replace(blueTrain, "Blue Train", hostile, 1),
		`{"\u001b[2J\u202e":1}`, strings.Replace(blueTrain, `"year"`, `"year":1,"year\u001b"`, 1), "\x9b",
	} {
		require.NoError(t, os.WriteFile(file, []byte(line), 0o600))
		run("import", file)
	}
	require.Equal(t, result{ok, exported, ""}, musicstore(t, "export", "--database-url", url), "escapes change no value")
	other := dbtest.URL(t)
	require.Equal(t, ok, musicstoreFrom(t, strings.NewReader(exported), "import", "-", "--database-url", other).status)
	require.Equal(t, albums(t, url)[0].Name, albums(t, other)[0].Name)

	// Names of the schema.
	name := pgx.Identifier{hostile}.Sanitize()
	for _, sql := range []string{
		"CREATE TABLE " + name + " (" + name + " integer PRIMARY KEY, b bigint REFERENCES albums (id))",
		"CREATE INDEX " + pgx.Identifier{"i" + hostile}.Sanitize() + " ON albums (year)",
		"ALTER TABLE tracks ADD COLUMN " + name + " text CONSTRAINT " + pgx.Identifier{"c" + hostile}.Sanitize() + " CHECK (length(" + name + ") > 1)",
		"ALTER TABLE albums ALTER COLUMN name SET DEFAULT '" + hostile + "'",
		"CREATE FUNCTION " + name + "() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; /*" + hostile + "*/ END $$",
		"CREATE TRIGGER " + name + " AFTER INSERT ON albums EXECUTE FUNCTION " + name + "()",
		"CREATE TYPE " + pgx.Identifier{"e" + hostile}.Sanitize() + " AS ENUM ('" + hostile + "')",
	} {
		_, err := store.DB().Exec(ctx, sql)
		require.NoError(t, err, sql)
	}
	mends := run("check")
	require.Contains(t, mends, `U&"`)
	run("graph")
	var differences []schema.Difference
	require.NoError(t, json.Unmarshal([]byte(run("check", "--json")), &differences))
	require.NotEmpty(t, differences)
	var raw strings.Builder
	for _, d := range differences {
		raw.WriteString(d.String() + d.Mend)
	}
	require.NotEmpty(t, obeyed(raw.String()), "the control")

	// What is printed as SQL is what mends it, the comments included that say what loses data.
	psql(t, url, strings.ReplaceAll(mends, "-- loses data: ", ""))
	require.NotContains(t, run("check"), `U&"`)
}
