package schema_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtest"
	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/schema"
)

// mermaidLine is a line as the lexer of Mermaid 10 and 11 takes it: names that it knows, or in quotes without the
// characters that end a quotation or begin a comment.
//
// Mermaid itself has read the diagram of hostileNames, each name alone and all together. Version 11.17.2 reads every one,
// and as the name that it is. Version 10.9.1 reads all but __proto__, constructor and toString, in which its own code fails.
var mermaidLine = regexp.MustCompile(`^    (?:` + entity + ` \{|\}|    [A-Za-z_][A-Za-z0-9_()\[\]]* [A-Za-z_][A-Za-z0-9_()\[\]]*` +
	`( (PK|FK|UK)(, (PK|FK|UK))*)?( "null")?|` + entity + ` [|}][|o]--[|o][|{] ` + entity + ` : "[^"%\\<>#&\pC\x{2028}\x{2029}]+")\n$`)

const entity = `([A-Za-z_][A-Za-z0-9_]*|"[^"%\\<>#&\pC\x{2028}\x{2029}]+")`

// hostileNames are names of tables and columns that mean something to Mermaid, or to what draws its diagrams.
func hostileNames() []string {
	names := []string{
		"%", "%%", "%% c", "%%{init: {}}%%", "a%%b", "a%b", `"`, `a"b`, "'", "`", "a`b", `\`, `a\b`, `\"`, " ", " a ", "a b", "\t", "\n", "a\nb", "\r\n",
		"\x1b[31m", "\x7f", "\u0085", "\u00a0", "\u200b", "\u202e", "\u2028", "\u2029", "\ufeff", "[x]", "{x}", "(x)", "a[b", "a]b", "a{b", "a}b", "(", ")", "[]",
		"{", "}", "|", "||", "||--o{", "o{", "o|", "}|", "--", "..", ".-", ":", "::", ":::", ";", "a;b", ",", "a,b", "#", "a#b", "#35;", "#quot;", "&", "&lt;", "&#35;",
		"<", ">", "<b>", "<b=", "c>", "<script>alert(1)</script>", "=", "~", "a~b~", "*", "/", "?", "!", "@", "$", "^", "+", "-", "a-b", "_", "__", "__proto__",
		"constructor", "toString", "prototype", "1", "1st", "1+", "0+", "1.5", "0", "é", "É", "日", "日本 語", "ß", "ø1", "🎺", "a🎺", "ﬂ°", "¶ß", "---", "---\ntitle: x\n---",
		"direction", "direction TB", "direction LR", "a direction  rl b", "Direction Bt", "accTitle: x", "accDescr: x", "accDescr {", "title x", "style a fill:#f9f",
		"class a b", "classDef a fill:#fff", "one or more", "only one", "zero or one", "many(0)", "many(1)", "optionally to", "erDiagram x", "a PK", "pk(1)", "pk[1]", "fk é",
	}
	for _, word := range []string{
		"accDescr", "accTitle", "as", "class", "classDef", "click", "default", "direction", "end", "erDiagram", "flowchart", "graph", "href", "is", "fk", "linkStyle",
		"many", "more", "null", "o", "of", "one", "only", "optionally", "or", "pk", "style", "subgraph", "title", "to", "u", "uk", "undefined", "zero", "TB", "BT", "RL", "LR",
	} {
		names = append(names, word, word+"s", word+"_x", word+"1", "x_"+word, word+" x", word+"-x", word+"é")
		for _, other := range []string{strings.ToUpper(word), strings.ToLower(word), strings.ToUpper(word[:1]) + word[1:]} {
			if other != word {
				names = append(names, other)
			}
		}
	}
	slices.Sort(names)

	return slices.Compact(names)
}

func TestGraph(t *testing.T) {
	t.Parallel()
	empty := connect(t, dbtest.EmptyURL(t))
	for name, test := range map[string]struct{ sql, want string }{ //nolint:paralleltest // the parts share a database
		"IsOfNothingWithoutATable": {``, ""},
		"ShowsATableWithoutColumns": {`CREATE TABLE a ()`, `
    a {
    }`},
		"ShowsTypesAndWhatCanBeNull": {
			`CREATE TABLE a (
				a bigint, b varchar(20) NOT NULL, c numeric(10, 2), d text[], e timestamptz, f timestamp(3) with time zone,
				g double precision
			)`, `
    a {
        bigint a "null"
        character_varying(20) b
        numeric(10_2) c "null"
        text[] d "null"
        timestamptz e "null"
        timestamp(3)_with_time_zone f "null"
        double_precision g "null"
    }`,
		},
		"ShowsTheColumnsThatThereAre": {`CREATE TABLE a (a int, b int NOT NULL); ALTER TABLE a DROP COLUMN a; ALTER TABLE a ADD c int`, `
    a {
        integer b
        integer c "null"
    }`},
		"CallsUniqueWhatIsSoByItself": {
			`CREATE TABLE a (
				p int, q int, one int NOT NULL UNIQUE, two int NOT NULL, three int NOT NULL, part int NOT NULL, low text NOT NULL,
				with_more int NOT NULL, PRIMARY KEY (p, q) INCLUDE (three), UNIQUE (two, three)
			);
			CREATE UNIQUE INDEX ON a (part) WHERE part > 0;
			CREATE UNIQUE INDEX ON a (lower(low));
			CREATE UNIQUE INDEX ON a (with_more) INCLUDE (two)`, `
    a {
        integer p PK
        integer q PK
        integer one UK
        integer two
        integer three
        integer part
        text low
        integer with_more UK
    }`,
		},
		"CountsTheRowsOnEitherSide": {
			`CREATE TABLE p (id int PRIMARY KEY);
			CREATE TABLE c1 (id int NOT NULL REFERENCES p);
			CREATE TABLE c2 (id int REFERENCES p);
			CREATE TABLE c3 (id int PRIMARY KEY REFERENCES p);
			CREATE TABLE c4 (id int UNIQUE REFERENCES p);
			CREATE TABLE c5 (id int NOT NULL REFERENCES p);
			CREATE UNIQUE INDEX ON c5 (id) WHERE id > 0;
			CREATE TABLE c6 (id int NOT NULL REFERENCES p, n int NOT NULL, PRIMARY KEY (id, n));`, `
    c1 {
        integer id FK
    }
    c2 {
        integer id FK "null"
    }
    c3 {
        integer id PK, FK
    }
    c4 {
        integer id FK, UK "null"
    }
    c5 {
        integer id FK
    }
    c6 {
        integer id PK, FK
        integer n PK
    }
    p {
        integer id PK
    }
    p ||--o{ c1 : "id"
    p |o--o{ c2 : "id"
    p ||--o| c3 : "id"
    p |o--o| c4 : "id"
    p ||--o{ c5 : "id"
    p ||--o{ c6 : "id"`,
		},
		"ShowsAKeyOfSeveralColumnsAndOneToItself": {
			`CREATE TABLE a (x int, y int, up_y int, up_x int NOT NULL, PRIMARY KEY (x, y), FOREIGN KEY (up_x, up_y) REFERENCES a)`, `
    a {
        integer x PK
        integer y PK
        integer up_y FK "null"
        integer up_x FK
    }
    a |o--o{ a : "up_x, up_y"`,
		},
		"LeavesOutWhatIsNoTableOfTheSchema": {
			`CREATE TABLE a (id int NOT NULL) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (0) TO (9);
			CREATE VIEW v AS SELECT * FROM a; CREATE SEQUENCE s; CREATE SCHEMA other; CREATE TABLE other.b (id int)`, `
    a {
        integer id
    }`,
		},
		"QuotesWhatMermaidWouldNotRead": {
			`CREATE TABLE "an ""odd"" one" ("a b" int PRIMARY KEY, "1st" int NOT NULL, "PK" int NOT NULL, "日" int NOT NULL REFERENCES "an ""odd"" one")`, `
    "an 'odd' one" {
        integer a_b PK
        integer _1st
        integer _PK
        integer _ FK
    }
    "an 'odd' one" ||--o{ "an 'odd' one" : "日"`,
		},
		"QuotesWhatMermaidReadsAsSomethingElse": {
			`CREATE TABLE one (id int PRIMARY KEY, pk int NOT NULL, "Fk" int NOT NULL, "uk[1]" int NOT NULL, end_ int NOT NULL);
			CREATE TABLE "accDescr" (id int NOT NULL REFERENCES one);
			CREATE TABLE "Style" ();
			CREATE TABLE styles ();
			CREATE TABLE "a%%b" ();
			CREATE TABLE "a\b" ();
			CREATE TABLE "%%{init: {}}%%" ();
			CREATE TABLE "from direction  lr on" ();
			CREATE TABLE "<b=" ();
			CREATE TABLE "1st" ()`, `
    "％％{init: {}}％％" {
    }
    "1st" {
    }
    "＜b=" {
    }
    "Style" {
    }
    "a％％b" {
    }
    "a＼b" {
    }
    "accDescr" {
        integer id FK
    }
    "from direction_lr on" {
    }
    "one" {
        integer id PK
        integer _pk
        integer _Fk
        integer _uk[1]
        integer end_
    }
    styles {
    }
    "one" ||--o{ "accDescr" : "id"`,
		},
		"ShowsNoCharacterThatCannotBeSeen": {
			"CREATE TABLE \"a\x1b[2J\u202e\u2028b\n\" (\"c\x1b[2J\" int NOT NULL)", `
    "a [2J  b " {
        integer c_[2J
    }`,
		},
		"KeepsTablesApartThatAreQuotedAlike": {
			`CREATE TABLE "a""b" (id int PRIMARY KEY); CREATE TABLE "a'b" (id int NOT NULL REFERENCES "a""b")`, `
    "a'b" {
        integer id PK
    }
    "a'b (2)" {
        integer id FK
    }
    "a'b" ||--o{ "a'b (2)" : "id"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tx, err := empty.Begin(t.Context())
			require.NoError(t, err)
			run(t, tx, test.sql)
			graph, err := schema.Graph(t.Context(), tx)
			require.NoError(t, err)
			require.Equal(t, "erDiagram"+test.want+"\n", graph)
			require.NoError(t, tx.Rollback(t.Context()))
		})
	}

	t.Run("IsReadByMermaid", func(t *testing.T) {
		t.Parallel()
		isReadByMermaid(t, 10)
	})
	t.Run("NeedsNoPrivilege", func(t *testing.T) {
		t.Parallel()
		conn := connect(t, databases.URL(t))
		want, err := schema.Graph(t.Context(), conn)
		require.NoError(t, err)
		run(t, conn, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM current_user")
		_, err = conn.Exec(t.Context(), "SELECT FROM papers")
		require.Equal(t, "42501", sqlstate.Of(err), "not even the owner may read them")
		got, err := schema.Graph(t.Context(), conn)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("LeavesOutWhatAnExtensionMade", func(t *testing.T) {
		t.Parallel()
		own := connect(t, dbtest.EmptyURL(t))
		admin := connect(t, dbtest.AdminURL(t), func(c *pgx.ConnConfig) { c.Database = own.Config().Database })
		run(t, admin, "CREATE TABLE a (); CREATE TABLE b (); ALTER EXTENSION plpgsql ADD TABLE b")
		graph, err := schema.Graph(t.Context(), own)
		require.NoError(t, err)
		require.Equal(t, "erDiagram\n    a {\n    }\n", graph)
	})
	t.Run("SaysThatItCannotRead", func(t *testing.T) {
		t.Parallel()
		conn := connect(t, dbtest.EmptyURL(t))
		require.NoError(t, conn.Close(t.Context()))
		_, err := schema.Graph(t.Context(), conn)
		require.ErrorContains(t, err, "graph: ")
	})
}

func TestSoak_GraphIsReadByMermaid(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	isReadByMermaid(t, 1)
}

// isReadByMermaid draws tables that are called by every so many-th hostile name.
func isReadByMermaid(t *testing.T, every int) {
	t.Helper()
	conn := connect(t, dbtest.EmptyURL(t))
	for i, name := range hostileNames() {
		if i%every != 0 {
			continue
		}
		id := pgx.Identifier{name}.Sanitize()
		run(t, conn, fmt.Sprintf("CREATE TABLE %[1]s (%[1]s int PRIMARY KEY REFERENCES %[1]s)", id))
	}
	graph, err := schema.Graph(t.Context(), conn)
	require.NoError(t, err)
	for line := range strings.Lines(strings.TrimPrefix(graph, "erDiagram\n")) {
		require.Regexp(t, mermaidLine, line)
	}
	if file := os.Getenv("MUSICSTORE_TEST_MERMAID"); file != "" { // to have it read by Mermaid itself
		require.NoError(t, os.WriteFile(file, []byte(graph), 0o600))
	}
}
