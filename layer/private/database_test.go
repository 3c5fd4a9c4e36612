package private_test

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"musicstore/layer/dbtest"
	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb/dbgen"
	"musicstore/layer/private"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

// good are hashes as their makers print them, by maker.
var good = map[string]string{
	"argon2id":       "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b/dWRWJTmaaJObG",
	"argon2i, no v=": "$argon2i$m=120,t=5000,p=2$4fXXG0spB92WPB1NitT8/OH0VKI$iPBVuORECm5biUsjq33hn9/7BKqy9aPWKhFfK2haEsM",
	"scrypt":         "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
	"pbkdf2":         "$pbkdf2-sha256$i=600000,l=32$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
	"bcrypt":         "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
	"bcrypt 2y":      "$2y$12$QjSH496pcT5CEbzjD/vtVeH03tfHKFy36d4J0Ltp3lRtee9HDxY3K",
}

// bad is what is no hash: each could be somebody's password.
var bad = map[string]string{
	"nothing":             "",
	"a word":              "hunter2",
	"words":               "correct horse battery staple",
	"a dollar":            "$",
	"dollars":             "$$$",
	"one part":            "$x",
	"a dollar at the end": "$ecret$x",
	"an empty part":       "$argon2id$v=19$$hash",
	"an end of nothing":   "$argon2id$salt$",
	"a space":             "$argon2id$salt$has h",
	"a space before":      " $argon2id$salt$hash",
	"a space behind":      "$argon2id$salt$hash ",
	"a newline behind":    "$argon2id$salt$hash\n",
	"a newline between":   "$argon2id$salt\n$hash",
	"a hash on a line":    "hunter2\n$argon2id$salt$hash",
	"a NUL":               "$argon2id$salt$ha\x00sh",
	"a NUL behind":        "$argon2id$salt$hash\x00",
	"bytes":               "$argon2id$salt$ha\xffsh",
	"an accent":           "$argon2id$salt$häsh",
	"upper case":          "$ARGON2ID$salt$hash",
	"a long name":         "$" + strings.Repeat("a", 33) + "$salt$hash",
	"another's format":    "{SSHA}c2FsdHNhbHQ=",
	"Django's format":     "pbkdf2_sha256$600000$c2FsdHNhbHQ$aGFzaGhhc2g=",
}

func TestPasswordHash_IsAPHCString(t *testing.T) {
	t.Parallel()
	db := dbtest.Of(&dbgen.Metadata).Pool(t)
	check := func(text string) error {
		_, err := db.Exec(t.Context(), `
INSERT INTO readers (id, email, email_key, password_hash, created_at, email_confirmed, is_super_user)
VALUES (md5($1), 'a@b', md5($1) || '@b', $1, now(), false, false)`, text)

		return err
	}
	for name, phc := range good {
		text, err := private.NewPasswordHash(phc).TextValue()
		require.NoError(t, err, name)
		require.True(t, text.Valid)
		require.Equal(t, phc, text.String)
		require.NoError(t, check(phc), "the schema says the same of %s", name)
	}
	for name, word := range bad {
		_, err := private.NewPasswordHash(word).TextValue()
		require.ErrorIs(t, err, private.ErrNotPHC, name)
		require.EqualError(t, err, private.ErrNotPHC.Error())
		require.Error(t, check(word), "the schema says the same of %s", name)
	}
}

// TestPasswordHash_IsWhatThePatternMatches tries all short texts of a few characters: the schema's pattern is the oracle.
func TestPasswordHash_IsWhatThePatternMatches(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^\$[a-z0-9-]{1,32}(\$[A-Za-z0-9/+.=,-]+){2,}$`)
	require.True(t, slices.ContainsFunc(dbgen.Metadata.Schema, func(st dbtx.Statement) bool {
		return strings.Contains(st.SQL, "'"+pattern.String()+"'")
	}))
	hashes := 0
	try := func(text string) {
		_, err := private.NewPasswordHash(text).TextValue()
		require.Equal(t, pattern.MatchString(text), err == nil, "%q", text)
		if err == nil {
			hashes++
		}
	}
	texts := []string{""}
	for range 8 {
		longer := make([]string, 0, 5*len(texts))
		for _, text := range texts {
			try(text)
			for _, char := range []string{"$", "a", "Z", "=", "\n"} {
				longer = append(longer, text+char)
			}
		}
		texts = longer
	}
	require.Equal(t, 9+9+27+27, hashes, "of six and of seven characters")
	for char := range 256 {
		c := string([]byte{byte(char)})
		try("$" + c + "$salt$hash")
		try("$argon2id$" + c + "$hash")
	}
	for n := range 34 {
		try("$" + strings.Repeat("a", n) + "$salt$hash")
	}
}

// modes are all the ways in which pgx sends a query.
var modes = []pgx.QueryExecMode{
	pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
	pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
}

// inEveryMode runs a test on a connection of each mode that has a table "private".
func inEveryMode(t *testing.T, test func(t *testing.T, db *pgx.Conn)) {
	t.Helper()
	url := dbtest.EmptyURL(t)
	for _, mode := range modes {
		t.Run(strings.ReplaceAll(mode.String(), " ", "_"), func(t *testing.T) {
			t.Parallel()
			config, err := pgx.ParseConfig(url)
			require.NoError(t, err)
			config.DefaultQueryExecMode = mode
			db, err := pgx.ConnectConfig(t.Context(), config)
			require.NoError(t, err)
			defer db.Close(context.WithoutCancel(t.Context()))
			_, err = db.Exec(t.Context(), "CREATE TEMPORARY TABLE private (email text, hash text, digest bytea, ip inet)")
			require.NoError(t, err)
			test(t, db)
		})
	}
}

type record struct {
	Email  private.Email
	Hash   private.PasswordHash
	Digest private.Digest
	IP     *private.IP
}

const insert = "INSERT INTO private (email, hash, digest, ip) VALUES ($1, $2, $3, $4)"

func address(s string) *private.IP { return &private.IP{Addr: netip.MustParseAddr(s)} }

func TestDatabase_GivesBackWhatItWasGiven(t *testing.T) {
	t.Parallel()
	inEveryMode(t, func(t *testing.T, db *pgx.Conn) {
		t.Helper()
		records := map[string]record{
			"no address":     {email, hash, digest, nil},
			"IPv4":           {email, hash, digest, address("198.51.100.7")},
			"IPv6":           {"zoë@exämple.com", hash, digest, address("2001:db8::1")},
			"IPv4 in IPv6":   {"'; DROP TABLE private; --", hash, digest, address("::ffff:198.51.100.7")},
			"digest of none": {"", hash, private.DigestOf(""), address("::")},
			"quotes":         {`a\b"c'd`, hash, private.DigestOf("ff"), address("0.0.0.0")},
		}
		for maker, phc := range good {
			records[maker] = record{email, private.NewPasswordHash(phc), private.DigestOf(maker), nil}
		}
		for name, want := range records {
			_, err := db.Exec(t.Context(), insert, want.Email, want.Hash, want.Digest, want.IP)
			require.NoError(t, err, name)
			for _, sql := range []string{
				"SELECT email, hash, digest, ip FROM private WHERE email = $1 AND hash = $2 AND digest = $3 " +
					"AND ip IS NOT DISTINCT FROM $4",
				"DELETE FROM private WHERE email = $1 AND hash = $2 AND digest = $3 AND ip IS NOT DISTINCT FROM $4 " +
					"RETURNING email, hash, digest, ip",
			} {
				rows, err := db.Query(t.Context(), sql, &want.Email, &want.Hash, &want.Digest, want.IP)
				require.NoError(t, err, name)
				got, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[record])
				require.NoError(t, err, name)
				require.Equal(t, want, got, name)
			}
		}
	})
}

func TestDatabase_HoldsTheBareValues(t *testing.T) {
	t.Parallel()
	inEveryMode(t, func(t *testing.T, db *pgx.Conn) {
		t.Helper()
		_, err := db.Exec(t.Context(), insert, email, hash, digest, address("fe80::1%eth0"))
		require.NoError(t, err)
		var text string
		require.NoError(t, db.QueryRow(t.Context(),
			"SELECT concat_ws(' ', email, hash, encode(digest, 'hex'), ip) FROM private").Scan(&text))
		require.Equal(t, "Ada.Lovelace@example.com $argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo "+
			"3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0 fe80::1", text, "an address loses its zone")
	})
}

func TestDatabase_TakesThemInACopyAndAnArray(t *testing.T) {
	t.Parallel()
	inEveryMode(t, func(t *testing.T, db *pgx.Conn) {
		t.Helper()
		columns := []string{"email", "hash", "digest", "ip"}
		n, err := db.CopyFrom(t.Context(), pgx.Identifier{"private"}, columns, pgx.CopyFromRows([][]any{
			{email, hash, digest, address("2001:db8::1")}, {email, hash, digest, (*private.IP)(nil)},
		}))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		rows, err := db.Query(t.Context(), "SELECT email, hash, digest, ip FROM private ORDER BY ip")
		require.NoError(t, err)
		got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[record])
		require.NoError(t, err)
		require.Equal(t, []record{{email, hash, digest, address("2001:db8::1")}, {email, hash, digest, nil}}, got)

		if mode := db.Config().DefaultQueryExecMode; mode < pgx.QueryExecModeExec { // which knows no such array
			require.NoError(t, db.QueryRow(t.Context(), "SELECT count(*) FROM private WHERE email = ANY($1)",
				[]private.Email{"a@b", email}).Scan(&n))
			require.EqualValues(t, 2, n)
		}

		_, err = db.CopyFrom(t.Context(), pgx.Identifier{"private"}, columns,
			pgx.CopyFromRows([][]any{{email, private.NewPasswordHash("hunter2"), digest, nil}}))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "Ada")
	})
}

func TestDatabase_RefusesToReadWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	inEveryMode(t, func(t *testing.T, db *pgx.Conn) {
		t.Helper()
		var (
			e private.Email
			h private.PasswordHash
			d private.Digest
		)
		for sql, c := range map[string]struct {
			dst  any
			want string
		}{
			"SELECT NULL::text":                      {&e, "cannot scan NULL"},
			"SELECT NULL::text AS hash":              {&h, "cannot scan NULL"},
			"SELECT NULL::bytea":                     {&d, "a digest of 0 bytes, not 32"},
			"SELECT decode(repeat('ab', 31), 'hex')": {&d, "a digest of 31 bytes, not 32"},
			"SELECT decode(repeat('ab', 33), 'hex')": {&d, "a digest of 33 bytes, not 32"},
			"SELECT ''::bytea":                       {&d, "a digest of 0 bytes, not 32"},
		} {
			err := db.QueryRow(t.Context(), sql).Scan(c.dst)
			require.ErrorContains(t, err, c.want, sql)
			require.NotContains(t, err.Error(), "abab", sql)
		}
		require.Equal(t, private.Digest{}, d, "nothing was taken of it")

		at, nobody := &e, address("::1")
		require.NoError(t, db.QueryRow(t.Context(), "SELECT NULL::text, NULL::inet").Scan(&at, &nobody))
		require.Nil(t, at, "NULL has its place in a pointer")
		require.Nil(t, nobody)
	})
}

func TestDatabase_IsNotSentWhatMayBeAPassword(t *testing.T) {
	t.Parallel()
	inEveryMode(t, func(t *testing.T, db *pgx.Conn) {
		t.Helper()
		for name, word := range bad {
			h := private.NewPasswordHash(word)
			_, err := db.Exec(t.Context(), insert, email, h, digest, ip)
			require.ErrorIs(t, err, private.ErrNotPHC, name)
			var fromServer *pgconn.PgError
			require.NotErrorAs(t, err, &fromServer, name)
			requireHidden(t, err.Error(), h)

			batch := &pgx.Batch{}
			batch.Queue(insert, email, h, digest, ip)
			err = db.SendBatch(t.Context(), batch).Close()
			require.ErrorIs(t, err, private.ErrNotPHC, name)
			requireHidden(t, err.Error(), h)
		}
		_, err := db.Exec(t.Context(), insert, email, hash, digest, ip)
		require.NoError(t, err, "the connection is as good as before")
	})
}

func requireHidden(t *testing.T, text string, h private.PasswordHash) {
	t.Helper()
	if len(h.Reveal()) > 3 {
		require.NotContains(t, strings.ReplaceAll(text, private.ErrNotPHC.Error(), ""), h.Reveal())
	}
	require.Empty(t, shown(text))
	require.NotContains(t, text, "Ada")
	require.NotContains(t, text, "198.51")
}

func TestDatabase_IsNotShownWhatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	inEveryMode(t, func(t *testing.T, db *pgx.Conn) {
		t.Helper()
		for _, v := range []any{
			record{email, hash, digest, &ip},
			[]record{{IP: &ip}},
			[]private.Email{email},
			[]private.IP{ip},
			[]private.PasswordHash{hash},
			[]private.Digest{digest},
		} {
			err := db.QueryRow(t.Context(), "SELECT $1::bigint", v).Scan(new(int64))
			require.ErrorContains(t, err, "unable to encode")
			requireHidden(t, err.Error(), hash)
		}
	})
}

func TestDatabase_TakesAnySecret(t *testing.T) {
	t.Parallel()
	inEveryMode(t, func(t *testing.T, db *pgx.Conn) {
		t.Helper()
		_, err := db.Exec(t.Context(), `CREATE TEMPORARY TABLE cards (
			n integer, code text NOT NULL, short varchar(20) NOT NULL, maybe text, pin bytea NOT NULL, maybe_pin bytea)`)
		require.NoError(t, err)
		_, err = db.Exec(t.Context(), "CREATE TYPE pg_temp.grade AS ENUM ('secret')") // which pgx does not know
		require.NoError(t, err)
		type card struct {
			Code, Short private.Secret
			Maybe       *private.Secret
			Pin         private.SecretBytes
			MaybePin    *private.SecretBytes
		}
		long := strings.Repeat("long' \\ü", 99)
		text, bytes := private.NewSecret(`it's \"x"`), private.NewSecretBytes([]byte("\x00\xff'\\"))
		const columns = "code, short, maybe, pin, maybe_pin"
		for n, want := range []card{
			{private.NewSecret("a"), private.NewSecret("b"), &text, bytes, &bytes},
			{private.NewSecret(long), text, nil, private.NewSecretBytes([]byte(long)), nil},
			{},
		} {
			row := []any{n, want.Code, want.Short, want.Maybe, want.Pin, want.MaybePin}
			_, err := db.Exec(t.Context(), "INSERT INTO cards VALUES ($1, $2, $3, $4, $5, $6)", row...)
			require.NoError(t, err)
			_, err = db.CopyFrom(t.Context(), pgx.Identifier{"cards"}, []string{"n", "code", "short", "maybe", "pin", "maybe_pin"},
				pgx.CopyFromRows([][]any{row}))
			require.NoError(t, err)
			rows, err := db.Query(t.Context(), "SELECT "+columns+" FROM cards WHERE n = $1 AND code = $2 AND pin = $3", n, want.Code, &want.Pin)
			require.NoError(t, err)
			got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[card])
			require.NoError(t, err)
			require.Equal(t, []card{want, want}, got)
			var grade private.Secret
			var none *private.Secret
			require.NoError(t, db.QueryRow(t.Context(), "SELECT 'secret'::pg_temp.grade, NULL::pg_temp.grade").Scan(&grade, &none))
			require.Equal(t, "secret", grade.Reveal())
			require.Nil(t, none)
			require.ErrorContains(t, db.QueryRow(t.Context(), "SELECT NULL::pg_temp.grade").Scan(&grade), "cannot scan NULL")
			var bare string
			require.NoError(t, db.QueryRow(t.Context(), "SELECT code FROM cards WHERE n = $1", n).Scan(&bare))
			require.Equal(t, want.Code.Reveal(), bare)
		}
		if mode := db.Config().DefaultQueryExecMode; mode < pgx.QueryExecModeExec { // which knows no such array
			var n int
			require.NoError(t, db.QueryRow(t.Context(), "SELECT count(*) FROM cards WHERE code = ANY($1) AND pin = ANY($2)",
				[]private.Secret{private.NewSecret("a"), text}, []private.SecretBytes{bytes}).Scan(&n))
			require.Equal(t, 2, n)
			var codes []private.Secret
			var none []*private.Secret
			require.NoError(t, db.QueryRow(t.Context(), "SELECT array_agg(code ORDER BY code), ARRAY[NULL, 'x'] FROM cards WHERE n = 0").
				Scan(&codes, &none))
			require.Equal(t, []private.Secret{private.NewSecret("a"), private.NewSecret("a")}, codes)
			require.Nil(t, none[0])
			require.Equal(t, "x", none[1].Reveal())
		}
	})
}

// What a secret costs when it is read is what a string costs, where it fits.
func TestScan_AllocatesOnce(t *testing.T) { //nolint:paralleltest // allocations are counted for the whole process
	types := pgtype.NewMap()
	scan := func(dst any, value []byte) float64 {
		return testing.AllocsPerRun(100, func() {
			for _, format := range []int16{pgx.TextFormatCode, pgx.BinaryFormatCode} {
				if err := types.Scan(pgtype.TextOID, format, value, dst); err != nil {
					panic(err)
				}
			}
		})
	}
	for maker, phc := range good {
		require.InDelta(t, scan(new(string), []byte(phc)), scan(new(private.PasswordHash), []byte(phc)), 0, maker)
	}
	long := []byte("$" + strings.Repeat("x", 200))
	require.InDelta(t, 2+scan(new(string), long), scan(new(private.PasswordHash), long), 0)
}
