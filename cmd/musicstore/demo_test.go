package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

func TestDemo(t *testing.T) {
	t.Parallel()

	t.Run("TellsTheStoryAndTellsItAgain", func(t *testing.T) {
		t.Parallel()
		url := dbtest.EmptyURL(t)
		first := musicstore(t, "demo", "--database-url", url)
		require.Equal(t, ok, first.status, first.err)
		require.Contains(t, first.out, "Bootstrap created "+strings.Join(dbtest.Created(), ", ")+".\n")
		require.Contains(t, first.out, "Imported 10 albums with 101 tracks in one transaction.")
		second := musicstore(t, "demo", "--database-url", url, "--echo")
		require.Equal(t, ok, second.status, second.err)
		require.Contains(t, second.out, "The tables exist already, so Bootstrap changed nothing.\n")
		require.NotContains(t, second.out, "from db/schema")
		require.Contains(t, second.out,
			"Some of these albums exist already, as after an earlier run. An import adds all or none, so this one added none.\n")

		require.Empty(t, first.err)
		require.NotEmpty(t, second.err, "the echo")
		for _, told := range []result{first, second} {
			for _, part := range []string{
				`\n1\. The shop opens\n─{17}\n`, `\n2\. The shelves fill\n─{19}\n`,
				`\n3\. A customer signs up\n─{22}\n`, `\n4\. She forgets her password\n─{27}\n`,
				`\n5\. She buys\n─{11}\n`, `\n6\. The week in numbers\n─{22}\n`,
				`\n  1999 +Ágætis byrjun +10 tracks +\d+:\d\d +8\.99\n`,
				`\n     5\. Flamenco Sketches \(9:26\)\n`, `\nHer password hash always prints as \[redacted\]\.\n`,
				`\nＡｄａ\.\S+@Ｅｘａｍｐｌｅ\.ｃｏｍ is the same address in full-width letters\. .*: create account: e-mail already taken\.\n`,
				`\nA password reset is open until [\d:]{8} UTC\. Its link has a token, of which the table keeps only a digest\.\n`,
				`\nShe tried the same link again, and the store refused it: redeem password reset: reset token is not valid\.\n`,
				`\nShe bought Homogenic\. .* it is still one purchase\.\n`, `\nWhat next\?\n`,
			} {
				require.Regexp(t, part, told.out)
			}
			require.NotContains(t, told.out, "Blackstar", "it is not published")
			require.Contains(t, told.out, "One album of the catalogue is not published, so it is not in the list.\n")
			require.NotContains(t, told.out, "rm -rf", "it is not ours to remove")
			for _, text := range []string{told.out, told.err} {
				require.NotContains(t, text, "$pbkdf2")
				require.NotContains(t, text, "correct horse")
				require.NotContains(t, text, "a better one")
				require.Empty(t, tokensIn(t, url, text))
			}
		}
		for _, statement := range []string{"CreateAccount", "CreatePasswordReset", "RedeemPasswordReset"} {
			require.Contains(t, second.err, "\n"+statement+" | ")
		}
		require.Contains(t, second.err, "password_hash=[redacted]")
		require.Contains(t, second.err, "email=[personal]")
		require.NotRegexp(t, `(?i)ada\.|@example|ａｄａ|192\.0\.2\.7`, second.err)

		require.Regexp(t, `\n  \d{4}-\d\d-\d\d +1 +2 +\d+\.\d\d\n`, first.out)
		require.Regexp(t, `\n  \d{4}-\d\d-\d\d +2 +4 +\d+\.\d\d\n`, second.out)

		require.Equal(t, sampleAlbums(t), albums(t, url))
		require.Equal(t, 2, count(t, url, "SELECT count(*) FROM accounts WHERE email_confirmed"))
		require.Equal(t, 2, count(t, url, "SELECT count(*) FROM accounts"))
		require.Equal(t, 2, count(t, url, "SELECT count(DISTINCT password_hash) FROM accounts"))
		require.Equal(t, 4, count(t, url, "SELECT count(*) FROM purchases"))
		require.Equal(t, 2, count(t, url, "SELECT count(*) FROM password_resets"))
		require.Equal(t, 2, count(t, url, "SELECT count(*) FROM password_resets WHERE used_ip = '192.0.2.7'"))

		change(t, url, "DROP INDEX purchases_album_id_idx")
		require.Contains(t, musicstore(t, "demo", "--database-url", url).out,
			"But the database has 1 difference from db/schema: run 'go run ./cmd/musicstore migrate'.\n")
	})
	t.Run("SaysHowToBeginAgainOnThePrivateServer", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		var out strings.Builder
		store := open(t, dbtest.EmptyURL(t))
		require.NoError(t, demo{ctx: t.Context(), store: store, out: &out, kept: "/home/ada lovelace/store"}.tell())
		require.Contains(t, out.String(), "\nThe data is kept. To begin again with an empty database:\n  rm -rf '/home/ada lovelace/store'\n")
	})
	t.Run("SellsNothingWhereNothingIsPublished", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		_, err := open(t, url).CreateAlbum(t.Context(), repo.NewAlbum{Name: "Kind of Blue", Year: 1959})
		require.NoError(t, err)
		got := musicstore(t, "demo", "--database-url", url)
		require.Equal(t, ok, got.status, got.err)
		require.Zero(t, count(t, url, "SELECT count(*) FROM purchases"))
		require.Len(t, albums(t, url), 1)
	})
	t.Run("EndsAtWhatItDoesNotExpect", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.URL(t)
		_, err := open(t, url).DB().Exec(t.Context(), "ALTER TABLE albums ADD COLUMN label text NOT NULL")
		require.NoError(t, err)
		got := musicstore(t, "demo", "--database-url", url)
		require.Equal(t, failed, got.status)
		require.Equal(t,
			"musicstore: line 1, \"Kind of Blue\": create album: not-null constraint albums_label_not_null\n"+runCheck+"\n", got.err)
		require.Zero(t, count(t, url, "SELECT count(*) FROM accounts"))
	})
}

func TestShellWord_IsOneWord(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"/var/cache/musicstore/keep/store": "/var/cache/musicstore/keep/store",
		"/home/ada lovelace":               "'/home/ada lovelace'",
		"/home/$HOME's":                    `'/home/$HOME'\''s'`,
		"":                                 "''",
	} {
		require.Equal(t, want, shellWord(word))
	}
}

// The hash in production has the iterations that the tests' own hashes do without.
func TestHashed_HasTheIterationsThatOWASPAsksFor(t *testing.T) {
	t.Parallel()
	require.Equal(t, 220_000, asked)
	hash, err := hashed("correct horse battery staple")
	require.NoError(t, err)
	text, err := hash.TextValue()
	require.NoError(t, err)
	require.Contains(t, text.String, fmt.Sprintf("$pbkdf2-sha512$i=%d$", iterations))
}

// What finds tokens has to find one.
func TestTokensIn(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	store := open(t, url)
	ada, err := store.CreateAccount(t.Context(), repo.NewAccount{Email: "a@b", PasswordHash: repo.NewPasswordHash("$argon2id$c2FsdA$aGFzaA")})
	require.NoError(t, err)
	_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: ada.ID})
	require.NoError(t, err)
	digest := sha256.Sum256([]byte(token))
	hexDigest := hex.EncodeToString(digest[:])
	require.Equal(t, []string{token, hexDigest}, tokensIn(t, url, ada.ID+" (x"+token+") \\x"+hexDigest))
}

var hexes = regexp.MustCompile(`[0-9a-f]{32,}`)

// tokensIn returns the reset tokens of a database, and their digests, that a text shows.
func tokensIn(t *testing.T, url, text string) []string {
	t.Helper()
	rows, err := open(t, url).DB().Query(t.Context(), "SELECT encode(token_hash, 'hex') FROM password_resets")
	require.NoError(t, err)
	defer rows.Close()
	digests := map[string]bool{}
	for rows.Next() {
		var digest string
		require.NoError(t, rows.Scan(&digest))
		digests[digest] = true
	}
	require.NoError(t, rows.Err())
	require.NotEmpty(t, digests)
	var found []string
	for _, s := range hexes.FindAllString(text, -1) {
		digest := sha256.Sum256([]byte(s))
		if digests[s] || digests[hex.EncodeToString(digest[:])] {
			found = append(found, s)
		}
	}

	return found
}
