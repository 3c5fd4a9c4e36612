package dbtx_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/tracelog"
	"github.com/stretchr/testify/require"

	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/internal/testdb"
	"musicstore/layer/internal/testdb/dbtest"
	"musicstore/layer/private"
)

// TestSecrets_AppearInNoOutput runs every operation and many failures with all output on, and looks for the very values.
func TestSecrets_AppearInNoOutput(t *testing.T) {
	t.Parallel()
	const password = "pgtdbpass" // of the tests' role, in every test's URL
	out := &dbtxtest.Echo{}
	trace := &tracelog.TraceLog{
		LogLevel: tracelog.LogLevelTrace,
		Logger: tracelog.LoggerFunc(func(_ context.Context, level tracelog.LogLevel, msg string, data map[string]any) {
			_, _ = fmt.Fprintf(out, "%s %s %v %+v %#v\n", level, msg, data, data, data)
		}),
	}
	databaseURL := dbtest.URL(t)
	require.Contains(t, databaseURL, password)
	store, err := testdb.Open(t.Context(), databaseURL, testdb.WithEcho(out), testdb.WithTracer(trace))
	require.NoError(t, err)
	defer store.Close()
	tokens := []string{}
	say := func(err error) {
		for ; err != nil; err = errors.Unwrap(err) {
			_, _ = fmt.Fprintf(out, "%v %+v %#v\n", err, err, err)
		}
	}

	require.NoError(t, everyQuery(t.Context(), store))
	a := newReader(t, store, "secret.person@example.com")
	for range 2 { // the second is refused
		token := testdb.NewID()
		_, err := store.CreateInvitation(t.Context(), testdb.CreateInvitationParams{
			ReaderID: a.ID, TokenHash: private.DigestOf(token), ExpiresAt: time.Now().Add(time.Hour),
		})
		say(err)
		tokens = append(tokens, token)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), cancelled} {
		for _, h := range []private.PasswordHash{
			hash, private.NewPasswordHash("SecretPassword!"), private.NewPasswordHash("$a$bad\x00"),
			private.NewPasswordHash(hash.Reveal() + strings.Repeat("x", 500)),
		} {
			_, err := store.CreateReader(ctx, testdb.CreateReaderParams{Email: "secret.person@example.com", PasswordHash: h})
			say(err)
			_, err = store.CreateReader(ctx, testdb.CreateReaderParams{ID: "bad", Email: "other.secret@example.com", PasswordHash: h})
			say(err)
			_, err = store.SetPasswordHash(ctx, testdb.SetPasswordHashParams{ID: a.ID, PasswordHash: h})
			say(err)
			_, err = store.RedeemInvitation(ctx, testdb.RedeemInvitationParams{
				TokenHash: private.DigestOf(tokens[0]), UsedIP: &private.IP{Addr: from},
			})
			say(err)
		}
		_, err := store.GetInvitation(ctx, private.DigestOf(tokens[0]))
		say(err)
	}
	_, err = testdb.Store(store).DBTX().Exec(t.Context(), "ALTER TABLE readers ADD CONSTRAINT readers_all_check CHECK (id = 'x') NOT VALID")
	require.NoError(t, err)
	_, err = store.ConfirmEmail(t.Context(), a.ID) // the server's detail has the whole row
	require.ErrorIs(t, err, testdb.ErrCheck)
	say(err)
	_, err = testdb.Store(store).DBTX().Exec(t.Context(), "ALTER TABLE readers RENAME TO gone")
	require.NoError(t, err)
	_, err = store.GetReader(t.Context(), a.ID)
	say(err)
	for _, bad := range []string{strings.Replace(databaseURL, "timezone", "sslmode=never&x", 1), strings.Replace(databaseURL, "/testdb", "/nowhere", 1)} {
		_, err := testdb.Open(t.Context(), bad, testdb.WithEcho(out), testdb.WithTracer(trace))
		require.Error(t, err)
		say(err)
	}

	printed := out.String()
	require.Greater(t, strings.Count(printed, "\n"), 200)
	secrets := map[string]string{
		"connection password": password, "hash": hash.Reveal(), "another hash": hash2.Reveal(), "password": "SecretPassword",
	}
	for i, token := range tokens {
		digest := []byte(private.DigestOf(token).Reveal())
		secrets[fmt.Sprint("token ", i)] = token
		secrets[fmt.Sprint("digest in hex ", i)] = hex.EncodeToString(digest)
		secrets[fmt.Sprint("digest in base64 ", i)] = base64.RawStdEncoding.EncodeToString(digest)
		secrets[fmt.Sprint("digest in decimal ", i)] = strings.Trim(fmt.Sprintf("%d", digest), "[]")
	}
	for name, secret := range secrets {
		if secret == "" {
			continue
		}
		require.NotContains(t, printed, secret, name)
		require.NotContains(t, printed, strings.ToUpper(secret), name)
		require.NotContains(t, printed, url.QueryEscape(secret), name)
	}
	require.Contains(t, printed, "[redacted]")

	// The control: without their types the same values are there.
	_, err = store.DB().Exec(t.Context(), "SELECT $1::text", hash.Reveal())
	require.NoError(t, err)
	require.Contains(t, out.String(), hash.Reveal())
}
