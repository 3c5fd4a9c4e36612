package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/layer/localpg"
)

const nothingNew = "nothing to create: everything is there\n"

// createdAll is what init prints for an empty database.
func createdAll() string { return "created " + strings.Join(dbtest.Created(), "\ncreated ") + "\n" }

func TestInit(t *testing.T) {
	t.Parallel()

	t.Run("CreatesTheTablesOfAnEmptyDatabase", func(t *testing.T) {
		t.Parallel()
		url := dbtest.EmptyURL(t)
		require.Equal(t, result{ok, createdAll(), ""}, musicstore(t, "init", "--database-url", url))
		require.Equal(t, len(dbtest.Tables()), count(t, url,
			"SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition"))
		require.Empty(t, albums(t, url))
	})
	t.Run("CreatesNothingTheSecondTime", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.EmptyURL(t)
		require.Equal(t, ok, musicstore(t, "init", "--database-url", url).status)
		require.Equal(t, result{ok, nothingNew, ""}, musicstore(t, "init", "--database-url", url))
	})
	t.Run("CreatesWhatIsMissingAndKeepsTheRows", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		store := open(t, url)
		require.Equal(t, ok, musicstore(t, "import", "catalog.jsonl", "--database-url", url).status)
		_, err := store.DB().Exec(t.Context(), "DROP TABLE purchases; DROP INDEX albums_year_id_idx")
		require.NoError(t, err)
		// An index of a table that is there is migrate's.
		require.Equal(t, result{ok, "created purchases\n", "1 difference from db/schema: run 'musicstore check'\n"},
			musicstore(t, "init", "--database-url", url))
		require.Equal(t, sampleAlbums(t), albums(t, url))
	})
	t.Run("PointsToCheckWhereSomethingDiffers", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		store := open(t, url)
		_, err := store.DB().Exec(t.Context(), "ALTER TABLE albums ADD COLUMN mine text; DROP TABLE password_resets")
		require.NoError(t, err)
		const says = "1 difference from db/schema: run 'musicstore check'\n"
		require.Equal(t, result{ok, "created password_resets\n", says}, musicstore(t, "init", "--database-url", url))
		require.Equal(t, result{ok, `{"created":[]}` + "\n", says}, musicstore(t, "init", "--json", "--database-url", url))
	})
	t.Run("SaysThatThereIsNoSchemaToCreateThemIn", func(t *testing.T) {
		t.Parallel()
		got := musicstore(t, "init", "--database-url", dbtest.EmptyURL(t)+"&search_path=nowhere")
		require.Equal(t, failed, got.status)
		require.Empty(t, got.out)
		require.Contains(t, got.err, "musicstore: bootstrap: the search_path names no schema that exists: ")
	})
}

// The URLs that can't work have a password in them, which nothing may show.
func TestInit_BadURL(t *testing.T) {
	t.Parallel()
	const badPort = "open: port: has a value that is not allowed: a database URL is like postgres://user:password@host:port/database"
	const badURL = "open: database URL: can't be read: it must be like postgres://user:password@host:port/database"
	for name, test := range map[string]struct{ url, says string }{
		"SaysThatNoServerAnswers": {
			"postgres://u:secretpw@127.0.0.1:1/x",
			"open: the database is not available: is the server running, and does the URL name it?",
		},
		"RefusesAPortThatIsNoNumber":  {"postgres://u:secretpw@h:port/x", badPort},
		"RefusesAHostThatDoesNotEnd":  {"postgres://u:secretpw@[::1/x", badURL},
		"RefusesAPasswordWithSpaces":  {"postgres://u:secretpw with spaces@h/x", badURL},
		"RefusesAHostThatIsMissing":   {"postgres://u:secretpw/x", badPort},
		"RefusesAQuoteThatIsNotEnded": {"host=h password='secretpw", badURL},
		"RefusesAnUnknownSSLMode":     {"postgres://u:secretpw@h/x?sslmode=maybe", "open: sslmode: has a value that is not allowed"},
		"RefusesAURLWithoutAScheme":   {"u:secretpw@h/x", badURL},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := musicstore(t, "init", "--database-url", test.url)
			require.Equal(t, failed, got.status)
			require.Empty(t, got.out)
			require.Contains(t, got.err, "musicstore: "+test.says)
			require.NotContains(t, got.err, "secretpw")
		})
	}
}

// The private server's data stays, and is this machine's own: root's is in /var/cache, whatever the environment says.
func TestInit_WithoutURL(t *testing.T) {
	dbtest.Full(t)
	t.Setenv("DATABASE_URL", "")
	if os.Geteuid() != 0 {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
	}
	// An earlier version may have made it, so it may differ.
	const says = `\ANo DATABASE_URL: using a private PostgreSQL \d+\.\d+, data in /.*/musicstore/keep/store\n(?:\d+ differences? from db/schema: run 'musicstore check'\n)?\z`
	first := musicstore(t, "init")
	require.Equal(t, ok, first.status, first.err)
	require.Regexp(t, says, first.err)
	require.Regexp(t, `\A(?:(?:created .+\n)+|`+nothingNew+`)\z`, first.out) // an earlier version's store may lack what is new
	second := musicstore(t, "init")
	require.Equal(t, result{ok, nothingNew, first.err}, second)

	server, err := localpg.Keep(t.Context(), "store")
	require.NoError(t, err)
	defer server.Stop()
	third := musicstore(t, "init")
	require.Equal(t, failed, third.status)
	require.Empty(t, third.out)
	require.Contains(t, third.err, "in use by another process")
}
