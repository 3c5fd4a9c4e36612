package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/internal/schema"
)

// change runs statements in a database.
func change(t *testing.T, url string, statements ...string) {
	t.Helper()
	db := open(t, url).DB()
	for _, sql := range statements {
		_, err := db.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
}

// What Migrate does of each kind of change, the tests of the layer show.
func TestMigrate(t *testing.T) {
	t.Parallel()
	const nothing = "nothing to do: the database matches db/schema\n"

	t.Run("BringsADatabaseToTheSchemaOnce", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		change(t, url, "DROP INDEX purchases_album_id_idx", "ALTER TABLE albums DROP COLUMN image_url", "CREATE TABLE mine (id bigint)")
		got := musicstore(t, "migrate", "--plan", "--database-url", url)
		require.Equal(t, result{ok, `1. ALTER TABLE "albums" ADD COLUMN "image_url" text;
   -- ACCESS EXCLUSIVE on albums
2. ALTER TABLE "albums" ADD CONSTRAINT "albums_image_url_check" CHECK (((char_length(image_url) >= 1) AND (char_length(image_url) <= 2000))) NOT VALID;
   -- ACCESS EXCLUSIVE on albums
   -- may break programs of the old version
3. ALTER TABLE "albums" VALIDATE CONSTRAINT "albums_image_url_check";
   -- SHARE UPDATE EXCLUSIVE on albums
   -- reads every row
   -- fails if this finds a row: SELECT * FROM "albums" WHERE NOT (((char_length(image_url) >= 1) AND (char_length(image_url) <= 2000)))
4. CREATE INDEX CONCURRENTLY "purchases_album_id_idx" ON purchases USING btree (album_id);
   -- SHARE UPDATE EXCLUSIVE on purchases
   -- reads every row
-- not in db/schema, and kept without --prune: table mine is extra
`, ""}, got)

		require.Equal(t, result{ok, "-- no step was run yet\n", ""}, musicstore(t, "migrate", "--log", "--database-url", url))
		const left = "-- not in db/schema, and kept without --prune: table mine is extra\n"
		require.Equal(t, result{ok, "4 steps done\n" + left, `1/4 ALTER TABLE "albums" ADD COLUMN "image_url" text;
2/4 ALTER TABLE "albums" ADD CONSTRAINT "albums_image_url_check" CHECK (((char_length(image_url) >= 1) AND (char_length(image_url) <= 2000))) NOT VALID;
3/4 ALTER TABLE "albums" VALIDATE CONSTRAINT "albums_image_url_check";
4/4 CREATE INDEX CONCURRENTLY "purchases_album_id_idx" ON purchases USING btree (album_id);
`}, musicstore(t, "migrate", "--database-url", url))
		require.Equal(t, result{ok, left, ""}, musicstore(t, "migrate", "--database-url", url))

		got = musicstore(t, "migrate", "--log", "--database-url", url)
		require.Equal(t, 4, strings.Count(got.out, ", version unknown to "))
		require.Contains(t, got.out, "\nCREATE INDEX CONCURRENTLY \"purchases_album_id_idx\" ON purchases USING btree (album_id);\n")

		got = musicstore(t, "check", "--database-url", url) // it knows the record as ours
		require.Equal(t, "musicstore: check: 1 difference from db/schema\n"+runPlan+"\n", got.err)
		require.Equal(t, ok, musicstore(t, "migrate", "--prune", "--database-url", url).status) // the table has no row
		require.Equal(t, result{ok, nothing, ""}, musicstore(t, "migrate", "--database-url", url))
		require.Equal(t, ok, musicstore(t, "check", "--database-url", url).status)
		require.Equal(t, 5, count(t, url, "SELECT count(*) FROM musicstore_migrations"))
	})
	t.Run("PrintsJSON", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		change(t, url, "DROP INDEX purchases_album_id_idx", "ALTER TABLE albums DROP COLUMN image_url", "CREATE TABLE mine (id bigint)")
		got := musicstore(t, "migrate", "--plan", "--json", "--database-url", url)
		require.Equal(t, ok, got.status)
		var plan schema.Plan
		require.NoError(t, json.Unmarshal([]byte(got.out), &plan))
		require.Len(t, plan.Steps, 4)
		require.Len(t, plan.Others, 1)
		require.Equal(t, ok, musicstore(t, "migrate", "--prune", "--database-url", url).status)
		require.Equal(t, result{ok, `{"applied":[],"later":[],"others":[]}` + "\n", ""}, musicstore(t, "migrate", "--json", "--database-url", url))
		var log []schema.Applied
		require.NoError(t, json.Unmarshal([]byte(musicstore(t, "migrate", "--log", "--json", "--database-url", url).out), &log))
		require.Len(t, log, 5)
		require.NotZero(t, log[0].At)
	})
	t.Run("LeavesWhatBreaksOldPrograms", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		change(t, url, "ALTER TABLE albums DROP COLUMN image_url")
		got := musicstore(t, "migrate", "--expand", "--plan", "--database-url", url)
		require.Equal(t, ok, got.status)
		require.Contains(t, got.out, "-- left for --contract: constraint albums.albums_image_url_check is missing: CHECK (((char_length(image_url) >= 1) AND (char_length(image_url) <= 2000)))\n")
		require.NotContains(t, got.out, "VALIDATE")
	})
	t.Run("LosesNothingUnlessItIsAllowed", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		require.Equal(t, ok, musicstore(t, "import", "catalog.jsonl", "--database-url", url).status)
		change(t, url, "ALTER TABLE albums ADD COLUMN mine text", "UPDATE albums SET mine = 'x' WHERE id <= 3", "DROP INDEX purchases_album_id_idx")
		const why = "column albums.mine: it loses the values of the column (3): allow it by --allow-loss\n" + resolveRefusals + "\n"
		require.Equal(t, result{failed, "", "musicstore: migrate: refused: " + why}, musicstore(t, "migrate", "--database-url", url))
		require.Zero(t, count(t, url, "SELECT count(*) FROM pg_indexes WHERE indexname = 'purchases_album_id_idx'"))
		got := musicstore(t, "migrate", "--plan", "--database-url", url)
		require.Equal(t, failed, got.status)
		require.Equal(t, "musicstore: refused: "+why, got.err)
		require.Contains(t, got.out, "   -- loses the values of the column (3)\n")
		require.Equal(t, result{failed, "", "musicstore: refused: " + why}, musicstore(t, "migrate", "--sql", "--database-url", url), "psql could run it")
		require.Equal(t, "2 steps done\n", musicstore(t, "migrate", "--allow-loss", "--database-url", url).out)
		require.Equal(t, ok, musicstore(t, "check", "--database-url", url).status)
		require.Equal(t, 10, count(t, url, "SELECT count(*) FROM albums"))
	})
	t.Run("WritesAFileForPsql", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.EmptyURL(t)
		got := musicstore(t, "migrate", "--sql", "--lock-timeout", "1500ms", "--database-url", url)
		require.Equal(t, ok, got.status, got.err)
		require.Contains(t, got.out, "SET LOCAL lock_timeout = '1500ms';\n")
		psql(t, url, got.out)
		require.Equal(t, ok, musicstore(t, "check", "--database-url", url).status)

		change(t, url, "INSERT INTO accounts (id, email, email_key, password_hash, created_at, email_confirmed, is_super_user) "+
			"VALUES (repeat('a', 32), 'a@b', 'a@b', '$argon2id$c2FsdA$aGFzaA', now(), true, false)", "ALTER TABLE accounts DROP COLUMN email_key")
		got = musicstore(t, "migrate", "--sql", "--database-url", url)
		require.Equal(t, result{failed, "", "musicstore: the plan has a Go function in it, which psql can't run: " +
			"column accounts.email_key is filled by emailKey\n" + runFunction + "\n"}, got)
	})
	t.Run("FillsByTheFunctionsOfTheStore", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		store := open(t, url)
		account, err := store.CreateAccount(t.Context(), repo.NewAccount{
			Email: "Ada@Example.com", PasswordHash: repo.NewPasswordHash("$argon2id$c2FsdA$aGFzaA"),
		})
		require.NoError(t, err)
		change(t, url, "ALTER TABLE accounts DROP COLUMN email_key")
		got := musicstore(t, "migrate", "--database-url", url)
		require.Equal(t, ok, got.status, got.err)
		require.NotContains(t, strings.ToLower(got.err), "ada@", "no value is shown")
		require.Equal(t, ok, musicstore(t, "check", "--database-url", url).status)
		found, err := store.GetAccountByEmail(t.Context(), "ADA@example.com")
		require.NoError(t, err)
		require.Equal(t, account.ID, found.ID)
	})
	t.Run("SaysWhatCannotBe", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{{"--expand", "--contract"}, {"--plan", "--log"}, {"now"}} {
			require.Equal(t, misuse, musicstore(t, append([]string{"migrate"}, args...)...).status, "%v", args)
		}
	})
}

// psql runs SQL as somebody does who has it in a file.
func psql(t *testing.T, url, sql string) {
	t.Helper()
	url, _, _ = strings.Cut(url, "&timezone=") // which psql does not know
	cmd := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url)
	cmd.Stdin = strings.NewReader(sql)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, sql)
}
