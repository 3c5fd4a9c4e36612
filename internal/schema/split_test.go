package schema_test

import (
	"testing"

	"musicstore/internal/dbtest"
	"musicstore/internal/schema"

	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sql  string
		want []string
	}{
		"nothing":           {"", nil},
		"only comments":     {"-- a; b\n/* c; */ ;;", nil},
		"two":               {"A; B;\n", []string{"A", "B"}},
		"without the last":  {"A;\n\n B ", []string{"A", "B"}},
		"a comment between": {"-- of A; really\nA -- and; more\n x; /* of B; /* nested; */ ; */ B", []string{"A -- and; more\n x", "B"}},
		"strings":           {`SELECT ';', 'it''s;', '\'; SELECT 2`, []string{`SELECT ';', 'it''s;', '\'`, "SELECT 2"}},
		"escapes":           {`SELECT E'\';', e';\\'; SELECT 2`, []string{`SELECT E'\';', e';\\'`, "SELECT 2"}},
		"no escapes":        {`SELECT name'\'; SELECT 2`, []string{`SELECT name'\'`, "SELECT 2"}},
		"quoted names":      {`SELECT ";", "a"";"; B`, []string{`SELECT ";", "a"";"`, "B"}},
		"dollars":           {"DO $$ ';\" ; $$; A $x$ ; $$ ; $x$; B", []string{"DO $$ ';\" ; $$", "A $x$ ; $$ ; $x$", "B"}},
		"dollars in names":  {"SELECT a$b$c; SELECT $1; B$$;$$", []string{"SELECT a$b$c", "SELECT $1", "B$$", "$$"}},
		"dollars in words":  {"SELECT 1 AS é$; SELECT $é$;$é$", []string{"SELECT 1 AS é$", "SELECT $é$;$é$"}},
		"a rule": {
			"CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b); B",
			[]string{"CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)", "B"},
		},
		"an atomic body": {
			"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; BEGIN; SELECT 1; END; B",
			[]string{
				"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
				"BEGIN", "SELECT 1", "END", "B",
			},
		},
		"a column named atomic": {"SELECT atomic, begin FROM t; B", []string{"SELECT atomic, begin FROM t", "B"}},
		"not closed":            {"A; SELECT 'x; B", []string{"A", "SELECT 'x; B"}},
		"a comment not closed":  {"A; /* B; C", []string{"A"}},
		"dollars not closed":    {"A; DO $$ B; C", []string{"A", "DO $$ B; C"}},
		"a lone parenthesis":    {"A ); B", []string{"A )", "B"}},
	} {
		require.Equal(t, test.want, schema.Split(test.sql), name)
	}
}

// The server reads the parts as it reads the whole.
func TestBootstrap_SendsAStatementAtATime(t *testing.T) {
	t.Parallel()
	db := connect(t, dbtest.EmptyURL(t))
	files := []schema.File{{Name: "010_songs.sql", SQL: `
-- Songs; all of them.
CREATE TABLE IF NOT EXISTS songs (
    id bigint NOT NULL, -- made; elsewhere
    name text NOT NULL CHECK (name <> ';' AND name <> E'\';' AND name <> '\S;\')
);
CREATE FUNCTION longest() RETURNS text LANGUAGE sql BEGIN ATOMIC
    SELECT CASE WHEN count(*) > 0 THEN max(name) ELSE ';' END FROM songs;
END;
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    NEW.name := upper(NEW.name); RETURN NEW; -- $$;
END
$body$;
CREATE TRIGGER songs_shout BEFORE INSERT ON songs FOR EACH ROW EXECUTE FUNCTION shout();
CREATE RULE "songs;" AS ON DELETE TO songs DO ALSO (SELECT 1; SELECT 2);
`}}
	created, err := schema.BootstrapFiles(t.Context(), db, files)
	require.NoError(t, err)
	require.Equal(t, []string{"songs"}, created)
	run(t, db, "INSERT INTO songs VALUES (1, 'blue')")
	require.Equal(t, []string{"BLUE"}, list(t, db, "SELECT longest()"))
}
